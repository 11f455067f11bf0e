import { createClient, type RagwardenClient } from './client.ts';
import type { NewQuota, QuotaSettings, QuotaUse } from './quota-calls.ts';
import type { ClientOptions } from './transport.ts';
import type { QuotaBody, QuotaCheckResultBody, QuotaStatusBody, QuotaUsageBody, QuotaViolationBody } from './wire.ts';

export const QuotaType = { HARD: 'hard', SOFT: 'soft', BURST: 'burst', DYNAMIC: 'dynamic' } as const;
export const QuotaPeriod = {
  SECOND: 'second',
  MINUTE: 'minute',
  HOUR: 'hour',
  DAY: 'day',
  WEEK: 'week',
  MONTH: 'month',
  FOREVER: 'forever',
} as const;
export const QuotaAction = {
  BLOCK: 'block',
  WARN: 'warn',
  THROTTLE: 'throttle',
  QUEUE: 'queue',
  ESCALATE: 'escalate',
} as const;

/** A limit, put together before it is added. */
export class QuotaDefinition {
  readonly quota: NewQuota;
  constructor(quota: NewQuota) {
    this.quota = quota;
  }
}

/** Quotas under the names that people know from the documents. Checking needs a service token, defining an admin's. */
export class QuotaManager {
  readonly #client: RagwardenClient;

  constructor(options: ClientOptions) {
    this.#client = createClient(options);
  }

  /** @throws RagwardenError `conflict/state` when there is one of this id */
  addQuota(quota: QuotaDefinition | NewQuota): Promise<QuotaBody> {
    return this.#client.quotas.create(quota instanceof QuotaDefinition ? quota.quota : quota);
  }

  /** What is left out stays. @throws RagwardenError `quota/unknown` */
  updateQuota(quotaId: string, changes: Partial<QuotaSettings>): Promise<QuotaBody> {
    return this.#client.quotas.update(quotaId, changes);
  }

  /** @throws RagwardenError `quota/unknown` */
  removeQuota(quotaId: string): Promise<void> {
    return this.#client.quotas.remove(quotaId);
  }

  /** Asks every quota that applies, and uses it up when all of them allow it: one result for each. */
  async checkQuota(use: QuotaUse): Promise<readonly QuotaCheckResultBody[]> {
    return (await this.#client.quotas.check(use)).results;
  }

  getQuotaStatus(
    filter: { readonly quotaId?: string; readonly userId?: string; readonly workspaceId?: string } = {},
  ): Promise<QuotaStatusBody> {
    return this.#client.quotas.status(filter);
  }

  /** What was used in the windows before, the newest first; at most 1,000. */
  async getQuotaUsageHistory(
    quotaId: string,
    limit = 100,
  ): Promise<readonly { readonly period_start: string; readonly used: number; readonly greatest: number }[]> {
    return (await this.#client.quotas.get(quotaId, { history: limit })).history;
  }

  /** The newest first; at most 200. */
  async getQuotaViolations(
    filter: { readonly quotaId?: string; readonly resolved?: boolean; readonly limit?: number } = {},
  ): Promise<readonly QuotaViolationBody[]> {
    return (await this.#client.quotas.violations(filter)).items;
  }

  /** @throws RagwardenError `quota/unknown` */
  resetQuota(quotaId: string): Promise<QuotaUsageBody> {
    return this.#client.quotas.reset(quotaId);
  }
}

export const getQuotaManager = (options: ClientOptions): QuotaManager => new QuotaManager(options);
