import { formatBytes, formatDuration } from './format.ts';

/** What a value means once it was aggregated: how many there are has no unit, and a rate is per second. */
export function unitOf(metric: { readonly unit: string; readonly type: string }, aggregation: string): string {
  if (aggregation === 'count') return '';
  const unit = metric.unit === 'unknown' ? '' : metric.unit;
  if (aggregation !== 'rate') return unit;
  // Of distributions a rate is values per second, whatever the values are.
  return metric.type === 'histogram' || metric.type === 'timer' ? '/s' : `${unit}/s`;
}

/** Four digits that count; whole numbers in full. */
const digits = (value: number): string =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));

/** `182 ms`, `1.40 MiB/s`, `$0.0021`; a dash for what was not recorded. */
export function formatMetricValue(value: number | null, unit: string): string {
  if (value === null) return '-';
  if (unit.endsWith('/s')) return `${formatMetricValue(value, unit.slice(0, -2))}/s`;
  switch (unit) {
    case '':
    case 'ratio':
      return digits(value);
    case 'ms':
      return Math.abs(value) < 1_000 ? `${digits(value)} ms` : formatDuration(value);
    case 'seconds':
      return Math.abs(value) < 60 ? `${digits(value)} s` : formatDuration(value * 1_000);
    case 'bytes':
      return formatBytes(value);
    case 'percent':
      return `${digits(value)} %`;
    case 'usd':
      return `$${digits(value)}`;
    default:
      return `${digits(value)} ${unit}`;
  }
}

const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** One bar per window between the least and the greatest value; a window without a value stays empty. */
export function sparkline(values: readonly (number | null)[], most = 60): string {
  const cells = values.length <= most ? values : gathered(values, most);
  const known = cells.filter((value) => value !== null);
  const least = Math.min(...known);
  const span = Math.max(...known) - least;
  return cells
    .map((value) => {
      if (value === null) return ' ';
      return bars[span === 0 ? 3 : Math.round(((value - least) / span) * (bars.length - 1))] ?? ' ';
    })
    .join('');
}

/** Neighbours as one by their average, so that a line holds all of them. */
function gathered(values: readonly (number | null)[], most: number): (number | null)[] {
  const each = Math.ceil(values.length / most);
  return Array.from({ length: Math.ceil(values.length / each) }, (_, at) => {
    const some = values.slice(at * each, (at + 1) * each).filter((value) => value !== null);
    return some.length === 0 ? null : some.reduce((sum, value) => sum + value, 0) / some.length;
  });
}
