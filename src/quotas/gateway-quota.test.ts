import { afterEach, expect, test } from 'vitest';
import type { Observation, QuotaAsk } from '../gateway/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createGatewayQuota, type GatewayQuota } from './gateway-quota.ts';
import { anyPlace } from './quota.ts';
import { createQuotaWatch } from './quota-jobs.ts';
import { draft, openTestQuotas, type TestQuotas } from './test-quotas.ts';
import { planThrottle } from './throttle-workspace.ts';
import { readUsage } from './usage.ts';

let found: TestQuotas;
afterEach(() => found.remove());
const open = async (...drafts: Parameters<typeof draft>[0][]): Promise<GatewayQuota> => {
  found = await openTestQuotas(drafts.map((one) => draft(one)));
  return createGatewayQuota({ quotas: found.quotas, costMicrosOf: ({ llm }) => (llm?.promptTokens ?? 0) * 10 });
};

const ask: QuotaAsk = {
  ...{ door: 'backend', targetId: 'main', workspace: 'a', subject: 'local:anna', keyId: 'key_1' },
  ...{ operation: 'query', writes: false, requestBytes: null },
};
const insert: QuotaAsk = { ...ask, operation: 'insert', writes: true };
const call: QuotaAsk = { ...ask, door: 'llm', operation: 'llm' };
const seen = (told: Partial<Observation> & { tokens?: number } = {}): Observation => ({
  ...{ door: 'backend', atMs: 0, targetId: 'main', workspace: 'a', subject: 'local:anna', keyId: 'key_1' },
  ...{ operation: 'query', route: 'POST /query', mode: null, stream: false, status: 200, outcome: 'ok', reason: null },
  ...{ requestBytes: 0, responseBytes: 0, firstByteMs: 1, firstContentMs: null, totalMs: 1, trackId: null },
  llm:
    told.tokens === undefined
      ? null
      : {
          ...{ provider: 'p', call: 'chat', model: 'm', role: null, promptTokens: told.tokens, completionTokens: 0 },
          ...{ cachedTokens: null, firstTokenMs: null, dimension: null, retryAfterMs: null, digest: null },
        },
  ...Object.fromEntries(Object.entries(told).filter(([name]) => name !== 'tokens')),
});
const used = async (id = 'q'): Promise<number> => {
  await found.quotas.ledger.flush({ everything: true });
  const quota = found.quotas.definitions.require(id);
  const { buckets } = await readUsage(found.state.db, quota, { nowMs: found.clock.now(), limit: 10 });
  return buckets.reduce((sum, one) => sum + one.total, 0);
};

test('a request beyond the limit is turned away with the limit, what is left and when to come back', async () => {
  const gateway = await open({ limit: 2, per: ['workspace'] });
  expect((await gateway.decide(ask)).granted).toBe(true);
  expect((await gateway.decide({ ...ask, operation: 'read' })).granted).toBe(true);
  expect((await gateway.decide(ask)).granted).toBe(true);
  expect(await gateway.decide(ask)).toMatchObject({
    ...{ granted: false, why: 'exceeded', limit: 2, remaining: 0, policy: 'q', windowSeconds: 60 },
    ...{ retryAfterSeconds: 60, resetSeconds: 60 },
  });
  expect((await gateway.decide({ ...ask, workspace: 'b' })).granted).toBe(true);
});

test('tokens are held before the call and counted as they were after it', async () => {
  const gateway = await open({ counts: 'tokens', limit: 1_500, period: 'day' });
  const first = await gateway.decide(call);
  expect((await gateway.decide(call)).granted).toBe(false);
  if (!first.granted || first.reservation === null) throw new Error('nothing is held');
  gateway.settle(first.reservation, seen({ door: 'llm', operation: 'llm', tokens: 200 }));
  gateway.settle(first.reservation, seen({ door: 'llm', operation: 'llm', tokens: 200 }));
  expect(await used()).toBe(200);
  expect((await gateway.decide(call)).granted).toBe(true);
});

test('a call that reached nobody takes nothing, and one that said nothing takes what was held', async () => {
  const gateway = await open({ counts: 'tokens', limit: 10_000, period: 'day' });
  for (const outcome of ['upstream_unreachable', 'client_gone'] as const) {
    const held = await gateway.decide(call);
    if (held.granted && held.reservation !== null) gateway.settle(held.reservation, seen({ door: 'llm', outcome }));
  }
  expect(await used()).toBe(1_000);
});

test('inserts under way are bounded, and make room when they end or their thread dies', async () => {
  const gateway = await open({ counts: 'concurrent_inserts', period: 'forever', limit: 1 });
  const first = await gateway.decide(insert);
  expect(await gateway.decide(insert)).toMatchObject({ granted: false, retryAfterSeconds: 1 });
  if (first.granted && first.reservation !== null) gateway.settle(first.reservation, seen({ operation: 'insert' }));
  expect((await gateway.decide(insert)).granted).toBe(true);
  expect((await gateway.decide(insert)).granted).toBe(false);
  gateway.abandon();
  expect((await gateway.decide(insert)).granted).toBe(true);
});

test('who has no key uses up nothing of whom his own token names', async () => {
  const gateway = await open({ limit: 1, per: ['user'] });
  expect((await gateway.decide({ ...ask, keyId: null })).granted).toBe(true);
  expect((await gateway.decide({ ...ask, keyId: null, subject: 'somebody else' })).granted).toBe(false);
  expect((await gateway.decide(ask)).granted).toBe(true);
});

test('queue: a request waits until there is room, and says how long it may take', async () => {
  const gateway = await open({ limit: 1, action: 'queue', waitSeconds: 60 });
  await gateway.decide(ask);
  const held: number[] = [];
  let answered = false;
  const waiting = gateway
    .decide(ask, (ms) => void held.push(ms))
    .then((answer) => {
      answered = true;
      return answer;
    });
  await expect.poll(() => found.clock.sleeping()).toBeGreaterThan(0);
  expect([held, answered]).toEqual([[60_000], false]);
  for (let step = 0; step < 310 && !answered; step += 1) {
    await found.clock.advance(200);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await waiting).granted).toBe(true);
});

test('throttle: beyond the limit one after the other passes, and who would wait too long is turned away', async () => {
  const gateway = await open({ type: 'soft', limit: 1, action: 'throttle', ratePerMinute: 60, waitSeconds: 1 });
  await gateway.decide(ask);
  expect((await gateway.decide(ask)).granted).toBe(true);
  const held: number[] = [];
  const second = gateway.decide(ask, (ms) => void held.push(ms));
  await expect.poll(() => held).toEqual([1_000]);
  expect((await gateway.decide(ask)).granted).toBe(false);
  await found.clock.advance(1_000);
  expect((await second).granted).toBe(true);
  expect(await used()).toBe(3);
});

test('a workspace is slowed down for a while, and the quota ends by itself', async () => {
  const gateway = await open();
  const wish = { targetId: 'main', workspace: 'a', requestsPerMinute: 1, forSeconds: 120 };
  const made = planThrottle(wish, 'an alert', found.clock.now());
  await found.quotas.definitions.create({ ...made, waitSeconds: 0 }, 'test');
  expect(gateway.guards()).toMatchObject([{ id: made.id, targetId: 'main', workspace: 'a', whenSilent: 'open' }]);
  expect((await gateway.decide(ask)).granted).toBe(true);
  expect((await gateway.decide(ask)).granted).toBe(false);
  await found.clock.advance(121_000);
  expect((await gateway.decide(ask)).granted).toBe(true);
  const { quotas, state, clock } = found;
  await createQuotaWatch({ quotas, db: state.db, clock, log: silentLogger, intervalMs: 30_000 }).runOnce();
  expect(gateway.guards()).toEqual([]);
});

test('what only counts is counted after the fact, and nobody is asked about it', async () => {
  const gateway = await open({ limit: 2, shadow: true, of: { ...anyPlace, workspace: 'a' } });
  expect(gateway.guards()).toEqual([]);
  gateway.observe([seen(), seen(), seen(), seen({ workspace: 'b' }), seen({ outcome: 'refused_key' })]);
  expect(await used()).toBe(3);
  await found.quotas.flush();
  expect(found.quotas.violations.totals().violations).toBe(1);
});

test('without its ledger each quota does what it says, and what passed is written down afterwards', async () => {
  const gateway = await open(
    { id: 'open', limit: 5, whenLost: 'open' },
    { id: 'closed', counts: 'llm_calls', limit: 5 },
  );
  const { unit } = found.state.db;
  Object.assign(found.state.db, { unit: () => Promise.reject(new Error('the database is gone')) });
  expect((await gateway.decide(ask)).granted).toBe(true);
  expect(await gateway.decide(call)).toMatchObject({ granted: false, why: 'unavailable' });
  expect(found.quotas.lost.sinceMs()).not.toBeNull();
  Object.assign(found.state.db, { unit });
  await found.clock.advance(2_000);
  expect((await gateway.decide(call)).granted).toBe(true);
  expect(found.quotas.lost.sinceMs()).toBeNull();
  expect(await used('open')).toBe(1);
});
