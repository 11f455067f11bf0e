import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openAzure } from '../../test/setup/clouds/azure.ts';
import type { TestCloud } from '../../test/setup/clouds/cloud.ts';
import { openGoogle } from '../../test/setup/clouds/google.ts';
import { hasPart } from '../../test/setup/parts.ts';
import { makeLightRepository } from '../backup/repository/light-key.fixture.ts';
import type { Credentials } from './credentials.ts';
import { type StoreTest, type StoreUnderTest, storeCases, useRepositoryThere } from './store-cases.fixture.ts';
import { password } from './test-replication.ts';

const one = { requestedBy: 'local:admin' };
const account = { name: 'points', key: randomBytes(64).toString('base64'), sas: randomBytes(32).toString('base64') };
const token = `ya29.${randomBytes(20).toString('hex')}`;
const usable = hasPart('restic') && hasPart('openssl');

type Cloud = StoreUnderTest & { readonly cloud: TestCloud; readonly all: () => Map<string, Buffer> };

const opened = (kind: 'azure' | 'gs', cloud: TestCloud, keys: Credentials, byApi: Credentials): Cloud => {
  const all = (): Map<string, Buffer> => cloud.buckets.get('points') ?? new Map<string, Buffer>();
  return {
    ...{ cloud, all, keys, byApi },
    placeOptions: { caFile: cloud.caFile, environment: { HTTPS_PROXY: cloud.proxy } },
    location: (path) => `${kind}:points:/${path}`,
    objects: {
      list: async (prefix) =>
        [...all()]
          .filter(([name]) => name.startsWith(`here/${prefix}`))
          .map(([name, { length }]) => ({ key: name.slice('here/'.length), bytes: length }))
          .sort((one, other) => other.bytes - one.bytes),
      read: async (key) => Buffer.from(all().get(`here/${key}`) ?? ''),
      write: async (key, body) => void all().set(`here/${key}`, body),
      remove: async (key) => void all().delete(`here/${key}`),
    },
    close: () => cloud.close(),
  };
};

/** A repository whose key costs nothing to open, in a bucket that somebody made. */
async function putLight({ cloud, all }: Cloud, path: string): Promise<void> {
  const prepared = await mkdtemp(join(tmpdir(), 'rw-cloud-'));
  await makeLightRepository(prepared, password);
  if (!cloud.buckets.has('points')) cloud.buckets.set('points', new Map());
  for (const name of await readdir(prepared, { recursive: true }))
    if (/^config$|^keys\/./.test(name)) all().set(`${path}/${name}`, await readFile(join(prepared, name)));
  await rm(prepared, { recursive: true, force: true });
}

const elsewhere = (kind: 'azure' | 'gs', wrong: Credentials, unusable: Credentials) => {
  const location = `${kind}:elsewhere:/here`;
  return {
    'a wrong key': () => ({ location, keys: wrong, code: 'refused' as const }),
    'a key that cannot be one, or none': () => ({ location, keys: unusable, code: 'refused' as const }),
    'a store that never answers': ({ store }: StoreTest<Cloud>) => ({
      ...{ location, code: 'unreachable' as const, words: 'did not answer' },
      // A minute for an operator.
      placeOptions: { patience: { answerMs: 500, silenceMs: 600_000 } },
      before: async () => store.cloud.set('silent'),
      after: () => store.cloud.set('open'),
    }),
  };
};

const named = { AZURE_ACCOUNT_NAME: account.name };
storeCases<Cloud>('replication to azure', {
  usable,
  damage: 'removed',
  open: async () => {
    const sas = `sv=2018-03-28&sig=${encodeURIComponent(account.sas)}`;
    const keys = { ...named, AZURE_ACCOUNT_KEY: account.key };
    return opened('azure', await openAzure(account), keys, { ...named, AZURE_ACCOUNT_SAS: sas });
  },
  refusals: elsewhere(
    'azure',
    { ...named, AZURE_ACCOUNT_KEY: randomBytes(64).toString('base64') },
    { ...named, AZURE_ACCOUNT_KEY: 'no base64' },
  ),
  more(at) {
    test('the repository itself lies there: stored, restored, thinned out and checked', async () => {
      // Not before: the first copy of all makes the container.
      await putLight(at.store, 'own');
      await useRepositoryThere(at);
    });
  },
});

storeCases<Cloud>('replication to gs', {
  usable,
  mend: 'put back',
  open: async () => {
    const keys = { GOOGLE_PROJECT_ID: 'project', GOOGLE_ACCESS_TOKEN: token };
    const store = opened('gs', await openGoogle(token), keys, { GOOGLE_ACCESS_TOKEN: token });
    // A bucket that somebody made; there restic makes none.
    await putLight(store, 'here');
    return store;
  },
  refusals: elsewhere('gs', { GOOGLE_ACCESS_TOKEN: 'an-old-one' }, { GOOGLE_PROJECT_ID: 'project' }),
  more(at) {
    test.runIf(process.platform === 'linux')('what goes over is seen while it goes', async () => {
      const { given, store } = at;
      const point = await given.makePoint(randomBytes(2_000_000));
      const place = await given.deps.openPlace(await given.replication.replicas.require('cloud'));
      const call = { signal: new AbortController().signal };
      const [item] = (await place.plan([point], call)).copy;
      if (!item) throw new Error('there is nothing to copy');
      const enough = Promise.withResolvers<void>();
      const seen: number[] = [];
      // All of it came, and is not answered before that was seen.
      store.cloud.hold = async (body) => (body.length > 1_000_000 ? enough.promise : undefined);
      const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
        seen.push(bytesDone);
        if (bytesDone > 1_900_000) enough.resolve();
      };
      await place.bring(item, 0, { ...call, onProgress });
      store.cloud.hold = undefined;
      expect(seen.at(-1)).toBeGreaterThan(1_900_000);
      expect(seen.at(-1)).toBeLessThan(2_200_000);
    });

    test('what was forgotten here goes there, and a prune frees it', async () => {
      const { given, sync, store } = at;
      const [kept, dropped] = [await given.makePoint(randomBytes(1_000)), await given.makePoint(randomBytes(600_000))];
      const stored = async (): Promise<number> =>
        (await store.objects.list('data/')).reduce((sum, { bytes }) => sum + bytes, 0);
      expect((await sync('cloud')).error).toBeNull();
      await given.state.db.unit((tx) => given.points.update(tx, dropped.id, { forgottenMs: given.clock.now() }));
      given.clock.advance(60_000);
      expect((await sync('cloud')).result).toMatchObject({ forgotten: [dropped.id] });
      const before = await stored();
      expect((await at.done(given.replication.prune({ ...one, replicaId: 'cloud' }))).error).toBeNull();
      expect(await stored()).toBeLessThan(before - 500_000);
      const there = await given.replication.openRepository('cloud');
      expect(await there.snapshots({ tags: [`rp:${kept.id}`, 'manifest'] })).toHaveLength(1);
    });
  },
});
