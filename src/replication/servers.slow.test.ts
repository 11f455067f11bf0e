import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'vitest';
import { freePort } from '../../test/setup/free-port.ts';
import { hasPart } from '../../test/setup/parts.ts';
import { startRest, type TestRest } from '../../test/setup/rest-server.ts';
import { startSftp, type TestSftp } from '../../test/setup/sftp-server.ts';
import { makeLightRepository } from '../backup/repository/light-key.fixture.ts';
import { type StoreUnderTest, storeCases, useRepositoryThere } from './store-cases.fixture.ts';
import { password } from './test-replication.ts';

/** What lies in the folder of a server on this machine. */
const objectsIn = (folder: string): StoreUnderTest['objects'] => ({
  async list(prefix) {
    const names = await readdir(folder, { recursive: true });
    const found = names
      .filter((name) => name.startsWith(prefix))
      .map(async (key) => ({ key, seen: await stat(join(folder, key)) }));
    return (await Promise.all(found))
      .flatMap(({ key, seen }) => (seen.isFile() ? [{ key, bytes: seen.size }] : []))
      .sort((one, other) => other.bytes - one.bytes);
  },
  read: (key) => readFile(join(folder, key)),
  async write(key, body) {
    // restic makes files that may not be written to.
    await rm(join(folder, key), { force: true });
    await mkdir(dirname(join(folder, key)), { recursive: true });
    await writeFile(join(folder, key), body, { mode: 0o644 });
  },
  remove: (key) => rm(join(folder, key)),
});

storeCases<StoreUnderTest & { readonly sftp: TestSftp }>('replication over SFTP', {
  usable: hasPart('restic') && hasPart('openssh'),
  takesKeys: false,
  async open() {
    const sftp = await startSftp();
    // What restic makes has a key that costs a second at each start until it is exchanged; the REST server is asked to make one.
    for (const name of ['here', 'own']) await makeLightRepository(join(sftp.folder, name), password);
    sftp.own();
    return {
      ...{ sftp, keys: {}, byApi: {}, location: sftp.location, close: sftp.remove },
      placeOptions: { environment: sftp.environment('right') },
      objects: objectsIn(join(sftp.folder, 'here')),
    };
  },
  refusals: {
    'a wrong key': ({ store: { sftp } }) => ({
      ...{ placeOptions: { environment: sftp.environment('wrong key') }, code: 'refused', words: 'Permission denied' },
    }),
    'an unknown host key': ({ store: { sftp } }) => ({
      placeOptions: { environment: sftp.environment('unknown host key') },
      ...{ code: 'refused', words: 'Host key verification failed' },
    }),
  },
  more(at) {
    test('the repository itself lies there: stored, restored, thinned out and checked', () => useRepositoryThere(at));
  },
});

const keys = { RESTIC_REST_USERNAME: 'points', RESTIC_REST_PASSWORD: 'p@ss/w:rd of points' };
storeCases<StoreUnderTest & { readonly rest: TestRest }>('replication to a REST server', {
  usable: hasPart('restic') && hasPart('rclone'),
  async open() {
    const rest = await startRest(keys);
    await makeLightRepository(join(rest.folder, 'own'), password);
    return {
      ...{ rest, keys, byApi: keys, location: rest.location, close: rest.remove },
      placeOptions: {},
      objects: objectsIn(join(rest.folder, 'here')),
    };
  },
  refusals: {
    'a wrong password': () => ({
      keys: { ...keys, RESTIC_REST_PASSWORD: 'another one' },
      ...{ code: 'refused', words: '401' },
    }),
    'no credentials': () => ({ keys: {}, code: 'refused', words: '401' }),
    'a port that nobody listens on': async () => ({
      location: `rest:http://127.0.0.1:${await freePort()}/here`,
      ...{ code: 'unreachable', words: 'connection refused' },
    }),
  },
  more(at) {
    test('the repository itself lies there: stored, restored, thinned out and checked', () => useRepositoryThere(at));
  },
});
