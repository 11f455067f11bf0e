import type { Observation, QuotaAnswer, QuotaAsk, QuotaDecision, QuotaGuard } from '../gateway/index.ts';
import type { Taken } from './ledger.ts';
import { type Amounts, type Counted, denies, isAsked, type Place, type Quota } from './quota.ts';
import type { Quotas, Spent } from './quotas.ts';
import { periodMs } from './window.ts';

/** What is counted at which door; everything else is told by whoever uses it. */
const backendKinds = ['requests', 'documents', 'concurrent_inserts', 'stored_bytes'] as const;
const llmKinds = ['llm_calls', 'tokens', 'cost_micros'] as const;
const gatewayKinds: readonly Counted[] = [...backendKinds, ...llmKinds];
/** Used up when it is granted; the rest is settled with what it took. */
const isFinal = (kind: Counted): boolean => kind === 'requests' || kind === 'llm_calls';
const writingKinds: readonly Counted[] = ['documents', 'concurrent_inserts', 'stored_bytes'];

/** Of a call of which nobody knows what it will take: before the first one of its target. */
const firstGuessTokens = 1_000;
/** How much the newest call weighs in the guess. */
const newestShare = 0.2;
const mostTargets = 1_000;

export type GatewayQuota = QuotaDecision & {
  /** Of quotas that only count: told of all that passed. */
  observe(items: readonly Observation[]): void;
};

/**
 * Quotas at the gateway. Who somebody is counts only when a key of ours says so: what a caller's own token says is unverified,
 * and nobody must be able to use up somebody else's quota; all without a key share one bucket of a quota per user.
 */
export function createGatewayQuota(options: {
  quotas: Quotas;
  /** What a call took, in millionths of a US dollar; null where nobody knows. */
  costMicrosOf(observation: Observation): number | null;
}): GatewayQuota {
  const { quotas, costMicrosOf } = options;
  const reservations = new Map<string, { taken: readonly Taken[]; place: Place }>();
  const guesses = new Map<string, { tokens: number; costMicros: number }>();
  let reserved = 0;

  const placeOf = (
    one: Pick<QuotaAsk, 'keyId' | 'subject'> & { targetId: string | null; workspace: string | null },
  ): Place => ({
    targetId: one.targetId,
    workspace: one.workspace ?? '',
    userId: one.keyId === null ? '' : one.subject,
    keyId: one.keyId ?? '',
  });
  const guessOf = (targetId: string): { tokens: number; costMicros: number } =>
    guesses.get(targetId) ?? { tokens: firstGuessTokens, costMicros: 0 };

  const asked = (ask: QuotaAsk): Amounts => {
    if (ask.door === 'llm') {
      // What a provider is asked besides, as which models it has, is none.
      if (ask.operation !== 'llm') return {};
      const guess = guessOf(ask.targetId);
      return { llm_calls: 1, tokens: guess.tokens, cost_micros: guess.costMicros };
    }
    if (ask.operation === 'read') return {};
    if (ask.operation !== 'insert') return { requests: 1 };
    // As much as it brings; what it makes of the store is measured there. Nothing beyond a full one, however little.
    return { requests: 1, documents: 1, concurrent_inserts: 1, stored_bytes: Math.max(1, ask.requestBytes ?? 1) };
  };

  /** What it took, by kind; what it did not take is 0. */
  const taken = (seen: Observation): Amounts => {
    const reachedNobody = seen.outcome.startsWith('refused_') || seen.outcome === 'upstream_unreachable';
    if (seen.door === 'llm') {
      if (reachedNobody) return { tokens: 0, cost_micros: 0 };
      const { llm } = seen;
      const isKnown = llm !== null && (llm.promptTokens !== null || llm.completionTokens !== null);
      if (!isKnown) return {};
      const tokens = (llm.promptTokens ?? 0) + (llm.completionTokens ?? 0);
      const costMicros = costMicrosOf(seen);
      learn(seen.targetId ?? '', tokens, costMicros);
      return { tokens, ...(costMicros === null ? { cost_micros: 0 } : { cost_micros: costMicros }) };
    }
    const stays = seen.outcome === 'ok';
    return {
      documents: stays ? 1 : 0,
      concurrent_inserts: 1,
      stored_bytes: stays ? Math.max(1, seen.requestBytes) : 0,
    };
  };
  const learn = (targetId: string, tokens: number, costMicros: number | null): void => {
    if (guesses.size >= mostTargets) guesses.clear();
    const before = guesses.get(targetId) ?? { tokens, costMicros: costMicros ?? 0 };
    const blend = (old: number, now: number): number => Math.ceil(old + (now - old) * newestShare);
    guesses.set(targetId, {
      tokens: blend(before.tokens, tokens),
      costMicros: blend(before.costMicros, costMicros ?? before.costMicros),
    });
  };

  return {
    async decide(ask, hold) {
      const place = placeOf(ask);
      const found = quotas.spend(place, asked(ask), isFinal, hold);
      const spent = found instanceof Promise ? await found : found;
      if (!spent.granted) return denied(spent);
      const toSettle = spent.taken.filter(({ final }) => !final);
      if (toSettle.length === 0) return { granted: true, reservation: null };
      reserved += 1;
      const reservation = `g${reserved}`;
      reservations.set(reservation, { taken: toSettle, place });
      return { granted: true, reservation };
    },
    settle(reservation, observation) {
      const found = reservations.get(reservation);
      if (!reservations.delete(reservation) || found === undefined) return;
      quotas.settle(found.taken, taken(observation));
    },
    guards: () => guardsOf(quotas.definitions.all()),
    onGuards(listener) {
      quotas.definitions.onChange(() => listener(guardsOf(quotas.definitions.all())));
    },
    abandon() {
      // What they were granted may well have been used.
      for (const { taken } of reservations.values()) quotas.settle(taken, {});
      reservations.clear();
    },
    observe(items) {
      if (!quotas.definitions.counts(gatewayKinds).counting) return;
      for (const one of items) {
        if (one.targetId === null) continue;
        const isAsk = one.door === 'llm' ? one.operation === 'llm' : one.operation !== 'read';
        if (!isAsk || one.outcome.startsWith('refused_')) continue;
        quotas.count(placeOf(one), {
          ...(one.door === 'llm' ? { llm_calls: 1 } : { requests: 1 }),
          ...(one.door === 'llm' || one.operation === 'insert' ? taken(one) : {}),
        });
      }
    },
  };
}

/** Whom the gateway must ask about, by these definitions. */
export function guardsOf(quotas: readonly Quota[]): readonly QuotaGuard[] {
  return quotas
    .filter((quota) => isAsked(quota) && gatewayKinds.includes(quota.counts))
    .map((quota) => ({
      id: quota.id,
      doors: [backendKinds.some((kind) => kind === quota.counts) ? 'backend' : 'llm'] as const,
      writesOnly: writingKinds.includes(quota.counts),
      targetId: quota.of.targetId,
      workspace: quota.of.workspace,
      subject: quota.of.userId,
      keyId: quota.of.keyId,
      // A share at hand is known to the other thread alone, which does not answer.
      whenSilent: quota.whenLost === 'open' || !denies(quota) ? 'open' : 'closed',
    }));
}

function denied(spent: Extract<Spent, { granted: false }>): QuotaAnswer {
  const [gravest] = spent.denials;
  if (gravest === undefined)
    return {
      ...{ granted: false, why: 'unavailable', retryAfterSeconds: 1, detail: spent.detail },
      ...{ limit: null, remaining: null, resetSeconds: null, policy: null, windowSeconds: null },
    };
  const { quota, limit, remaining, retryAfterSeconds, resetSeconds, detail } = gravest;
  return {
    granted: false,
    why: 'exceeded',
    retryAfterSeconds,
    detail,
    limit,
    remaining,
    resetSeconds,
    policy: quota.id,
    windowSeconds: quota.period === 'forever' ? null : periodMs[quota.period] / 1_000,
  };
}
