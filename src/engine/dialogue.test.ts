import { expect, it } from 'vitest';
import { Dialogue } from './dialogue';
import type { SeqRange } from './memory/seq-range';

const range = (first: number, end: number): SeqRange => ({ first, end });

/** Frames up to 9, then two turns; frames from 41 to 49, then one more. */
function conversation(): Dialogue {
  const dialogue = new Dialogue();
  dialogue.closeFrames(range(10, 11));
  dialogue.addTurn(range(11, 20));
  dialogue.addTurn(range(20, 40));
  dialogue.openFrames(range(40, 41));
  dialogue.closeFrames(range(50, 51));
  dialogue.addTurn(range(51, 60));
  return dialogue;
}

it('lets go of whole turns, the oldest first, and of markers with the last turn between them', () => {
  const dialogue = conversation();
  expect(dialogue.releasable).toEqual([
    range(10, 11),
    range(11, 20),
    range(20, 40),
    range(40, 41),
    range(51, 60),
  ]);
  expect(dialogue.dropOldest()).toEqual([range(11, 20)]);
  expect(dialogue.dropOldest()).toEqual([range(20, 40), range(10, 11), range(40, 41)]);
  // No frames have come after this one: what closed those before it must stay for the next question.
  expect(dialogue.dropOldest()).toEqual([range(51, 60)]);
  expect(dialogue.dropOldest()).toEqual([]);
  expect(dialogue.releasable).toEqual([]);
  dialogue.addTurn(range(60, 70));
  dialogue.openFrames(range(70, 71));
  expect(dialogue.dropOldest()).toEqual([range(60, 70), range(50, 51), range(70, 71)]);
});

it('lets go of markers whose turns had gone before the frames after them came', () => {
  const dialogue = conversation();
  for (let turn = 0; turn < 3; turn++) dialogue.dropOldest();
  dialogue.openFrames(range(60, 61));
  expect(dialogue.releasable).toEqual([range(50, 51), range(60, 61)]);
  expect(dialogue.dropOldest()).toEqual([range(50, 51), range(60, 61)]);
});

it('goes on from what was saved, which later turns do not change', () => {
  const dialogue = conversation();
  const saved = dialogue.state;
  const restored = new Dialogue();
  restored.addTurn(range(0, 1));
  restored.restore(saved);
  for (const each of [dialogue, restored]) {
    each.openFrames(range(60, 61));
    expect(each.dropOldest()).toEqual([range(11, 20)]);
  }
  expect(saved).toEqual(conversation().state);
});

it('keeps as many texts between frames as it is told to, the newest, and lets go of them by age with the turns', () => {
  const dialogue = new Dialogue();
  dialogue.separate(range(1, 4));
  dialogue.separate(range(10, 14));
  dialogue.closeFrames(range(20, 21));
  dialogue.addTurn(range(21, 30));
  dialogue.openFrames(range(30, 33));
  dialogue.separate(range(40, 44));
  expect(dialogue.dropSeparators(3)).toEqual([]);
  expect(dialogue.dropSeparators(2)).toEqual([range(1, 4)]);
  expect(dialogue.dropOldest()).toEqual([range(10, 14)]);
  expect(dialogue.dropOldest()).toEqual([range(21, 30), range(20, 21), range(30, 33)]);
  expect(dialogue.dropSeparators(0)).toEqual([range(40, 44)]);
  expect(dialogue.releasable).toEqual([]);
});
