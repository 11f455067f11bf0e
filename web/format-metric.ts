import { formatBytes, formatCount, formatDuration } from './format.ts';

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
  Number.isInteger(value)
    ? formatCount(value)
    : Number(value.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 12 });

/** `182 ms`, `1.40 MiB/s`, `$0.0021`. */
export function formatMetric(value: number, unit: string): string {
  if (unit.endsWith('/s')) return `${formatMetric(value, unit.slice(0, -2))}/s`;
  switch (unit) {
    case '':
    case 'ratio':
      return digits(value);
    case 'ms':
      return Math.abs(value) < 1_000 ? `${digits(value)} ms` : seconds(value / 1_000);
    case 'seconds':
      return seconds(value);
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

const seconds = (value: number): string => (Math.abs(value) < 60 ? `${digits(value)} s` : formatDuration(value));

const two = (value: number): string => String(value).padStart(2, '0');
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const dayMs = 86_400_000;

/** Below a chart, local time: as fine as the marks are apart, the day below the first mark of it. */
export function formatAxisTimes(marks: readonly number[], apartMs: number): string[] {
  let day = '';
  return marks.map((atMs) => {
    const at = new Date(atMs);
    const date = `${at.getDate()} ${months[at.getMonth()]}`;
    if (apartMs >= dayMs) return date;
    const time = `${two(at.getHours())}:${two(at.getMinutes())}${apartMs < 60_000 ? `:${two(at.getSeconds())}` : ''}`;
    if (date === day) return time;
    day = date;
    return `${time}\n${date}`;
  });
}
