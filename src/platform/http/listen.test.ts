import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logging.ts';
import { createHttpServer, listen, listenPlain } from './index.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const metrics = { host: '127.0.0.1', setting: 'LIGHTRAG_METRICS_PORT', name: 'metrics', log: silentLogger };

async function takenPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test('a taken port is named with its setting and the process that holds it', async () => {
  const port = await takenPort();
  const app = createHttpServer({
    log: silentLogger,
    clock: systemClock,
    authenticate: async () => undefined,
    allowedHosts: () => [],
  });
  ends.push(() => app.close());
  const api = listen(app, { host: '127.0.0.1', port, setting: 'RAGWARDEN_PORT', name: 'the API' });
  await expect(api).rejects.toMatchObject({
    code: 'listen/port-taken',
    detail: expect.stringContaining(`Port ${port}, wanted for the API, is taken`),
  });
  await expect(api).rejects.toMatchObject({ detail: expect.stringContaining('RAGWARDEN_PORT') });
  if (process.platform === 'linux')
    await expect(api).rejects.toMatchObject({ detail: expect.stringContaining(`(pid ${process.pid})`) });
  await expect(listenPlain({ ...metrics, port, handler: () => undefined })).rejects.toMatchObject({
    code: 'listen/port-taken',
    detail: expect.stringContaining('LIGHTRAG_METRICS_PORT'),
  });
});

test('an address of another machine is refused with its name', async () => {
  const elsewhere = listenPlain({ ...metrics, host: '192.0.2.1', port: 0, handler: () => undefined });
  await expect(elsewhere).rejects.toMatchObject({
    code: 'config/invalid',
    detail: expect.stringContaining('192.0.2.1'),
  });
});

test('a plain listener answers its one handler, guards Host and method, and hides what is thrown', async () => {
  let fails = false;
  const listener = await listenPlain({
    ...metrics,
    port: 0,
    handler: (_request, response) => {
      if (fails) throw new Error('secret text');
      response.end('up 1\n');
    },
  });
  ends.push(() => listener.close());
  expect(await (await fetch(listener.url)).text()).toBe('up 1\n');
  const posted = await fetch(listener.url, { method: 'POST', body: 'x' });
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  fails = true;
  const failed = await fetch(listener.url);
  expect(failed.status).toBe(500);
  expect(await failed.text()).not.toContain('secret text');
  await Promise.all([listener.close(), listener.close()]);
  await expect(fetch(listener.url)).rejects.toThrow();
});
