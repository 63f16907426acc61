// Memory as a ring of slots: filled clockwise, and once full overwritten where the bright slot stands.
// A picture of figures that stand beside it as text.

const SLOTS = 36;
const RADIUS = 42;

interface RingGaugeProps {
  /** Tokens held and the most that may be held. */
  used: number;
  budget: number;
  /** Slots written since the start, which tells where the ring is written next once it is full. */
  written: number;
}

export function RingGauge({ used, budget, written }: RingGaugeProps) {
  const fill = budget > 0 ? Math.min(1, used / budget) : 0;
  const filled = Math.round(fill * SLOTS);
  const newest = filled === 0 ? -1 : filled < SLOTS ? filled - 1 : written % SLOTS;
  const percent = Math.round(fill * 100);
  return (
    <div className="gauge" aria-hidden="true">
      <svg viewBox="0 0 100 100" aria-hidden="true">
        {Array.from({ length: SLOTS }, (_, slot) => (
          <path
            key={slot}
            className={slot === newest ? 'slot slot-newest' : slot < filled ? 'slot slot-filled' : 'slot'}
            d={slotArc}
            transform={`rotate(${(slot * 360) / SLOTS} 50 50)`}
          />
        ))}
      </svg>
      <p className="gauge-text">
        {percent}
        <small>%</small>
      </p>
      <p className="gauge-label">memory</p>
    </div>
  );
}

/** One slot at twelve o'clock, with a gap to its neighbours. */
const slotArc = (() => {
  const half = (Math.PI / SLOTS) * 0.68;
  const [x, y] = [RADIUS * Math.sin(half), RADIUS * Math.cos(half)];
  return `M${50 - x} ${50 - y} A${RADIUS} ${RADIUS} 0 0 1 ${50 + x} ${50 - y}`;
})();
