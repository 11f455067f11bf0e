import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recoverOffline } from '../src/app/index.ts';
import { createLightragDatabase, type LightragDatabase } from '../src/backup/postgres/lightrag-database.fixture.ts';
import { readConfig, requireConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { type OpenWarden, openWarden, prepareDataFolder, sampleOf, wait } from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { field, removeFolder } from './warden-harness.ts';

/** One point over files and a database whose password has every odd character, through the whole product and back. */
describe.skipIf(!hasPart('restic') || !hasPart('postgresql'))('a backend with its stores in PostgreSQL', () => {
  let dataDir: string;
  let warden: OpenWarden;
  let rag: LightragDatabase;
  const odd = `p@ss/w:rd%40?#&=+ '"\\$\`{}ü`;
  const role = 'odd_role';
  beforeAll(async () => {
    dataDir = await prepareDataFolder('postgres');
    rag = await createLightragDatabase();
    const { database } = rag.connection;
    await rag.run(
      `create role ${role} login superuser password E'${odd.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
    );
    await rag.fill('default', 3);
    await rag.fill('library', 2);
    const folders = sampleOf(dataDir);
    // These stores lie in the database, the vectors and the graph in files.
    for (const store of ['doc_status', 'full_docs', 'text_chunks'])
      rmSync(join(folders.workspace, `kv_store_${store}.json`));
    warden = await openWarden(dataDir, {
      command: 'serve',
      settings: {
        // Nobody answers there: a backend that is stopped already.
        RAGWARDEN_TARGET_URL: 'http://127.0.0.1:1',
        RAGWARDEN_TARGET_START_TIMEOUT: '1',
        WORKING_DIR: folders.workspace,
        INPUT_DIR: folders.inputs,
        POSTGRES_HOST: rag.connection.host,
        POSTGRES_PORT: `${rag.connection.port}`,
        POSTGRES_USER: role,
        POSTGRES_PASSWORD: odd,
        POSTGRES_DATABASE: database,
      },
    });
  });
  afterAll(async () => {
    await warden?.stop();
    await rag?.run(`drop role ${role}`).catch(() => undefined);
    await rag?.remove();
    removeFolder(dataDir);
  });

  test('is taken as one point, and one workspace goes back alone', async () => {
    const taken = await warden.take();
    expect(field(taken, 'error')).toBeNull();
    const id = String(field(taken, 'result', 'backup_id'));
    const shown = await warden.call('GET', `/api/v1/backup/points/${id}`);
    expect(shown.text).toMatch(/"name":"database"/);
    expect(shown.text).not.toContain(odd.slice(0, 8));
    // One audit over both.
    const contents = await warden.call('GET', `/api/v1/backup/points/${id}/contents`);
    expect(field(contents.body, 'audit')).toMatchObject({
      verdict: 'damaged',
      counts: { doc_status: 3, full_docs: 3, text_chunks: 3, vdb_entities: expect.any(Number) },
      dangling: {
        documents_without_text: { count: 0 },
        processed_without_chunk_vectors: { count: 3, examples: ['doc-1', 'doc-2', 'doc-3'] },
      },
      unchecked: [],
    });
    const library = () => rag.digest('lightrag_doc_full', `workspace = 'library'`);
    const others = () => rag.digest('lightrag_doc_full', `workspace <> 'library'`);
    const before = await library();
    await rag.run(`delete from lightrag_doc_full where id = 'doc-1'`);
    const untouched = await others();
    const body = { workspace: 'library', components: ['database'] };
    const plan = await warden.call('POST', `/api/v1/backup/restore/${id}`, { plan_only: true, ...body });
    expect(field(plan.body, 'blockers')).toEqual([]);
    expect(field(plan.body, 'warnings')).toEqual(
      expect.arrayContaining([expect.stringContaining('3 processed documents with chunks missing in vdb_chunks')]),
    );
    const done = await warden.restore(id, { confirm: true, safety_point: false, ...body });
    expect([field(done, 'state'), field(done, 'error')]).toEqual(['succeeded', null]);
    expect(await library()).toBe(before);
    expect(await others()).toBe(untouched);
    expect(warden.log()).not.toContain(odd.slice(0, 8));
  });

  test('is rehearsed in a server of its own, and comes back whole by rename', async () => {
    const id = String(field((await warden.points())[0], 'backup_id'));
    const drill = await warden.call('POST', '/api/v1/recovery/drills', {}, wait);
    expect(field(drill.body, 'result')).toMatchObject({ backup_id: id, verdict: 'passed', reasons: [] });
    const audited = expect.objectContaining({ component: 'database', name: 'audit' });
    const shown = await warden.call('GET', `/api/v1/recovery/drills/${String(field(drill.body, 'id'))}`);
    expect(field(shown.body, 'phases')).toEqual(expect.arrayContaining([audited]));
    const before = await rag.digest('lightrag_doc_chunks');
    await rag.run('delete from lightrag_doc_chunks');
    const done = await warden.restore(id, { confirm: true, safety_point: false, components: ['database'] });
    // Nobody starts the backend again, which the restore says.
    expect([field(done, 'result', 'database', 'status'), field(done, 'error')]).toEqual(['success', null]);
    expect(await rag.digest('lightrag_doc_chunks')).toBe(before);
    const { database } = rag.connection;
    const kept = await rag.run(`select datname as name from pg_database where datname like '${database}\\_before\\_%'`);
    expect(kept).toHaveLength(1);
    await rag.run(`drop database "${String(kept[0]?.name)}"`);
  });

  test('is recovered into an empty database from the repository alone, and never over one that holds something', async () => {
    const machine = join(dataDir, 'second-machine');
    const there = await createLightragDatabase({ empty: true });
    const recover = (database: string) =>
      recoverOffline(
        requireConfig(
          readConfig({
            env: {
              RAGWARDEN_DATA_DIR: join(machine, 'data'),
              POSTGRES_HOST: rag.connection.host,
              POSTGRES_PORT: `${rag.connection.port}`,
              POSTGRES_USER: role,
              POSTGRES_PASSWORD: odd,
              POSTGRES_DATABASE: database,
            },
            cwd: dataDir,
          }),
        ),
        {
          repository: join(dataDir, 'repository'),
          passwordFile: join(dataDir, 'repository-password'),
          folders: new Map(['workspace', 'inputs'].map((name) => [name, join(machine, name)])),
          without: new Set(),
          besideDir: join(machine, 'beside'),
          confirm: async () => true,
          tell: () => {},
          log: silentLogger,
          signal: new AbortController().signal,
        },
      );
    try {
      const refused = await recover(String(rag.connection.database));
      expect(refused.recovered).toBe(false);
      expect(refused.blockers.join()).toContain('is not empty');
      expect(existsSync(join(machine, 'workspace'))).toBe(false);
      const report = await recover(String(there.connection.database));
      expect([report.recovered, report.blockers]).toEqual([true, []]);
      for (const table of ['lightrag_doc_full', 'lightrag_doc_chunks', 'lightrag_doc_status'])
        expect(await there.digest(table), table).toBe(await rag.digest(table));
    } finally {
      const { database } = there.connection;
      const kept = await rag.run(
        `select datname as name from pg_database where datname like '${database}\\_before\\_%'`,
      );
      for (const { name } of kept) await rag.run(`drop database "${String(name)}"`);
      await there.remove();
    }
  });
});
