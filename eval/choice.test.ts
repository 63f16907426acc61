import { expect, it } from 'vitest';
import { bareOption, choicePrompt, readChoice } from './choice';

const options = ['A red star.', 'A star.', 'Three', 'None of the above'];

for (const [answer, index] of [
  ['B', 1],
  [' c ', 2],
  ['B.', 1],
  ['(D)', 3],
  ['**C**', 2],
  ['C: Three', 2],
  ['A) A red star.', 0],
  ['B\nbecause it has five tips', 1],
  ['The answer is D.', 3],
  ['The correct option is (C).', 2],
  ['Answer: B', 1],
  ['I would choose (C) here.', 2],
  ['Not (A) but (B): the answer is B.', 1],
  ['It is C.', 2],
  ['I think it is D', 3],
  ['The answer is B. A star is all there is.', 1],
  ['A red star.', 0],
  ['I see a red star.', 0],
  ['There is a star.', 1],
  ['three', 2],
  ['It is none of the above', 3],
  // An article is no letter, and what means nothing or several means none.
  ['A blue heart.', undefined],
  ['E', undefined],
  ['(A) or (B)', undefined],
  ['A, B', undefined],
  ['A or B', undefined],
  ['(A) and B', undefined],
  ['A. or maybe B.', undefined],
  ['Answer: A, B', undefined],
  ['red', undefined],
  ['Three, or a star', undefined],
  ['threefold', undefined],
  ['', undefined],
] as const) {
  it(`reads '${answer.replace('\n', ' ')}'`, () => {
    expect(readChoice(answer, options)).toBe(index);
  });
}

it('keeps orders apart', () => {
  const orders = ['1->2->3', '2->1->3', '3->2->1'];
  expect(readChoice('2->1->3', orders)).toBe(1);
});

it('puts a question with letters of its own', () => {
  const own = ['A. Apples.', '(B) Candles.', 'A. Berries.'].map(bareOption);
  expect(own).toEqual(['Apples.', 'Candles.', 'A. Berries.']);
  expect(choicePrompt('Which?', own.slice(0, 2))).toBe(
    'Which?\nA. Apples.\nB. Candles.\nAnswer with the letter of the right option.',
  );
});
