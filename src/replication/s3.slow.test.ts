import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../../test/setup/free-port.ts';
import { openLine, type TestLine } from '../../test/setup/line.ts';
import { hasPart } from '../../test/setup/parts.ts';
import { type StoreKeys, type StoreObjects, startStore, type TestStore } from '../../test/setup/radosgw.ts';
import { type StoreTest, type StoreUnderTest, storeCases } from './store-cases.fixture.ts';

const one = { requestedBy: 'local:admin' };
const bucket = 'points';

type S3 = StoreUnderTest & {
  readonly server: TestStore;
  /** Before the place `cloud`, and before those that are tried once. */
  readonly line: TestLine;
  readonly otherLine: TestLine;
  readonly users: Readonly<Record<'owner' | 'reader' | 'stranger', StoreKeys>>;
  readonly all: StoreObjects;
};

async function open(): Promise<S3> {
  const server = await startStore();
  const [line, otherLine] = [await openLine(server.port), await openLine(server.port)];
  const owner = await server.user('owner');
  const reader = await server.user('reader', '--max-buckets', '-1');
  const stranger = { AWS_ACCESS_KEY_ID: 'KEY-OF-NOBODY', AWS_SECRET_ACCESS_KEY: 'secret-of-nobody' };
  const all = server.objects(owner);
  return {
    ...{ server, line, otherLine, all, users: { owner, reader, stranger }, keys: owner, byApi: owner },
    placeOptions: {},
    location: (path) => server.location(`${bucket}/${path}`, line.port),
    objects: {
      async list(prefix) {
        const found = await all.list(bucket, `here/${prefix}`);
        return found.map(({ key, bytes }) => ({ key: key.slice('here/'.length), bytes }));
      },
      read: (key) => all.read(bucket, `here/${key}`),
      write: (key, body) => all.write(bucket, `here/${key}`, body),
      remove: (key) => all.remove(bucket, `here/${key}`),
    },
    async close() {
      await line.close();
      await otherLine.close();
      await server.remove();
    },
  };
}

const refused = ({ store }: StoreTest<S3>, keys: StoreKeys, words: string, path = `${bucket}/here`) => ({
  ...{ location: store.server.location(path, store.otherLine.port), keys, words, code: 'refused' as const },
});

storeCases<S3>('replication to an S3 server', {
  usable: hasPart('restic') && hasPart('ceph') && hasPart('openssl'),
  open,
  refusals: {
    'a wrong secret': (at) => {
      const { owner, stranger } = at.store.users;
      return refused(at, { ...stranger, AWS_ACCESS_KEY_ID: owner.AWS_ACCESS_KEY_ID }, 'signature');
    },
    'an unknown key': (at) => refused(at, at.store.users.stranger, 'access key'),
    'a bucket that it may not make': (at) => refused(at, at.store.users.reader, 'Access Denied', 'nowhere/here'),
    'the bucket of somebody else': (at) => refused(at, at.store.users.reader, 'Access Denied'),
    'a user that may only read': (at) => ({
      ...refused(at, at.store.users.reader, 'Access Denied'),
      async before() {
        const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
        const Action = ['s3:GetObject', 's3:ListBucket', 's3:GetBucketLocation'];
        await at.store.all.allow(bucket, { Statement: [{ Effect: 'Allow', Principal: '*', Resource, Action }] });
        await at.given.makePoint(randomBytes(1_000));
      },
    }),
    'a port that nobody listens on': async (at) => ({
      location: at.store.server.location(`${bucket}/here`, await freePort()),
      ...{ code: 'unreachable', words: 'connection refused' },
    }),
    'a server that takes connections and never answers': ({ store }) => ({
      location: store.server.location(`${bucket}/here`, store.otherLine.port),
      ...{ code: 'unreachable', words: 'did not answer' },
      // A minute for an operator.
      placeOptions: { patience: { answerMs: 500, silenceMs: 600_000 } },
      before: async () => store.otherLine.set('silent'),
      after: () => store.otherLine.set('open'),
    }),
  },
  more(at) {
    const { sync, heal, stateOf } = at;

    test('a damaged repository here is healed from there and passes a check of all its data', async () => {
      const data = join(at.given.folder, 'source', 'data');
      const points = (await at.given.source.snapshots()).length;
      const names = (await readdir(data, { recursive: true })).filter((name) => /\/[0-9a-f]{64}$/.test(name));
      for (const name of names) {
        const bytes = await readFile(join(data, name));
        if (bytes.length < 100_000) continue;
        bytes[7_000] = (bytes[7_000] ?? 0) ^ 1;
        await rm(join(data, name));
        await writeFile(join(data, name), bytes, { mode: 0o600 });
      }
      expect((await at.given.source.check({ readData: 'all' })).ok).toBe(false);
      expect((await heal('source')).error).toBeNull();
      expect(await at.given.source.check({ readData: 'all' })).toMatchObject({ ok: true });
      expect(await at.given.source.snapshots()).toHaveLength(points);
    });

    test('a store that is full ends the copy soon, and with room again the copy goes on', async () => {
      await at.given.makePoint(randomBytes(600_000));
      await at.store.server.limit('owner', 100_000);
      const failed = await sync('cloud');
      await at.store.server.limit('owner', 1e9);
      expect(failed.error).toMatchObject({ code: 'storage/full' });
      expect(await stateOf('cloud')).toMatchObject({ status: 'degraded', failuresInRow: 1 });
      expect((await sync('cloud')).error).toBeNull();
      expect(await stateOf('cloud')).toMatchObject({ status: 'healthy', failuresInRow: 0, error: null });
    });

    test('a certificate that nobody vouches for is refused, and one of an authority of your own is named', async () => {
      const location = at.store.server.tlsLocation(`${bucket}/here`);
      await at.given.register({ id: 'tls', location, credentials: at.store.users.owner });
      const distrusted = await sync('tls');
      expect(distrusted.error).toMatchObject({
        code: 'repository/unreachable',
        detail: expect.stringContaining('ca_file'),
      });
      at.given.placeOptions = { caFile: at.store.server.certificate.certFile };
      expect((await sync('tls')).error).toBeNull();
      at.given.placeOptions = {};
      await at.given.replication.replicas.remove('tls', 'local:admin');
    });

    /** Runs once, when a megabyte of the next copy went over. */
    const inTheMiddle = (run: () => void): void => {
      at.given.onStep = (name) => {
        if (name !== 'replicate:begun') return;
        const before = at.store.line.sent();
        at.store.line.onSent = (bytes) => {
          if (bytes - before < 1_000_000) return;
          at.store.line.onSent = undefined;
          run();
        };
      };
    };

    test('a server that dies in the middle of a copy and comes back gets the rest', async () => {
      const point = await at.given.makePoint(randomBytes(3_000_000));
      const died = Promise.withResolvers<void>();
      inTheMiddle(() => {
        at.store.line.set('cut');
        void at.store.server.kill().then(died.resolve);
      });
      const { id } = await at.given.replication.sync({ ...one, replicaId: 'cloud' });
      await Promise.race([died.promise, at.given.operations.wait(id)]);
      at.given.onStep = () => undefined;
      await at.store.server.again();
      at.store.line.set('open');
      expect((await at.given.operations.wait(id)).error).toBeNull();
      const there = await at.given.replication.openRepository('cloud');
      expect(await there.snapshots({ tags: [`rp:${point.id}`, 'manifest'] })).toHaveLength(1);
      expect(await there.check({ readData: 'all' })).toMatchObject({ ok: true });
    });

    test('a server that falls silent in the middle of a copy ends it, and the next one goes on', async () => {
      const point = await at.given.makePoint(randomBytes(3_000_000));
      at.given.placeOptions = { patience: { answerMs: 60_000, silenceMs: 4_000 } };
      inTheMiddle(() => {
        at.store.line.set('silent');
        at.store.line.onClosed = () => {
          at.store.line.onClosed = undefined;
          at.store.line.set('open');
        };
      });
      const failed = await sync('cloud');
      at.given.onStep = () => undefined;
      at.given.placeOptions = {};
      [at.store.line.onSent, at.store.line.onClosed] = [undefined, undefined];
      at.store.line.set('open');
      expect(failed.error).toMatchObject({ code: 'repository/unreachable' });
      expect(failed.error?.detail).toContain('nothing came or went');
      expect(await stateOf('cloud')).toMatchObject({ status: 'unreachable' });
      expect((await sync('cloud')).result).toMatchObject({ copied: [point.id] });
      expect(await stateOf('cloud')).toMatchObject({ status: 'healthy' });
      // It could not take its lock away; that of a dead one holds nobody up, and goes when it does.
      const locks = await (await at.given.replication.openRepository('cloud')).locks();
      expect(locks.filter(({ holder }) => holder !== 'ours-dead')).toEqual([]);
    });
  },
});
