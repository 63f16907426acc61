// What memory holds, what it may hold, and by which policy it lets go.
import { type ReactNode, useId, useState } from 'react';
import type { PolicyName } from '../../engine/contract';
import { formatBytes, formatCount, formatDuration } from '../format';
import { takeRemedy, useAssistant } from '../state/assistant';
import { BUDGET_FRAMES, secondsOfFrames, tokensOfFrames } from '../state/budgets';
import { useStore } from '../state/store';
import { useMemoryView } from '../use-memory-view';
import { ChevronIcon } from './icons';
import { MemoryLens } from './MemoryLens';
import { RingGauge } from './RingGauge';

const POLICIES: readonly { readonly name: PolicyName; readonly label: string }[] = [
  { name: 'infinipot-v', label: 'InfiniPot-V: what stands out' },
  { name: 'tar', label: 'TaR: what differs from now' },
  { name: 'van', label: 'Value norm: what weighs most' },
  { name: 'uniform', label: 'Uniform: frames evenly over time' },
  { name: 'random', label: 'Random: any part of anything' },
  { name: 'sliding-window', label: 'Sliding window: the newest' },
  { name: 'full', label: 'Full: all, until it is full' },
];

export function MemoryPanel() {
  const assistant = useAssistant();
  const { engine, lens } = assistant;
  const { client, card, policy, budgetFrames, capacityFrames } = useStore(engine);
  const { moments } = useStore(lens);
  const view = useMemoryView(client);
  const [open, setOpen] = useState(false);
  const detailsId = useId();
  const report = view?.report;
  const budget = report?.budgetTokens ?? (card ? tokensOfFrames(budgetFrames, card) : 0);
  const used = report?.visualTokens ?? 0;
  const framesPerSecond = (view?.framesPerSecond ?? 0).toFixed(1);

  return (
    <section
      className={`memory ${open ? 'memory-open' : ''} ${moments.length > 0 ? 'memory-seen' : ''}`}
      aria-label="Memory"
    >
      <RingGauge used={used} budget={budget} written={report?.framesSeen ?? 0} />
      <div className="memory-main">
        <div className="memory-head">
          <h2>Memory</h2>
          <p className="memory-summary">
            <strong>{formatCount(used)}</strong> of {formatCount(budget)} tokens
          </p>
        </div>
        {moments.length > 0 ? (
          <MemoryLens />
        ) : (
          <p className="memory-hint">What is watched will stand here, lit where it is still remembered.</p>
        )}
      </div>
      <button
        type="button"
        className="button button-quiet memory-forget"
        disabled={!client}
        onClick={() => takeRemedy(assistant, 'forget')}
      >
        Forget all
      </button>
      <button
        type="button"
        className="button button-quiet memory-toggle"
        aria-expanded={open}
        aria-controls={detailsId}
        onClick={() => setOpen(!open)}
      >
        <span className="memory-toggle-text">{open ? 'Less' : 'More'}</span>
        <span className="visually-hidden"> about memory</span>
        <ChevronIcon />
      </button>
      <div className="memory-details" id={detailsId}>
        <dl className="figures">
          <Figure label="Tokens used">{formatCount(used)}</Figure>
          <Figure label="Token budget">{formatCount(budget)}</Figure>
          <Figure label="Bytes of memory">
            <Bytes count={(report?.bytesPerToken ?? 0) * (report?.capacityTokens ?? 0)} />
          </Figure>
          <Figure label="Bytes on the GPU">
            <Bytes count={report?.gpuBytes ?? 0} />
          </Figure>
          <Figure label="Frames seen">{formatCount(report?.framesSeen ?? 0)}</Figure>
          <Figure label="Frames per second">{framesPerSecond}</Figure>
          <Figure label="Dropped frames">{formatCount(report?.framesDropped ?? 0)}</Figure>
          <Figure label="Prunes">{formatCount(report?.prunes ?? 0)}</Figure>
        </dl>
        <div className="memory-controls">
          <label className="field">
            <span>Policy</span>
            <select
              value={policy}
              onChange={(event) => engine.configure({ policy: event.target.value as PolicyName })}
            >
              {POLICIES.map(({ name, label }) => (
                <option key={name} value={name}>
                  {label}
                </option>
              ))}
            </select>
          </label>
          <label className="field">
            <span>Budget</span>
            <select
              value={budgetFrames}
              onChange={(event) => engine.configure({ budgetFrames: Number(event.target.value) })}
            >
              {BUDGET_FRAMES.filter((frames) => frames <= capacityFrames).map((frames) => (
                <option key={frames} value={frames}>
                  {card
                    ? `${frames} frames · ${secondsOfFrames(frames, card)} s · ${formatCount(tokensOfFrames(frames, card))} tokens`
                    : `${frames} frames`}
                </option>
              ))}
            </select>
          </label>
        </div>
        <StageTimes stageMs={report?.stageMs ?? {}} />
      </div>
    </section>
  );
}

function Figure({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="figure">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Bytes as people read them, and exactly for whoever reads the markup. */
function Bytes({ count }: { count: number }) {
  return <data value={count}>{formatBytes(count)}</data>;
}

/** How long the newest run of each of the engine's stages took. */
function StageTimes({ stageMs }: { stageMs: Readonly<Record<string, number>> }) {
  const stages = Object.entries(stageMs).filter(([, milliseconds]) => milliseconds > 0);
  if (stages.length === 0) return null;
  return (
    <p className="stage-times">
      {stages.map(([stage, milliseconds]) => (
        <span key={stage}>
          {stage} {formatDuration(milliseconds)}
        </span>
      ))}
    </p>
  );
}
