import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recoverOffline } from '../src/app/index.ts';
import { createLightragDatabase, type LightragDatabase } from '../src/backup/postgres/lightrag-database.fixture.ts';
import { readConfig, requireConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import {
  type Backend,
  main,
  type OpenWarden,
  openWarden,
  password,
  prepareDataFolder,
  prepareRepository,
  restic,
  sampleOf,
  startBackend,
  targetSettings,
} from './faults/ground.ts';
import { hasPart } from './setup/parts.ts';
import { startRedis, type TestRedis } from './setup/redis-server.ts';
import { field, removeFolder, temporaryFolder, until } from './warden-harness.ts';

type Acknowledged = { readonly store: 'files' | 'database' | 'redis'; readonly id: string; readonly atMs: number };

/**
 * What the whole product is for: files, a database and a Redis that are written all the time; one point of them; everything
 * gone; brought back from the repository and the recovery kit; and an audit that knows what was acknowledged.
 */
describe.skipIf(!hasPart('restic') || !hasPart('postgresql') || !hasPart('redis'))(
  'a machine that is lost under load',
  () => {
    const elsewhere = temporaryFolder('heart-elsewhere');
    const repository = join(elsewhere, 'repository');
    const passwordFile = join(elsewhere, 'password');
    const kitFile = join(elsewhere, 'kit.txt');
    let dataDir: string;
    let folders: ReturnType<typeof sampleOf>;
    let backend: Backend;
    let rag: LightragDatabase;
    let redis: TestRedis;
    let warden: OpenWarden;
    let point: string;
    let takenMs: number;
    const acknowledged: Acknowledged[] = [];
    const writing = new AbortController();
    let writers: Promise<unknown>;

    const settingsFor = (database: LightragDatabase, cache: TestRedis): Record<string, string> => ({
      POSTGRES_HOST: database.connection.host,
      POSTGRES_PORT: `${database.connection.port}`,
      POSTGRES_USER: `${database.connection.user}`,
      POSTGRES_PASSWORD: `${database.connection.password}`,
      POSTGRES_DATABASE: `${database.connection.database}`,
      REDIS_URI: cache.url(),
    });

    /** Writes until it is told to end, and notes what was acknowledged, at the moment after it was. */
    async function write(store: Acknowledged['store'], put: (id: string) => Promise<void>): Promise<void> {
      for (let n = 1; !writing.signal.aborted; n += 1) {
        const id = `${store}-${n}`;
        await put(id);
        acknowledged.push({ store, id, atMs: Date.now() });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }

    beforeAll(async () => {
      await prepareRepository(repository, passwordFile);
      dataDir = await prepareDataFolder('heart', { repository: join(elsewhere, 'unused') });
      writeFileSync(join(dataDir, 'repository-password'), `${password}\n`, { mode: 0o600 });
      folders = sampleOf(dataDir);
      [rag, redis, backend] = await Promise.all([createLightragDatabase(), startRedis(), startBackend(folders)]);
      await rag.fill('default', 40);
      await rag.fill('library', 5);
      warden = await openWarden(dataDir, {
        command: 'serve',
        settings: {
          ...targetSettings(backend.url, folders),
          ...settingsFor(rag, redis),
          BACKUP_DIR: repository,
          // It never rests, and one look shows that.
          RAGWARDEN_BACKUP_IDLE_WAIT: '0.2',
        },
      });
      const { host, port, user, database, password: secret } = rag.connection;
      const pool = new pg.Client({ host, port, user, database, password: secret });
      await pool.connect();
      const keys = new Redis(redis.url(), { lazyConnect: true });
      await keys.connect();
      writers = Promise.all([
        write('files', async (id) => {
          const response = await fetch(`${backend.url}/documents/text`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ text: `The note ${id} names Quay Depot.`, file_source: `${id}.txt` }),
          });
          expect(response.status).toBe(200);
        }),
        write('database', async (id) => {
          await pool.query(
            `insert into lightrag_doc_status (workspace, id, status) values ('default', $1, 'processed')`,
            [id],
          );
        }),
        write('redis', async (id) => {
          await keys.set(`default_full_docs:${id}`, JSON.stringify({ content: id }));
        }),
      ]).finally(async () => {
        await pool.end();
        keys.disconnect();
      });
      writers.catch(() => undefined);
    });
    afterAll(async () => {
      writing.abort();
      await warden?.stop();
      await backend?.stop();
      await rag?.remove();
      await redis?.remove();
      removeFolder(dataDir);
      removeFolder(elsewhere);
    });

    test('one point holds files, database and Redis, taken while all of them are written', async () => {
      await until('a few documents in each store', () =>
        (['files', 'database', 'redis'] as const).every(
          (store) => acknowledged.filter((one) => one.store === store).length >= 5,
        )
          ? true
          : undefined,
      );
      const taken = await warden.take();
      expect(field(taken, 'error')).toBeNull();
      point = String(field(taken, 'result', 'backup_id'));
      const [shown] = await warden.points();
      takenMs = Date.parse(String(field(shown, 'timestamp')));
      expect(field(shown, 'missing')).toEqual([]);
      expect(field(shown, 'status')).toBe('success');
      // Nobody held the writers back, and it says so.
      expect(field(shown, 'grade')).not.toBe('consistent');
      const before = acknowledged.length;
      await until('documents that came after the point', () => (acknowledged.length > before + 20 ? true : undefined));
      writing.abort();
      await writers;
    });

    test('everything is destroyed; the repository and the kit bring back every document acknowledged before the point', async () => {
      const kit = execFileSync(process.execPath, [main, 'backup', 'kit', '--data-dir', dataDir], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { PATH: process.env.PATH ?? '', BACKUP_DIR: repository },
      });
      writeFileSync(kitFile, kit);
      backend.process.kill('SIGKILL');
      await warden.stop();
      await rag.remove();
      await redis.remove();
      removeFolder(dataDir);
      expect(existsSync(folders.workspace)).toBe(false);

      // Another machine, with an empty database and an empty Redis.
      rag = await createLightragDatabase({ empty: true });
      redis = await startRedis();
      const settings = settingsFor(rag, redis);
      const report = await recoverOffline(
        requireConfig(readConfig({ env: { ...settings, RAGWARDEN_DATA_DIR: dataDir }, cwd: elsewhere })),
        {
          kitFile,
          folders: new Map([
            ['workspace', folders.workspace],
            ['inputs', folders.inputs],
          ]),
          without: new Set(),
          besideDir: join(elsewhere, 'beside'),
          confirm: async () => true,
          tell: () => {},
          log: silentLogger,
          signal: new AbortController().signal,
        },
      );
      expect(report).toMatchObject({ recovered: true, backup_id: point });
      // ragwarden's own state came too: what happened until then is known here.
      expect(existsSync(join(dataDir, 'state.sqlite'))).toBe(true);

      const status: Record<string, unknown> = JSON.parse(
        readFileSync(join(folders.workspace, 'kv_store_doc_status.json'), 'utf8'),
      );
      const names = new Set(Object.values(status).map((row) => String(field(row, 'file_path'))));
      const rows = await rag.run(`select id from lightrag_doc_status where workspace = 'default'`);
      const ids = new Set(rows.map((row) => String(row.id)));
      const keys = new Redis(redis.url());
      const found = new Set(
        (await keys.keys('default_full_docs:*')).map((key) => key.slice('default_full_docs:'.length)),
      );
      keys.disconnect();
      const stands = {
        files: (id: string) => names.has(`${id}.txt`),
        database: (id: string) => ids.has(id),
        redis: (id: string) => found.has(id),
      };
      const due = acknowledged.filter((one) => one.atMs < takenMs);
      expect(due.length).toBeGreaterThan(15);
      expect(due.filter((one) => !stands[one.store](one.id))).toEqual([]);
      // And nothing of the time after the point has crept in from anywhere.
      expect(acknowledged.filter((one) => stands[one.store](one.id)).length).toBeLessThan(acknowledged.length);
      expect(await rag.run(`select count(*)::int as n from lightrag_doc_full where workspace = 'library'`)).toEqual([
        { n: 5 },
      ]);
    });

    test('the new machine answers and knows the points; a restore of one workspace leaves the other as it is', async () => {
      backend = await startBackend(folders);
      warden = await openWarden(dataDir, {
        command: 'serve',
        settings: {
          ...targetSettings(backend.url, folders),
          ...settingsFor(rag, redis),
          BACKUP_DIR: repository,
          // It never rests, and one look shows that.
          RAGWARDEN_BACKUP_IDLE_WAIT: '0.2',
        },
      });
      await until('the point in the catalogue of the new machine', async () =>
        (await warden.points()).some((one) => field(one, 'backup_id') === point) ? true : undefined,
      );
      expect(await warden.events('operation.settled')).toContainEqual(
        expect.objectContaining({ message: expect.stringContaining(point) }),
      );
      await rag.run(`update lightrag_doc_full set content = 'changed since' where workspace = 'library'`);
      await rag.run(`delete from lightrag_doc_full where workspace = 'default'`);
      const library = await rag.digest('lightrag_doc_full', `workspace = 'library'`);
      const options = { components: ['database'], workspace: 'default', safety_point: false, confirm: true };
      const done = await warden.restore(point, options);
      expect([field(done, 'state'), field(done, 'error')]).toEqual(['succeeded', null]);
      expect(await rag.digest('lightrag_doc_full', `workspace = 'library'`)).toBe(library);
      expect(await rag.run(`select count(*)::int as n from lightrag_doc_full where workspace = 'default'`)).toEqual([
        { n: 40 },
      ]);
    });

    test('the repository is sound to the last byte, and readable with nothing but restic and fold.mjs', () => {
      restic(repository, passwordFile, ['check', '--read-data']);
      const out = join(elsewhere, 'by-hand');
      const [snapshot] = JSON.parse(
        restic(repository, passwordFile, ['snapshots', '--json', '--tag', `rp:${point},manifest`]),
      );
      restic(repository, passwordFile, ['restore', String(field(snapshot, 'id')), '--target', out]);
      if (existsSync(join(out, 'fold.mjs'))) execFileSync(process.execPath, ['fold.mjs', '.'], { cwd: out });
      const entries = readFileSync(join(out, 'entries', 'workspace.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const files = entries.filter((entry) => entry.kind === 'file');
      expect(files.length).toBeGreaterThan(5);
      for (const entry of files)
        expect(
          createHash('sha256')
            .update(readFileSync(join(out, 'components', 'workspace', entry.path)))
            .digest('hex'),
        ).toBe(entry.sha256);
      expect(readdirSync(out)).toContain('manifest.json');
    });
  },
);
