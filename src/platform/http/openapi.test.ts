import { expect, test } from 'vitest';
import { z } from 'zod';
import { eventStreamAnswer } from './answers.ts';
import { type ApiInfo, describeApi, operationId } from './openapi.ts';
import type { RouteEntry } from './route-description.ts';
import { withRouteTables } from './route-tables.ts';

const info: ApiInfo = {
  title: 'things',
  version: '1.0.0',
  description: 'An API.',
  license: 'MIT',
  sessionCookie: 'session',
  tags: [
    { name: 'things', description: 'Things.' },
    { name: 'unused', description: 'Nobody has it.' },
  ],
};

const thing = z.object({ name: z.string(), made_at: z.iso.datetime() }).meta({ id: 'Thing' });
const route = (over: Partial<RouteEntry> & { schema?: object }): RouteEntry => ({
  method: 'GET',
  url: '/api/v1/things/:thing_id',
  access: 'admin',
  headers: undefined,
  problems: [],
  ...over,
  schema: { tags: ['things'], summary: 'A thing', response: { 200: thing }, ...over.schema } as RouteEntry['schema'],
});
const only = (entry: RouteEntry) => {
  const document = describeApi([entry], info);
  const found = Object.values(Object.values(document.paths)[0] ?? {})[0];
  if (!found) throw new Error('no operation');
  return { document, operation: found };
};

test('a route becomes an operation: name, class, parameters, answers, refusals', () => {
  const { document, operation } = only(
    route({
      problems: ['target/unknown'],
      schema: {
        params: z.object({ thing_id: z.string().max(64).describe('Which one.') }),
        querystring: z.object({ limit: z.coerce.number().int().min(1).default(50), kind: z.string() }),
      },
    }),
  );
  expect(Object.keys(document.paths)).toEqual(['/api/v1/things/{thing_id}']);
  expect(operation).toMatchObject({
    operationId: 'getThingsByThingId',
    'x-access': 'admin',
    security: [{ bearer: [] }, { apiKey: [] }, { session: [] }],
    parameters: [
      { name: 'thing_id', in: 'path', required: true, description: 'Which one.', schema: { maxLength: 64 } },
      { name: 'limit', in: 'query', required: false, schema: { type: 'integer', minimum: 1, default: 50 } },
      { name: 'kind', in: 'query', required: true },
    ],
  });
  expect(operation.responses['200']).toMatchObject({
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
  });
  expect(operation.responses['401']).toEqual({ $ref: '#/components/responses/Unauthenticated' });
  expect(operation.responses['404']).toMatchObject({ description: expect.stringContaining('target/unknown') });
  expect(operation['x-codes']).toContain('target/unknown');
  // The long pattern behind a format says nothing to a reader, and an answer may gain a field.
  expect(document.components.schemas.Thing).toEqual({
    type: 'object',
    properties: { name: { type: 'string' }, made_at: { type: 'string', format: 'date-time' } },
    required: ['name', 'made_at'],
  });
  expect(document.tags).toEqual([{ name: 'things', description: 'Things.' }]);
});

test('a public route asks for nothing and is not refused for want of credentials', () => {
  const { operation } = only(route({ access: 'public' }));
  expect(operation.security).toEqual([]);
  expect(operation.responses).not.toHaveProperty('401');
});

test('a body says what goes in, and whether it must', () => {
  const body = z.strictObject({ size: z.number().default(1) });
  const post = (schema: z.ZodType) => only(route({ method: 'POST', schema: { body: schema } })).operation.requestBody;
  expect(post(body)).toEqual({
    required: true,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: { size: { default: 1, type: 'number' } },
          additionalProperties: false,
        },
      },
    },
  });
  expect(post(body.nullish())?.required).toBe(false);
});

test('what a route answers tells which headers it heeds, unless it says so itself', () => {
  const headers = (entry: RouteEntry) =>
    (only(entry).operation.parameters ?? []).filter((one) => one.in === 'header').map(({ name }) => name);
  const answers = { 200: thing, 202: thing };
  expect(headers(route({ method: 'POST', schema: { response: answers } }))).toEqual(['Prefer', 'Idempotency-Key']);
  expect(headers(route({ method: 'POST', headers: ['prefer'], schema: { response: answers } }))).toEqual(['Prefer']);
  expect(headers(route({ schema: { response: { 200: eventStreamAnswer('Live.') } } }))).toEqual(['Last-Event-ID']);
  expect(headers(route({ schema: { response: { 200: thing, 304: z.undefined() } } }))).toEqual(['If-None-Match']);
});

test('a route that cannot be described is named', () => {
  expect(() => only(route({ schema: { summary: undefined } }))).toThrow('GET /api/v1/things/:thing_id has no summary');
  expect(() => only(route({ schema: { response: undefined } }))).toThrow('does not say what it answers');
  expect(() => only(route({ schema: { tags: ['new'] } }))).toThrow('the tag new has no description');
  expect(() => describeApi([route({ url: '/a-b' }), route({ url: '/a/b' })], info)).toThrow('two operations');
  const twice = [thing, z.object({ other: z.string() }).meta({ id: 'Other' })];
  expect(() =>
    describeApi(
      [
        route({ url: '/a', schema: { response: { 200: twice[1] } } }),
        route({
          url: '/b',
          method: 'POST',
          schema: { body: z.object({ o: z.strictObject({}).meta({ id: 'Strict' }) }) },
        }),
        route({ url: '/c', schema: { response: { 200: z.object({ o: z.number().meta({ id: 'Count' }) }) } } }),
      ],
      info,
    ),
  ).not.toThrow();
});

test.each([
  ['GET', '/', 'getRoot'],
  ['GET', '/-/ready', 'getReady'],
  ['POST', '/api/v1/backup/points/:backup_id/verify', 'postBackupPointsByBackupIdVerify'],
])('%s %s is called %s', (method, url, name) => {
  expect(operationId({ method, url })).toBe(name);
});

test('the order in which routes are registered does not show', () => {
  const routes = [route({ url: '/b' }), route({ url: '/a', method: 'POST' }), route({ url: '/a' })];
  expect(JSON.stringify(describeApi(routes, info))).toBe(JSON.stringify(describeApi(routes.toReversed(), info)));
});

test('the tables go where the page has a place for them, and stay the same when written again', () => {
  const { document } = only(route({}));
  const page = 'before\n<!-- routes: written by tools/openapi.mjs -->\nold\n<!-- end of routes -->\nafter\n';
  const written = withRouteTables(page, document);
  expect(written).toContain('| GET | `/api/v1/things/:thing_id` | admin | A thing |');
  expect(written).not.toContain('old');
  expect(withRouteTables(written, document)).toBe(written);
  expect(() => withRouteTables('nothing', document)).toThrow('no place');
});
