import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { pathPart } from './answers.ts';
import { createApiClient, findConnection } from './api-client.ts';
import { readEndpoint, removeEndpoint, writeEndpoint } from './endpoint-file.ts';
import { exitCodeOf } from './exit-code.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-client-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function dataFolder(): string {
  count += 1;
  const path = join(folder, String(count));
  mkdirSync(path);
  return path;
}
const find = (env: Record<string, string>, dataDir?: string) =>
  findConnection({
    env,
    cwd: folder,
    flags: { 'data-dir': dataDir },
    localTokenFile: async (path) => join(path, 'local-token'),
  });

/** The exit code that a failing command ends with. */
async function codeOf(work: () => unknown): Promise<number> {
  try {
    await work();
  } catch (err) {
    return exitCodeOf(err);
  }
  return 0;
}

describe('the server is found', () => {
  test('by its URL and a token', async () => {
    expect(await find({ RAGWARDEN_URL: 'https://ops.example/warden/', RAGWARDEN_TOKEN: 't' })).toEqual({
      api: 'https://ops.example/warden',
      token: 't',
    });
  });

  test('by its data folder, where it left its address and a token for its user', async () => {
    const dataDir = dataFolder();
    writeEndpoint(dataDir, { api: 'http://127.0.0.1:1', pid: process.pid });
    writeFileSync(join(dataDir, 'local-token'), 'local\n');
    expect(await find({}, dataDir)).toEqual({ api: 'http://127.0.0.1:1', token: 'local' });
    expect((await find({ RAGWARDEN_DATA_DIR: dataDir, RAGWARDEN_TOKEN: 'mine' })).token).toBe('mine');
    // What was typed stands above what lies around in the environment.
    expect((await find({ RAGWARDEN_URL: 'http://elsewhere', RAGWARDEN_TOKEN: 't' }, dataDir)).api).toBe(
      'http://127.0.0.1:1',
    );
  });

  test.each([
    ['ftp://x', 't'],
    ['nonsense', 't'],
    ['http://user:secret@host', 't'],
    ['http://host', ''],
  ])('but not by %s with token "%s"', async (url, token) => {
    expect(await codeOf(() => find({ RAGWARDEN_URL: url, RAGWARDEN_TOKEN: token }))).toBe(2);
  });

  test('but not where a killed one left its address', async () => {
    const dataDir = dataFolder();
    writeEndpoint(dataDir, { api: 'http://127.0.0.1:1', pid: 4_194_304 });
    expect(await codeOf(() => find({}, dataDir))).toBe(13);
    writeFileSync(join(dataDir, 'endpoint.json'), '{"api":');
    expect(await codeOf(() => find({}, dataDir))).toBe(13);
  });

  test('but its token must be readable', async () => {
    const dataDir = dataFolder();
    writeEndpoint(dataDir, { api: 'http://127.0.0.1:1', pid: process.pid });
    expect(await codeOf(() => find({}, dataDir))).toBe(12);
  });

  test('until it takes its address away, which nobody else does for it', async () => {
    const dataDir = dataFolder();
    writeEndpoint(dataDir, { api: 'http://127.0.0.1:1', pid: 7 });
    removeEndpoint(dataDir, 8);
    expect(readEndpoint(dataDir)).toBeDefined();
    removeEndpoint(dataDir, 7);
    expect(readEndpoint(dataDir)).toBeUndefined();
  });
});

describe('an answer', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });
  const serve = async (handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> => {
    const made = createServer(handler);
    server = made;
    await new Promise<void>((listening) => made.listen(0, '127.0.0.1', listening));
    return `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
  };
  const ask = async (api: string): Promise<{ answer?: unknown; code: number }> => {
    const client = createApiClient({ api, token: 'secret' }, new AbortController().signal);
    try {
      return { answer: await client.call('/x', { query: { a: 1, b: undefined } }), code: 0 };
    } catch (err) {
      return { code: exitCodeOf(err) };
    } finally {
      await client.close();
    }
  };

  test('comes back as it was sent, for a request with the token', async () => {
    const api = await serve((request, response) =>
      response.end(JSON.stringify({ url: request.url, authorization: request.headers.authorization })),
    );
    expect(await ask(api)).toEqual({ answer: { url: '/x?a=1', authorization: 'Bearer secret' }, code: 0 });
  });

  test.each([
    ['operation/busy', 409, 11],
    ['access/unauthenticated', 401, 12],
    ['backup/unknown-point', 404, 10],
    ['something/newer', 418, 1],
  ])('with the problem %s ends with its exit code', async (code, status, exitCode) => {
    const api = await serve((_request, response) => {
      response.statusCode = status;
      response.end(JSON.stringify({ code, status, detail: 'it is so' }));
    });
    expect(await ask(api)).toEqual({ code: exitCode });
  });

  test.each([
    [200, '<html>'],
    [404, '<html>'],
    [502, ''],
    [302, '{}'],
  ])('of %d with "%s" is not from ragwarden', async (status, body) => {
    const api = await serve((_request, response) => {
      response.statusCode = status;
      response.end(body);
    });
    expect(await ask(api)).toEqual({ code: 13 });
  });

  test('that never comes is told as unreachable', async () => {
    const api = await serve((_request, response) => response.destroy());
    expect(await ask(api)).toEqual({ code: 13 });
    server?.close();
    expect(await ask('http://127.0.0.1:9')).toEqual({ code: 13 });
  });
});

test('an id never becomes another path', async () => {
  expect(pathPart('a/b?c#d')).toBe('a%2Fb%3Fc%23d');
  for (const id of ['', '.', '..']) expect(await codeOf(() => pathPart(id))).toBe(2);
});
