import type { Severity } from './event.ts';
import { type EventKind, kindOfType } from './event-kind.ts';

/** How many events of one type and severity began in one stretch of time. */
export type EventCount = {
  readonly bucketMs: number;
  readonly type: string;
  readonly severity: Severity;
  readonly count: number;
};

export type EventAnalytics = {
  readonly total: number;
  readonly bySeverity: Readonly<Partial<Record<Severity, number>>>;
  readonly byKind: readonly {
    readonly kind: EventKind | 'other';
    readonly total: number;
    readonly bySeverity: Readonly<Partial<Record<Severity, number>>>;
  }[];
  readonly byType: readonly { readonly type: string; readonly severity: Severity; readonly count: number }[];
  /** In order of time; stretches in which nothing happened are left out. */
  readonly overTime: readonly {
    readonly atMs: number;
    readonly bySeverity: Readonly<Partial<Record<Severity, number>>>;
    readonly byKind: Readonly<Partial<Record<EventKind | 'other', number>>>;
  }[];
};

/** Widths people read, ascending. Milliseconds. */
const widths = [60_000, 300_000, 900_000, 3_600_000, 21_600_000, 86_400_000];

/** The narrowest width that gives 100 stretches at most. */
export const decideBucketMs = (sinceMs: number, untilMs: number): number =>
  widths.find((width) => (untilMs - sinceMs) / width <= 100) ?? 86_400_000;

const shownTypes = 50;

/** Adds up counts that the store made, along each way of looking at them. */
export function analyse(counts: readonly EventCount[]): EventAnalytics {
  const bySeverity: Tally<Severity> = {};
  const kinds = new Map<EventKind | 'other', Tally<Severity>>();
  const types = new Map<string, { type: string; severity: Severity; count: number }>();
  const time = new Map<number, { bySeverity: Tally<Severity>; byKind: Tally<EventKind | 'other'> }>();
  for (const { bucketMs, type, severity, count } of counts) {
    const kind = kindOfType(type) ?? 'other';
    add(bySeverity, severity, count);
    const ofKind = kinds.get(kind) ?? {};
    kinds.set(kind, ofKind);
    add(ofKind, severity, count);
    const key = `${type} ${severity}`;
    types.set(key, { type, severity, count: (types.get(key)?.count ?? 0) + count });
    const at = time.get(bucketMs) ?? { bySeverity: {}, byKind: {} };
    time.set(bucketMs, at);
    add(at.bySeverity, severity, count);
    add(at.byKind, kind, count);
  }
  return {
    total: sum(bySeverity),
    bySeverity,
    byKind: [...kinds]
      .map(([kind, tally]) => ({ kind, total: sum(tally), bySeverity: tally }))
      .sort((a, b) => b.total - a.total || a.kind.localeCompare(b.kind)),
    byType: [...types.values()]
      .sort((a, b) => b.count - a.count || a.type.localeCompare(b.type) || a.severity.localeCompare(b.severity))
      .slice(0, shownTypes),
    overTime: [...time].sort(([a], [b]) => a - b).map(([atMs, tallies]) => ({ atMs, ...tallies })),
  };
}

type Tally<Name extends string> = Partial<Record<Name, number>>;
const add = <Name extends string>(tally: Tally<Name>, name: Name, count: number): void => {
  const before: number | undefined = tally[name];
  tally[name] = (before ?? 0) + count;
};
const sum = (tally: Tally<string>): number => Object.values(tally).reduce<number>((all, one) => all + (one ?? 0), 0);

export type Complaint = {
  readonly type: string;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly atMs: number;
};
export type Reason = {
  readonly reason: string;
  readonly type: string;
  readonly count: number;
  readonly lastAtMs: number;
};

const shownReasons = 20;

/**
 * The reasons of warnings and worse that are told most. What differs from one event to the next (numbers, ids, instants, paths)
 * does not make another reason.
 */
export function rankReasons(complaints: readonly Complaint[]): readonly Reason[] {
  const found = new Map<string, Reason>();
  for (const { type, message, data, atMs } of complaints) {
    const reason = withoutDifferences(reasonOf(data) ?? message);
    const key = `${type} ${reason}`;
    const before = found.get(key);
    found.set(key, {
      reason,
      type,
      count: (before?.count ?? 0) + 1,
      lastAtMs: Math.max(before?.lastAtMs ?? 0, atMs),
    });
  }
  return [...found.values()].sort((a, b) => b.count - a.count || b.lastAtMs - a.lastAtMs).slice(0, shownReasons);
}

/** Slices say why in one of these. */
function reasonOf(data: Readonly<Record<string, unknown>>): string | undefined {
  for (const name of ['code', 'reason', 'error']) {
    const value = data[name];
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string')
      return value.code;
  }
  return undefined;
}

const withoutDifferences = (text: string): string =>
  text
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z?/g, '…')
    .replaceAll(/\b[a-z]+_[0-9A-Za-z_]*\d[0-9A-Za-z_]*/g, '…')
    .replaceAll(/\b[0-9a-f]{8,}\b/g, '…')
    .replaceAll(/\d+(\.\d+)?/g, '…')
    .slice(0, 300);
