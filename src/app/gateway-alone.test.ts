import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StoredGatewayKey } from '../access/index.ts';
import { readConfig } from '../config/index.ts';
import { createEventLog } from '../events/index.ts';
import { stateMigrations } from '../migrations/index.ts';
import { systemClock } from '../platform/clock.ts';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { systemRandom } from '../platform/ids.ts';
import { type Logger, silentLogger } from '../platform/logging.ts';
import { createQuotas } from '../quotas/index.ts';
import { draft } from '../quotas/test-quotas.ts';
import { createGatewayAlone, writeKeysFile } from './gateway-alone.ts';

let dataDir: string;
let backend: Server;
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'ragwarden-alone-'));
  backend = createServer((request, response) => void response.end(`key ${request.headers['x-api-key'] ?? 'none'}`));
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  backend.close().closeAllConnections();
  rmSync(dataDir, { recursive: true });
});

const key: StoredGatewayKey = {
  id: 'key_1',
  digest: createHash('sha256').update('rw_gw_alone').digest('hex'),
  subject: 'local:alice',
  targetId: 'default',
  workspace: null,
  label: '',
  createdMs: 0,
  expiresMs: null,
  revokedMs: null,
  lastUsedMs: null,
};

test('in a process of its own it leads to the target and follows the keys that the other process writes down', async () => {
  const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  const reading = readConfig({
    env: { RAGWARDEN_TARGET_URL: url, LIGHTRAG_API_KEY: 'the-real-one', RAGWARDEN_GATEWAY_PORT: '0' },
    flags: { 'data-dir': dataDir },
    cwd: dataDir,
  });
  const said: string[] = [];
  const log = { ...silentLogger, warn: (_facts: object, message: string) => void said.push(message) } as Logger;
  const alone = createGatewayAlone({ reading, log });
  const { gateway } = await alone.start();
  const ask = async (headers: Record<string, string> = {}) => {
    const answer = await fetch(gateway, { headers });
    return `${answer.status} ${answer.ok ? await answer.text() : ''}`.trim();
  };
  const withKey = { 'x-api-key': 'rw_gw_alone' };
  expect(await ask()).toBe('200 key none');
  expect(await ask(withKey)).toBe('401');
  await writeKeysFile(dataDir, [key], silentLogger);
  expect(statSync(join(dataDir, 'gateway-keys.json')).mode & 0o777).toBe(0o600);
  await expect.poll(() => ask(withKey)).toBe('200 key the-real-one');
  rmSync(join(dataDir, 'gateway-keys.json'));
  await expect
    .poll(() => said.filter((message) => message.includes('keys')))
    .toEqual([
      expect.stringContaining('no keys are written down'),
      expect.stringContaining('those that were read last go on'),
    ]);
  expect(await ask(withKey)).toBe('200 key the-real-one');
  await writeKeysFile(dataDir, [], silentLogger);
  await expect.poll(() => ask(withKey)).toBe('401');
  await alone.stop('the test is over');
  await expect(fetch(gateway)).rejects.toThrow();
});

test('it asks the quotas of the other process in the same ledger, follows what is changed there, and obeys the file without it', async () => {
  const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  const definition = { quota_id: 'from-file', resource_type: 'documents', limit: 5, action: 'block' };
  writeFileSync(join(dataDir, 'ragwarden.yaml'), JSON.stringify({ quotas: { definitions: [definition] } }));
  const reading = readConfig({
    env: { RAGWARDEN_TARGET_URL: url, RAGWARDEN_GATEWAY_PORT: '0' },
    flags: { 'data-dir': dataDir, config: join(dataDir, 'ragwarden.yaml') },
    cwd: dataDir,
  });
  const alone = createGatewayAlone({ reading, log: silentLogger });
  const { gateway } = await alone.start();
  const post = async (path: string): Promise<number> =>
    (await fetch(new URL(path, gateway), { method: 'POST', body: '{}' })).status;
  // Nobody has made the state yet.
  expect(await post('/documents/text')).toBe(503);
  expect(await post('/query')).toBe(200);
  const db = openSqlite({
    ...{ name: 'state', path: join(dataDir, 'state.sqlite'), synchronous: 'NORMAL', log: silentLogger },
  });
  await migrate(db, stateMigrations);
  const owner = createQuotas({
    ...{ db, clock: systemClock, random: systemRandom, log: silentLogger, instance: 'owner', fromFile: [] },
    events: createEventLog({ db, clock: systemClock, instance: 'owner' }),
  });
  await owner.open();
  await expect.poll(() => post('/documents/text')).toBe(200);
  await owner.definitions.create(draft({ id: 'shared', limit: 40, period: 'forever' }), 'test');
  const place = { targetId: 'default', workspace: '', userId: '', keyId: '' };
  let granted = 0;
  while ((await owner.spend(place, { requests: 1 }, () => true)).granted) granted += 1;
  expect(granted).toBe(40);
  await expect.poll(() => post('/query')).toBe(429);
  await owner.definitions.update(draft({ id: 'shared', limit: 43, period: 'forever' }), 'test');
  await expect.poll(() => post('/query')).toBe(200);
  await alone.stop('the test is over');
  await expect.poll(async () => (await owner.spend(place, { requests: 3 }, () => true)).granted).toBe(false);
  await owner.ledger.flush({ everything: true });
  await db.close();
});

test('a process with a gateway of its own keeps a file of keys true that is there, and makes none', async () => {
  const file = join(dataDir, 'gateway-keys.json');
  await writeKeysFile(dataDir, [key], silentLogger, { onlyIfThere: true });
  expect(existsSync(file)).toBe(false);
  await writeKeysFile(dataDir, [key], silentLogger);
  await writeKeysFile(dataDir, [], silentLogger, { onlyIfThere: true });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([]);
});

test('with nothing to lead to it does not start', () => {
  const reading = readConfig({ env: {}, flags: { 'data-dir': dataDir }, cwd: dataDir });
  expect(() => createGatewayAlone({ reading, log: silentLogger })).toThrow('nothing to lead to');
});
