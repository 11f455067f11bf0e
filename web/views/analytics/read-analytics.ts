import type { UsageForecast } from '../../api/analytics-wire.ts';
import { formatBytes } from '../../format.ts';

export const root = 'api/v1/metrics/analytics';
/** The server looks each quarter of an hour, and tells what it saw then: asking more often brings nothing new. */
export const everyMs = (): number => 15 * 60_000;

/** Of what is known too short a time nothing can be said yet but that. */
export const isKnown = ({ state }: Pick<UsageForecast, 'state'>): boolean => state !== 'too_little_data';

/** When it is full, and between which instants; undefined: it is not, as far as anybody can tell. */
export function fullOf(
  { reached_at, earliest, latest }: Pick<UsageForecast, 'reached_at' | 'earliest' | 'latest'>,
  say: (instant: string) => string,
): string | undefined {
  if (reached_at === null) return undefined;
  if (earliest === null && latest === null) return say(reached_at);
  return `${say(reached_at)} (${earliest === null ? '…' : say(earliest)} to ${latest === null ? 'never' : say(latest)})`;
}

/** With its unit; of a flow per hour. */
export function amountOf(value: number | null, unit: string, kind = ''): string {
  if (value === null) return '–';
  const each = kind === 'flow' ? '/h' : '';
  if (unit === 'bytes') return `${value < 0 ? '−' : ''}${formatBytes(Math.abs(Math.round(value)))}${each}`;
  const short =
    Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
  const word = Math.abs(value) === 1 && /[a-z]{2}s$/.test(unit) ? unit.slice(0, -1) : unit;
  return `${short}${unit === 'percent' ? ' %' : unit === 'unknown' ? '' : ` ${word}`}${each}`;
}
