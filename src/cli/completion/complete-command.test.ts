import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorCatalogue } from '../../platform/errors.ts';
import { runInPipe } from '../test-terminal.ts';

const lists: Readonly<Record<string, readonly object[]>> = {
  '/api/v1/backup/points': [{ backup_id: 'backup_20261122_010203_abcd' }],
  '/api/v1/targets': [{ id: 'default' }, { id: '$(touch hurt)' }, { id: 'two words' }, { id: 7 }],
  '/api/v1/operations': [{ id: 'op_one' }, { id: 'op_two' }],
  '/api/v1/access/tokens': [{ id: 'tok_one' }],
  '/api/v1/gateway/keys': [{ id: 'key_one' }],
  '/api/v1/metrics/definitions': [{ name: 'agent_executions' }],
  '/api/v1/recovery/drills': [{ drill_id: 'drill_one', backup_id: 'backup_20261122_010203_abcd' }],
};
const repository = { location: '/srv/repository', locks: [{ id: '0123abcd' }] };
let server: Server;
let env: Record<string, string>;
let hangs = false;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (hangs) return;
    response.setHeader('content-type', 'application/json');
    const path = (request.url ?? '').split('?')[0] ?? '';
    response.end(
      JSON.stringify(path === '/api/v1/repository' ? repository : { items: lists[path], next_cursor: null }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  env = { RAGWARDEN_URL: `http://127.0.0.1:${port}`, RAGWARDEN_TOKEN: 'a-token-of-the-test' };
});
afterAll(() => {
  server.close().closeAllConnections();
});

const silent = { code: 0, stdout: '', stderr: '' };

test.each([
  ['point', 'backup_20261122_010203_abcd\n'],
  ['operation', 'op_one\nop_two\n'],
  ['token', 'tok_one\n'],
  ['key', 'key_one\n'],
  ['drill', 'drill_one\n'],
  ['metric', 'agent_executions\n'],
  ['lock', '0123abcd\n'],
])('ids of a %s are those that the server lists', async (kind, stdout) => {
  expect(await runInPipe(['__complete', kind], { env })).toEqual({ ...silent, stdout });
});

test('a word that a shell would take apart or run is left out', async () => {
  expect((await runInPipe(['__complete', 'target'], { env })).stdout).toBe('default\n');
});

test('names of errors and settings need no server', async () => {
  const { stdout } = await runInPipe(['__complete', 'explainable']);
  for (const code of Object.keys(errorCatalogue)) expect(stdout.split('\n')).toContain(code);
  expect((await runInPipe(['__complete', 'setting'])).stdout).toContain('server.port\n');
});

test('nothing is said when nobody answers, whatever the reason', async () => {
  expect(await runInPipe(['__complete', 'point'])).toEqual(silent);
  expect(await runInPipe(['__complete', 'nonsense'], { env })).toEqual(silent);
  expect(await runInPipe(['__complete', 'point'], { env: { ...env, RAGWARDEN_TOKEN: '' } })).toEqual(silent);
  hangs = true;
  expect(await runInPipe(['__complete', 'point'], { env })).toEqual(silent);
});
