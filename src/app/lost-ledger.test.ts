import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createGateway, type Gateway } from '../gateway/index.ts';
import { stateOf, testSettings } from '../gateway/test-gateway.ts';
import { systemClock } from '../platform/clock.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { createGatewayQuota } from '../quotas/index.ts';
import { draft, openTestQuotas, type TestQuotas } from '../quotas/test-quotas.ts';

const policies = ['closed', 'open', 'local_share'] as const;
let backend: Server;
let found: TestQuotas;
let gateway: Gateway;

/** A workspace for each policy, with a quota of its own. */
beforeEach(async () => {
  backend = createServer((_request, response) => void response.end('{}'));
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  found = await openTestQuotas(
    policies.map((whenLost) =>
      draft({ id: whenLost, limit: 100, period: 'day', whenLost, of: { ...place, workspace: whenLost } }),
    ),
  );
  gateway = createGateway({
    settings: { ...testSettings, quotaWaitMs: 30_000 },
    state: stateOf(
      policies.map((workspace) => ({
        ...{ id: `main/${workspace}`, targetId: 'main', workspace, url, apiKey: null, lens: 'lightrag' },
        ...{ pathPrefix: `/${workspace}`, hosts: [] },
      })),
    ),
    quota: createGatewayQuota({ quotas: found.quotas, costMicrosOf: () => null }),
    observe: () => undefined,
    onEvent: () => undefined,
    ...{ clock: systemClock, random: systemRandom, log: silentLogger },
  });
  await gateway.start?.(new AbortController().signal);
});
afterEach(async () => {
  await gateway.stop?.();
  await found.remove();
  backend.close().closeAllConnections();
});
const place = { targetId: 'main', workspace: null, userId: null, keyId: null };

const query = async (workspace: string): Promise<{ status: number; code: unknown }> => {
  const answer = await fetch(new URL(`/${workspace}/query`, gateway.url()), { method: 'POST', body: '{"query":"x"}' });
  const body = (await answer.json()) as { code?: string };
  return { status: answer.status, code: body.code };
};

test('without the ledger each quota does at the gateway what it says, it is visible, and the books agree afterwards', async () => {
  const { quotas, state, clock } = found;
  for (const workspace of policies) expect(await query(workspace)).toMatchObject({ status: 200 });
  const { unit } = state.db;
  Object.assign(state.db, { unit: () => Promise.reject(new Error('the database is gone')) });
  expect(await query('closed')).toEqual({ status: 503, code: 'quota/unavailable' });
  for (let use = 0; use < 15; use += 1) expect(await query('open')).toMatchObject({ status: 200 });
  // A tenth of the limit was debited with the first one.
  const passed: number[] = [];
  for (let use = 0; use < 15; use += 1) passed.push((await query('local_share')).status);
  expect(passed).toEqual([...Array(10).fill(200), ...Array(5).fill(503)]);
  expect(quotas.lost.sinceMs()).not.toBeNull();
  expect(quotas.totals()).toMatchObject({ unguarded: 15, refusedBlind: 6 });
  Object.assign(state.db, { unit });
  await clock.advance(1_001);
  expect(await query('closed')).toMatchObject({ status: 200 });
  expect(quotas.lost.sinceMs()).toBeNull();
  await quotas.ledger.flush({ everything: true });
  const rows = await state.db
    .reader<{ quota_usage: { quota_id: string; used: number; held: number } }>()
    .selectFrom('quota_usage')
    .select(['quota_id', 'used', 'held'])
    .where('quota_id', 'in', [...policies])
    .orderBy('quota_id')
    .execute();
  expect(rows.map(({ quota_id, used, held }) => [quota_id, Number(used), Number(held)])).toEqual([
    ['closed', 2, 0],
    ['local_share', 11, 0],
    ['open', 16, 0],
  ]);
});
