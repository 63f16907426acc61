// Everything the page knows, wired together once and handed to the components through a context.
import { createContext, useContext } from 'react';
import { ConversationControl } from './conversation-control';
import { EngineControl } from './engine-control';
import { LensControl } from './lens-control';
import { Offline } from './offline';
import { Problems, type Remedy } from './problems';
import { WatchControl } from './watch-control';

/** The page's state and what can be done with it. */
export interface Assistant {
  readonly problems: Problems;
  readonly engine: EngineControl;
  readonly watching: WatchControl;
  readonly lens: LensControl;
  readonly conversation: ConversationControl;
  readonly offline: Offline;
}

/** Wires the controls and begins to load the model. */
export function createAssistant(): Assistant {
  const problems = new Problems();
  const engine = new EngineControl(problems);
  const conversation = new ConversationControl(engine, problems);
  const lens = new LensControl(engine);
  const watching = new WatchControl(engine, problems, lens, (name) =>
    conversation.mark(`Watching: ${name}. Memory starts empty.`),
  );
  conversation.about(watching);
  const offline = new Offline();
  offline.register();
  askToPersist(engine, conversation, offline);
  void engine.start();
  return { problems, engine, watching, lens, conversation, offline };
}

/**
 * Asks for lasting storage after the first answer: Ringside has been of use by then, and no prompt for a camera
 * stands beside the one that some browsers show.
 */
function askToPersist(engine: EngineControl, conversation: ConversationControl, offline: Offline): void {
  const unsubscribe = conversation.subscribe(() => {
    const answered = conversation
      .get()
      .entries.some((entry) => entry.kind === 'turn' && entry.phase === 'done');
    if (!answered || !engine.get().kept) return;
    unsubscribe();
    void offline.persist();
  });
}

/** Takes the way out of a problem. `choose-file` needs the file picker and is the caller's. */
export function takeRemedy(assistant: Assistant, remedy: Exclude<Remedy, 'choose-file'>): void {
  const { engine, watching, conversation, problems } = assistant;
  switch (remedy) {
    case 'reload-engine':
      void engine.load();
      break;
    case 'smaller-memory':
      void engine.loadSmaller();
      break;
    case 'bundled-model':
      location.href = location.pathname;
      break;
    case 'retry-source':
      void watching.retry();
      break;
    case 'evicting-policy': {
      const brokeOff = watching.get().phase === 'ended';
      engine.configure({ policy: 'infinipot-v' });
      if (brokeOff) void watching.retry();
      break;
    }
    case 'forget':
      problems.clear('memory');
      void watching.forget();
      conversation.mark('Memory emptied.');
      break;
  }
}

export const AssistantContext = createContext<Assistant | null>(null);

/** The assistant of this page. */
export function useAssistant(): Assistant {
  const assistant = useContext(AssistantContext);
  if (!assistant) throw new Error('useAssistant needs an AssistantContext.');
  return assistant;
}
