import type { AuditEntry, EventAnalytics, LoggedEvent } from '../../api/event-wire.ts';
import { severities } from '../../state/event-question.ts';

/** One stretch of time as a bar; heights in the unit of counts, worst at the bottom. */
export type Bar = {
  readonly atMs: number;
  readonly total: number;
  readonly parts: readonly { readonly severity: string; readonly from: number; readonly count: number }[];
};

/** Every stretch of the range, also those in which nothing happened; its place is a fraction of the range. */
export function barsOf({ since, until, bucket_seconds, over_time }: EventAnalytics): {
  readonly bars: readonly Bar[];
  readonly most: number;
  readonly place: (atMs: number) => number;
  /** Of a bar, as a fraction of the range. */
  readonly width: number;
} {
  const [fromMs, toMs] = [Date.parse(since), Date.parse(until)];
  const range = Math.max(1, toMs - fromMs);
  const bars = over_time.map(({ at, by_severity }): Bar => {
    let total = 0;
    const parts = [...severities].reverse().flatMap((severity) => {
      const count = by_severity[severity] ?? 0;
      if (count === 0) return [];
      total += count;
      return [{ severity, from: total - count, count }];
    });
    return { atMs: Date.parse(at), total, parts };
  });
  return {
    bars,
    most: Math.max(0, ...bars.map(({ total }) => total)),
    // The first stretch may begin before the range.
    place: (atMs) => Math.min(1, Math.max(0, (atMs - fromMs) / range)),
    width: Math.min(1, (bucket_seconds * 1_000) / range),
  };
}

export type Together =
  | { readonly from: 'event'; readonly at: string; readonly event: LoggedEvent }
  | { readonly from: 'audit'; readonly at: string; readonly entry: AuditEntry };

/** One timeline, oldest first; who asked stands before what came of it where both are of one instant. */
export function together(events: readonly LoggedEvent[], entries: readonly AuditEntry[]): Together[] {
  const both: Together[] = [
    ...[...entries].reverse().map((entry): Together => ({ from: 'audit', at: entry.at, entry })),
    ...[...events].reverse().map((event): Together => ({ from: 'event', at: event.at, event })),
  ];
  return both.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
