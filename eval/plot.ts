// The plot of a report: accuracy over budget, a panel a tense and a line a method, with whiskers for the 95 %
// confidence intervals. Plain SVG; text and grid follow the reader's light or dark scheme.

import { RETENTION_NAMES } from '../cli/retention';
import { METHODS, type Method } from './cells';
import { type Score, tensesOf, tenseTitle } from './report';

const PANEL = { width: 330, height: 250, left: 44, top: 34, gap: 24 } as const;
const LEGEND_LINE = 20;
const LEGEND_WIDTH = 170;

/** Of middling lightness, so that they show on white and on black; neighbours differ in shape besides. */
const COLOURS = [
  '#3b82f6',
  '#e8590c',
  '#2f9e44',
  '#d6336c',
  '#9c6ade',
  '#b08800',
  '#0c8599',
  '#868e96',
  '#a0714f',
  '#7a8b00',
  '#1b4f9c',
  '#8c1d4f',
];
const MARKERS = [
  'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0',
  'M-3.5-3.5h7v7h-7z',
  'M0-4.6L4.3 3.4H-4.3z',
  'M0-5L5 0L0 5L-5 0z',
];

/** Pixels by which the whiskers of neighbouring methods stand apart. */
const DODGE = 3;

const STYLE = `text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.grid{stroke:#d0d7de}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#3d444d}}`;

/**
 * The plot of a report's scores. Full memory, which has but one budget, is a dashed line across.
 * @returns an SVG document.
 */
export function plot(scores: readonly Score[]): string {
  const all = scores.filter(({ by }) => by === 'all');
  const tenses = tensesOf(all);
  const methods = METHODS.filter(({ name }) => all.some((score) => score.method === name));
  // Where full memory is the only one measured with everything, its line stands for that budget.
  const budgets = [
    ...new Set(all.filter(({ method }) => !method.startsWith('full')).map(({ budget }) => budget)),
  ];
  const width = PANEL.left + tenses.length * (PANEL.width + PANEL.gap);
  const perLine = Math.max(1, Math.floor((width - PANEL.left) / LEGEND_WIDTH));
  const legendTop = PANEL.top + PANEL.height + 52;
  const height = legendTop + Math.ceil(methods.length / perLine) * LEGEND_LINE;
  const panels = tenses.map((tense, i) => {
    const shown = all.filter((score) => score.tense === tense);
    const left = PANEL.left + i * (PANEL.width + PANEL.gap);
    return `<g transform="translate(${left} ${PANEL.top})">${panel(tenseTitle(tense), shown, methods, budgets, i === 0)}</g>`;
  });
  const legend = methods.map((method, i) => {
    const [x, y] = [
      PANEL.left + (i % perLine) * LEGEND_WIDTH,
      legendTop + Math.floor(i / perLine) * LEGEND_LINE,
    ];
    return `<g transform="translate(${x} ${y})">${sample(method)}<text x="34" y="4">${method.name}</text></g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    '<title>Right answers over memory budget</title>',
    `<style>${STYLE}</style>`,
    ...panels,
    ...legend,
    '</svg>\n',
  ].join('\n');
}

function panel(
  title: string,
  scores: readonly Score[],
  methods: readonly Method[],
  budgets: readonly string[],
  labelled: boolean,
): string {
  const x = (budget: string) => ((budgets.indexOf(budget) + 0.5) * PANEL.width) / Math.max(1, budgets.length);
  const y = (share: number) => round((1 - share) * PANEL.height);
  const parts = [`<text class="title" y="-14">${title}, % right</text>`];
  for (const share of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
    parts.push(`<path class="grid" d="M0 ${y(share)}h${PANEL.width}"/>`);
    if (labelled)
      parts.push(`<text x="-8" y="${y(share) + 4}" text-anchor="end">${Math.round(100 * share)}</text>`);
  }
  for (const budget of budgets) {
    parts.push(
      `<text x="${round(x(budget))}" y="${PANEL.height + 18}" text-anchor="middle">${budget}</text>`,
    );
  }
  const middle = PANEL.width / 2;
  parts.push(`<text x="${middle}" y="${PANEL.height + 36}" text-anchor="middle">memory budget</text>`);
  for (const [index, method] of methods.entries()) {
    const own = scores.filter((score) => score.method === method.name);
    if (method.how.policy === 'full') {
      for (const { right, asked } of own) {
        parts.push(`<path d="M0 ${y(right / asked)}h${PANEL.width}" ${stroke(method)}/>`);
      }
      continue;
    }
    const aside = (index - methods.length / 2) * DODGE;
    const points = own.map((score) => ({
      x: round(x(score.budget) + aside),
      y: y(score.right / score.asked),
      score,
    }));
    const line = points.map((point) => `${point.x} ${point.y}`).join('L');
    if (line) parts.push(`<path d="M${line}" ${stroke(method)}/>`);
    for (const point of points) {
      const whisker = `M${point.x} ${y(point.score.low)}V${y(point.score.high)}`;
      parts.push(
        `<path d="${whisker}" stroke="${colourOf(method)}" opacity=".6"/>`,
        marker(method, point.x, point.y),
      );
    }
  }
  return parts.join('');
}

function sample(method: Method): string {
  const line = `<path d="M0 0h26" ${stroke(method)}/>`;
  return method.how.policy === 'full' ? line : line + marker(method, 13, 0);
}

/** The colour of its retention; dashes for full memory, dots where positions are absolute. */
function stroke(method: Method): string {
  const dots = method.positions === 'absolute' ? '2 3' : '';
  const dashes = method.how.policy === 'full' ? `8 4 ${dots}`.trim() : dots;
  const dashed = dashes ? ` stroke-dasharray="${dashes}"` : '';
  return `fill="none" stroke="${colourOf(method)}" stroke-width="2"${dashed}`;
}

function marker(method: Method, x: number, y: number): string {
  const shape = MARKERS[RETENTION_NAMES.indexOf(method.retention) % MARKERS.length];
  return `<path d="${shape}" transform="translate(${x} ${y})" fill="${colourOf(method)}"/>`;
}

function colourOf({ retention }: Method): string {
  return COLOURS[RETENTION_NAMES.indexOf(retention) % COLOURS.length]!;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
