import type { ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Clock } from '../../platform/clock.ts';
import { systemClock } from '../../platform/clock.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { createHttpClient } from '../../platform/http-client.ts';
import type { Endpoint } from '../target.ts';
import { createLightragAdapter } from './lightrag-adapter.ts';
import { type Received, type RecordedServer, recorded, startRecordedServer } from './recorded-server.fixture.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function adapterFor(url: string, endpoint: Partial<Endpoint> = {}, clock: Clock = systemClock, timeoutMs = 5_000) {
  const http = createHttpClient();
  cleanUps.push(() => http.close());
  return createLightragAdapter({
    endpoint: { url, workspace: '', apiKey: undefined, username: undefined, password: undefined, ...endpoint },
    http,
    clock,
    timeoutMs,
  });
}

async function serve(
  choose: (request: Received, response: ServerResponse) => string | undefined,
): Promise<RecordedServer> {
  const server = await startRecordedServer(choose);
  cleanUps.push(() => server.close());
  return server;
}

const key = 'recorded-key';
/** A server with an API key, as it was recorded. */
const keyMode = ({ path, headers }: Received): string => {
  const given = headers['x-api-key'];
  if (path === '/health')
    return given === key ? 'health-with-key' : given === undefined ? 'health-anonymous' : 'health-wrong-key';
  if (given !== key) return given === undefined ? 'no-key' : 'wrong-key';
  return path === '/documents/status_counts' ? 'status-counts-idle' : 'pipeline-status-idle';
};

test('with the key the queues before the models are read, the one that is not there left out', async () => {
  const { url } = await serve((request) =>
    request.path === '/health' ? 'health-busy-with-key' : keyMode({ ...request, headers: { 'x-api-key': key } }),
  );
  const { queues } = await adapterFor(url, { apiKey: key }).probe();
  expect(queues?.map(({ name }) => name)).toEqual(['extract', 'keyword', 'query', 'vlm', 'embedding']);
  expect(queues?.[0]).toEqual({
    ...{
      name: 'extract',
      queued: 0,
      running: 1,
      mostRunning: 4,
      mostQueued: 1_000,
      failed: 0,
      rejected: 0,
      submitted: 1,
    },
  });
  const stranger = await serve(keyMode);
  expect((await adapterFor(stranger.url).probe()).queues).toBeUndefined();
});

test('with the key everything is read, folders and storages included', async () => {
  const { url } = await serve(keyMode);
  expect(await adapterFor(url, { apiKey: key }).probe()).toMatchObject({
    reachable: true,
    kind: 'lightrag',
    coreVersion: '1.5.7',
    apiVersion: '0344',
    authMode: 'disabled',
    pipelineBusy: false,
    pipelineActive: false,
    documents: { pending: 0, parsing: 0, analyzing: 0, processing: 0, preprocessed: 0, processed: 3, failed: 0 },
    pipeline: { busy: false, jobName: 'harbour.txt[1 files]', unflushed: false, recoveryRequired: false },
    workingDirectory: '/srv/rag/rag_storage',
    inputDirectory: '/srv/rag/inputs',
    embeddingModel: 'stand-in-embed',
    storageClasses: { kv_storage: 'JsonKVStorage', vector_storage: 'NanoVectorDBStorage' },
    faults: [],
  });
});

test('no header names a workspace: the real server answers unknown ones with 500', async () => {
  const server = await serve(keyMode);
  await adapterFor(server.url, { apiKey: key, workspace: 'library' }).probe();
  expect(server.received.map((request) => request.headers['lightrag-workspace'])).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test.each([
  [undefined, 'Documents and pipeline cannot be read: the backend wants an API key (LIGHTRAG_API_KEY) or a login.'],
  ['wrong', 'Documents and pipeline cannot be read: the backend does not accept the API key.'],
])('with the key %j only the public part is known, and one sentence says why', async (apiKey, message) => {
  const { url } = await serve(keyMode);
  const seen = await adapterFor(url, { apiKey }).probe();
  expect(seen).toMatchObject({
    reachable: true,
    kind: 'lightrag',
    coreVersion: '1.5.7',
    faults: [{ kind: 'unauthorised', message }],
  });
  expect(seen).toMatchObject({ documents: undefined, pipeline: undefined, workingDirectory: undefined });
  expect(seen.faults).toHaveLength(1);
});

const token = recorded('password-mode-token').request.headers?.Authorization ?? '';
const oldToken = recorded('password-mode-token-renewed').request.headers?.Authorization ?? '';
const newToken = recorded('password-mode-token-renewed').response.headers['x-new-token'];
const account = { username: 'operator', password: 'right' };

/** A server with accounts, as it was recorded. `valid` are the tokens that open it at this moment. */
const passwordMode =
  (valid: { tokens: string[]; hands?: string }) =>
  ({ path, headers, body }: Received, response: ServerResponse): string | undefined => {
    if (path === '/login') {
      if (new URLSearchParams(body).get('password') !== 'right') return 'login-wrong-password';
      if (valid.hands === undefined) return 'login';
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ access_token: valid.hands.slice(7), token_type: 'bearer' }));
      return undefined;
    }
    const given = headers.authorization;
    if (path === '/health') return 'health-password-mode';
    if (given === undefined) return 'password-mode-no-token';
    if (!valid.tokens.includes(given)) return 'password-mode-expired-token';
    if (path !== '/documents/status_counts') return 'pipeline-status-empty';
    return given === oldToken ? 'password-mode-token-renewed' : 'password-mode-token';
  };
const logins = (server: RecordedServer): number => server.received.filter(({ path }) => path === '/login').length;

test('with a password it logs in once and keeps the token over probes', async () => {
  const server = await serve(passwordMode({ tokens: [token] }));
  const adapter = adapterFor(server.url, account);
  expect((await adapter.probe()).faults).toEqual([]);
  expect(await adapter.probe()).toMatchObject({ documents: { processed: 0 }, authMode: 'enabled', faults: [] });
  expect(logins(server)).toBe(1);
});

test('a token that is no longer accepted is replaced by one login, though two calls find out', async () => {
  const valid = { tokens: [token] };
  const server = await serve(passwordMode(valid));
  const adapter = adapterFor(server.url, account);
  await adapter.probe();
  valid.tokens = [];
  const refused = adapter.probe();
  expect((await refused).faults).toMatchObject([{ kind: 'unauthorised' }]);
  valid.tokens = [token];
  expect((await adapter.probe()).faults).toEqual([]);
  expect(logins(server)).toBeLessThanOrEqual(3);
});

test('a renewed token is the one that is sent from then on', async () => {
  const server = await serve(passwordMode({ tokens: [oldToken, `Bearer ${newToken}`], hands: oldToken }));
  const adapter = adapterFor(server.url, account);
  await adapter.probe();
  await adapter.probe();
  expect(server.received.at(-1)?.headers.authorization).toBe(`Bearer ${newToken}`);
  expect(logins(server)).toBe(1);
});

test('a refused password is said so, and repeated too seldom to lock the user out', async () => {
  const server = await serve(passwordMode({ tokens: [token] }));
  const clock = createFakeClock();
  const adapter = adapterFor(server.url, { username: 'operator', password: 'wrong' }, clock);
  for (let second = 0; second < 300; second += 10) {
    expect((await adapter.probe()).faults).toEqual([
      {
        kind: 'unauthorised',
        message: 'Documents and pipeline cannot be read: the backend refuses the login of operator.',
      },
    ]);
    await clock.advance(10_000);
  }
  expect(logins(server)).toBe(2);
});

test('a lock-out is waited for as long as the server says', async () => {
  const server = await serve(
    (request) =>
      request.path === '/login' ? 'login-locked-out' : passwordMode({ tokens: [] })(request, {} as ServerResponse), // unused on these paths
  );
  const clock = createFakeClock();
  const adapter = adapterFor(server.url, account, clock);
  await adapter.probe();
  await clock.advance(298_000);
  await adapter.probe();
  expect(logins(server)).toBe(1);
  await clock.advance(2_000);
  await adapter.probe();
  expect(logins(server)).toBe(2);
});

test('a login that breaks does not hide that the backend is there', async () => {
  const server = await serve((request, response) => {
    if (request.path !== '/login') return passwordMode({ tokens: [] })(request, response);
    response.destroy();
    return undefined;
  });
  expect(await adapterFor(server.url, account).probe()).toMatchObject({
    reachable: true,
    kind: 'lightrag',
    coreVersion: '1.5.7',
  });
});

test.each([
  ['pipeline-status-busy', { busy: true, unflushed: true }],
  ['pipeline-status-after-failure', { busy: false, unflushed: true }],
  ['pipeline-status-empty', { busy: false, unflushed: false, latestMessage: '' }],
  ['pipeline-status-draining', { busy: true }],
])('%s is read as it is meant', async (name, pipeline) => {
  const { url } = await serve(({ path }) =>
    path === '/health' ? 'health-with-key' : path === '/documents/status_counts' ? 'status-counts-failed' : name,
  );
  const seen = await adapterFor(url, { apiKey: key }).probe();
  expect(seen).toMatchObject({ pipeline, documents: { failed: 2, processed: 7 }, faults: [] });
  // The history of a failure holds a traceback with the server's own paths.
  expect(JSON.stringify(seen)).not.toMatch(/Traceback|site-packages/);
});

test('a long or many-lined message of the backend is cut to one bearable line', async () => {
  const { url } = await serve(({ path }, response) => {
    if (path !== '/documents/pipeline_status') return path === '/health' ? 'health-with-key' : 'status-counts-idle';
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ busy: false, job_name: 'x'.repeat(10_000), latest_message: 'Failed\nTraceback: /srv' }),
    );
    return undefined;
  });
  const { pipeline } = await adapterFor(url).probe();
  expect(pipeline).toMatchObject({ latestMessage: 'Failed', unflushed: undefined });
  expect(pipeline?.jobName.length).toBeLessThan(400);
});

test('documents that cannot be read while health smiles are a fault, and no number is invented', async () => {
  const { url } = await serve(({ path }, response) => {
    if (path === '/health') return 'health-with-key';
    if (path === '/documents/pipeline_status') return 'pipeline-status-idle';
    response.statusCode = 500;
    response.end('{"detail":"Internal server error (error_id: 0123456789ab)"}');
    return undefined;
  });
  expect(await adapterFor(url, { apiKey: key }).probe()).toMatchObject({
    reachable: true,
    kind: 'lightrag',
    documents: undefined,
    pipeline: { busy: false },
    faults: [{ kind: 'partial', message: 'Documents by status cannot be read: the backend answers 500.' }],
  });
});

test('a 500 of the health call is a fault of the server, not a stranger', async () => {
  const { url } = await serve(() => 'health-unknown-workspace');
  expect(await adapterFor(url).probe()).toMatchObject({
    reachable: true,
    kind: undefined,
    faults: [{ kind: 'server-error', message: 'The health call answers 500.' }],
  });
});

const text =
  (status: number, body: string, headers: Record<string, string> = {}) =>
  (_request: Received, response: ServerResponse): undefined => {
    response.writeHead(status, headers);
    response.end(body);
  };
test.each([
  ['a page', text(200, '<!doctype html><title>Welcome</title>', { 'content-type': 'text/html' }), 'answers 200'],
  ['plain words', text(200, 'It works!'), 'answers 200'],
  ['half an object', text(200, '{"core_version": "1.5'), 'answers 200'],
  ['JSON of somebody else', text(200, '{"status":"healthy"}'), 'answers 200'],
  ['a list', text(200, '[1,2]'), 'answers 200'],
  ['null', text(200, 'null'), 'answers 200'],
  ['nothing', text(204, ''), 'answers 204'],
  ['not found', text(404, '{"detail":"Not Found"}'), 'answers 404'],
  ['a redirect', text(307, '', { location: 'http://127.0.0.1:1/health' }), 'redirects are not followed'],
])('%s is no backend that we know', async (_name, choose, words) => {
  const server = await serve(choose);
  const seen = await adapterFor(server.url).probe();
  expect(seen).toMatchObject({ reachable: true, kind: 'unknown', coreVersion: undefined, documents: undefined });
  expect(seen.faults).toMatchObject([{ kind: 'not-understood' }]);
  expect(seen.faults[0]?.message).toContain(words);
  expect(server.received).toHaveLength(1);
});

test('fields of another kind than expected count as not told', async () => {
  const odd = {
    core_version: '1.6.0',
    api_version: 7,
    auth_mode: null,
    pipeline_busy: 'no',
    working_directory: [],
    configuration: 'x',
  };
  const { url } = await serve(({ path }, response) => {
    response.setHeader('content-type', 'application/json');
    if (path === '/health') response.end(JSON.stringify(odd));
    else if (path === '/documents/pipeline_status') response.end('{"busy":false,"update_status":7,"job_name":null}');
    else response.end('{"status_counts":{"processed":1,"all":1}}');
    return undefined;
  });
  expect(await adapterFor(url).probe()).toMatchObject({
    kind: 'lightrag',
    coreVersion: '1.6.0',
    apiVersion: undefined,
    pipelineBusy: undefined,
    workingDirectory: undefined,
    storageClasses: undefined,
    documents: { processed: 1 },
    pipeline: { busy: false, unflushed: undefined },
    faults: [],
  });
});

test.each(['{"status_counts":{"processed":-1}}', '{"status_counts":{"processed":"3"}}', '{}', '"x"'])(
  'counts that are no counts are not shown: %s',
  async (body) => {
    const { url } = await serve(({ path }, response) => {
      if (path === '/health') return 'health-with-key';
      if (path === '/documents/pipeline_status') return 'pipeline-status-idle';
      response.end(body);
      return undefined;
    });
    const seen = await adapterFor(url, { apiKey: key }).probe();
    expect(seen).toMatchObject({ documents: undefined, faults: [{ kind: 'partial' }] });
  },
);

/** A server below HTTP: what it does with each connection. */
async function serveSockets(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // listening on a port, so never a string
}

test('where nobody listens, nobody answers and nobody holds files', async () => {
  const url = await serveSockets(() => undefined);
  await cleanUps.pop()?.();
  const adapter = adapterFor(url);
  expect(await adapter.probe()).toMatchObject({ reachable: false, faults: [{ kind: 'unreachable' }] });
  expect((await adapter.probe()).faults[0]?.message).toContain('nobody listens there');
  expect(await adapter.answers()).toBe(false);
});

test.each([
  ['resets the connection', (socket: Socket) => socket.resetAndDestroy()],
  ['closes it without a word', (socket: Socket) => socket.end()],
  [
    'sends half an answer',
    (socket: Socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\ncontent-type: application/json\r\n\r\n{"core'),
  ],
  ['speaks something else', (socket: Socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')],
])('a server that %s is not reachable, and yet somebody is there', async (_name, onConnection) => {
  const url = await serveSockets((socket) => socket.once('data', () => onConnection(socket)));
  const adapter = adapterFor(url);
  expect(await adapter.probe()).toMatchObject({ reachable: false, faults: [{ kind: 'unreachable' }] });
  expect(await adapter.answers()).toBe(true);
});

test('silence ends at the timeout, and counts as somebody being there', async () => {
  const url = await serveSockets(() => undefined);
  const adapter = adapterFor(url, {}, systemClock, 150);
  expect(await adapter.probe()).toMatchObject({ reachable: false, faults: [{ kind: 'timeout' }] });
  expect(await adapter.answers()).toBe(true);
});

test('an answer of ten gigabytes is cut off early', async () => {
  let sent = 0;
  const url = await serveSockets((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${10 * 1024 ** 3}\r\n\r\n`);
      const piece = Buffer.alloc(1024 * 1024, ' ');
      const pour = (): void => {
        while (!socket.destroyed && sent < 10 * 1024) {
          sent += 1;
          if (!socket.write(piece)) break;
        }
      };
      socket.on('drain', pour);
      pour();
    });
  });
  const seen = await adapterFor(url).probe();
  expect(seen).toMatchObject({ reachable: false, faults: [{ kind: 'unreachable' }] });
  expect(seen.faults[0]?.message).toContain('sent more than');
  expect(sent).toBeLessThan(100);
});

test('a probe that is called off ends at once', async () => {
  const url = await serveSockets(() => undefined);
  const stop = new AbortController();
  const probing = adapterFor(url, {}, systemClock, 600_000).probe(stop.signal);
  stop.abort();
  expect(await probing).toMatchObject({ reachable: false });
});
