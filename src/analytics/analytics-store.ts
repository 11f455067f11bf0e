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
  is_dismissed: number;
  body: string;
};
type Tables = { analytics_pattern: PatternRow; analytics_recommendation: RecommendationRow };

export type Page<T> = { readonly items: readonly T[]; readonly total: number };
export type PatternFilter = {
  readonly resourceType?: string | undefined;
  readonly patternType?: string | undefined;
  /** What it has alone; what is of all comes along. */
  readonly instance?: string | undefined;
  readonly ended: boolean;
  readonly limit: number;
  readonly offset: number;
};
export type RecommendationFilter = {
  readonly priority?: Priority | undefined;
  readonly optimizationType?: string | undefined;
  readonly resourceType?: string | undefined;
  readonly state?: RecommendationState | undefined;
  /** As of patterns. */
  readonly instance?: string | undefined;
  readonly limit: number;
  readonly offset: number;
};

/** What is of all instances stands under no name. */
const ofAll = '';
const ownerOf = (row: { readonly instance: string }) => ({
  instance: row.instance === ofAll ? null : row.instance,
  isShared: row.instance === ofAll,
});
// Written below, in this shape, by this version or an older one that had the same fields but for the owner.
const patternOf = (row: PatternRow): KnownPattern => ({ ...(JSON.parse(row.body) as KnownPattern), ...ownerOf(row) });
const recommendationOf = (row: RecommendationRow): KnownRecommendation => ({
  ...(JSON.parse(row.body) as KnownRecommendation),
  ...ownerOf(row),
});
const namesOf = (owners: readonly (string | null)[]): string[] => owners.map((one) => one ?? ofAll);

/** Patterns and recommendations, one row each under their ids. */
export type AnalyticsStore = ReturnType<typeof createAnalyticsStore>;

export function createAnalyticsStore(db: Database) {
  const reader = (): Kysely<Tables> => db.reader<Tables>();
  return {
    /** Of these instances, null being all of them: what has not ended, and what ended since. */
    async knownPatterns(tx: Tx, owners: readonly (string | null)[], endedSinceMs: number): Promise<KnownPattern[]> {
      const rows = await tx
        .as<Tables>()
        .selectFrom('analytics_pattern')
        .selectAll()
        .where('instance', 'in', namesOf(owners))
        .where((eb) => eb.or([eb('ended_ms', 'is', null), eb('ended_ms', '>=', endedSinceMs)]))
        .execute();
      return rows.map(patternOf);
    },
    async knownRecommendations(tx: Tx, owners: readonly (string | null)[]): Promise<KnownRecommendation[]> {
      const rows = await tx
        .as<Tables>()
        .selectFrom('analytics_recommendation')
        .selectAll()
        .where('instance', 'in', namesOf(owners))
        .execute();
      return rows.map(recommendationOf);
    },
    /** What is not over of every instance but these. */
    async openOfOthers(
      tx: Tx,
      owners: readonly (string | null)[],
    ): Promise<{ patterns: KnownPattern[]; recommendations: KnownRecommendation[] }> {
      const patterns = await tx
        .as<Tables>()
        .selectFrom('analytics_pattern')
        .selectAll()
        .where('instance', 'not in', namesOf(owners))
        .where('ended_ms', 'is', null)
        .execute();
      const recommendations = await tx
        .as<Tables>()
        .selectFrom('analytics_recommendation')
        .selectAll()
        .where('instance', 'not in', namesOf(owners))
        .where('closed_ms', 'is', null)
        .execute();
      return { patterns: patterns.map(patternOf), recommendations: recommendations.map(recommendationOf) };
    },
    async putPattern(tx: Tx, pattern: KnownPattern): Promise<void> {
      const values = {
        ...{ pattern_type: pattern.type, resource_type: pattern.resourceType, confidence: pattern.confidence },
        ...{ seen_ms: pattern.lastSeenMs, ended_ms: pattern.endedMs, body: JSON.stringify(pattern) },
      };
      await tx
        .as<Tables>()
        .insertInto('analytics_pattern')
        .values({ id: pattern.id, instance: pattern.instance ?? ofAll, ...values })
        .onConflict((on) => on.column('id').doUpdateSet(values))
        .execute();
    },
    async putRecommendation(tx: Tx, one: KnownRecommendation): Promise<void> {
      const values = {
        ...{ optimization_type: one.optimizationType, resource_type: one.resourceType, priority: rankOf(one.priority) },
        ...{ state: one.state, created_ms: one.createdMs, seen_ms: one.lastSeenMs },
        ...{ closed_ms: one.resolvedMs, is_dismissed: one.dismissal ? 1 : 0, body: JSON.stringify(one) },
      };
      await tx
        .as<Tables>()
        .insertInto('analytics_recommendation')
        .values({ id: one.id, instance: one.instance ?? ofAll, ...values })
        .onConflict((on) => on.column('id').doUpdateSet(values))
        .execute();
    },
    async findRecommendation(tx: Tx, id: string): Promise<KnownRecommendation | undefined> {
      const row = await tx
        .as<Tables>()
        .selectFrom('analytics_recommendation')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      return row && recommendationOf(row);
    },
    /** The surest first. */
    async listPatterns(filter: PatternFilter): Promise<Page<KnownPattern>> {
      let asked = reader().selectFrom('analytics_pattern');
      if (filter.resourceType !== undefined) asked = asked.where('resource_type', '=', filter.resourceType);
      if (filter.patternType !== undefined) asked = asked.where('pattern_type', '=', filter.patternType);
      if (filter.instance !== undefined) asked = asked.where('instance', 'in', [filter.instance, ofAll]);
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
      if (filter.instance !== undefined) asked = asked.where('instance', 'in', [filter.instance, ofAll]);
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
    /** Of what is not over of these: by type, and of open recommendations by priority. */
    async counts(owners: readonly (string | null)[]): Promise<{
      patterns: { type: string; count: number }[];
      open: { priority: number; count: number }[];
    }> {
      const patterns = await reader()
        .selectFrom('analytics_pattern')
        .select((eb) => ['pattern_type as type', eb.fn.countAll().as('count')])
        .where('instance', 'in', namesOf(owners))
        .where('ended_ms', 'is', null)
        .groupBy('pattern_type')
        .execute();
      const open = await reader()
        .selectFrom('analytics_recommendation')
        .select((eb) => ['priority', eb.fn.countAll().as('count')])
        .where('instance', 'in', namesOf(owners))
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
    /**
     * Of what is over: first patterns, then recommendations that resolved themselves, each the oldest; dismissed ones last, since what was
     * dismissed stays so when its cause comes back.
     * @returns how many went
     */
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
            .orderBy('is_dismissed')
            .orderBy('closed_ms')
            .orderBy('id')
            .limit(most - gone),
        )
        .executeTakeFirst();
      return gone + Number(recommendations.numDeletedRows);
    },
  };
}
