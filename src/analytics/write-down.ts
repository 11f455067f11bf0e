import type { EventRecorder } from '../events/index.ts';
import type { Database } from '../platform/database/index.ts';
import type { Analysis } from './analyse.ts';
import type { AnalyticsStore } from './analytics-store.ts';
import { decidePatterns, endOfGone, forgottenMs, type Look, patternId } from './known-pattern.ts';
import { decideRecommendations, recommendationId } from './known-recommendation.ts';
import { recommend } from './recommend.ts';
import type { Machine } from './recommendation.ts';

/** The instances that share a state. */
export type Fleet = {
  /** Each that was ever heard of, and when last. */
  instances(): Promise<ReadonlyMap<string, number>>;
  /** Whether this one speaks for all of them, of what is one thing. */
  speaks(): Promise<boolean>;
  /** Whether it does already, perhaps since an earlier life; nothing is taken over. */
  spoke(): Promise<boolean>;
};

/** Writes what a look found beside what was known, in one unit: what somebody dismisses meanwhile comes before or after it. */
export function createWriter(options: {
  store: AnalyticsStore;
  db: Database;
  events: EventRecorder;
  instance: string;
}) {
  const { store, db, events, instance } = options;
  const ownerOf = (one: { readonly isShared: boolean }): string | null => (one.isShared ? null : instance);

  /** @returns how many patterns this look found, and what follows from them */
  async function writeDown(look: {
    analysis: Analysis;
    nowMs: number;
    /** What is of all is written by the one that speaks for all. */
    leads: boolean;
    instances: ReadonlyMap<string, number>;
    machine: Machine | undefined;
  }): Promise<{ patterns: number; recommendations: number }> {
    const { analysis, nowMs, leads, instances, machine } = look;
    const { leaks, profiles, trends } = analysis;
    const owners = leads ? [instance, null] : [instance];
    const isOurs = (one: { readonly isShared: boolean }): boolean => leads || !one.isShared;
    const found = analysis.patterns
      .filter(isOurs)
      .map((one) => ({ ...one, instance: ownerOf(one), id: patternId(ownerOf(one), one) }));
    const judged = new Set(profiles.map(({ series }) => series.key));
    const at: Look = { nowMs, judged: (key) => judged.has(key) || (leaks !== undefined && key.startsWith('leak:')) };
    return db.unit(async (tx) => {
      const changes = decidePatterns(await store.knownPatterns(tx, owners, nowMs - forgottenMs), found, at);
      const patterns = changes.flatMap(({ pattern, change }) => (change === 'ended' ? [] : [pattern]));
      const wanted = recommend({ patterns, trends, profiles, leaks: leaks ?? [], machine, nowMs }).map((one) => ({
        ...{ ...one, instance: ownerOf(one), id: recommendationId(ownerOf(one), one) },
      }));
      const recommended = decideRecommendations(await store.knownRecommendations(tx, owners), wanted, at);
      for (const { pattern, tells } of changes) {
        await store.putPattern(tx, pattern);
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
      for (const one of recommended) await store.putRecommendation(tx, one);
      if (leads) {
        const others = await store.openOfOthers(tx, owners);
        for (const one of endOfGone(others.patterns, instances, nowMs))
          await store.putPattern(tx, { ...one, endedMs: nowMs });
        for (const one of endOfGone(others.recommendations, instances, nowMs))
          await store.putRecommendation(tx, { ...one, state: 'resolved', resolvedMs: nowMs });
      }
      return { patterns: patterns.length, recommendations: wanted.length };
    });
  }

  return { writeDown };
}
