import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lightKeyLike } from '../backup/repository/light-key.fixture.ts';
import type { Operation } from '../operations/index.ts';
import { type Credentials, environmentOf, placeWithCredentials } from './credentials.ts';
import type { Replica } from './replica.ts';
import { bodyOfOverview } from './routes/replication-bodies.ts';
import { openTestReplication, password, type TestReplication } from './test-replication.ts';

/** A store elsewhere, as the cases that hold for every kind of them need it. */
export type StoreUnderTest = {
  /** Of a path in it, as a setting names it. */
  location(path: string): string;
  /** As files of the settings hold them. */
  readonly keys: Credentials;
  /** Other ones that open it as well, given over the API. */
  readonly byApi: Credentials;
  readonly placeOptions: TestReplication['placeOptions'];
  /** What lies below the path `here`, past every tool of ours. */
  readonly objects: {
    /** The largest first. */
    list(prefix: string): Promise<readonly { readonly key: string; readonly bytes: number }[]>;
    read(key: string): Promise<Buffer>;
    write(key: string, body: Buffer): Promise<void>;
    remove(key: string): Promise<void>;
  };
  close(): Promise<void>;
};

/** A place that does not take what is copied to it. */
export type Refusal = {
  /** Left out: a path at which nothing lies. */
  readonly location?: string;
  readonly keys?: Credentials;
  readonly placeOptions?: TestReplication['placeOptions'];
  readonly code: 'refused' | 'unreachable';
  /** What it says. */
  readonly words?: string;
  before?(): Promise<void>;
  after?(): void;
};

/** What the cases work with; it is there once the first of them runs. */
export type StoreTest<Store> = {
  readonly store: Store;
  readonly given: TestReplication;
  sync(replicaId: string): Promise<Operation>;
  verify(percent: number): Promise<Operation>;
  heal(damaged: 'target' | 'source'): Promise<Operation>;
  done(operation: Promise<Operation>): Promise<Operation>;
  stateOf(id: string): ReturnType<TestReplication['replication']['look']>;
};

const one = { requestedBy: 'local:admin' };

/** Registers the cases: one place `cloud`, named in the settings, at the path `here` of the store. */
export function storeCases<Store extends StoreUnderTest>(
  title: string,
  facts: {
    readonly usable: boolean;
    open(): Promise<Store>;
    /** False: such a store takes no keys, hence none over the API. */
    readonly takesKeys?: false;
    /** What is done to the largest pack there; a bit of it is flipped unless told. */
    readonly damage?: 'flipped' | 'removed';
    /** How it becomes whole again: healed from here, unless it is only put back, which takes seconds less. */
    readonly mend?: 'heal' | 'put back';
    /** Each by what is wrong. */
    readonly refusals: Readonly<Record<string, (at: StoreTest<Store>) => Refusal | Promise<Refusal>>>;
    /** What only this kind of store shows. */
    more?(at: StoreTest<Store>): void;
  },
): void {
  describe.skipIf(!facts.usable)(title, () => {
    let store: Store;
    let given: TestReplication;
    let secrets: string;
    const done = async (operation: Promise<Operation>): Promise<Operation> =>
      given.operations.wait((await operation).id);
    const at: StoreTest<Store> = {
      get store() {
        return store;
      },
      get given() {
        return given;
      },
      done,
      sync: (replicaId) => done(given.replication.sync({ ...one, replicaId })),
      verify: (percent) => done(given.replication.verify({ ...one, replicaId: 'cloud', percent })),
      heal: (damaged) => done(given.replication.heal({ ...one, replicaId: 'cloud', damaged })),
      async stateOf(id) {
        const state = (await given.replication.store.states()).get(id);
        if (!state) throw new Error(`nothing is known of ${id}`);
        return state;
      },
    };
    const { sync, verify, heal, stateOf } = at;

    beforeAll(async () => {
      store = await facts.open();
      secrets = await mkdtemp(join(tmpdir(), 'rw-store-secrets-'));
      const files = Object.entries(store.keys).map(async ([name, value]) => {
        const file = join(secrets, name);
        await writeFile(file, `${value}\n`, { mode: 0o600 });
        return [name, { file }] as const;
      });
      given = await openTestReplication({
        configured: [
          {
            ...{ id: 'cloud', name: 'cloud', place: { location: store.location('here') }, zone: 'provider' },
            ...{ credentials: Object.fromEntries(await Promise.all(files)), apiKey: undefined },
            ...{ passwordFile: undefined, caFile: undefined, limitKiB: undefined, maxConcurrent: undefined },
            ...{ offline: false, enabled: true },
          },
        ],
      });
      given.placeOptions = store.placeOptions;
    });
    afterAll(async () => {
      await given?.remove();
      await store?.close();
      if (secrets) await rm(secrets, { recursive: true, force: true });
    });

    test('a place of the settings gets its secrets from files, points are copied once and listed, and nothing lags', async () => {
      const point = await given.makePoint(randomBytes(600_000));
      given.clock.advance(60_000);
      expect((await given.replication.overview()).replicas[0]?.targets[0]?.lagMs).toBe(60_000);
      const first = await sync('cloud');
      expect(first.error).toBeNull();
      expect(first.result).toMatchObject({ copied: [point.id], already_there: 0 });
      // One that restic made: each start of it would stretch the password anew.
      const [{ key } = { key: '' }] = await store.objects.list('keys/');
      const light = await lightKeyLike((await store.objects.read(key)).toString(), password);
      await store.objects.write(`keys/${light.name}`, Buffer.from(light.text));
      if (!key.endsWith(light.name)) await store.objects.remove(key);

      const there = await store.objects.list('data/');
      expect(there.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(600_000);
      expect((await sync('cloud')).result).toMatchObject({ copied: [], already_there: 1 });
      expect(await store.objects.list('data/')).toEqual(there);
      const { replicas } = await given.replication.overview();
      expect(replicas[0]?.targets[0]).toMatchObject({ lagMs: 0, points: 0, newestTherePointId: point.id });
      expect(await stateOf('cloud')).toMatchObject({ status: 'healthy', error: null, failuresInRow: 0 });
      const log = await given.replication.store.log({ replicaId: 'cloud', type: 'sync', limit: 10 });
      expect(log.map(({ status }) => status)).toEqual(['completed']);
      // Told by restic 0.19 and newer only.
      const bytes = log[0]?.bytes ?? 610_000;
      expect(bytes).toBeGreaterThan(590_000);
      expect(bytes).toBeLessThan(660_000);
    });

    if (facts.takesKeys !== false)
      test('keys given over the API open it, and are neither shown nor stored in clear', async () => {
        const credentials = store.byApi;
        const replica = await given.register({ id: 'by-api', location: `${store.location('here')}/`, credentials });
        const synced = await sync('by-api');
        const rows = await given.state.db
          .reader<{ replication_target: object }>()
          .selectFrom('replication_target')
          .selectAll()
          .execute();
        const overview = bodyOfOverview(await given.replication.overview());
        await given.replication.replicas.remove('by-api', 'local:admin');
        expect(synced.error).toBeNull();
        expect(synced.result).toMatchObject({ copied: [], already_there: 1 });
        expect(rows).toHaveLength(1);
        for (const value of secretsOf(credentials))
          for (const shown of [overview, replica, rows]) expect(JSON.stringify(shown)).not.toContain(value);
      });

    test('damage there is found by reading and mended, and a point is restored from there, byte by byte', async () => {
      const bytes = randomBytes(50_000);
      const point = await given.makePoint(bytes);
      expect((await sync('cloud')).error).toBeNull();
      const [{ key } = { key: '' }] = await store.objects.list('data/');
      const whole = await store.objects.read(key);
      const damaged = Buffer.from(whole);
      damaged[5_000] = (damaged[5_000] ?? 0) ^ 1;
      if (facts.damage === 'removed') await store.objects.remove(key);
      else await store.objects.write(key, damaged);
      expect((await verify(100)).error?.code).toBe('repository/damaged');
      expect(await stateOf('cloud')).toMatchObject({ status: 'degraded' });
      if (facts.mend === 'put back') await store.objects.write(key, whole);
      expect((await (facts.mend === 'put back' ? verify(100) : heal('target'))).error).toBeNull();
      expect(await stateOf('cloud')).toMatchObject({ status: 'healthy', findings: [] });
      const there = await given.replication.openRepository('cloud');
      const [snapshot] = await there.snapshots({ tags: [`rp:${point.id}`, 'manifest'] });
      const target = join(given.folder, 'restored');
      await there.restore({ snapshotId: snapshot?.id ?? '', target, verify: true });
      expect((await readFile(join(target, 'data.bin'))).equals(bytes)).toBe(true);
    });

    facts.more?.(at);

    test.each(Object.entries(facts.refusals))(
      '%s: a code, the state, the log and an event say so, and no secret',
      async (_, of) => {
        const refusal = await of(at);
        const { code, words = '', keys = store.keys } = refusal;
        await refusal.before?.();
        given.placeOptions = { ...store.placeOptions, ...refusal.placeOptions };
        given.clock.advance(1_000);
        await given.register({
          id: 'bad',
          location: refusal.location ?? store.location('elsewhere'),
          credentials: keys,
        });
        const failed = await sync('bad');
        const state = await stateOf('bad');
        refusal.after?.();
        given.placeOptions = store.placeOptions;
        await given.replication.replicas.remove('bad', 'local:admin');
        const [entry] = await given.replication.store.log({ replicaId: 'bad', limit: 1 });
        const [event] = await given.events.list({ types: ['replication.failed'], limit: 1 });
        expect(failed.error?.code).toBe(`repository/${code}`);
        expect(failed.error?.detail).toContain(words);
        expect(state).toMatchObject({ status: code === 'refused' ? 'degraded' : 'unreachable', failuresInRow: 1 });
        expect(entry).toMatchObject({ type: 'sync', status: 'failed', error: expect.stringContaining(words) });
        expect(event?.message).toContain(words);
        for (const secret of secretsOf(keys))
          for (const told of [failed, state, entry, event]) expect(JSON.stringify(told)).not.toContain(secret);
      },
    );
  });
}

/** The repository itself, at the path `own` of the store, where one lies whose key costs nothing to open: all that is done with one. */
export async function useRepositoryThere<Store extends StoreUnderTest>({
  given,
  store,
}: StoreTest<Store>): Promise<void> {
  const kind = store.location('own').split(':')[0] as Replica['kind'];
  const location = placeWithCredentials(kind, store.location('own'), store.keys);
  const own = given.repositoryAt(location, environmentOf(kind, store.keys), store.placeOptions);
  const tree = join(given.folder, 'own');
  const bytes = randomBytes(200_000);
  await mkdir(tree);
  const keep = async (content: Buffer) => {
    await writeFile(join(tree, 'data.bin'), content);
    return own.backup({ cwd: tree, paths: ['.'], tags: ['rp:p'], host: 'test' });
  };
  const [old, kept] = [await keep(randomBytes(200_000)), await keep(bytes)];
  await own.forget({ snapshotIds: [old.snapshotId] });
  expect((await own.prune()).freedBytes).toBeGreaterThan(150_000);
  expect(await own.check({ readData: 'all' })).toMatchObject({ ok: true });
  const target = join(given.folder, 'own-restored');
  await own.restore({ snapshotId: kept.snapshotId, target, verify: true });
  expect((await readFile(join(target, 'data.bin'))).equals(bytes)).toBe(true);
}

/** Names of accounts and projects are none. */
const secretsOf = (credentials: Credentials): string[] =>
  Object.entries(credentials).flatMap(([name, value]) =>
    /SECRET|ACCOUNT_KEY|SAS|TOKEN|PASSWORD/.test(name) ? [value] : [],
  );
