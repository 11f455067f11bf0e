import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hasPart } from '../../test/setup/parts.ts';
import { makeLightRepository } from '../backup/repository/light-key.fixture.ts';
import { readConfig } from '../config/index.ts';
import { lookAtStores } from './store-looks.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rw-store-looks-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test.skipIf(!hasPart('restic'))(
  'each store that the settings name is looked at, and nothing is left or made anywhere',
  async () => {
    // A REST server that knows nobody.
    const server = createServer((_, response) => response.writeHead(401).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const at = (name: string): string => join(folder, name);
    await mkdir(at('data'));
    await writeFile(at('data/repository-password'), 'right\n', { mode: 0o600 });
    await makeLightRepository(at('sound'), 'right');
    await makeLightRepository(at('other'), 'another one');
    const targets = [
      { id: 'sound', location: at('sound') },
      { id: 'other', location: at('other') },
      { id: 'new', location: at('new') },
      { id: 'cloud', location: `rest:http://127.0.0.1:${port}/here` },
      { id: 'paused', location: at('paused'), enabled: false },
    ];
    const file = at('ragwarden.yaml');
    await writeFile(file, JSON.stringify({ replication: { enabled: true, targets } }));
    const env = { RAGWARDEN_DATA_DIR: at('data'), BACKUP_DIR: `rest:http://127.0.0.1:${port}/own` };
    const { config, problems } = readConfig({ env, cwd: folder, flags: { config: file } });
    expect(problems).toEqual([]);
    const before = await readdir(folder, { recursive: true });
    const found = await lookAtStores(config, new AbortController().signal);
    server.close();
    expect(found.map(({ id, state }) => [id, state])).toEqual([
      [null, 'repository/refused'],
      ['sound', 'ok'],
      ['other', 'wrong-password'],
      ['new', 'missing'],
      ['cloud', 'repository/refused'],
    ]);
    expect(await readdir(folder, { recursive: true })).toEqual(before);
    await rm(at('data/repository-password'));
    const [first] = await lookAtStores(config, new AbortController().signal);
    expect(first).toMatchObject({ state: 'no-password', place: `rest:http://127.0.0.1:${port}/own` });
  },
);

test('one that takes the connection and never answers is told by itself, and holds nobody up', async () => {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const [key, file] = [join(folder, 'key'), join(folder, 'ragwarden.yaml')];
  await writeFile(key, 'k', { mode: 0o600 });
  const targets = [
    { id: 'silent', base_url: `http://127.0.0.1:${port}`, api_key_file: key },
    { id: 'keyless', base_url: `http://127.0.0.1:${port}`, api_key_file: join(folder, 'none') },
  ];
  await writeFile(file, JSON.stringify({ replication: { enabled: true, targets } }));
  const { config } = readConfig({ env: { RAGWARDEN_DATA_DIR: folder }, cwd: folder, flags: { config: file } });
  const found = await lookAtStores(config, new AbortController().signal, 500);
  server.closeAllConnections();
  server.close();
  expect(found).toMatchObject([
    { id: 'silent', state: 'outgoing/timeout', detail: expect.stringContaining('did not answer within 0.5 s') },
    { id: 'keyless' },
  ]);
});
