import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RecoveryPoint, Repository } from '../../backup/index.ts';
import type { ChildProcesses } from '../../platform/child-processes/index.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import { createRagwardenPlace } from './ragwarden-place.ts';

const call = { signal: new AbortController().signal };
const points = [1, 2, 3].map(
  // Of a point, what a plan looks at.
  (takenMs) => ({ id: `p${takenMs}`, targetId: 'default', takenMs }) as RecoveryPoint,
);
const source = {
  snapshots: async () => points.map(({ id }) => ({ id: `s-${id}`, tree: `t-${id}`, tags: [`rp:${id}`, 'manifest'] })),
} as unknown as Repository;

const placeThat = (answer: object, spool = '/nowhere') =>
  createRagwardenPlace({
    ...{ baseUrl: 'http://other', apiKey: 'k', source, spool, repositoryAt: () => source },
    children: {} as ChildProcesses,
    http: { request: async () => ({ status: 200, text: () => JSON.stringify(answer) }) } as unknown as HttpRequester,
  });
const listed = (id: string) => ({
  ...{ sender: 's', graph_id: 'default', backup_id: id, data_hash: 'h', tree_id: `t-${id}`, taken_at: null },
  ...{ size_bytes: 5, received_at: '2025-01-01T00:00:00Z' },
});

test('of more points than the other keeps only the newest are sent, and it tells what lies there', async () => {
  const place = placeThat({ items: [listed('p3'), listed('old')], received_bytes: null, keep: 2 });
  expect(await place.look(null, call)).toMatchObject({ keep: 2, storedBytes: 10 });
  const plan = await place.plan(points, call);
  expect(plan.copy.map(({ point }) => point.id)).toEqual(['p2']);
  expect(plan.held.map(({ point }) => point.id)).toEqual(['p3']);
  expect([...(plan.listed ?? [])]).toEqual(['p3', 'old']);
});

test('one that does not tell how many it keeps is sent all', async () => {
  const { copy } = await placeThat({ items: [], received_bytes: null }).plan(points, call);
  expect(copy.map(({ point }) => point.id)).toEqual(['p3', 'p2', 'p1']);
});

test('nothing is left packed of a point that is there, or of another one than is sent', async () => {
  const spool = await mkdtemp(join(tmpdir(), 'ragwarden-spool-'));
  try {
    for (const name of ['p3.tar', 'p2.tar', 'old.tar', 'old.tar.new']) await writeFile(join(spool, name), 'packed');
    const place = placeThat({ items: [listed('p3')], received_bytes: null }, spool);
    const { copy } = await place.plan(points, call);
    expect((await readdir(spool)).sort()).toEqual(['old.tar', 'old.tar.new', 'p2.tar']);
    // The other side answers with a list instead of what it took: the point stays packed for the next time.
    await expect(place.bring(copy[0] as (typeof copy)[0], 0, call)).rejects.toMatchObject({ code: 'outgoing/failed' });
    expect(await readdir(spool)).toEqual(['p2.tar']);
  } finally {
    await rm(spool, { recursive: true, force: true });
  }
});
