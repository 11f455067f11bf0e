import type { PatternQuery, RecommendationQuery } from './analytics-calls.ts';
import { createClient, type RagwardenClient } from './client.ts';
import type { ClientOptions } from './transport.ts';
import type { OptimizationRecommendationBody, UsagePatternBody, UsageProfileBody } from './wire.ts';

export const OptimizationType = {
  CLEANUP: 'cleanup',
  QUOTA_ADJUSTMENT: 'quota_adjustment',
  SCHEDULING: 'scheduling',
  CACHING: 'caching',
  POOLING: 'pooling',
  COMPRESSION: 'compression',
  ARCHITECTURE: 'architecture',
} as const;

/** The analytics of document 003. A service token is enough. */
export class ResourceAnalyzer {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /** By resource; what is known for too short a time is left out. */
  async getResourceProfiles(
    timeWindowHours: number | undefined = undefined,
  ): Promise<Readonly<Record<string, UsageProfileBody>>> {
    const window = timeWindowHours === undefined ? {} : { windowHours: timeWindowHours };
    return (await this.#client.analytics.profiles(window)).profiles;
  }

  /** The surest first. */
  async getPatterns(query: PatternQuery = {}): Promise<readonly UsagePatternBody[]> {
    return (await this.#client.analytics.patterns(query)).items;
  }

  /** Those that are open, the gravest first. */
  async getRecommendations(query: RecommendationQuery = {}): Promise<readonly OptimizationRecommendationBody[]> {
    return (await this.#client.analytics.recommendations(query)).items;
  }
}

export const getResourceAnalyzer = (options: ClientOptions): ResourceAnalyzer => new ResourceAnalyzer(options);
