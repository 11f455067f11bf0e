import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StoredGatewayKey } from '../access/index.ts';
import { readConfig } from '../config/index.ts';
import { type Logger, silentLogger } from '../platform/logging.ts';
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
  await expect.poll(() => ask(withKey), { timeout: 30_000 }).toBe('200 key the-real-one');
  rmSync(join(dataDir, 'gateway-keys.json'));
  await expect
    .poll(() => said, { timeout: 30_000 })
    .toEqual([
      expect.stringContaining('no keys are written down'),
      expect.stringContaining('those that were read last go on'),
    ]);
  expect(await ask(withKey)).toBe('200 key the-real-one');
  await writeKeysFile(dataDir, [], silentLogger);
  await expect.poll(() => ask(withKey), { timeout: 30_000 }).toBe('401');
  await alone.stop('the test is over');
  await expect(fetch(gateway)).rejects.toThrow();
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
