// Where questions are typed, stopped, and suggested.
import { type FormEvent, type KeyboardEvent, useId, useRef, useState } from 'react';
import { useAssistant } from '../state/assistant';
import { useStore } from '../state/store';
import { AskIcon, StopIcon } from './icons';

export function AskBox() {
  const { conversation, engine, watching } = useAssistant();
  const { card } = useStore(engine);
  const { request } = useStore(watching);
  const { entries } = useStore(conversation);
  const [text, setText] = useState('');
  const [empty, setEmpty] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const id = useId();
  const stoppable = entries.some(
    (entry) => entry.kind === 'turn' && (entry.phase === 'answering' || entry.phase === 'queued'),
  );
  const suggestions = request?.kind === 'demo' ? (card?.suggestedQuestions ?? []) : [];

  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    const question = text.trim();
    setEmpty(question === '');
    if (question) {
      conversation.ask(question);
      setText('');
    }
    box.current?.focus();
  };

  const stop = () => {
    const takenBack = conversation.stop();
    if (takenBack !== null) setText((typed) => typed || takenBack);
    // The button is about to be disabled; focus must not be lost with it.
    box.current?.focus();
  };

  const submitOnEnter = (event: KeyboardEvent) => {
    // Enter also ends a composition of an input method, which is not yet a question.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };

  return (
    <form className="ask" onSubmit={submit}>
      {suggestions.length > 0 && (
        <ul className="chips" aria-label="Suggested questions">
          {suggestions.map((question) => (
            <li key={question}>
              <button type="button" className="chip" onClick={() => conversation.ask(question)}>
                {question}
              </button>
            </li>
          ))}
        </ul>
      )}
      <div className="ask-row">
        <label className="ask-label" htmlFor={id}>
          Ask about what you see
        </label>
        <textarea
          ref={box}
          id={id}
          className="ask-box"
          rows={1}
          value={text}
          enterKeyHint="send"
          autoComplete="off"
          aria-invalid={empty}
          aria-describedby={empty ? `${id}-empty` : undefined}
          onChange={(event) => {
            setText(event.target.value);
            setEmpty(false);
          }}
          onKeyDown={submitOnEnter}
        />
        <button type="submit" className="button button-main ask-submit">
          <AskIcon />
          Ask
        </button>
        <button type="button" className="button ask-stop" disabled={!stoppable} onClick={stop}>
          <StopIcon />
          Stop
        </button>
      </div>
      {empty && (
        <p className="ask-empty" id={`${id}-empty`} role="alert">
          Type a question first, for example “What happened last?”
        </p>
      )}
    </form>
  );
}
