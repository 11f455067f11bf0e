import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../../test/setup/parts.ts';
import { connectPostgres, findLostRows } from '../backup/index.ts';
import { createLightragDatabase, type LightragDatabase } from '../backup/postgres/lightrag-database.fixture.ts';
import type { OfflineTarget } from './offline.ts';
import { createRowQuarantine } from './rows-store.ts';
import { createOrphanRows } from './strategies/orphan-rows.ts';
import type { OrphanDatabase } from './strategies/orphan-rows-store.ts';
import { holds, openTestCleanup, type TestCleanup } from './test-cleanup.ts';

describe.skipIf(!hasPart('postgresql'))('rows that belong to nothing any more, in a real PostgreSQL', () => {
  let rag: LightragDatabase;
  let opened: TestCleanup;
  let state: 'up' | 'down' = 'down';
  /** Called within the transaction, when all is asked and nothing is taken yet. */
  let meanwhile: (() => Promise<unknown>) | undefined;
  const tables = ['doc_full', 'doc_chunks', 'vdb_chunks_test_4d', 'llm_cache', 'doc_status'].map(
    (t) => `lightrag_${t}`,
  );
  const digests = () => Promise.all(tables.map((table) => rag.digest(table)));

  beforeAll(async () => {
    rag = await createLightragDatabase();
    await rag.fill('acme', 1_200);
    await rag.fill('other', 3);
    await rag.run('analyze');
    await rag.run(`delete from lightrag_doc_status where id in ('doc-7', 'doc-8') or (workspace = 'acme' and substr(id, 5)::int > 600);
      delete from lightrag_doc_chunks where workspace = 'acme' and id = 'chunk-9';
      update lightrag_llm_cache set chunk_id = 'chunk-9' where workspace = 'acme' and id = 'default:extract:9'`);
    const database: OrphanDatabase = {
      targetId: 'default',
      async open() {
        const session = await connectPostgres(rag.connection, { failsAs: 'target/inspection-failed' });
        return {
          rows: async (sql, parameters) => {
            if (sql.startsWith('select id::text')) await meanwhile?.();
            return session.rows(sql, parameters);
          },
          close: () => session.close(),
        };
      },
      lostRows: (session) => findLostRows(session, 'acme'),
    };
    const target: OfflineTarget = {
      ...{ id: 'default', workspaceRoot: undefined, workspaces: () => [], folderOf: () => '' },
      backend: async () => ({ state, startedMs: null }),
      lifecycle: {
        ...{ automatic: false, expectUp: () => undefined, stop: async () => undefined, start: async () => undefined },
      },
    };
    const files = async () => [
      { kind: 'vector-without-chunk', place: 'vdb_chunks.json', count: 4, reason: '' },
      { kind: 'temporary-file', place: '.', count: 2, reason: '' },
    ];
    opened = await openTestCleanup(() => ({
      strategies: [
        createOrphanRows({
          ...{ targets: () => [target], database: () => database, files },
          contained: async (place) => {
            expect(place.changedMs ?? 0).toBeGreaterThan(Date.parse('2026-01-01'));
            return holds;
          },
        }),
      ],
      kinds: [createRowQuarantine(() => database)],
    }));
  });
  afterEach(() => {
    state = 'down';
    meanwhile = undefined;
  });
  afterAll(async () => {
    await opened?.remove();
    await rag?.remove();
  });
  const plan = () => opened.cleanup.plan({ strategy: 'orphans', params: {}, requestedBy: 't' });

  test('a plan says of each kind what would go, and why files, the running backend’s rows and a table’s all stay', async () => {
    const { items, kept } = await plan();
    expect(items.map(({ seen, risk, contained }) => [seen.kind, seen.rows, risk, contained.state])).toEqual([
      ['stale-cache', 1, 'high', 'contained'],
      ['vector-without-chunk', 1, 'high', 'contained'],
      ['chunk-without-document', 602, 'high', 'contained'],
      ['text-without-document', 602, 'high', 'contained'],
    ]);
    for (const { bytes } of items) expect(bytes).toBeGreaterThan(20);
    expect(kept.map(({ what, why }) => [what, why])).toEqual([
      ['default: 4 in vdb_chunks.json, vector-without-chunk', expect.stringContaining('leaves holes')],
      ['default: 2 in ., temporary-file', 'the strategy `temporary-files` takes them'],
    ]);
    state = 'up';
    const running = await plan();
    expect(running.items).toEqual([]);
    expect(running.kept[0]?.why).toContain('the backend runs');
    await rag.run(
      `create table keep_status as select * from lightrag_doc_status; delete from lightrag_doc_status where workspace = 'acme'`,
    );
    state = 'down';
    expect((await plan()).kept[0]?.why).toContain('every row of the workspace');
    await rag.run(
      `delete from lightrag_doc_status; insert into lightrag_doc_status select * from keep_status; drop table keep_status`,
    );
  });

  test('nothing goes under a backend that came back, beside a session under its name, or when it is not what was planned', async () => {
    const before = await digests();
    const carryOut = async (params: object = {}, between: () => Promise<unknown> = async () => undefined) => {
      const { id } = await opened.cleanup.plan({ strategy: 'orphans', params, requestedBy: 't' });
      await between();
      const operation = await opened.cleanup.runPlan(id, { requestedBy: 't' });
      return opened.operations.wait(operation.id);
    };
    const underBackend = await carryOut({}, async () => {
      state = 'up';
    });
    expect(underBackend).toMatchObject({ state: 'failed', error: { code: 'target/in-use' } });
    state = 'down';

    const { host, port, user, database, password } = rag.connection;
    const client = new pg.Client({ host, port, user, database, ...(password === undefined ? {} : { password }) });
    await client.connect();
    expect((await carryOut()).result).toMatchObject({ cleaned: 0, skipped: 4 });
    await client.end();

    const texts = { kind: 'text-without-document' };
    const restored = await carryOut(texts, () =>
      rag.run(`insert into lightrag_doc_status (workspace, id) values ('acme', 'doc-7')`),
    );
    expect(restored.result).toMatchObject({ cleaned: 0, skipped: 1 });
    await rag.run(`delete from lightrag_doc_status where workspace = 'acme' and id = 'doc-7'`);
    expect(await digests()).toEqual(before);

    // In the last batch, when the first are deleted already: the transaction as a whole is rolled back.
    meanwhile = () =>
      rag.run(`update lightrag_doc_full set doc_name = 'x' where workspace = 'acme' and id = 'doc-999'`);
    expect((await carryOut(texts)).result).toMatchObject({ cleaned: 0, failed: 1 });
    await rag.run(`update lightrag_doc_full set doc_name = 'n999' where workspace = 'acme' and id = 'doc-999'`);
    expect(await digests()).toEqual(before);
  });

  test('they go in one transaction, are looked for again, and come back as they were', async () => {
    const before = await digests();
    const ended = await opened.run('orphans');
    expect(ended.result).toMatchObject({ cleaned: 4, outcome: 'success' });
    expect(await rag.run(`select workspace, count(*)::int as n from lightrag_doc_full group by 1 order by 1`)).toEqual([
      { workspace: 'acme', n: 598 },
      { workspace: 'other', n: 3 },
    ]);
    // What hung on chunks that went is left over now, and the next search finds it.
    expect((await plan()).items.map(({ seen }) => [seen.kind, seen.rows])).toEqual([['vector-without-chunk', 602]]);
    await opened.undo({ runId: ended.id });
    expect(await digests()).toEqual(before);
  });
});
