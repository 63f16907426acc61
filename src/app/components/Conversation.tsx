// The conversation so far, answers growing as they come.
import { type RefObject, useEffect, useRef } from 'react';
import { formatDuration, formatTime } from '../format';
import { useAssistant } from '../state/assistant';
import type { ConversationState, Turn } from '../state/conversation-control';
import { useStore } from '../state/store';
import { fileUnderWay, type WatchState } from '../state/watch-control';

/** Pixels from the end within which the reader counts as following along. */
const FOLLOWING_PX = 120;

export function Conversation() {
  const { conversation } = useAssistant();
  const { entries } = useStore(conversation);
  const log = useRef<HTMLDivElement>(null);
  useFollowEnd(log, entries);

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
    <div ref={log} className="log" role="log" aria-label="Conversation" tabIndex={0}>
      {entries.length === 0 && (
        <div className="log-empty">
          <p>Ask about now, or about what has gone by.</p>
          <p>
            Ringside remembers what it watches inside a fixed memory and answers here, on this device. Camera,
            file or screen: nothing is uploaded.
          </p>
        </div>
      )}
      {entries.map((entry) =>
        entry.kind === 'turn' ? (
          <TurnView key={entry.id} turn={entry} />
        ) : (
          <p key={entry.id} className="marker">
            {entry.text}
          </p>
        ),
      )}
    </div>
  );
}

function TurnView({ turn }: { turn: Turn }) {
  const { conversation } = useAssistant();
  return (
    <div className={`turn turn-${turn.phase}`}>
      <p className="question">
        <span className="visually-hidden">You asked: </span>
        {turn.question}
      </p>
      {/* Busy while it grows, so that a screen reader reads the whole answer once instead of its fragments. */}
      <div className="answer" aria-busy={turn.phase === 'answering'}>
        <span className="visually-hidden">Ringside: </span>
        {turn.phase === 'queued' && <QueuedNote turn={turn} />}
        {turn.answer && <p className="answer-text">{turn.answer}</p>}
        {turn.phase === 'answering' && <span className="answer-pulse" aria-hidden="true" />}
        {turn.phase === 'stopped' && <p className="answer-note">Stopped.</p>}
        {turn.phase === 'failed' && (
          <div className="answer-failure" role="alert">
            <p>{turn.failure}</p>
            <button type="button" className="button" onClick={() => conversation.ask(turn.question)}>
              Repeat the question
            </button>
          </div>
        )}
        {turn.end && <p className="answer-note">{noteOf(turn)}</p>}
      </div>
    </div>
  );
}

/** Why a question has not been asked yet, and the way to have it answered before the end of a file. */
function QueuedNote({ turn }: { turn: Turn }) {
  const { conversation, engine, watching } = useAssistant();
  const { phase } = useStore(engine);
  const watched = useStore(watching);
  const waitsForEnd = phase === 'ready' && fileUnderWay(watched) && !turn.hurried;
  return (
    <div className="answer-waiting">
      <p className="answer-note">{waitsForEnd ? endText(watched) : queuedText(phase, watched.seen)}</p>
      {waitsForEnd && (
        <button type="button" className="button" onClick={() => conversation.hurry(turn.id)}>
          Answer now
        </button>
      )}
    </div>
  );
}

function endText({ opening, name }: WatchState): string {
  return `Kept until the end of ${opening ? 'the video' : `“${name}”`} has been seen.`;
}

function queuedText(phase: 'loading' | 'ready' | 'failed', seen: boolean): string {
  if (phase === 'loading') return 'Kept: it is asked as soon as the model is ready and something was seen.';
  if (phase === 'failed') return 'Kept: it is asked once the model runs.';
  if (seen) return 'Next, after the answer in progress.';
  return 'Kept: it is asked as soon as something was seen. Choose what to watch.';
}

function noteOf({ askedOf, askedAtMs, end }: Turn): string {
  const asked = askedOf ? `${askedOf} at ${formatTime(askedAtMs)}` : '';
  const first = end?.firstTextMs == null ? '' : `first word after ${formatDuration(end.firstTextMs)}`;
  return [asked, first].filter(Boolean).join(' · ');
}

/**
 * Shows a new question, and keeps its growing answer in view while the reader is at the end; leaves those alone
 * who scrolled back.
 */
function useFollowEnd(log: RefObject<HTMLDivElement | null>, entries: ConversationState['entries']): void {
  const newest = useRef(0);
  // Known from the last scrolling, since what grows meanwhile, a preview above it too, moves the end away.
  const following = useRef(false);
  useEffect(() => {
    const note = () => {
      if (!log.current) return;
      const { scrollHeight, scrollTop, clientHeight } = scrollerOf(log.current);
      following.current = scrollHeight - scrollTop - clientHeight < FOLLOWING_PX;
    };
    document.addEventListener('scroll', note, { capture: true, passive: true });
    return () => document.removeEventListener('scroll', note, { capture: true });
  }, [log]);
  useEffect(() => {
    const last = entries.at(-1);
    if (!log.current || !last) return;
    if (last.kind === 'turn' && last.id > newest.current) following.current = true;
    newest.current = last.id;
    const scroller = scrollerOf(log.current);
    if (following.current) scroller.scrollTop = scroller.scrollHeight;
  }, [log, entries]);
}

/** On a desktop the conversation scrolls by itself, on a phone the whole page does. */
function scrollerOf(log: HTMLElement): Element {
  return log.scrollHeight > log.clientHeight + 1 ? log : document.documentElement;
}
