// Name, the promise, and where the model stands while it loads.
import type { LoadStatus } from '../../../workers/protocol';
import { useAssistant } from '../state/assistant';
import { useStore } from '../state/store';
import { LockIcon, RingsideMark } from './icons';

const STAGES: Record<LoadStatus['stage'], string> = {
  download: 'Fetching model',
  files: 'Reading model',
  weights: 'Filling the GPU',
  shaders: 'Preparing the GPU',
  ready: 'Ready',
};

export function Header() {
  const { engine, offline } = useAssistant();
  const { phase, stage, fraction, card, kept } = useStore(engine);
  const { pageKept } = useStore(offline);
  const name = card?.name ?? 'Model';

  return (
    <header className="header">
      <h1 className="brand">
        <RingsideMark />
        Ringside
      </h1>
      <p className="promise">
        <LockIcon />
        <span>
          Nothing leaves this device
          {pageKept && kept && <span className="promise-offline"> · works offline</span>}
        </span>
      </p>
      <div className={`engine-status engine-${phase}`}>
        {/* Only whole states are announced: a percentage read aloud ten times a second helps nobody. */}
        <p role="status">
          <span className="engine-lamp" aria-hidden="true" />
          {phase === 'loading' ? STAGES[stage] : phase === 'ready' ? `${name} ready` : 'Model not running'}
        </p>
        {phase === 'loading' && (
          <>
            <progress max={1} value={fraction} aria-label="Loading the model" />
            <span className="engine-percent" aria-hidden="true">
              {Math.round(fraction * 100)} %
            </span>
          </>
        )}
      </div>
    </header>
  );
}
