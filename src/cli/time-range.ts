import { InvalidArgumentError } from 'commander';

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Whole seconds of `90`, `30s`, `5m`, `6h`, `7d`. @throws InvalidArgumentError, which ends with 2 */
export function spanSeconds(text: string): number {
  const [, amount, unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(text) ?? [];
  const seconds = Number(amount) * (unitSeconds[unit] ?? 1);
  if (!(seconds > 0)) throw new InvalidArgumentError('It is a span such as 30s, 5m, 6h or 7d.');
  return seconds;
}

/** An instant as the API takes it. @throws InvalidArgumentError */
export function instantText(text: string): string {
  const atMs = Date.parse(text);
  if (!Number.isFinite(atMs)) throw new InvalidArgumentError('It is an instant such as 2026-01-05T12:00:00Z.');
  return new Date(atMs).toISOString();
}

export type RangeFlags = { readonly last?: number; readonly from?: string; readonly to?: string };

/** Both ends as epoch milliseconds: `--last` before `--to`, an hour when nothing was said. */
export function rangeOf({ last, from, to }: RangeFlags, nowMs: number): { fromMs: number; toMs: number } {
  const toMs = to === undefined ? nowMs : Date.parse(to);
  return { fromMs: from === undefined ? toMs - (last ?? 3_600) * 1_000 : Date.parse(from), toMs };
}

const steps = [
  1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/** The shortest usual step, in seconds, that divides a range into at most so many windows. */
export const stepFor = (rangeMs: number, mostWindows: number): number =>
  steps.find((seconds) => rangeMs / 1_000 / seconds <= mostWindows) ?? 2_592_000;
