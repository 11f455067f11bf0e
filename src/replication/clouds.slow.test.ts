import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAzure } from '../../test/setup/clouds/azure.ts';
import type { TestCloud } from '../../test/setup/clouds/cloud.ts';
import { openGoogle } from '../../test/setup/clouds/google.ts';
import { hasPart } from '../../test/setup/parts.ts';
import { lightKeyLike, makeLightRepository } from '../backup/repository/light-key.fixture.ts';
import type { Operation } from '../operations/index.ts';
import { bodyOfOverview } from './routes/replication-bodies.ts';
import { openTestReplication, password, type TestReplication } from './test-replication.ts';

const one = { requestedBy: 'local:admin' };
const account = { name: 'points', key: randomBytes(64).toString('base64'), sas: randomBytes(32).toString('base64') };
const token = `ya29.${randomBytes(20).toString('hex')}`;

const clouds = [
  {
    kind: 'azure',
    open: () => openAzure(account),
    keys: { AZURE_ACCOUNT_NAME: account.name, AZURE_ACCOUNT_KEY: account.key },
    others: {
      AZURE_ACCOUNT_NAME: account.name,
      AZURE_ACCOUNT_SAS: `sv=2018-03-28&sig=${encodeURIComponent(account.sas)}`,
    },
    wrong: { AZURE_ACCOUNT_NAME: account.name, AZURE_ACCOUNT_KEY: randomBytes(64).toString('base64') },
    unusable: { AZURE_ACCOUNT_NAME: account.name, AZURE_ACCOUNT_KEY: 'no base64' },
    secret: account.key,
  },
  {
    kind: 'gs',
    open: () => openGoogle(token),
    keys: { GOOGLE_PROJECT_ID: 'project', GOOGLE_ACCESS_TOKEN: token },
    others: { GOOGLE_ACCESS_TOKEN: token },
    wrong: { GOOGLE_ACCESS_TOKEN: 'an-old-one' },
    unusable: { GOOGLE_PROJECT_ID: 'project' },
    secret: token,
  },
] as const;

describe.skipIf(!hasPart('restic') || !hasPart('openssl')).each(clouds)('replication to $kind', (cloud) => {
  let store: TestCloud;
  let given: TestReplication;
  let secrets: string;
  const location = (bucket: string): string => `${cloud.kind}:${bucket}:/here`;
  const done = async (operation: Promise<Operation>): Promise<Operation> => given.operations.wait((await operation).id);
  const sync = (replicaId: string): Promise<Operation> => done(given.replication.sync({ ...one, replicaId }));
  const verify = (): Promise<Operation> => done(given.replication.verify({ ...one, replicaId: 'cloud', percent: 100 }));
  const stateOf = async (id: string) => (await given.replication.store.states()).get(id);
  const objects = () => store.buckets.get('points') ?? new Map<string, Buffer>();
  /** The largest first: those hold data. */
  const packs = (): [string, Buffer][] =>
    [...objects()].filter(([name]) => name.startsWith('here/data/')).sort(([, a], [, b]) => b.length - a.length);
  const flipped = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes);
    copy[5_000] = (copy[5_000] ?? 0) ^ 1;
    return copy;
  };

  beforeAll(async () => {
    store = await cloud.open();
    secrets = await mkdtemp(join(tmpdir(), 'rw-cloud-secrets-'));
    const files = Object.entries(cloud.keys).map(async ([name, value]) => {
      const file = join(secrets, name);
      await writeFile(file, `${value}\n`, { mode: 0o600 });
      return [name, { file }] as const;
    });
    given = await openTestReplication({
      proxy: { HTTPS_PROXY: store.proxy },
      configured: [
        {
          ...{ id: 'cloud', name: 'cloud', place: { location: location('points') }, apiKey: undefined },
          ...{
            credentials: Object.fromEntries(await Promise.all(files)),
            passwordFile: undefined,
            caFile: store.caFile,
          },
          ...{ zone: 'provider', offline: false, enabled: true, limitKiB: undefined, maxConcurrent: undefined },
        },
      ],
    });
    given.placeOptions = { caFile: store.caFile };
    // A bucket that somebody made, with a repository whose key costs nothing to open.
    if (cloud.kind === 'azure') return;
    const prepared = join(secrets, 'prepared');
    await makeLightRepository(prepared, password);
    store.buckets.set('points', new Map());
    for (const name of await readdir(prepared, { recursive: true }))
      if (/^config$|^keys\/./.test(name)) objects().set(`here/${name}`, await readFile(join(prepared, name)));
  });
  afterAll(async () => {
    await given?.remove();
    await store?.close();
    if (secrets) await rm(secrets, { recursive: true, force: true });
  });

  test('the first copy makes what is missing there, points are copied once, and nothing lags', async () => {
    const point = await given.makePoint(randomBytes(300_000));
    given.clock.advance(60_000);
    expect((await given.replication.overview()).replicas[0]?.targets[0]?.lagMs).toBe(60_000);
    const first = await sync('cloud');
    expect(first.error).toBeNull();
    expect(first.result).toMatchObject({ copied: [point.id], already_there: 0 });
    // One that restic made: each start of it would stretch the password anew.
    const [key = '', text] = [...objects()].find(([name]) => name.startsWith('here/keys/')) ?? [];
    const light = await lightKeyLike(text?.toString() ?? '', password);
    objects().delete(key);
    objects().set(`here/keys/${light.name}`, Buffer.from(light.text));

    const there = packs().map(([name]) => name);
    expect((await sync('cloud')).result).toMatchObject({ copied: [], already_there: 1 });
    expect(packs().map(([name]) => name)).toEqual(there);
    const { replicas } = await given.replication.overview();
    expect(replicas[0]?.targets[0]).toMatchObject({ lagMs: 0, points: 0, newestTherePointId: point.id });
    expect(await stateOf('cloud')).toMatchObject({ status: 'healthy', error: null, failuresInRow: 0 });
  });

  test('keys given over the API open it, by the other way too, and are neither shown nor stored in clear', async () => {
    const replica = await given.register({
      id: 'by-api',
      location: location('points').replace('/here', '/here/'),
      credentials: cloud.others,
    });
    const synced = await sync('by-api');
    const rows = await given.state.db
      .reader<{ replication_target: object }>()
      .selectFrom('replication_target')
      .selectAll()
      .execute();
    const overview = bodyOfOverview(await given.replication.overview());
    await given.replication.replicas.remove('by-api', 'local:admin');
    expect(synced.error).toBeNull();
    expect(synced.result).toMatchObject({ copied: [] });
    for (const value of Object.values(cloud.others).filter((one) => one !== account.name))
      for (const shown of [overview, replica, rows]) expect(JSON.stringify(shown)).not.toContain(value);
  });

  test('damage there is found by reading, and a point that is sound is restored from there, byte by byte', async () => {
    const bytes = randomBytes(50_000);
    const point = await given.makePoint(bytes);
    expect((await sync('cloud')).error).toBeNull();
    const there = await given.replication.openRepository('cloud');
    const [snapshot] = await there.snapshots({ tags: [`rp:${point.id}`, 'manifest'] });
    const target = join(given.folder, 'restored');
    await there.restore({ snapshotId: snapshot?.id ?? '', target, verify: true });
    expect((await readFile(join(target, 'data.bin'))).equals(bytes)).toBe(true);

    const [[largest = '', whole = Buffer.alloc(0)] = []] = packs();
    objects().set(largest, flipped(whole));
    expect((await verify()).error?.code).toBe('repository/damaged');
    expect(await stateOf('cloud')).toMatchObject({ status: 'degraded' });
    objects().set(largest, whole);
    expect((await verify()).error).toBeNull();
    expect(await stateOf('cloud')).toMatchObject({ status: 'healthy', findings: [] });
  });

  // What it is made of (reading, writing, listing, deleting) is the same for each store.
  test.runIf(cloud.kind === 'azure')('a pack that is gone there is healed from here', async () => {
    const [[largest = ''] = []] = packs();
    objects().delete(largest);
    expect((await done(given.replication.heal({ ...one, replicaId: 'cloud', damaged: 'target' }))).error).toBeNull();
    expect(await stateOf('cloud')).toMatchObject({ status: 'healthy', findings: [] });
    const there = await given.replication.openRepository('cloud');
    expect(await there.check({ readData: 'all' })).toMatchObject({ ok: true });
  });

  test.runIf(cloud.kind === 'azure')(
    'the repository itself lies there: stored, restored, thinned out and checked',
    async () => {
      const light = [...objects()].filter(([name]) => /^here\/(config$|keys\/)/.test(name));
      store.buckets.set('own', new Map(light));
      const environment = { HTTPS_PROXY: store.proxy, ...cloud.keys };
      const own = given.repositoryAt(location('own'), environment, { caFile: store.caFile });
      const tree = join(given.folder, 'own');
      const bytes = randomBytes(200_000);
      await mkdir(tree);
      const keep = async (content: Buffer) => {
        await writeFile(join(tree, 'data.bin'), content);
        return own.backup({ cwd: tree, paths: ['.'], tags: ['rp:p'], host: 'test' });
      };
      const [old, kept] = [await keep(randomBytes(200_000)), await keep(bytes)];
      await own.forget({ snapshotIds: [old.snapshotId] });
      const dataBytes = (): number =>
        [...(store.buckets.get('own') ?? [])].reduce(
          (sum, [name, { length }]) => sum + (/data/.test(name) ? length : 0),
          0,
        );
      const before = dataBytes();
      await own.prune();
      expect(dataBytes()).toBeLessThan(before - 150_000);
      expect(await own.check({ readData: 'all' })).toMatchObject({ ok: true });
      const target = join(given.folder, 'own-restored');
      await own.restore({ snapshotId: kept.snapshotId, target, verify: true });
      expect((await readFile(join(target, 'data.bin'))).equals(bytes)).toBe(true);
    },
  );

  test.runIf(cloud.kind === 'gs' && process.platform === 'linux')('what goes over is seen while it goes', async () => {
    const point = await given.makePoint(randomBytes(2_000_000));
    const place = await given.deps.openPlace(await given.replication.replicas.require('cloud'));
    const call = { signal: new AbortController().signal };
    const [item] = (await place.plan([point], call)).copy;
    if (!item) throw new Error('there is nothing to copy');
    const enough = Promise.withResolvers<void>();
    const seen: number[] = [];
    // All of it came, and is not answered before that was seen.
    store.hold = async (body) => (body.length > 1_000_000 ? enough.promise : undefined);
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
      seen.push(bytesDone);
      if (bytesDone > 1_900_000) enough.resolve();
    };
    await place.bring(item, 0, { ...call, onProgress });
    store.hold = undefined;
    expect(seen.at(-1)).toBeGreaterThan(1_900_000);
    expect(seen.at(-1)).toBeLessThan(2_200_000);
  });

  test.runIf(cloud.kind === 'gs')('what was forgotten here goes there, and a prune frees it', async () => {
    const [kept, dropped] = [await given.makePoint(randomBytes(1_000)), await given.makePoint(randomBytes(600_000))];
    expect((await sync('cloud')).error).toBeNull();
    await given.state.db.unit((tx) => given.points.update(tx, dropped.id, { forgottenMs: given.clock.now() }));
    given.clock.advance(60_000);
    expect((await sync('cloud')).result).toMatchObject({ forgotten: [dropped.id] });
    const before = packs().reduce((sum, [, bytes]) => sum + bytes.length, 0);
    expect((await done(given.replication.prune({ ...one, replicaId: 'cloud' }))).error).toBeNull();
    expect(packs().reduce((sum, [, bytes]) => sum + bytes.length, 0)).toBeLessThan(before - 500_000);
    const there = await given.replication.openRepository('cloud');
    expect(await there.snapshots({ tags: [`rp:${kept.id}`, 'manifest'] })).toHaveLength(1);
  });

  test.each([
    ['a wrong key', cloud.wrong, 'open', 'refused'],
    ['a key that cannot be one, or none', cloud.unusable, 'open', 'refused'],
    ['a store that never answers', cloud.keys, 'silent', 'unreachable'],
  ] as const)('%s: a code, the state and the log say so, and no secret', async (_, credentials, how, code) => {
    store.set(how);
    // A minute for an operator.
    given.placeOptions = {
      caFile: store.caFile,
      patience: { answerMs: how === 'silent' ? 500 : 60_000, silenceMs: 600_000 },
    };
    given.clock.advance(1_000);
    await given.register({ id: 'bad', location: location('elsewhere'), credentials });
    const failed = await sync('bad');
    const state = await stateOf('bad');
    store.set('open');
    given.placeOptions = { caFile: store.caFile };
    await given.replication.replicas.remove('bad', 'local:admin');
    const [entry] = await given.replication.store.log({ replicaId: 'bad', limit: 1 });
    expect(failed.error?.code).toBe(`repository/${code}`);
    expect(state).toMatchObject({ status: code === 'refused' ? 'degraded' : 'unreachable', failuresInRow: 1 });
    expect(entry).toMatchObject({ type: 'sync', status: 'failed' });
    for (const told of [failed, state, entry]) expect(JSON.stringify(told)).not.toContain(cloud.secret);
  });
});
