import { setImmediate } from 'node:timers/promises';
import type { EventRecorder } from '../events/index.ts';
import type { MetricHistory } from '../metrics/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { type Analysis, analyse } from './analyse.ts';
import { createAnalyticsStore, type Page, type PatternFilter, type RecommendationFilter } from './analytics-store.ts';
import type { DefinedMetric } from './catalogue.ts';
import type { Forecast } from './forecast.ts';
import { againMs, createKeptLooks } from './kept-looks.ts';
import type { KnownPattern } from './known-pattern.ts';
import type { KnownRecommendation } from './known-recommendation.ts';
import type { LeakFact } from './leak-fact.ts';
import { readSeries, type WindowOfSeries, windowOf } from './read-series.ts';
import type { Machine } from './recommendation.ts';
import type { ResourceSeries } from './series.ts';
import { createWriter, type Fleet } from './write-down.ts';

export type AnalyticsSettings = { readonly windowMs: number; readonly intervalMs: number; readonly maxSeries: number };

/** What is looked at beside the store of metrics. */
export type AnalyticsPorts = {
  definitions(): readonly DefinedMetric[];
  /** As the search for leaks has them; undefined while nothing is looked at. */
  leaks(): readonly LeakFact[] | undefined;
  machine(): Machine | undefined;
  /** How quotas were used, on the steps of the window, `most` series at most, and what their own forecast says. */
  quotas(
    window: WindowOfSeries,
    most: number,
  ): Promise<{
    readonly series: readonly ResourceSeries[];
    readonly forecasts: readonly Forecast[];
    /** Quotas that were not read. */
    readonly leftOut: number;
  }>;
};

export type LastLook = {
  readonly atMs: number;
  readonly series: number;
  readonly leftOut: number;
  readonly pairs: number;
  /** Found by it. */
  readonly patterns: number;
  readonly recommendations: number;
  readonly tookMs: number;
};

/** With when it was looked. */
export type Looked = { readonly atMs: number; readonly analysis: Analysis };

export type Analytics = {
  readonly job: Reconciler;
  readonly instance: string;
  /** Of any window; from the last look until its interval has passed. @throws AppError `analytics/too-many-looks` */
  look(windowMs?: number): Promise<Looked>;
  patterns(filter: PatternFilter): Promise<Page<KnownPattern>>;
  recommendations(filter: RecommendationFilter): Promise<Page<KnownRecommendation>>;
  /** @throws AppError `analytics/unknown-recommendation`; `conflict/state` for one that resolved itself */
  dismiss(id: string, reason: string, actor: string): Promise<KnownRecommendation>;
  /** Takes a dismissal back. */
  reopen(id: string, actor: string): Promise<KnownRecommendation>;
  lastLook(): LastLook | undefined;
  /** Of what this instance answers for. */
  counts(): ReturnType<ReturnType<typeof createAnalyticsStore>['counts']>;
};

/** In steps of an hour nothing is seen that comes each hour; the last two days are looked at more closely too. */
const closerMs = 48 * 3_600_000;
/** Where others change the state too, counts are no older. */
const countedMs = 60_000;

/**
 * Looks at all series every quarter of an hour, never at the start, and when somebody asks and the last look is older than that. One look
 * at a time; others have their turn between two series.
 */
export function createAnalytics(options: {
  history: Pick<MetricHistory, 'view' | 'beginMs'>;
  ports: AnalyticsPorts;
  settings: () => AnalyticsSettings;
  instance: string;
  /** Undefined where no other instance can share the state. */
  fleet: Fleet | undefined;
  db: Database;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
}): Analytics {
  const { history, ports, settings, instance, fleet, db, events, clock, log } = options;
  const store = createAnalyticsStore(db);
  const writer = createWriter({ store, db, events, instance });
  let lastLook: LastLook | undefined;
  let failedMs: number | undefined;
  /** Whether this instance wrote what is of all; undefined before its first look. */
  let speaks = fleet === undefined ? true : undefined;
  let changes = 0;

  const take = async (windowMs: number, nowMs: number): Promise<Analysis> => {
    const window = windowOf(nowMs, windowMs, await history.beginMs());
    const most = settings().maxSeries;
    const quotas = await ports.quotas(window, most);
    const others = [...((await fleet?.instances())?.keys() ?? [])].filter((one) => one !== instance);
    const readOver = (over: WindowOfSeries) =>
      readSeries({
        ...{ view: () => history.view(), definitions: ports.definitions() },
        ...{ instance, others, window: over, most: most - quotas.series.length, breathe },
      });
    const read = await readOver(window);
    const closer = windowOf(nowMs, Math.min(windowMs, closerMs), window.fromMs);
    return analyse({
      series: [...read.series, ...quotas.series],
      closer: closer.stepMs < window.stepMs ? (await readOver(closer)).series : [],
      quotaForecasts: quotas.forecasts,
      leftOut: read.leftOut + quotas.leftOut,
      leaks: ports.leaks(),
      window,
      breathe,
    });
  };
  const looks = createKeptLooks({
    take,
    keepMs: () => Math.max(settings().intervalMs, 60_000),
    clock,
    ownMs: () => settings().windowMs,
  });

  const job = createReconciler({
    name: 'analytics',
    // There is nothing to see that was not there an hour ago, and everything else begins now.
    runAtStart: false,
    intervalMs: settings().intervalMs,
    clock,
    log,
    async run() {
      const begunMs = clock.monotonic();
      failedMs = clock.now();
      const { atMs, analysis } = await looks.takeNow(settings().windowMs);
      const leads = fleet === undefined || (await fleet.speaks());
      const instances = (await fleet?.instances()) ?? new Map([[instance, atMs]]);
      const { patterns, recommendations } = await writer.writeDown({
        ...{ analysis, nowMs: atMs, leads, instances, machine: ports.machine() },
      });
      speaks = leads;
      changes += 1;
      failedMs = undefined;
      const { profiles, unprofiled, leftOut, pairs } = analysis;
      lastLook = {
        ...{ atMs, series: profiles.length + unprofiled.length, leftOut, pairs, patterns, recommendations },
        tookMs: clock.monotonic() - begunMs,
      };
    },
  });
  let looking: Promise<void> | undefined;
  /** Somebody wants to see it: what is older than the interval is looked at now, however many ask. */
  const beFresh = async (): Promise<void> => {
    const isWithin = (atMs: number | undefined, ms: number): boolean => atMs !== undefined && clock.now() - atMs < ms;
    if (looking === undefined && (isWithin(lastLook?.atMs, settings().intervalMs) || isWithin(failedMs, againMs)))
      return;
    looking ??= job.runOnce().finally(() => {
      looking = undefined;
    });
    await looking;
  };

  const change = async (
    id: string,
    actor: string,
    action: 'analytics.dismiss' | 'analytics.reopen',
    decide: (one: KnownRecommendation) => KnownRecommendation,
  ): Promise<KnownRecommendation> => {
    // Read where it is written: a look may do so at the same time.
    const changed = await db.unit(async (tx) => {
      const found = await store.findRecommendation(tx, id);
      if (!found)
        throw new AppError(
          'analytics/unknown-recommendation',
          `There is no recommendation "${id.slice(0, 60)}". \`ragwarden analytics recommendations\` lists them.`,
        );
      const next = decide(found);
      await store.putRecommendation(tx, next);
      await events.audit(tx, {
        ...{ actor, action, object: id, outcome: 'done' },
        data: { title: next.title, reason: next.dismissal?.reason ?? null },
      });
      return next;
    });
    changes += 1;
    return changed;
  };

  let counted: { readonly at: number; readonly atMs: number; readonly counts: Counts } | undefined;
  type Counts = Awaited<ReturnType<typeof store.counts>>;

  return {
    job,
    instance,
    async look(windowMs = settings().windowMs) {
      if (windowMs === settings().windowMs) await beFresh();
      return looks.take(windowMs);
    },
    async patterns(filter) {
      await beFresh();
      return store.listPatterns(filter);
    },
    async recommendations(filter) {
      await beFresh();
      return store.listRecommendations(filter);
    },
    dismiss: (id, reason, actor) =>
      change(id, actor, 'analytics.dismiss', (one) => {
        if (one.state === 'resolved')
          throw new AppError('conflict/state', 'Its cause is gone, so there is nothing to dismiss.');
        const { priority } = one;
        return { ...one, state: 'dismissed', dismissal: { by: actor, reason, atMs: clock.now(), priority } };
      }),
    reopen: (id, actor) =>
      change(id, actor, 'analytics.reopen', (one) => {
        if (one.state !== 'dismissed') throw new AppError('conflict/state', 'It is not dismissed.');
        return { ...one, state: 'open', dismissal: null };
      }),
    lastLook: () => lastLook,
    async counts() {
      const nowMs = clock.now();
      const isOld = fleet !== undefined && nowMs - (counted?.atMs ?? 0) >= countedMs;
      if (counted?.at !== changes || isOld) {
        const at = changes;
        const count = async () => store.counts((speaks ?? (await fleet?.spoke())) ? [instance, null] : [instance]);
        const counts = await count().catch((err: unknown) => {
          // While the state is away what was counted last is told, and counting is tried again the next time.
          if (counted === undefined) throw err;
          return undefined;
        });
        if (counts) counted = { at, atMs: nowMs, counts };
      }
      return (counted as NonNullable<typeof counted>).counts; // counted above, or thrown
    },
  };
}

const breathe = (): Promise<void> => setImmediate();
