import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { OfflineTarget } from './offline.ts';
import { createRecordQuarantine } from './record-quarantine.ts';
import { createOrphanRows } from './strategies/orphan-rows.ts';
import { holds, openTestCleanup, type TestCleanup } from './test-cleanup.ts';

let opened: TestCleanup | undefined;
afterEach(async () => {
  await opened?.remove();
  opened = undefined;
});

const file = {
  texts: 'rag/ws/kv_store_full_docs.json',
  status: 'rag/ws/kv_store_doc_status.json',
  chunks: 'rag/ws/kv_store_text_chunks.json',
  cache: 'rag/ws/kv_store_llm_response_cache.json',
};
const texts = { 'doc-1': { content: 'ä "}{' }, 'doc-2': { content: 'gone' }, 'doc-3': { content: 'three' } };
const status = { 'doc-1': { status: 'processed' }, 'doc-3': { status: 'processed' } };
const cache = {
  'default:extract:a': { return: 'kept', cache_type: 'extract', chunk_id: 'chunk-1' },
  'default:extract:b': { return: 'left over', cache_type: 'extract', chunk_id: 'chunk-gone' },
  'default:extract:c': { return: 'of nothing', cache_type: 'extract', chunk_id: null },
  'mix:query:d': { return: 'an answer', cache_type: 'query', chunk_id: null },
};

async function open() {
  const backend = { state: 'down' as 'up' | 'down' };
  const files = [
    { kind: 'vector-without-chunk', place: 'vdb_chunks.json', count: 4, reason: '' },
    { kind: 'text-without-document', place: 'kv_store_full_docs.json', count: 1, reason: '' },
    { kind: 'stale-cache', place: 'kv_store_llm_response_cache.json#outdated', count: 7, reason: '' },
  ];
  opened = await openTestCleanup(({ folder }) => {
    mkdirSync(join(folder, 'rag', 'ws'), { recursive: true });
    const target: OfflineTarget = {
      ...{ id: 'default', workspaceRoot: join(folder, 'rag'), workspaces: () => ['ws'] },
      folderOf: (workspace) => join(folder, 'rag', workspace),
      backend: async () => ({ state: backend.state, startedMs: null }),
      lifecycle: {
        ...{ automatic: false, expectUp: () => undefined, stop: async () => undefined, start: async () => undefined },
      },
    };
    return {
      strategies: [
        createOrphanRows({
          targets: () => [target],
          database: () => undefined,
          files: async () => files,
          contained: async () => holds,
        }),
      ],
      kinds: [createRecordQuarantine(() => [target])],
    };
  });
  const made = opened;
  const put = (name: keyof typeof file, value: object, ageMs = 0): string =>
    made.file(file[name], { text: JSON.stringify(value, null, 2), ageMs });
  const paths = {
    ...{ texts: put('texts', texts), status: put('status', status), cache: put('cache', cache) },
    chunks: put('chunks', { 'chunk-1': { content: 'x' } }),
  };
  const plan = (params: object = {}) => made.cleanup.plan({ strategy: 'orphans', params, requestedBy: 'tester' });
  const read = (name: keyof typeof file) => JSON.parse(readFileSync(paths[name], 'utf8'));
  /** Has the target for itself, as a restore that stopped the backend, until it is cancelled. */
  const holdTarget = () =>
    made.operations.start({
      ...{ kind: 'backup.restore', targetId: 'default', input: {}, requestedBy: 'tester' },
      run: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
  return { ...made, backend, put, paths, plan, read, holdTarget };
}

test('in files go texts without a document and what was extracted from chunks that are gone, byte for byte the rest stays, and they come back', async () => {
  const { plan, run, undo, read, paths } = await open();
  const found = await plan();
  expect(found.items.map(({ what, risk, contained }) => [what, risk, contained.state])).toEqual([
    ['default:ws kv_store_full_docs.json: 1 records, text-without-document', 'medium', 'contained'],
    ['default:ws kv_store_llm_response_cache.json: 1 records, stale-cache', 'medium', 'contained'],
  ]);
  expect(found.kept.map(({ what, why }) => [what, why])).toEqual([
    ['default: 4 in vdb_chunks.json, vector-without-chunk', expect.stringContaining('leaves holes')],
    [
      'default: 7 in kv_store_llm_response_cache.json#outdated, stale-cache',
      'the strategy `llm-cache` takes cached answers by age',
    ],
  ]);
  const ended = await run('orphans');
  expect(ended.result).toMatchObject({ cleaned: 2, outcome: 'success' });
  const { 'doc-2': _, ...keptTexts } = texts;
  const { 'default:extract:b': __, ...keptCache } = cache;
  expect(readFileSync(paths.texts, 'utf8')).toBe(JSON.stringify(keptTexts, null, 2));
  expect(readFileSync(paths.cache, 'utf8')).toBe(JSON.stringify(keptCache, null, 2));
  expect((await plan()).items).toEqual([]);
  expect((await undo({ runId: ended.id })).result).toMatchObject({ undone: 2 });
  expect([read('texts'), read('cache'), read('status')]).toEqual([texts, cache, status]);
  expect(existsSync(paths.chunks)).toBe(true);
});

test('nothing goes while the backend runs, nor when what it could belong to changed, is lost or is out of date', async () => {
  const { plan, put, backend, cleanup, operations, read, paths } = await open();
  backend.state = 'up';
  expect((await plan()).items).toEqual([]);
  expect((await plan()).kept[0]?.why).toContain('the backend runs');
  backend.state = 'down';

  const { id } = await plan({ kind: 'text-without-document' });
  put('status', { ...status, 'doc-2': { status: 'pending' } });
  const operation = await cleanup.runPlan(id, { requestedBy: 'tester' });
  expect((await operations.wait(operation.id)).result).toMatchObject({
    ...{ cleaned: 0, skipped: 1, notes: [{ why: 'what they could belong to changed since it was planned' }] },
  });

  put('status', status);
  const again = await plan({ kind: 'stale-cache' });
  backend.state = 'up';
  const refused = await cleanup.runPlan(again.id, { requestedBy: 'tester' });
  expect(await operations.wait(refused.id)).toMatchObject({ state: 'failed', error: { code: 'target/in-use' } });
  backend.state = 'down';

  // Kept in a database by now: the file is the one from before.
  put('status', status, 7_200_000);
  const why = async () => (await plan({ kind: 'text-without-document' })).kept[0]?.why;
  expect(await why()).toContain('out of date');
  rmSync(paths.status);
  expect(await why()).toContain('was lost');
  put('status', {});
  expect(await why()).toContain('names none of them');
  expect([read('texts'), read('cache')]).toEqual([texts, cache]);
});

test('what was extracted stays while a document is not processed: taken up again it would be asked for', async () => {
  const { plan, put, cleanup, operations, read, paths } = await open();
  const { id, items } = await plan({ kind: 'stale-cache' });
  expect(items).toHaveLength(1);
  put('status', { ...status, 'doc-3': { status: 'failed' } });
  const again = await plan({ kind: 'stale-cache' });
  expect(again.items).toEqual([]);
  expect(again.kept[0]?.why).toContain('1 documents are not processed');
  // Of a plan from before it failed too.
  const operation = await cleanup.runPlan(id, { requestedBy: 'tester' });
  expect((await operations.wait(operation.id)).result).toMatchObject({
    ...{ cleaned: 0, skipped: 1, notes: [{ why: expect.stringContaining('are not processed') }] },
  });
  rmSync(paths.status);
  expect((await plan({ kind: 'stale-cache' })).kept[0]?.why).toContain('which documents failed');
  expect(read('cache')).toEqual(cache);
});

test('while a restore has the backend stopped nothing goes from its files and nothing comes back into them', async () => {
  const { run, undo, plan, operations, holdTarget, read } = await open();
  const restore = await holdTarget();
  expect((await plan()).items).toHaveLength(2);
  await expect(run('orphans')).rejects.toMatchObject({ code: 'operation/busy' });
  expect([read('texts'), read('cache')]).toEqual([texts, cache]);
  await operations.cancel(restore.id);
  await operations.wait(restore.id);
  const ended = await run('orphans');
  expect(ended.result).toMatchObject({ cleaned: 2 });

  const next = await holdTarget();
  await expect(undo({ runId: ended.id })).rejects.toMatchObject({ code: 'operation/busy' });
  expect(Object.keys(read('texts'))).toEqual(['doc-1', 'doc-3']);
  await operations.cancel(next.id);
  await operations.wait(next.id);
  expect((await undo({ runId: ended.id })).result).toMatchObject({ undone: 2 });
});
