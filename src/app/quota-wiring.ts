import type { ActionRunners } from '../alerts/index.ts';
import type { HealthCheck } from '../health/index.ts';
import type { QuotaNumbers } from '../metrics/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import {
  createGatewayQuota,
  createQuotas,
  createQuotaWatch,
  createQuotaWriter,
  createResourceQuota,
  type GatewayQuota,
  type PastUse,
  type Place,
  planThrottle,
  type Quotas,
  quotaRoutes,
  registerQuotaMetrics,
} from '../quotas/index.ts';
import type { ResourceQuota } from '../resources/index.ts';
import type { Traffic } from '../traffic/index.ts';
import type { Ground } from './ground.ts';
import { costMicrosBy, quotaAlarm, quotaOf } from './quota-parts.ts';

export type QuotaWiring = {
  readonly quotas: Quotas;
  readonly gatewayQuota: GatewayQuota;
  readonly resourceQuota: ResourceQuota;
  readonly quotaRoutes: RoutePlugin;
  readonly quotaCheck: HealthCheck;
  /** At a glance, for the summary of all metrics. */
  quotaNumbers(): Promise<QuotaNumbers>;
  readonly quotaParts: readonly Part[];
  /** What alerts may have done: a workspace is slowed down for a while. */
  readonly quotaRunners: ActionRunners;
  /** The traffic is made after what it passes through. */
  remember(traffic: Traffic): void;
};

/** Quotas with the gateway before them, and what they tell. Definitions are read when this resolves; nothing runs yet. */
export async function createQuotaWiring(ground: Ground, onlyTarget: string | null): Promise<QuotaWiring> {
  const { config, live, clock, random, db, registry, logOf } = ground;
  const { auditHead, listAudit } = ground.eventLog;
  const events = { ...ground.events, auditHead, listAudit };
  const log = logOf('quotas');
  const quotas = createQuotas({
    ...{ db, clock, random, events, log },
    instance: config.state.instance,
    fromFile: config.quotas.definitions.map(quotaOf),
    alarm: quotaAlarm(ground),
  });
  const forfeited = await quotas.open();
  if (forfeited.length > 0) log.info({ count: forfeited.length }, 'what an earlier life held of quotas was taken back');
  let traffic: Traffic | undefined;
  const gatewayQuota = createGatewayQuota({ quotas, costMicrosOf: costMicrosBy(config.traffic.prices) });
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
    quotaNumbers: () => numbersOf(quotas),
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

async function numbersOf(quotas: Quotas): Promise<QuotaNumbers> {
  const all = quotas.definitions.all();
  const { checks, blocks, throttles, resets } = quotas.totals();
  return {
    quotas: all.length,
    enforced: all.filter(({ enabled, shadow }) => enabled && !shadow).length,
    open: await quotas.violations.countOpen(),
    ...quotas.violations.totals(),
    ...{ checks, blocks, throttles, resets },
  };
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
