// What went wrong, each with its ways out.
import { takeRemedy, useAssistant } from '../state/assistant';
import type { Problem, Remedy, Topic } from '../state/problems';
import { useStore } from '../state/store';
import { NoticeIcon, WarningIcon } from './icons';

const TOPICS: readonly Topic[] = ['engine', 'source', 'memory'];

/** The problems now at hand. `onChooseFile` opens the page's file picker. */
export function ProblemList({ onChooseFile }: { onChooseFile: () => void }) {
  const { problems } = useAssistant();
  const shown = useStore(problems);
  return (
    <div className="problems">
      {TOPICS.map((topic) => {
        const problem = shown[topic];
        return (
          problem && <ProblemAlert key={topic} topic={topic} problem={problem} onChooseFile={onChooseFile} />
        );
      })}
    </div>
  );
}

interface ProblemAlertProps {
  topic: Topic;
  problem: Problem;
  onChooseFile: () => void;
}

function ProblemAlert({ topic, problem, onChooseFile }: ProblemAlertProps) {
  const assistant = useAssistant();
  const { engine, problems } = assistant;
  const remedies = problem.remedies.filter(
    (remedy) => remedy !== 'smaller-memory' || engine.smallerCapacity !== null,
  );
  return (
    <div className={`problem problem-${problem.severity}`} role="alert">
      {problem.severity === 'error' ? <WarningIcon /> : <NoticeIcon />}
      <div className="problem-text">
        <p className="problem-title">{problem.title}</p>
        <p>{problem.detail}</p>
      </div>
      <div className="problem-actions">
        {remedies.map((remedy) => (
          <button
            key={remedy}
            type="button"
            className="button"
            onClick={() => (remedy === 'choose-file' ? onChooseFile() : takeRemedy(assistant, remedy))}
          >
            {remedyLabel(remedy, engine.smallerCapacity)}
          </button>
        ))}
        {topic !== 'engine' && (
          <button type="button" className="button button-quiet" onClick={() => problems.clear(topic)}>
            Dismiss
          </button>
        )}
      </div>
    </div>
  );
}

function remedyLabel(remedy: Remedy, smallerCapacity: number | null): string {
  switch (remedy) {
    case 'reload-engine':
      return 'Load the model again';
    case 'smaller-memory':
      return `Load with room for ${smallerCapacity} frames`;
    case 'bundled-model':
      return 'Use the built-in model';
    case 'retry-source':
      return 'Try again';
    case 'choose-file':
      return 'Choose another file';
    case 'evicting-policy':
      return 'Switch to InfiniPot-V';
    case 'forget':
      return 'Forget everything';
  }
}
