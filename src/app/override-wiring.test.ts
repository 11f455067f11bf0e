import { expect, test } from 'vitest';
import type { QueryOverrides, Upstream } from '../gateway/index.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createOverrideJob } from './override-wiring.ts';

const upstream = (workspace: string): Upstream => ({
  ...{ id: `main/${workspace}`, targetId: 'main', workspace, url: 'http://127.0.0.1:9', apiKey: null },
  ...{ lens: 'lightrag', pathPrefix: null, hosts: [] },
});
const parts = (queryOverrides: boolean, set: () => ReadonlyMap<string, Record<string, number | string>>) => {
  const told: QueryOverrides[] = [];
  const job = createOverrideJob(
    // The rest of the ground is nobody's business here.
    {
      config: { gateway: { queryOverrides } },
      clock: createFakeClock(),
      logOf: () => silentLogger,
    } as unknown as Parameters<typeof createOverrideJob>[0],
    { tuning: { setValues: async () => set() }, onChanged: () => undefined },
    {
      gateway: {} as never,
      state: () => ({ upstreams: [upstream('library'), upstream('legal')], providers: [], keys: [] }),
      setOverrides: (overrides) => told.push(overrides),
    },
  );
  return { job, told };
};

test('the gateway is told what users and workspaces set of a query, and again only when that changed', async () => {
  let set = new Map<string, Record<string, number | string>>([
    ['default', { top_k: 5 }],
    ['user:local:alice', { top_k: 7, query_mode: 'naive', chunk_size: 1_200 }],
    ['user:local:bob', { chunk_size: 900 }],
    ['workspace:main', { chunk_top_k: 9 }],
    ['workspace:main:legal', { max_total_tokens: 2_000_000 }],
  ]);
  const { job, told } = parts(true, () => set);
  await job?.runOnce();
  await job?.runOnce();
  expect(told).toEqual([
    {
      byUser: { 'local:alice': { top_k: 7, mode: 'naive' } },
      // What LightRAG would refuse is not asked for.
      byUpstream: { 'main/library': { chunk_top_k: 9 }, 'main/legal': { max_total_tokens: 1_000_000 } },
    },
  ]);
  set = new Map([['user:local:alice', { top_k: 8 }]]);
  await job?.runOnce();
  expect(told[1]).toEqual({ byUser: { 'local:alice': { top_k: 8 } }, byUpstream: {} });
});

test('with the policy off nobody looks and nothing is told', () => {
  expect(parts(false, () => new Map()).job).toBeUndefined();
});
