import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLightragDatabase, type LightragDatabase } from '../../src/backup/postgres/lightrag-database.fixture.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { impatientClock } from '../impatient-clock.ts';
import { hasPart } from '../setup/parts.ts';
import { contentOf, field, removeFolder, temporaryFolder, until } from '../warden-harness.ts';
import {
  type Backend,
  failureOf,
  mayMount,
  mountSmall,
  type OpenWarden,
  openWarden,
  prepareDataFolder,
  restic,
  sampleOf,
  startBackend,
  wait,
  whenFree,
  writeLargeStore,
} from './ground.ts';

const withMounts = mayMount();
const dayMs = 86_400_000;

/** In the order of an operator's bad week: each test finds what the ones before it left. */
describe.skipIf(!hasPart('restic') || !hasPart('postgresql'))('a target with files and a database', () => {
  let dataDir: string;
  let repository: string;
  let folders: { workspace: string; inputs: string };
  let rag: LightragDatabase;
  let backend: Backend;
  let warden: OpenWarden;
  let files: Record<string, string>;
  let mounted: { free(): void } | undefined;
  let step: (name: string) => void | Promise<void> = () => {};
  let aheadMs = 2 * dayMs;
  const clock: Clock = { ...impatientClock, now: () => impatientClock.now() + aheadMs };

  const post = async (path: string, body: object = {}): Promise<unknown> =>
    (await whenFree(() => warden.call('POST', path, body, wait))).body;
  const get = async (path: string): Promise<unknown> => (await warden.call('GET', path)).body;
  const drill = (body: object = {}): Promise<unknown> => post('/api/v1/recovery/drills', body);
  const verify = (id: string): Promise<unknown> => post(`/api/v1/backup/points/${id}/verify`);
  const allowed = (): string => join(dataDir, 'beside');
  const scratch = (): string[] => (existsSync(join(dataDir, 'drills')) ? readdirSync(join(dataDir, 'drills')) : []);

  beforeAll(async () => {
    repository = temporaryFolder('remaining-repository');
    if (withMounts) mounted = mountSmall(repository, '64m');
    dataDir = await prepareDataFolder('remaining', { repository });
    folders = sampleOf(dataDir);
    writeLargeStore(folders.workspace);
    mkdirSync(allowed());
    rag = await createLightragDatabase();
    await rag.fill('default', 3);
    backend = await startBackend(folders);
    const { connection } = rag;
    files = {
      BACKUP_DIR: repository,
      BACKUP_RETENTION_DAYS: '1',
      LIGHTRAG_BACKUP_RETENTION_DAYS: '1',
      RAGWARDEN_ALLOWED_ROOTS: allowed(),
      RAGWARDEN_DRILL_MIN_FREE: '0',
      WORKING_DIR: folders.workspace,
    };
    const opened = openWarden(dataDir, {
      command: 'serve',
      clock,
      step: async (name) => {
        await opened;
        await step(name);
      },
      settings: {
        ...files,
        RAGWARDEN_TARGET_URL: backend.url,
        RAGWARDEN_BACKUP_AT_START: 'true',
        INPUT_DIR: folders.inputs,
        POSTGRES_HOST: connection.host,
        POSTGRES_PORT: `${connection.port}`,
        POSTGRES_USER: connection.user,
        POSTGRES_PASSWORD: connection.password ?? '',
        POSTGRES_DATABASE: connection.database,
      },
    });
    const second = Promise.withResolvers<unknown>();
    atSchedule = second.promise;
    step = async (name) => {
      if (name !== 'backup:captured-workspace') return;
      step = () => {};
      second.resolve(await warden.call('POST', '/api/v1/backup/trigger'));
    };
    warden = await opened;
  });
  afterAll(async () => {
    await warden?.stop();
    await backend?.stop();
    await rag?.remove();
    mounted?.free();
    removeFolder(repository);
    removeFolder(dataDir);
  });
  let atSchedule: Promise<unknown>;

  test('that is backed up by the schedule and by hand at once has one point, and who came second is told of the first', async () => {
    const refused = await atSchedule;
    expect(field(refused, 'status')).toBe(409);
    const [first] = await until('the point of the schedule', async () => {
      const points = await warden.points();
      return points.length > 0 ? points : undefined;
    });
    const [run] = (await warden.history()).filter((one) => field(one, 'backup_id') === field(first, 'backup_id'));
    expect(field(run, 'cause')).toBe('scheduled');
    expect(failureOf(field(refused, 'body'))).toMatch(/^operation\/busy: .*op_/);
    expect(await warden.points()).toHaveLength(1);

    const both = await whenBothAsk();
    expect(both.map(({ status }) => status).sort()).toEqual([202, 409]);
    const won = both.find(({ status }) => status === 202)?.body;
    const lost = both.find(({ status }) => status === 409)?.body;
    expect(failureOf(lost)).toMatch(/^operation\/busy: /);
    expect(String(field(lost, 'detail'))).toContain(String(field(won, 'id')));
    const ended = await warden.call('GET', `/api/v1/operations/${field(won, 'id')}`, undefined, wait);
    expect(field(ended.body, 'state')).toBe('succeeded');
    expect(await warden.points()).toHaveLength(2);
  });
  /** Not while retention holds the target, which begins by itself after a point. */
  const whenBothAsk = () =>
    until('two starts of which one begins', async () => {
      const trigger = () => warden.call('POST', '/api/v1/backup/trigger');
      const both = await Promise.all([trigger(), trigger()]);
      return both.some(({ status }) => status === 202) ? both : undefined;
    });

  test('whose repository rots or loses a pack: verification, drill and check say that it is damaged, at once', async () => {
    writeFileSync(join(folders.workspace, 'large.bin'), randomBytes(1_500_000));
    const id = await post('/api/v1/backup/trigger').then((taken) => String(field(taken, 'result', 'backup_id')));
    const pack = largestPack(repository);
    const sound = readFileSync(pack);
    // In each piece of it: which lies where is left to chance, and some are of components that a drill has no need of.
    const rotten = Buffer.from(sound);
    for (let at = 50_000; at < rotten.length - 10_000; at += 100_000) rotten[at] = (rotten[at] ?? 0) ^ 1;
    chmodSync(pack, 0o600);
    try {
      for (const [damage, words, act] of [
        ['flipped bytes', /^repository\/damaged: /, () => writeFileSync(pack, rotten)],
        ['a missing pack', /^repository\/damaged: .*its pack [0-9a-f]+ is missing/, () => rmSync(pack)],
      ] as const) {
        act();
        expect(failureOf(await verify(id)), damage).toMatch(words);
        const ended = await drill({ backup_id: id });
        expect(field(ended, 'result'), damage).toMatchObject({
          verdict: 'failed',
          reasons: expect.arrayContaining([expect.stringMatching(/^(workspace: |repository\/damaged: ).*is damaged/)]),
        });
        const [told] = await warden.events('recovery.drill-ended');
        expect(told, damage).toMatchObject({ severity: 'error', data: { verdict: 'failed' } });
        const known = (await warden.events('repository.damaged')).length;
        expect(failureOf(await post('/api/v1/repository/check', { read_data: true })), damage).toMatch(
          /^repository\/damaged: .*[Pp]ack/,
        );
        expect((await warden.events('repository.damaged')).length, damage).toBe(known + 1);
      }
    } finally {
      writeFileSync(pack, sound);
    }
    expect(field(await verify(id), 'error')).toBeNull();
    rmSync(join(folders.workspace, 'large.bin'));
  });

  test.skipIf(!withMounts)(
    'whose disk fills during a drill has an error with that reason, nothing left, and the next one passes',
    async () => {
      const drills = join(dataDir, 'drills');
      const small = mountSmall(drills, '40m');
      try {
        step = (name) => {
          if (name === 'drill:begun') fill(drills, 0);
        };
        const ended = await drill();
        expect(field(ended, 'result')).toMatchObject({
          verdict: 'error',
          reasons: [expect.stringMatching(/^storage\/full: /)],
        });
        expect((await warden.events('recovery.drill-ended'))[0]).toMatchObject({ data: { verdict: 'error' } });
        expect(scratch()).toEqual(['filler']);
        // Too little is seen before anything begins.
        step = () => {};
        expect(field(await drill(), 'result', 'reasons', 0)).toMatch(
          /^storage\/full: A drill needs .*drill\.scratch_dir/,
        );
        rmSync(join(drills, 'filler'));
        expect(field(await drill(), 'result')).toMatchObject({ verdict: 'passed', reasons: [] });
        expect(scratch()).toEqual([]);
      } finally {
        step = () => {};
        small.free();
      }
    },
  );

  test.skipIf(!withMounts)(
    'whose repository fills while a database is stored has no half point, and the next one is whole',
    async () => {
      await rag.run(
        `insert into lightrag_doc_full (id, workspace, content) select 'noise-' || i, 'default', string_agg(md5(random()::text || j), '')
         from generate_series(1, 30) i, generate_series(1, 3000) j group by i`,
      );
      const known = await warden.points();
      const tags = snapshotTags(repository, dataDir);
      step = (name) => {
        if (name === 'backup:captured-database') fill(repository, 100_000);
      };
      const failed = await post('/api/v1/backup/trigger');
      step = () => {};
      rmSync(join(repository, 'filler'), { force: true });
      expect(failureOf(failed)).toMatch(/^storage\/full: /);
      expect(await warden.points()).toEqual(known);
      const sessions = `select pid from pg_stat_activity where datname = $1 and pid <> pg_backend_pid() and state <> 'idle'`;
      // Who watches the database keeps a session that rests; one that reads or holds a snapshot is left over.
      await expect.poll(() => rag.run(sessions, [rag.connection.database])).toEqual([]);
      expect(snapshotTags(repository, dataDir)).toEqual(tags);
      const taken = await post('/api/v1/backup/trigger');
      expect([field(taken, 'error'), field(taken, 'result', 'status')]).toEqual([null, 'success']);
      expect(field(await verify(String(field(taken, 'result', 'backup_id'))), 'error')).toBeNull();
    },
  );

  test('whose files are replaced all the time is taken in whole files, each as it was written at one moment', async () => {
    const writer = replaceWithoutEnd(folders.workspace);
    const seen = new Set<string>();
    try {
      // A few points may all meet the same form of every file; then there are more.
      for (let i = 0; i < 3 || (seen.size <= writer.names.length && i < 20); i += 1) {
        const before = writer.written();
        const taken = await post('/api/v1/backup/trigger');
        expect(field(taken, 'error')).toBeNull();
        expect(writer.written()).toBeGreaterThan(before + 10);
        const id = String(field(taken, 'result', 'backup_id'));
        const folder = join(allowed(), id);
        const done = await post(`/api/v1/backup/restore/${id}`, {
          confirm: true,
          components: ['workspace'],
          to: { folder },
        });
        expect([field(done, 'state'), field(done, 'error')]).toEqual(['succeeded', null]);
        const contents = await warden.call('GET', `/api/v1/backup/points/${id}/contents`);
        expect(contents.text).toMatch(/"unfolded_files":[1-9]/);
        for (const name of writer.names) {
          const text = readFileSync(join(folder, 'workspace', name), 'utf8');
          expect(() => JSON.parse(text), name).not.toThrow();
          expect(writer.variants(name).includes(text), `${name} of ${id} is one of those that were written`).toBe(true);
          seen.add(`${name} ${writer.variants(name).indexOf(text)}`);
        }
      }
    } finally {
      await writer.stop();
    }
    // Otherwise nothing was replaced between them.
    expect(seen.size).toBeGreaterThan(writer.names.length);
  });

  test('whose clock is set back keeps every point, and no age, due time or drill turns negative', async () => {
    const future = await warden.points();
    aheadMs = 0;
    const now = clock.now();
    expect(future.every((point) => Date.parse(String(field(point, 'timestamp'))) > now)).toBe(true);
    const newId = String(field(await post('/api/v1/backup/trigger'), 'result', 'backup_id'));
    const plan = field(await get('/api/v1/backup/retention'), 'items') as unknown[];
    expect(plan).toHaveLength(future.length + 1);
    expect(plan.map((item) => field(item, 'action'))).toEqual(plan.map(() => 'keep'));
    expect(field(await post('/api/v1/repository/forget'), 'error')).toBeNull();
    expect((await warden.points()).map((point) => field(point, 'backup_id'))).toEqual(
      expect.arrayContaining([newId, ...future.map((point) => field(point, 'backup_id'))]),
    );
    const passed = await drill({ backup_id: newId });
    expect(field(passed, 'result')).toMatchObject({ verdict: 'passed', reasons: [] });
    expect(Number(field(passed, 'result', 'rto_seconds'))).toBeGreaterThan(0);
    const [objective] = field(await get('/api/v1/recovery/objectives'), 'items') as unknown[];
    expect(Number(field(objective, 'rpo', 'measured_seconds'))).toBeGreaterThanOrEqual(0);
    expect(Number(field(objective, 'rpo', 'used'))).toBeGreaterThanOrEqual(0);
    expect(field(objective, 'drill', 'overdue_since')).toBeNull();
    const nextDrill = Date.parse(String(field(objective, 'drill', 'next_at')));
    expect(nextDrill).toBeGreaterThan(now);
    expect(nextDrill).toBeLessThan(now + 8 * dayMs);
    const nextPoint = Number(field(await warden.status(), 'next_backup')) * 1_000;
    expect(nextPoint).toBeGreaterThan(now);
    expect(nextPoint).toBeLessThan(now + 1.2 * dayMs);
    const { text } = await warden.call('GET', '/metrics');
    expect(text.split('\n').filter((line) => /^ragwarden_[^ ]*(?:age|seconds)[^ ]* -\d/.test(line))).toEqual([]);
  });

  test('a component whose place is configured no longer is told with what to set, and the rest goes back without it', async () => {
    const id = String(field(await post('/api/v1/backup/trigger'), 'result', 'backup_id'));
    await warden.stop();
    await backend.stop();
    const good = contentOf(folders.workspace);
    const kept = await rag.digest('lightrag_doc_full');
    rmSync(join(folders.workspace, 'vdb_chunks.json'));
    const before = contentOf(folders.workspace);
    warden = await openWarden(dataDir, {
      command: 'serve',
      settings: { ...files, RAGWARDEN_TARGET_URL: 'http://127.0.0.1:1', RAGWARDEN_TARGET_START_TIMEOUT: '1' },
    });
    const refusal = async (more: object, words: RegExp): Promise<void> => {
      const plan = await warden.call('POST', `/api/v1/backup/restore/${id}`, { plan_only: true, ...more });
      expect(plan.status).toBe(422);
      expect(failureOf(plan.body)).toMatch(words);
      const asked = { confirm: true, safety_point: false, ...more };
      expect(failureOf(await warden.restore(id, asked))).toMatch(words);
    };
    await refusal(
      {},
      /^target\/foreign-path: The point holds inputs,.*Set INPUT_DIR \(target\.input_dir\).*alone \(components: workspace\)\.$/,
    );
    await refusal(
      { components: ['workspace', 'database'] },
      /^target\/foreign-path: The point holds database \(postgres\),.*Set DATABASE_URL or POSTGRES_HOST.*alone \(components: workspace\)\.$/,
    );
    expect(contentOf(folders.workspace)).toEqual(before);
    const done = await warden.restore(id, { confirm: true, safety_point: false, components: ['workspace'] });
    expect(field(done, 'error')).toBeNull();
    expect(contentOf(folders.workspace)).toEqual(good);
    expect(await rag.digest('lightrag_doc_full')).toBe(kept);
  });
});

function largestPack(repository: string): string {
  const packs = readdirSync(join(repository, 'data'), { recursive: true, encoding: 'utf8' })
    .map((name) => join(repository, 'data', name))
    .filter((path) => statSync(path).isFile());
  return packs.sort((a, b) => statSync(b).size - statSync(a).size)[0] ?? '';
}

/** Until so many bytes are left. */
function fill(folder: string, leave: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const size = bavail * bsize - leave;
  writeFileSync(join(folder, 'filler'), Buffer.alloc(Math.max(0, size)));
}

const snapshotTags = (repository: string, dataDir: string): string[] =>
  (
    JSON.parse(restic(repository, join(dataDir, 'repository-password'), ['snapshots', '--no-lock', '--json'])) as {
      tags: string[];
    }[]
  )
    .flatMap(({ tags }) => tags.filter((tag) => tag.startsWith('rp:')))
    .sort();

/** As LightRAG writes since 1.5: another file, then its name. Each of its variants is a whole store. */
function replaceWithoutEnd(workspace: string) {
  const names = readdirSync(workspace).filter((name) => /^(kv_store|vdb)_.*\.json$/.test(name));
  const variants = new Map(
    names.map((name) => {
      const stored: unknown = JSON.parse(readFileSync(join(workspace, name), 'utf8'));
      const all = Array.from({ length: 4 }, (_, i) => JSON.stringify(changed(stored, `variant ${i}`), null, 2));
      return [name, all];
    }),
  );
  let written = 0;
  let on = true;
  const replace = (name: string): void => {
    const path = join(workspace, name);
    writeFileSync(`${path}.tmp`, variants.get(name)?.[written % 4] ?? '');
    renameSync(`${path}.tmp`, path);
    written += 1;
  };
  // All at once: a point taken within the first round would else hold what nobody here wrote.
  for (const name of names) replace(name);
  const work = (async () => {
    while (on) {
      for (const name of names) {
        replace(name);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  })();
  return {
    names,
    variants: (name: string) => variants.get(name) ?? [],
    written: () => written,
    stop: () => {
      on = false;
      return work;
    },
  };
}

/** Every text in it, as far as that leaves identities alone. */
function changed(value: unknown, tone: string): unknown {
  if (Array.isArray(value)) return value.map((one) => changed(one, tone));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key,
      (key === 'content' || key === 'return') && typeof one === 'string' ? `${one} ${tone}` : changed(one, tone),
    ]),
  );
}
