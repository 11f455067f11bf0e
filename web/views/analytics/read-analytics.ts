import { formatBytes } from '../../format.ts';

export const root = 'api/v1/metrics/analytics';
/** It changes each quarter of an hour. */
export const everyMs = (): number => 120_000;

/** With its unit; of a flow per hour. */
export function amountOf(value: number | null, unit: string, kind = ''): string {
  if (value === null) return '–';
  const each = kind === 'flow' ? '/h' : '';
  if (unit === 'bytes') return `${value < 0 ? '−' : ''}${formatBytes(Math.abs(Math.round(value)))}${each}`;
  const short =
    Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
  return `${short}${unit === 'percent' ? ' %' : unit === 'unknown' ? '' : ` ${unit}`}${each}`;
}
