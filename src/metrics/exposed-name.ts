import type { MetricDefinition } from './metric-definition.ts';

/** How a recorded metric is shown on `/metrics`. */
export type Exposed = {
  readonly name: string;
  /** Base unit, where it is one. */
  readonly unit: string | undefined;
  /** What a recorded value is multiplied by. */
  readonly scale: number;
};

const baseUnits: Readonly<Record<string, readonly [unit: string, scale: number]>> = {
  ns: ['seconds', 1e-9],
  us: ['seconds', 1e-6],
  ms: ['seconds', 1e-3],
  milliseconds: ['seconds', 1e-3],
  s: ['seconds', 1],
  sec: ['seconds', 1],
  seconds: ['seconds', 1],
  minutes: ['seconds', 60],
  hours: ['seconds', 3_600],
  days: ['seconds', 86_400],
  b: ['bytes', 1],
  bytes: ['bytes', 1],
  kb: ['bytes', 1_024],
  mb: ['bytes', 1_048_576],
  gb: ['bytes', 1_073_741_824],
  percent: ['ratio', 0.01],
  percentage: ['ratio', 0.01],
  '%': ['ratio', 0.01],
  ratio: ['ratio', 1],
};

/** Words that promtool takes for units or types wherever they stand, and what says the same without it. */
const spelled: Readonly<Record<string, string>> = {
  ns: 'nanosecond',
  us: 'microsecond',
  ms: 'millisecond',
  s: 'second',
  sec: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  b: 'byte',
  kb: 'kilobyte',
  mb: 'megabyte',
  gb: 'gigabyte',
  tb: 'terabyte',
  pb: 'petabyte',
  milliseconds: 'millisecond',
  microseconds: 'microsecond',
  nanoseconds: 'nanosecond',
  kilobytes: 'kilobyte',
  megabytes: 'megabyte',
  gigabytes: 'gigabyte',
  minutes: 'minute',
  hours: 'hour',
  days: 'day',
  weeks: 'week',
  bits: 'bit',
  gauge: 'level',
  counter: 'counted',
  histogram: 'distribution',
  summary: 'overview',
};
/** Endings that belong to the samples of other types. */
const endings: Readonly<Record<string, string>> = {
  count: 'number',
  sum: 'amount',
  bucket: 'share',
  total: 'all',
  info: 'about',
  created: 'made',
};

/** `request_duration_ms` in milliseconds becomes `ragwarden_app_request_duration_seconds`: base units, and `_total` on counters. */
export function exposeName(definition: Pick<MetricDefinition, 'name' | 'type' | 'unit'>): Exposed {
  const words = definition.name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[_:]+/)
    .filter((word) => word !== '');
  if (definition.type === 'counter' && words.at(-1) === 'total') words.pop();
  const said = baseUnits[words.at(-1) ?? ''];
  const meant = baseUnits[definition.unit.toLowerCase()];
  if (said !== undefined && (meant === undefined || said[0] === meant[0])) words.pop();
  const [unit, scale] = meant ?? said ?? [undefined, 1];
  const plain = words.map((word) => spelled[word] ?? word);
  const last = plain.at(-1);
  if (last !== undefined && endings[last] !== undefined) plain[plain.length - 1] = endings[last];
  const parts = ['ragwarden', 'app', ...plain];
  // Anywhere but at the end a unit would be taken for the unit of the metric.
  if (unit !== undefined && parts.at(-1) !== unit) parts.push(unit);
  if (definition.type === 'counter') parts.push('total');
  return { name: parts.join('_'), unit, scale };
}
