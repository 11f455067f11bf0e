import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logging.ts';
import { createHttpServer, etagOf, type HttpServer, requireIfMatch } from './index.ts';

const open: HttpServer[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

async function server(): Promise<HttpServer> {
  const app = createHttpServer({
    log: silentLogger,
    clock: systemClock,
    authenticate: async () => undefined,
    allowedHosts: () => [],
  });
  open.push(app);
  let name = 'first';
  const body = z.object({ name: z.string() });
  app.get(
    '/thing',
    { config: { access: 'public' }, schema: { response: { 200: body, 304: z.undefined() } } },
    async () => ({ name }),
  );
  app.get('/plain', { config: { access: 'public' }, schema: { response: { 200: body } } }, async () => ({ name }));
  app.put(
    '/thing',
    { config: { access: 'public' }, schema: { body, response: { 200: body, 412: z.undefined() } } },
    async (request) => {
      requireIfMatch(request, etagOf(JSON.stringify({ name })));
      name = request.body.name;
      return { name };
    },
  );
  await app.ready();
  return app;
}

test('an answer that is told to have tags has one, and is not sent twice', async () => {
  const app = await server();
  const first = await app.inject('/thing');
  const etag = String(first.headers.etag);
  expect(etag).toMatch(/^"[\w-]{27}"$/);
  for (const header of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await app.inject({ url: '/thing', headers: { 'if-none-match': header } });
    expect([header, again.statusCode, again.body, again.headers.etag]).toEqual([header, 304, '', etag]);
    expect(again.headers['content-type']).toBeUndefined();
  }
  const head = await app.inject({ method: 'HEAD', url: '/thing', headers: { 'if-none-match': etag } });
  expect([head.statusCode, head.headers.etag]).toEqual([304, etag]);
  for (const header of ['"other"', etag.slice(1, -1), '', '"'.repeat(5_000)])
    expect((await app.inject({ url: '/thing', headers: { 'if-none-match': header } })).statusCode).toBe(200);
});

test('an answer that is not told to have tags has none', async () => {
  const answer = await (await server()).inject({ url: '/plain', headers: { 'if-none-match': '*' } });
  expect([answer.statusCode, answer.headers.etag]).toEqual([200, undefined]);
});

test('a change over one that was not seen is refused, and leaves things as they are', async () => {
  const app = await server();
  const etag = String((await app.inject('/thing')).headers.etag);
  const put = (name: string, header?: string) =>
    app.inject({
      method: 'PUT',
      url: '/thing',
      payload: { name },
      headers: header === undefined ? {} : { 'if-match': header },
    });
  expect((await put('second', etag)).statusCode).toBe(200);
  const late = await put('third', etag);
  expect([late.statusCode, late.json().code]).toEqual([412, 'request/precondition-failed']);
  const now = String((await app.inject('/thing')).headers.etag);
  // A weak tag says too little to overwrite by.
  expect((await put('third', `W/${now}`)).statusCode).toBe(412);
  expect((await app.inject('/thing')).json()).toEqual({ name: 'second' });
  for (const header of ['*', `"x", ${now}`, undefined]) {
    expect((await put('second', header)).statusCode).toBe(200);
  }
});
