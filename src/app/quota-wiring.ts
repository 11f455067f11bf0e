import type { ActionRunners } from '../alerts/index.ts';
import type { QuotaConfig } from '../config/index.ts';
import type { Observation } from '../gateway/index.ts';
import type { HealthCheck } from '../health/index.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import {
  createGatewayQuota,
  createQuotas,
  createQuotaWatch,
  createQuotaWriter,
  createResourceQuota,
  findFaults,
  type GatewayQuota,
  type PastUse,
  type Place,
  planThrottle,
  type Quota,
  type QuotaAlarm,
  type Quotas,
  quotaRoutes,
  registerQuotaMetrics,
} from '../quotas/index.ts';
import type { ResourceQuota } from '../resources/index.ts';
import type { Traffic } from '../traffic/index.ts';
import { createPriceTable } from '../traffic/index.ts';
import type { Ground } from './ground.ts';

export type QuotaWiring = {
  readonly quotas: Quotas;
  readonly gatewayQuota: GatewayQuota;
  readonly resourceQuota: ResourceQuota;
  readonly quotaRoutes: RoutePlugin;
  readonly quotaCheck: HealthCheck;
  readonly quotaParts: readonly Part[];
  /** What alerts may have done: a workspace is slowed down for a while. */
  readonly quotaRunners: ActionRunners;
  /** The traffic is made after what it passes through. */
  remember(traffic: Traffic): void;
};

/** Quotas with the gateway before them, and what they tell. Definitions are read when this resolves; nothing runs yet. */
export async function createQuotaWiring(ground: Ground, onlyTarget: string | null): Promise<QuotaWiring> {
  const { config, live, clock, random, db, events, registry, logOf } = ground;
  const log = logOf('quotas');
  const quotas = createQuotas({
    ...{ db, clock, random, events, log },
    instance: config.state.instance,
    fromFile: config.quotas.definitions.map(quotaOf),
    alarm: alarmOf(ground),
  });
  const forfeited = await quotas.open();
  if (forfeited.length > 0) log.info({ count: forfeited.length }, 'what an earlier life held of quotas was taken back');
  let traffic: Traffic | undefined;
  const prices = createPriceTable(config.traffic.prices);
  const gatewayQuota = createGatewayQuota({
    quotas,
    costMicrosOf: ({ llm }: Observation) => {
      if (llm === null || traffic === undefined || prices.find(llm.provider, llm.model ?? '') === undefined)
        return null;
      const usd = traffic.priceOf(llm);
      return usd === null ? null : Math.ceil(usd * 1e6);
    },
  });
  const watch = createQuotaWatch({ quotas, db, clock, log, intervalMs: config.quotas.checkIntervalMs });
  live.onChange((now) => watch.setIntervalMs(now.quotas.checkIntervalMs));
  registerQuotaMetrics(registry, quotas);
  return {
    quotas,
    gatewayQuota,
    resourceQuota: createResourceQuota({ quotas, onlyTarget: () => onlyTarget }),
    quotaRoutes: quotaRoutes({
      ...{ quotas, db },
      now: () => clock.now(),
      onlyTarget: () => onlyTarget,
      pastUses: () => (traffic === undefined ? [] : usesOf(traffic, config.traffic.maxExchanges)),
    }),
    quotaCheck: ledgerCheck(quotas, () => clock.now()),
    quotaParts: [createQuotaWriter({ quotas, clock, log }), watch],
    quotaRunners: {
      'throttle-workspace': {
        describe: async ({ targetId, workspace, requestsPerMinute, forSeconds }) =>
          `at most ${requestsPerMinute} requests a minute would pass to ${targetId}/${workspace} for ${forSeconds} s.`,
        async run(wish, why) {
          const draft = planThrottle(wish, why, clock.now());
          if (quotas.definitions.find(draft.id)) await quotas.definitions.update(draft, 'ragwarden');
          else await quotas.definitions.create(draft, 'ragwarden');
          const until = new Date(draft.endsMs ?? 0).toISOString();
          const detail = `At most ${draft.limit} requests a minute pass to ${wish.targetId}/${wish.workspace} until ${until} (quota ${draft.id}).`;
          return { detail, operationId: null };
        },
      },
    },
    remember(made) {
      traffic = made;
    },
  };
}

/** @throws AppError `config/invalid` with everything that cannot be meant */
function quotaOf(entry: QuotaConfig): Quota {
  const quota: Quota = {
    id: entry.quota_id,
    name: entry.name ?? entry.quota_id,
    description: entry.description,
    counts: entry.resource_type,
    type: entry.quota_type,
    period: entry.period,
    window: entry.window,
    limit: entry.limit,
    burstLimit: entry.burst_limit,
    action: entry.action,
    of: {
      targetId: entry.target_id,
      workspace: entry.workspace_id,
      userId: entry.user_id,
      keyId: entry.key_id,
    },
    per: entry.per,
    enabled: entry.enabled,
    shadow: entry.shadow,
    whenLost: entry.when_lost ?? (entry.quota_type === 'hard' ? 'closed' : 'open'),
    ratePerMinute: entry.rate_per_minute,
    waitSeconds: entry.wait_seconds,
    mostLimit: entry.max_limit,
    endsMs: null,
    tags: entry.tags,
    origin: 'file',
    createdMs: 0,
    updatedMs: 0,
  };
  const faults = findFaults(quota);
  if (faults.length > 0)
    throw new AppError(
      'config/invalid',
      faults.map(({ at, message }) => `quotas.definitions: ${quota.id}: ${at} ${message}.`).join(' '),
    );
  return quota;
}

/** Whoever is on call hears of a quota whose action is `escalate`, and when it has room again. */
function alarmOf({ notifier, clock }: Ground): QuotaAlarm {
  const tell = (
    tx: Parameters<QuotaAlarm['raise']>[0],
    { quota, violation, message }: Parameters<QuotaAlarm['raise']>[1],
    status: 'firing' | 'resolved',
  ): Promise<void> =>
    notifier.tell(tx, {
      key: `quota:${quota.id}:${violation.bucket}`.slice(0, 200),
      status,
      severity: 'warning',
      title: `Quota ${quota.name} is exceeded`,
      summary: message,
      labels: { alertname: 'QuotaExceeded', severity: 'warning', quota: quota.id },
      annotations: { bucket: violation.bucket, exceeded_by: String(violation.exceededBy) },
      startsAtMs: violation.firstMs,
      endsAtMs: status === 'resolved' ? clock.now() : null,
      runbookUrl: null,
      receivers: null,
    });
  return {
    raise: (tx, what) => tell(tx, what, 'firing'),
    resolve: (tx, what) => tell(tx, { ...what, message: `The quota "${what.quota.name}" has room again.` }, 'resolved'),
  };
}

/** What passed and is remembered, as uses that a definition can be tried on. */
function usesOf(traffic: Traffic, limit: number): readonly PastUse[] {
  return traffic.recent({ limit }).flatMap((one): readonly PastUse[] => {
    if (one.targetId === null || one.outcome.startsWith('refused_')) return [];
    const place: Place = {
      targetId: one.targetId,
      workspace: one.workspace ?? '',
      userId: one.keyId === null ? '' : one.subject,
      keyId: one.keyId ?? '',
    };
    const shared = { atMs: one.atMs, lastedMs: one.totalMs, place };
    if (one.door === 'llm') {
      if (one.operation !== 'llm') return [];
      const tokens = (one.llm?.promptTokens ?? 0) + (one.llm?.completionTokens ?? 0);
      const cost = one.costUsd === null ? 0 : Math.ceil(one.costUsd * 1e6);
      return [{ ...shared, amounts: { llm_calls: 1, tokens, cost_micros: cost } }];
    }
    if (one.operation === 'read' || one.operation === 'unknown') return [];
    const isInsert = one.operation === 'insert';
    return [{ ...shared, amounts: { requests: 1, ...(isInsert ? { documents: 1, concurrent_inserts: 1 } : {}) } }];
  });
}

const ledgerCheck = (quotas: Quotas, now: () => number): HealthCheck => ({
  name: 'quota ledger',
  about: 'own',
  read() {
    const sinceMs = quotas.lost.sinceMs();
    if (sinceMs === null) return { status: 'healthy', message: 'The ledger of the quotas answers.', atMs: now() };
    return {
      status: 'degraded',
      message: `The ledger of the quotas has not answered since ${new Date(sinceMs).toISOString()}; each quota does what it says for that.`,
      atMs: now(),
    };
  },
});
