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
import type { Forecast } from './forecast.ts';
import { decidePatterns, type KnownPattern, type Look, patternId } from './known-pattern.ts';
import { decideRecommendations, type KnownRecommendation, recommendationId } from './known-recommendation.ts';
import type { LeakFact } from './leak-fact.ts';
import { type DefinedMetric, readSeries, windowOf } from './read-series.ts';
import { recommend } from './recommendation.ts';
import type { ResourceSeries } from './series.ts';

export type AnalyticsSettings = { readonly windowMs: number; readonly intervalMs: number; readonly maxSeries: number };

/** What is looked at beside the store of metrics. */
export type AnalyticsPorts = {
  definitions(): readonly DefinedMetric[];
  /** As the search for leaks has them; undefined while nothing is looked at. */
  leaks(): readonly LeakFact[] | undefined;
  /** How quotas were used, window by window, and what their own forecast says. */
  quotas(
    fromMs: number,
  ): Promise<{ readonly series: readonly ResourceSeries[]; readonly forecasts: readonly Forecast[] }>;
};

export type LastLook = {
  readonly atMs: number;
  readonly series: number;
  readonly leftOut: number;
  readonly pairs: number;
  readonly patterns: number;
  readonly recommendations: number;
  readonly tookMs: number;
};

export type Analytics = {
  readonly job: Reconciler;
  /** Profiles of any window, at most a minute old. */
  profiles(windowMs?: number): Promise<Analysis>;
  forecasts(windowMs?: number): Promise<readonly Forecast[]>;
  patterns(filter: PatternFilter): Promise<Page<KnownPattern>>;
  recommendations(filter: RecommendationFilter): Promise<Page<KnownRecommendation>>;
  /** @throws AppError `analytics/unknown-recommendation`; `conflict/state` for one that resolved itself */
  dismiss(id: string, reason: string, actor: string): Promise<KnownRecommendation>;
  /** Takes a dismissal back. */
  reopen(id: string, actor: string): Promise<KnownRecommendation>;
  lastLook(): LastLook | undefined;
  counts(): ReturnType<ReturnType<typeof createAnalyticsStore>['counts']>;
};

/** Several ask for the same within moments: a page has three tables of it. */
const keptMs = 60_000;
const forgottenMs = 86_400_000;

/**
 * Looks at all series every quarter of an hour, never at the start, and whenever somebody asks and the last look is older than that. One look
 * at a time; others have their turn between two series.
 */
export function createAnalytics(options: {
  history: Pick<MetricHistory, 'view' | 'beginMs'>;
  ports: AnalyticsPorts;
  settings: () => AnalyticsSettings;
  instance: string;
  db: Database;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
}): Analytics {
  const { history, ports, settings, instance, db, events, clock, log } = options;
  const store = createAnalyticsStore(db);
  let lastLook: LastLook | undefined;
  const analyses = new Map<number, { readonly atMs: number; readonly analysis: Promise<Analysis> }>();

  const look = async (windowMs: number, nowMs: number): Promise<Analysis> => {
    const window = windowOf(nowMs, windowMs, await history.beginMs());
    const read = await readSeries({
      ...{
        view: () => history.view(),
        definitions: ports.definitions(),
        instance,
        window,
        most: settings().maxSeries,
        breathe,
      },
    });
    const quotas = await ports.quotas(nowMs - windowMs);
    return analyse({
      series: [...read.series, ...quotas.series],
      quotaForecasts: quotas.forecasts,
      leftOut: read.leftOut,
      leaks: ports.leaks(),
      window,
      breathe,
    });
  };
  let queue: Promise<unknown> = Promise.resolve();
  const analysisOf = (windowMs: number): Promise<Analysis> => {
    const nowMs = clock.now();
    for (const [key, { atMs }] of analyses) if (nowMs - atMs >= keptMs || nowMs < atMs) analyses.delete(key);
    const known = analyses.get(windowMs);
    if (known) return known.analysis;
    // Of all windows together one look at a time.
    const analysis = queue.then(() => look(windowMs, nowMs));
    queue = analysis.catch(() => undefined);
    analyses.set(windowMs, { atMs: nowMs, analysis });
    analysis.catch(() => analyses.delete(windowMs));
    return analysis;
  };

  const writeDown = async (
    analysis: Analysis,
    nowMs: number,
  ): Promise<{ patterns: number; recommendations: number }> => {
    const found = analysis.patterns.map((one) => ({ ...one, id: patternId(instance, one) }));
    const judged = new Set(analysis.profiles.map(({ series }) => series.key));
    const leakKeys = analysis.leaks !== undefined;
    const at: Look = { nowMs, judged: (key) => judged.has(key) || (leakKeys && key.startsWith('leak:')) };
    const changes = decidePatterns(await store.knownPatterns(instance, nowMs - forgottenMs), found, at);
    const present = changes.flatMap(({ pattern, change }) => (change === 'ended' ? [] : [pattern]));
    const wanted = recommend({
      ...{ patterns: present, forecasts: analysis.forecasts, leaks: analysis.leaks ?? [], nowMs },
    }).map((one) => ({ ...one, id: recommendationId(instance, one) }));
    const recommended = decideRecommendations(await store.knownRecommendations(instance), wanted, at);
    await db.unit(async (tx) => {
      for (const { pattern, tells } of changes) {
        await store.putPattern(tx, instance, pattern);
        // A leak has events of its own.
        if (!tells || pattern.type === 'memory_leak') continue;
        await events.record(tx, {
          ...{ type: 'metrics.pattern-found', severity: 'info', message: pattern.description },
          data: {
            ...{ pattern_id: pattern.id, pattern_type: pattern.type, resource: pattern.key },
            confidence: pattern.confidence,
          },
        });
      }
      for (const one of recommended) await store.putRecommendation(tx, instance, one);
    });
    return { patterns: present.length, recommendations: wanted.length };
  };

  const job = createReconciler({
    name: 'analytics',
    // There is nothing to see that was not there an hour ago, and everything else begins now.
    runAtStart: false,
    intervalMs: settings().intervalMs,
    clock,
    log,
    async run() {
      const begunMs = clock.monotonic();
      const nowMs = clock.now();
      analyses.clear();
      const analysis = await analysisOf(settings().windowMs);
      const { patterns, recommendations } = await writeDown(analysis, nowMs);
      const { profiles, unprofiled, leftOut, pairs } = analysis;
      lastLook = {
        ...{ atMs: nowMs, series: profiles.length + unprofiled.length, leftOut, pairs, patterns, recommendations },
        tookMs: clock.monotonic() - begunMs,
      };
    },
  });
  let looking: Promise<void> | undefined;
  /** Somebody wants to see it: what is older than the interval is looked at now. */
  const beFresh = async (): Promise<void> => {
    if (lastLook !== undefined && clock.now() - lastLook.atMs < settings().intervalMs) return;
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
    const found = await store.findRecommendation(id);
    if (!found)
      throw new AppError(
        'analytics/unknown-recommendation',
        `There is no recommendation "${id.slice(0, 60)}". \`ragwarden analytics recommendations\` lists them.`,
      );
    const changed = decide(found.recommendation);
    await db.unit(async (tx) => {
      await store.putRecommendation(tx, found.instance, changed);
      await events.audit(tx, {
        ...{ actor, action, object: id, outcome: 'done' },
        data: { title: changed.title, reason: changed.dismissal?.reason ?? null },
      });
    });
    return changed;
  };

  return {
    job,
    profiles: (windowMs = settings().windowMs) => analysisOf(windowMs),
    async forecasts(windowMs = settings().windowMs) {
      return (await analysisOf(windowMs)).forecasts;
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
    counts: () => store.counts(),
  };
}

const breathe = (): Promise<void> => setImmediate();
