import type { Kysely } from 'kysely';
import type { Database, Tx } from '../platform/database/index.ts';
import type { KnownPattern } from './known-pattern.ts';
import { type KnownRecommendation, type RecommendationState, rankOf } from './known-recommendation.ts';
import type { Priority } from './recommendation.ts';

/** PostgreSQL tells large whole numbers as text. */
type Whole = number | string;
type PatternRow = {
  id: string;
  instance: string;
  pattern_type: string;
  resource_type: string;
  confidence: number;
  seen_ms: Whole;
  ended_ms: Whole | null;
  body: string;
};
type RecommendationRow = {
  id: string;
  instance: string;
  optimization_type: string;
  resource_type: string;
  priority: number;
  state: string;
  created_ms: Whole;
  seen_ms: Whole;
  closed_ms: Whole | null;
  body: string;
};
type Tables = { analytics_pattern: PatternRow; analytics_recommendation: RecommendationRow };

export type Page<T> = { readonly items: readonly T[]; readonly total: number };
export type PatternFilter = {
  readonly resourceType?: string | undefined;
  readonly patternType?: string | undefined;
  readonly ended: boolean;
  readonly limit: number;
  readonly offset: number;
};
export type RecommendationFilter = {
  readonly priority?: Priority | undefined;
  readonly optimizationType?: string | undefined;
  readonly resourceType?: string | undefined;
  readonly state?: RecommendationState | undefined;
  readonly limit: number;
  readonly offset: number;
};

// Written below, in this shape, by this version or an older one that had the same fields.
const patternOf = ({ body }: PatternRow): KnownPattern => JSON.parse(body) as KnownPattern;
const recommendationOf = ({ body }: RecommendationRow): KnownRecommendation => JSON.parse(body) as KnownRecommendation;

/** Patterns and recommendations, one row each under their ids. */
export type AnalyticsStore = ReturnType<typeof createAnalyticsStore>;

export function createAnalyticsStore(db: Database) {
  const reader = (): Kysely<Tables> => db.reader<Tables>();
  return {
    /** What has not ended, and what ended since. */
    async knownPatterns(instance: string, endedSinceMs: number): Promise<KnownPattern[]> {
      const rows = await reader()
        .selectFrom('analytics_pattern')
        .selectAll()
        .where('instance', '=', instance)
        .where((eb) => eb.or([eb('ended_ms', 'is', null), eb('ended_ms', '>=', endedSinceMs)]))
        .execute();
      return rows.map(patternOf);
    },
    async knownRecommendations(instance: string): Promise<KnownRecommendation[]> {
      const rows = await reader()
        .selectFrom('analytics_recommendation')
        .selectAll()
        .where('instance', '=', instance)
        .execute();
      return rows.map(recommendationOf);
    },
    async putPattern(tx: Tx, instance: string, pattern: KnownPattern): Promise<void> {
      const values = {
        ...{ pattern_type: pattern.type, resource_type: pattern.resourceType, confidence: pattern.confidence },
        ...{ seen_ms: pattern.lastSeenMs, ended_ms: pattern.endedMs, body: JSON.stringify(pattern) },
      };
      await tx
        .as<Tables>()
        .insertInto('analytics_pattern')
        .values({ id: pattern.id, instance, ...values })
        .onConflict((on) => on.column('id').doUpdateSet(values))
        .execute();
    },
    async putRecommendation(tx: Tx, instance: string, one: KnownRecommendation): Promise<void> {
      const values = {
        ...{ optimization_type: one.optimizationType, resource_type: one.resourceType, priority: rankOf(one.priority) },
        ...{ state: one.state, created_ms: one.createdMs, seen_ms: one.lastSeenMs },
        ...{ closed_ms: one.resolvedMs, body: JSON.stringify(one) },
      };
      await tx
        .as<Tables>()
        .insertInto('analytics_recommendation')
        .values({ id: one.id, instance, ...values })
        .onConflict((on) => on.column('id').doUpdateSet(values))
        .execute();
    },
    async findRecommendation(
      id: string,
    ): Promise<{ instance: string; recommendation: KnownRecommendation } | undefined> {
      const row = await reader()
        .selectFrom('analytics_recommendation')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      return row && { instance: row.instance, recommendation: recommendationOf(row) };
    },
    /** The surest first. */
    async listPatterns(filter: PatternFilter): Promise<Page<KnownPattern>> {
      let asked = reader().selectFrom('analytics_pattern');
      if (filter.resourceType !== undefined) asked = asked.where('resource_type', '=', filter.resourceType);
      if (filter.patternType !== undefined) asked = asked.where('pattern_type', '=', filter.patternType);
      asked = asked.where('ended_ms', filter.ended ? 'is not' : 'is', null);
      const { total } = await asked.select((eb) => eb.fn.countAll().as('total')).executeTakeFirstOrThrow();
      const rows = await asked
        .selectAll()
        .orderBy('confidence', 'desc')
        .orderBy('id')
        .limit(filter.limit)
        .offset(filter.offset)
        .execute();
      return { items: rows.map(patternOf), total: Number(total) };
    },
    /** The gravest first, of one priority the newest. */
    async listRecommendations(filter: RecommendationFilter): Promise<Page<KnownRecommendation>> {
      let asked = reader().selectFrom('analytics_recommendation');
      if (filter.priority !== undefined) asked = asked.where('priority', '=', rankOf(filter.priority));
      if (filter.optimizationType !== undefined) asked = asked.where('optimization_type', '=', filter.optimizationType);
      if (filter.resourceType !== undefined) asked = asked.where('resource_type', '=', filter.resourceType);
      if (filter.state !== undefined) asked = asked.where('state', '=', filter.state);
      const { total } = await asked.select((eb) => eb.fn.countAll().as('total')).executeTakeFirstOrThrow();
      const rows = await asked
        .selectAll()
        .orderBy('priority', 'desc')
        .orderBy('created_ms', 'desc')
        .orderBy('id')
        .limit(filter.limit)
        .offset(filter.offset)
        .execute();
      return { items: rows.map(recommendationOf), total: Number(total) };
    },
    /** Of what is not over: by type, and of open recommendations by priority. */
    async counts(): Promise<{
      patterns: { type: string; count: number }[];
      open: { priority: number; count: number }[];
    }> {
      const patterns = await reader()
        .selectFrom('analytics_pattern')
        .select((eb) => ['pattern_type as type', eb.fn.countAll().as('count')])
        .where('ended_ms', 'is', null)
        .groupBy('pattern_type')
        .execute();
      const open = await reader()
        .selectFrom('analytics_recommendation')
        .select((eb) => ['priority', eb.fn.countAll().as('count')])
        .where('state', '=', 'open')
        .groupBy('priority')
        .execute();
      return {
        patterns: patterns.map(({ type, count }) => ({ type, count: Number(count) })),
        open: open.map(({ priority, count }) => ({ priority, count: Number(count) })),
      };
    },
    async countEnded(): Promise<number> {
      const [patterns, recommendations] = await Promise.all([
        reader()
          .selectFrom('analytics_pattern')
          .select((eb) => eb.fn.countAll().as('count'))
          .where('ended_ms', 'is not', null)
          .executeTakeFirstOrThrow(),
        reader()
          .selectFrom('analytics_recommendation')
          .select((eb) => eb.fn.countAll().as('count'))
          .where('closed_ms', 'is not', null)
          .executeTakeFirstOrThrow(),
      ]);
      return Number(patterns.count) + Number(recommendations.count);
    },
    /** Of what is over: first patterns, then recommendations that resolved themselves, each the oldest. @returns how many went */
    async pruneEnded(tx: Tx, most: number): Promise<number> {
      const patterns = await tx
        .as<Tables>()
        .deleteFrom('analytics_pattern')
        .where('id', 'in', (eb) =>
          eb
            .selectFrom('analytics_pattern')
            .select('id')
            .where('ended_ms', 'is not', null)
            .orderBy('ended_ms')
            .orderBy('id')
            .limit(most),
        )
        .executeTakeFirst();
      const gone = Number(patterns.numDeletedRows);
      if (gone >= most) return gone;
      const recommendations = await tx
        .as<Tables>()
        .deleteFrom('analytics_recommendation')
        .where('id', 'in', (eb) =>
          eb
            .selectFrom('analytics_recommendation')
            .select('id')
            .where('closed_ms', 'is not', null)
            .orderBy('closed_ms')
            .orderBy('id')
            .limit(most - gone),
        )
        .executeTakeFirst();
      return gone + Number(recommendations.numDeletedRows);
    },
    /** @returns how many are there, those that are over too */
    async count(table: 'analytics_pattern' | 'analytics_recommendation'): Promise<number> {
      const { count } = await reader()
        .selectFrom(table)
        .select((eb) => eb.fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    },
  };
}
