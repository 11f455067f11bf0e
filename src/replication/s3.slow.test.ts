import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLine, type TestLine } from '../../test/setup/line.ts';
import { hasPart } from '../../test/setup/parts.ts';
import { type StoreKeys, type StoreObjects, startStore, type TestStore } from '../../test/setup/radosgw.ts';
import { freePort } from '../../test/setup/redis-server.ts';
import { lightKeyLike } from '../backup/repository/light-key.fixture.ts';
import type { Operation } from '../operations/index.ts';
import { bodyOfOverview } from './routes/replication-bodies.ts';
import { openTestReplication, type TestReplication } from './test-replication.ts';

const one = { requestedBy: 'local:admin' };
const bucket = 'points';

describe.skipIf(!hasPart('restic') || !hasPart('ceph') || !hasPart('openssl'))('replication to an S3 server', () => {
  let store: TestStore;
  let line: TestLine;
  let otherLine: TestLine;
  let given: TestReplication;
  let objects: StoreObjects;
  let secrets: string;
  const keys: Record<'owner' | 'reader' | 'stranger', StoreKeys> = {} as never;

  const done = async (operation: Promise<Operation>): Promise<Operation> => given.operations.wait((await operation).id);
  const sync = (replicaId: string): Promise<Operation> => done(given.replication.sync({ ...one, replicaId }));
  const verify = (percent: number): Promise<Operation> =>
    done(given.replication.verify({ ...one, replicaId: 'cloud', percent }));
  const heal = (damaged: 'target' | 'source'): Promise<Operation> =>
    done(given.replication.heal({ ...one, replicaId: 'cloud', damaged }));
  const stateOf = async (id: string) => (await given.replication.store.states()).get(id);
  /** The packs in the bucket, the largest first: those hold data. */
  const packs = () => objects.list(bucket, 'here/data/');

  beforeAll(async () => {
    store = await startStore();
    line = await openLine(store.port);
    otherLine = await openLine(store.port);
    secrets = await mkdtemp(join(tmpdir(), 'rw-s3-secrets-'));
    keys.owner = await store.user('owner');
    keys.reader = await store.user('reader', '--max-buckets', '-1');
    keys.stranger = { AWS_ACCESS_KEY_ID: 'KEY-OF-NOBODY', AWS_SECRET_ACCESS_KEY: 'secret-of-nobody' };
    objects = store.objects(keys.owner);
    const files = Object.entries(keys.owner).map(async ([name, value]) => {
      const file = join(secrets, name);
      await writeFile(file, `${value}\n`, { mode: 0o600 });
      return [name, { file }] as const;
    });
    given = await openTestReplication({
      configured: [
        {
          ...{ id: 'cloud', name: 'cloud', place: { location: store.location(`${bucket}/here`, line.port) } },
          ...{ apiKey: undefined, credentials: Object.fromEntries(await Promise.all(files)), passwordFile: undefined },
          ...{
            caFile: undefined,
            zone: 'provider',
            offline: false,
            enabled: true,
            limitKiB: undefined,
            maxConcurrent: undefined,
          },
        },
      ],
    });
  });
  afterAll(async () => {
    await given?.remove();
    await line?.close();
    await otherLine?.close();
    await store?.remove();
    if (secrets) await rm(secrets, { recursive: true, force: true });
  });
  /** A place over the API with these keys. */
  const register = (id: string, location: string, credentials: StoreKeys) =>
    given.register({ id, location, credentials });

  test('a place of the settings gets its secrets from files, points are copied once and listed, and nothing lags', async () => {
    const before = (await given.points.list({ targetId: 'default', limit: 100 })).length;
    const [old, newest] = [await given.makePoint(randomBytes(900_000)), await given.makePoint(randomBytes(400_000))];
    given.clock.advance(60_000);
    expect((await given.replication.overview()).replicas[0]?.targets[0]?.lagMs).toBe(60_000);
    const first = await sync('cloud');
    expect(first.error).toBeNull();
    expect(first.result).toMatchObject({ copied: expect.arrayContaining([old.id, newest.id]), already_there: before });
    // Each start of restic would stretch the password anew.
    const [key] = await objects.list(bucket, 'here/keys/');
    const password = (await readFile(join(given.folder, 'password'), 'utf8')).trim();
    const light = await lightKeyLike((await objects.read(bucket, key?.key ?? '')).toString(), password);
    await objects.write(bucket, `here/keys/${light.name}`, light.text);
    await objects.remove(bucket, key?.key ?? '');

    const there = await packs();
    expect(there.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(1_300_000);
    expect((await sync('cloud')).result).toMatchObject({ copied: [], already_there: before + 2 });
    expect(await packs()).toEqual(there);
    const { replicas } = await given.replication.overview();
    expect(replicas[0]?.targets[0]).toMatchObject({ lagMs: 0, points: 0, newestTherePointId: newest.id });
    expect(await stateOf('cloud')).toMatchObject({ status: 'healthy', error: null, failuresInRow: 0 });
    const log = await given.replication.store.log({ replicaId: 'cloud', type: 'sync', limit: 10 });
    expect(log.map(({ status }) => status)).toEqual(['completed', 'completed']);
  });

  test('keys given over the API open it, and are neither shown nor stored in clear', async () => {
    const replica = await register('by-api', store.location(`${bucket}/here`), keys.owner);
    const synced = await sync('by-api');
    const { AWS_SECRET_ACCESS_KEY: secret } = keys.owner;
    const rows = await given.state.db
      .reader<{ replication_target: object }>()
      .selectFrom('replication_target')
      .selectAll()
      .execute();
    const overview = bodyOfOverview(await given.replication.overview());
    await given.replication.replicas.remove('by-api', 'local:admin');
    expect(synced.result).toMatchObject({ copied: [], already_there: expect.any(Number) });
    expect(rows).toHaveLength(1);
    for (const shown of [overview, replica, rows]) expect(JSON.stringify(shown)).not.toContain(secret);
  });

  test('a point is restored from there, byte by byte', async () => {
    const bytes = randomBytes(50_000);
    const point = await given.makePoint(bytes);
    expect((await sync('cloud')).error).toBeNull();
    const there = await given.replication.openRepository('cloud');
    const [snapshot] = await there.snapshots({ tags: [`rp:${point.id}`, 'manifest'] });
    const target = join(given.folder, 'restored');
    await there.restore({ snapshotId: snapshot?.id ?? '', target, verify: true });
    expect((await readFile(join(target, 'data.bin'))).equals(bytes)).toBe(true);
  });

  test('a flipped bit and a missing pack in the bucket are found by reading, and healed from here', async () => {
    expect((await verify(50)).error).toBeNull();
    expect((await verify(100)).error).toBeNull();
    const [largest, , third] = await packs();
    const bytes = await objects.read(bucket, largest?.key ?? '');
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    await objects.write(bucket, largest?.key ?? '', bytes);
    await objects.remove(bucket, third?.key ?? '');
    expect((await verify(100)).error?.code).toBe('repository/damaged');
    expect(await stateOf('cloud')).toMatchObject({ status: 'degraded' });
    const healed = await heal('target');
    expect(healed.error).toBeNull();
    const there = await given.replication.openRepository('cloud');
    expect(await there.check({ readData: 'all' })).toMatchObject({ ok: true });
    expect(await there.snapshots()).toHaveLength((await given.source.snapshots()).length);
    expect(await stateOf('cloud')).toMatchObject({ status: 'healthy', findings: [] });
  });

  test('a damaged repository here is healed from there and passes a check of all its data', async () => {
    const data = join(given.folder, 'source', 'data');
    const points = (await given.source.snapshots()).length;
    const names = (await readdir(data, { recursive: true })).filter((name) => /\/[0-9a-f]{64}$/.test(name));
    for (const name of names) {
      const bytes = await readFile(join(data, name));
      if (bytes.length < 100_000) continue;
      bytes[7_000] = (bytes[7_000] ?? 0) ^ 1;
      await rm(join(data, name));
      await writeFile(join(data, name), bytes, { mode: 0o600 });
    }
    expect((await given.source.check({ readData: 'all' })).ok).toBe(false);
    expect((await heal('source')).error).toBeNull();
    expect(await given.source.check({ readData: 'all' })).toMatchObject({ ok: true });
    expect(await given.source.snapshots()).toHaveLength(points);
  });

  type Refusal = {
    readonly path?: string;
    readonly by: () => StoreKeys;
    readonly code: 'refused' | 'unreachable';
    readonly words: string;
    readonly how?: 'read-only' | 'no port' | 'silent';
  };
  const refusals: Readonly<Record<string, Refusal>> = {
    'a wrong secret': {
      by: () => ({ ...keys.stranger, AWS_ACCESS_KEY_ID: keys.owner.AWS_ACCESS_KEY_ID }),
      ...{ code: 'refused', words: 'signature' },
    },
    'an unknown key': { by: () => keys.stranger, code: 'refused', words: 'access key' },
    'a bucket that it may not make': {
      ...{ path: 'nowhere/here', by: () => keys.reader, code: 'refused', words: 'Access Denied' },
    },
    'the bucket of somebody else': { by: () => keys.reader, code: 'refused', words: 'Access Denied' },
    'a user that may only read': { by: () => keys.reader, code: 'refused', words: 'Access Denied', how: 'read-only' },
    'a port that nobody listens on': {
      ...{ by: () => keys.owner, code: 'unreachable', words: 'connection refused', how: 'no port' },
    },
    'a server that takes connections and never answers': {
      ...{ by: () => keys.owner, code: 'unreachable', words: 'did not answer', how: 'silent' },
    },
  };
  test.each(Object.entries(refusals))('%s: a code, a sentence, the state and the log say so', async (_, refusal) => {
    const { path = `${bucket}/here`, by, code, words, how } = refusal;
    if (how === 'read-only') {
      const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
      const Action = ['s3:GetObject', 's3:ListBucket', 's3:GetBucketLocation'];
      await objects.allow(bucket, { Statement: [{ Effect: 'Allow', Principal: '*', Resource, Action }] });
      await given.makePoint(randomBytes(1_000));
    }
    if (how === 'silent') {
      otherLine.set('silent');
      // A minute for an operator.
      given.placeOptions = { patience: { answerMs: 500, silenceMs: 600_000 } };
    }
    given.clock.advance(1_000);
    await register('bad', store.location(path, how === 'no port' ? await freePort() : otherLine.port), by());
    const failed = await sync('bad');
    const state = await stateOf('bad');
    otherLine.set('open');
    given.placeOptions = {};
    await given.replication.replicas.remove('bad', 'local:admin');
    const [entry] = await given.replication.store.log({ replicaId: 'bad', limit: 1 });
    const [event] = await given.events.list({ types: ['replication.failed'], limit: 1 });
    expect(failed.error?.code).toBe(`repository/${code}`);
    expect(failed.error?.detail).toContain(words);
    expect(state).toMatchObject({ status: code === 'refused' ? 'degraded' : 'unreachable', failuresInRow: 1 });
    expect(entry).toMatchObject({ type: 'sync', status: 'failed', error: expect.stringContaining(words) });
    expect(event?.message).toContain(words);
    for (const told of [failed, state, entry, event])
      expect(JSON.stringify(told)).not.toContain(by().AWS_SECRET_ACCESS_KEY);
  });

  test('a store that is full ends the copy soon, and with room again the copy goes on', async () => {
    await given.makePoint(randomBytes(600_000));
    await store.limit('owner', 100_000);
    const failed = await sync('cloud');
    await store.limit('owner', 1e9);
    expect(failed.error).toMatchObject({ code: 'storage/full' });
    expect(await stateOf('cloud')).toMatchObject({ status: 'degraded', failuresInRow: 1 });
    expect((await sync('cloud')).error).toBeNull();
    expect(await stateOf('cloud')).toMatchObject({ status: 'healthy', failuresInRow: 0, error: null });
  });

  test('a certificate that nobody vouches for is refused, and one of an authority of your own is named', async () => {
    await register('tls', store.tlsLocation(`${bucket}/here`), keys.owner);
    const distrusted = await sync('tls');
    expect(distrusted.error).toMatchObject({
      code: 'repository/unreachable',
      detail: expect.stringContaining('ca_file'),
    });
    given.placeOptions = { caFile: store.certificate.certFile };
    expect((await sync('tls')).error).toBeNull();
    given.placeOptions = {};
    await given.replication.replicas.remove('tls', 'local:admin');
  });

  test('a server that dies in the middle of a copy and comes back gets the rest', async () => {
    const point = await given.makePoint(randomBytes(3_000_000));
    const died = Promise.withResolvers<void>();
    given.onStep = (name) => {
      if (name !== 'replicate:begun') return;
      const before = line.sent();
      line.onSent = (bytes) => {
        if (bytes - before < 1_000_000) return;
        line.onSent = undefined;
        line.set('cut');
        void store.kill().then(died.resolve);
      };
    };
    const { id } = await given.replication.sync({ ...one, replicaId: 'cloud' });
    await Promise.race([died.promise, given.operations.wait(id)]);
    given.onStep = () => undefined;
    await store.again();
    line.set('open');
    expect((await given.operations.wait(id)).error).toBeNull();
    const there = await given.replication.openRepository('cloud');
    expect(await there.snapshots({ tags: [`rp:${point.id}`, 'manifest'] })).toHaveLength(1);
    expect(await there.check({ readData: 'all' })).toMatchObject({ ok: true });
  });

  test('a server that falls silent in the middle of a copy ends it, and the next one goes on', async () => {
    const point = await given.makePoint(randomBytes(3_000_000));
    given.placeOptions = { patience: { answerMs: 60_000, silenceMs: 4_000 } };
    given.onStep = (name) => {
      if (name !== 'replicate:begun') return;
      const before = line.sent();
      line.onSent = (bytes) => {
        if (bytes - before < 1_000_000) return;
        line.onSent = undefined;
        line.set('silent');
        line.onClosed = () => {
          line.onClosed = undefined;
          line.set('open');
        };
      };
    };
    const failed = await sync('cloud');
    given.onStep = () => undefined;
    given.placeOptions = {};
    [line.onSent, line.onClosed] = [undefined, undefined];
    line.set('open');
    expect(failed.error).toMatchObject({ code: 'repository/unreachable' });
    expect(failed.error?.detail).toContain('nothing came or went');
    expect(await stateOf('cloud')).toMatchObject({ status: 'unreachable' });
    expect((await sync('cloud')).result).toMatchObject({ copied: [point.id] });
    expect(await stateOf('cloud')).toMatchObject({ status: 'healthy' });
    // It could not take its lock away; that of a dead one holds nobody up, and goes when it does.
    const locks = await (await given.replication.openRepository('cloud')).locks();
    expect(locks.filter(({ holder }) => holder !== 'ours-dead')).toEqual([]);
  });
});
