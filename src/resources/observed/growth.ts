import { fitColumns } from './least-squares.ts';
import {
  leastSlope,
  type MeasureKind,
  type Story,
  type StoryName,
  scoring,
  skippedHours,
  tellStories,
} from './stories.ts';

/** The lowest that a process held during a quarter of an hour, and how long it had been running at its end. */
export type Floor = { readonly atMs: number; readonly upSeconds: number; readonly value: number };
/** A quarter of an hour: longer than most collections, and short enough for four in the first hour. */
export const floorHours = 0.25;

export type LeakLevel = 'suspected' | 'confirmed';
/** What the floors of one measure of one service say, over all its runs that are kept. */
export type Assessment = {
  readonly level: LeakLevel | 'none';
  /** Which way it was found: beyond all that is harmless, by the better story, or over restarts. */
  readonly by: 'runaway' | 'stories' | 'restarts' | null;
  /** Units of the measure per hour. */
  readonly perHour: number;
  /** 0 to 1: how much better growth without end explains the floors than the best harmless story. */
  readonly confidence: number;
  /** Growth since it began, in shares of what was held then. */
  readonly grown: number;
  readonly hours: number;
  /** The story that fits best, and the harmless one that came closest. */
  readonly story: StoryName | null;
  readonly closest: StoryName | null;
  /** Over how many runs of the service it was seen. */
  readonly runs: number;
};
const nothing: Assessment = {
  ...{ level: 'none', by: null, perHour: 0, confidence: 0, grown: 0, hours: 0, story: null, closest: null, runs: 1 },
} as const;

/** How far the best leak must lead the best harmless story. Counts wander by themselves, and cannot lead as far. */
const margins: Readonly<Record<MeasureKind, number>> = { bytes: 8, handles: 5, sessions: 6 };
/** How long a leak must have gone on: longer than any collection, and than a cache takes to fill. Hours. */
const longEnough: Readonly<Record<MeasureKind, number>> = { bytes: 9, handles: 7, sessions: 9 };
const grownEnough: Readonly<Record<MeasureKind, number>> = { bytes: 0.03, handles: 0.1, sessions: 0.3 };
/** Of growth that is spread evenly each fifth has at least this share of its part. */
const evenShares: Readonly<Record<MeasureKind, number>> = { bytes: 0.55, handles: 0.3, sessions: 0.3 };

/**
 * Whether floors show a leak: a pure function of them. Confirmed is what no harmless story explains as well (load, warm-up, a cache that
 * fills to its cap, slow collections, steps, deploys), and what went on for longer than these take; suspected is what may become that.
 * @param floors in the order of time; a run of the service begins where `upSeconds` falls
 */
export function assessGrowth(floors: readonly Floor[], kind: MeasureKind): Assessment {
  const runs = runsOf(floors);
  const run = runs.at(-1);
  if (!run) return nothing;
  const fast = findRunaway(run, kind);
  if (fast) return fast;
  const own = assessRun(run, kind);
  if (own.level === 'confirmed' || runs.length < 2) return own;
  return findOverRestarts(runs, kind) ?? own;
}

export function runsOf(floors: readonly Floor[]): Floor[][] {
  const runs: Floor[][] = [];
  let last = Number.POSITIVE_INFINITY;
  for (const floor of floors) {
    if (floor.upSeconds < last) runs.push([]);
    last = floor.upSeconds;
    runs.at(-1)?.push(floor);
  }
  return runs;
}

/** Least growth that is beyond all that is harmless, in shares of the base. A cache that fills stays below for bytes. */
const runawayGrowth: Readonly<Record<MeasureKind, number>> = { bytes: 0.88, handles: 0.35, sessions: 1.2 };
/** And least per hour: no day rises as steeply as this, where it could reach that growth. */
const runawaySlope: Readonly<Record<MeasureKind, number>> = { bytes: 0.1, handles: 0.08, sessions: 0 };
/** A warm-up makes much in its first minutes; of handles nothing warms up. Hours. */
const runawaySkip: Readonly<Record<MeasureKind, number>> = { bytes: 0.3, handles: 0.2, sessions: 0.2 };
/** A collector may be lazy, and a pool may fill, for as long as this. */
const runawayHours: Readonly<Record<MeasureKind, number>> = { bytes: 3.5, handles: 0, sessions: 5.5 };
/** Shares of nothing are no shares: counts are compared with one at least. */
const leastBase: Readonly<Record<MeasureKind, number>> = { bytes: 1e-9, handles: 1, sessions: 1 };
const leastSessions = 6;

/** Growth that no cache, warm-up or day reaches, and that does not slow down. */
function findRunaway(run: readonly Floor[], kind: MeasureKind): Assessment | undefined {
  const floors = run.filter(({ upSeconds }) => upSeconds >= runawaySkip[kind] * 3_600);
  const used = floors.map(({ value }) => value);
  const ages = floors.map(({ upSeconds }) => (upSeconds - (floors[0]?.upSeconds ?? 0)) / 3_600);
  const count = used.length;
  const of = (index: number): number => used[Math.min(count - 1, Math.max(0, index))] ?? 0;
  if (count < 4) return undefined;
  const base = Math.max(leastBase[kind], Math.min(of(0), of(1)));
  const end = Math.min(of(count - 1), of(count - 2));
  const total = end - base;
  const grown = total / base;
  const hours = (ages.at(-1) ?? 0) - floorHours / 2;
  if (grown < runawayGrowth[kind] || grown / hours < runawaySlope[kind]) return undefined;
  if (hours < runawayHours[kind] || (kind === 'sessions' && total < leastSessions)) return undefined;
  const low = (share: number): number => {
    const at = Math.round(share * (count - 1));
    return Math.min(of(at - 1), of(at), of(at + 1));
  };
  const [third, twoThirds] = [low(1 / 3), low(2 / 3)];
  const pace = (end - twoThirds) / Math.max(twoThirds - third, 1e-9);
  const leastPace = kind !== 'sessions' && grown > 2 * runawayGrowth[kind] ? 0.5 : 0.7;
  if (pace < leastPace || pace > 2.5) return undefined;
  // One step is not growth: every quarter has its part.
  const quarters = [base, low(0.25), low(0.5), low(0.75), end];
  if (quarters.slice(1).some((value, at) => value - (quarters[at] ?? 0) < 0.08 * total)) return undefined;

  // What has come to its cap is no leak, however steep the way there was.
  if (kind === 'bytes' && !goesOn(used, total)) return undefined;
  const x = Float64Array.from(ages);
  const y = Float64Array.from(used, (value) => value / base);
  const lead = leadOfLine(x, y, kind);
  if (lead < (kind === 'sessions' ? 6 : 0)) return undefined;
  return {
    ...{ level: 'confirmed', by: 'runaway', story: 'growth', closest: 'warm-up', runs: 1, grown, hours },
    perHour: (end - third) / ((ages.at(-1) ?? 0) * (2 / 3) - floorHours / 2),
    confidence: Math.max(0.9, likelihood(Math.min(lead, 20))),
  };
}

/** Whether the last hour had at least half of its part in the growth. */
function goesOn(used: readonly number[], total: number): boolean {
  const last = used.slice(-5);
  const before = Math.min(last[0] ?? 0, last[1] ?? 0);
  const now = Math.min(last[3] ?? 0, last[4] ?? 0);
  return now - before >= (0.5 * 3 * total) / Math.max(1, used.length - 1);
}

/** How far a straight line leads what saturates, over a short time. */
function leadOfLine(x: Float64Array, y: Float64Array, kind: MeasureKind): number {
  if (x.length < 6) return Number.POSITIVE_INFINITY;
  const best = (stories: readonly Story[]): number => Math.min(...stories.map(({ score }) => score));
  if (kind === 'sessions') {
    const { harmless, leaking } = tellStories(x, y, kind, margins[kind]);
    return best(harmless) - best(leaking.filter(({ name }) => name === 'growth'));
  }
  const score = scoring(x.length);
  const ones = x.map(() => 1);
  const rise = (tau: number): Float64Array => x.map((h) => 1 - Math.exp(-h / tau));
  const ends = [0.5, 1, 1.5, 2.5, 4].map((tau) => score(fitColumns([ones, rise(tau)], y).rss, 3));
  const goesOn = [
    score(fitColumns([ones, x], y).rss, 2),
    ...[0.25, 0.5].map((tau) => score(fitColumns([ones, x, rise(tau)], y).rss, 4)),
  ];
  return Math.min(...ends) - Math.min(...goesOn);
}

type Window = { readonly x: Float64Array; readonly y: Float64Array; readonly base: number; readonly span: number };
/** Beyond this neighbours are taken together: a story needs shape, not points. */
const mostPoints = 200;

/** What is looked at of one run: floors in shares of the first ones, after the first three quarters of an hour. */
function windowOf(run: readonly Floor[], kind: MeasureKind): Window | undefined {
  const used = run.filter(({ upSeconds }) => upSeconds >= skippedHours * 3_600);
  if (used.length < 8) return undefined;
  const together = Math.ceil(used.length / mostPoints);
  const values: number[] = [];
  const hours: number[] = [];
  for (let at = 0; at + together <= used.length; at += together) {
    values.push(Math.min(...used.slice(at, at + together).map(({ value }) => value)));
    // By the age of the process: while nobody looked, it went on.
    hours.push(((used[at]?.upSeconds ?? 0) - (used[0]?.upSeconds ?? 0)) / 3_600);
  }
  const base = Math.max(leastBase[kind], Math.min(...values.slice(0, 4)));
  const x = Float64Array.from(hours);
  return { x, y: Float64Array.from(values, (value) => value / base), base, span: x.at(-1) ?? 0 };
}

function assessRun(run: readonly Floor[], kind: MeasureKind): Assessment {
  const window = windowOf(run, kind);
  if (!window) return nothing;
  const { x, y, base, span } = window;
  if (Math.min(...y.subarray(-3)) < 1.02) return nothing;
  const { harmless, leaking } = tellStories(x, y, kind, margins[kind]);
  const least = (stories: readonly Story[]): Story | undefined =>
    stories.reduce<Story | undefined>((best, one) => (best && best.score <= one.score ? best : one), undefined);
  const leak = least(leaking.filter(({ slope }) => slope > leastSlope));
  const calm = least(harmless);
  if (!leak || !calm) return nothing;
  const lead = calm.score - leak.score;
  const hours = span - leak.sinceHours;
  const grown = leak.slope * hours;
  const found = {
    ...{ perHour: leak.slope * base, grown, hours, story: leak.name, closest: calm.name, runs: 1 },
    confidence: likelihood(lead) * Math.min(1, 0.5 + hours / longEnough[kind] / 2),
  };
  if (lead < margins[kind]) return isWorthAWarning(y, grown, lead) ? suspected(found) : { ...nothing, ...found };
  const isLong = hours >= longEnough[kind] && grown > grownEnough[kind];
  const length = Math.max(4, Math.round(hours / (span / (x.length - 1))));
  if (isLong && isEven(envelopeOf(window, leak), length, evenShares[kind]))
    return { level: 'confirmed', by: 'stories', ...found };
  return suspected(found);
}

const suspected = (found: Omit<Assessment, 'level' | 'by'>): Assessment => ({
  ...found,
  ...{ level: 'suspected', by: 'stories', confidence: Math.min(found.confidence, 0.9) },
});

/** Much growth, in every quarter, that no harmless story explains better: worth a look before it is sure. */
function isWorthAWarning(y: Float64Array, grown: number, lead: number): boolean {
  if (lead < 0 || grown < 0.15) return false;
  const at = (share: number): number => Math.min(...y.subarray(Math.max(0, Math.round(share * (y.length - 1)) - 1)));
  const marks = [0, 0.25, 0.5, 0.75, 1].map(at);
  const total = (marks[4] ?? 0) - (marks[0] ?? 0);
  return marks.slice(1).every((mark, index) => mark - (marks[index] ?? 0) > 0.1 * total);
}

/** A lead in BIC as a probability of the one against the other. */
const likelihood = (lead: number): number => 1 / (1 + Math.exp(-lead / 2));

/** At each time the least that was held from then on, the day taken out: what was never given back. */
function envelopeOf({ x, y }: Window, { day }: Story): Float64Array {
  const envelope = new Float64Array(y.length);
  let least = Number.POSITIVE_INFINITY;
  for (let at = y.length - 1; at >= 0; at -= 1) {
    least = Math.min(least, (y[at] ?? 0) - (day?.(x[at] ?? 0) ?? 0));
    envelope[at] = least;
  }
  return envelope;
}

/** Whether the envelope grew in every part of its end, not in one step. */
function isEven(envelope: Float64Array, length: number, least: number): boolean {
  const parts = 5;
  const to = envelope.length - 1;
  const from = Math.max(0, to - length);
  const at = (part: number): number => envelope[from + Math.round(((to - from) * part) / parts)] ?? 0;
  const total = at(parts) - at(0);
  if (total <= 0) return false;
  for (let part = 0; part < parts; part += 1) if ((at(part + 1) - at(part)) / total < least / parts) return false;
  return true;
}

/** A run must show this much of itself to say something. Hours. */
const leastRun = 2.5;
const overRestartHours = 9;
const overRestartLead = 10;

/** Runs that are each too short to be sure grow alike: what a deploy resets and a leak begins again. */
function findOverRestarts(runs: readonly (readonly Floor[])[], kind: MeasureKind): Assessment | undefined {
  let lead = 0;
  let hours = 0;
  const slopes: { perHour: number; grown: number }[] = [];
  for (const run of runs) {
    const window = windowOf(run, kind);
    if (!window || window.span < leastRun) continue;
    const { x, y, base, span } = window;
    const score = scoring(x.length);
    const ones = x.map(() => 1);
    const rise = (tau: number): Float64Array => x.map((h) => 1 - Math.exp(-h / tau));
    const calm = Math.min(
      score(fitColumns([ones], y).rss, 1),
      ...[0.25, 0.5, 1, 2].map((tau) => score(fitColumns([ones, rise(tau)], y).rss, 3)),
    );
    const line = fitColumns([ones, x], y);
    const bent = fitColumns([ones, x, rise(0.5)], y);
    const isBent = score(bent.rss, 4) < score(line.rss, 2);
    const slope = (isBent ? bent : line).coefficients[1] ?? 0;
    const own = calm - (isBent ? score(bent.rss, 4) : score(line.rss, 2));
    // A run that does not grow speaks against it, as loud as it can.
    lead += slope > leastSlope ? own : -Math.abs(own);
    hours += span;
    slopes.push({ perHour: slope * base, grown: slope * span });
  }
  if (slopes.length < 2 || hours < overRestartHours || lead < overRestartLead) return undefined;
  const sum = (of: (one: { perHour: number; grown: number }) => number): number =>
    slopes.reduce((total, one) => total + of(one), 0);
  return {
    ...{ level: 'confirmed', by: 'restarts', story: 'growth', closest: 'warm-up', runs: slopes.length, hours },
    perHour: sum(({ perHour }) => perHour) / slopes.length,
    grown: sum(({ grown }) => grown),
    confidence: likelihood(Math.min(lead, 20)),
  };
}
