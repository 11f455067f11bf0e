import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type HttpServer, listen, type Role, type RoutePlugin } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import {
  createOperations,
  idempotencyOf,
  type OperationBody,
  type OperationContext,
  type Operations,
  operationAnswers,
  operationRoutes,
  respondWithOperation,
} from './index.ts';
import { preferredWait } from './operation-answer.ts';

let state: TestState;
let clock: FakeClock;
let events: EventLog;
let operations: Operations;
let app: HttpServer;
let role: Role | undefined;
let contexts: OperationContext[];
let finish: (result?: unknown) => void;

/** A route that starts work, as slices write theirs. The test ends the work. */
const starting: RoutePlugin = async (routes) => {
  routes.post(
    '/api/v1/things/:id/build',
    {
      config: { access: 'admin' },
      schema: {
        params: z.object({ id: z.string() }),
        body: z.object({ size: z.number() }).optional(),
        response: operationAnswers,
      },
    },
    async (request, reply) => {
      const operation = await operations.start({
        kind: 'thing.build',
        targetId: request.params.id,
        input: request.body ?? null,
        requestedBy: 'local:me',
        idempotency: idempotencyOf(request),
        run: (context) =>
          new Promise((resolve, reject) => {
            contexts.push(context);
            finish = resolve;
            context.signal.addEventListener('abort', () => reject(context.signal.reason));
          }),
      });
      return respondWithOperation(operations, request, reply, operation);
    },
  );
};

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock();
  role = 'admin';
  contexts = [];
  events = createEventLog({ db: state.db, clock, instance: 'warden' });
  operations = createOperations({ db: state.db, clock, log: silentLogger, events, instance: 'warden' });
  app = createHttpServer({
    log: silentLogger,
    clock,
    authenticate: async () => role && { subject: 'local:me', role, workspaces: 'all', via: 'token' },
    allowedHosts: () => [],
  });
  await app.register(operationRoutes({ operations, log: silentLogger }));
  await app.register(starting);
});
afterEach(async () => {
  await operations.stop();
  await app.close();
  await state.remove();
});

const build = (id = 'a', headers: Record<string, string> = {}, payload: object = { size: 1 }) =>
  app.inject({ method: 'POST', url: `/api/v1/things/${id}/build`, headers, payload });

test.each([
  ['GET', '/api/v1/operations'],
  ['GET', '/api/v1/operations/op_x'],
  ['GET', '/api/v1/operations/op_x/stream'],
  ['POST', '/api/v1/operations/op_x/cancel'],
] as const)('%s %s is for admins alone', async (method, url) => {
  role = undefined;
  expect((await app.inject({ method, url })).statusCode).toBe(401);
  for (const other of ['user', 'service', 'scrape'] as const) {
    role = other;
    expect((await app.inject({ method, url })).statusCode).toBe(403);
  }
});

test('work that was started answers 202 and says where to follow it', async () => {
  const started = await build();
  expect(started.statusCode).toBe(202);
  const body = started.json<OperationBody>();
  expect(started.headers.location).toBe(`/api/v1/operations/${body.id}`);
  expect(body).toEqual({
    id: body.id,
    kind: 'thing.build',
    target_id: 'a',
    state: 'running',
    phase: 'starting',
    progress: {
      bytes_done: 0,
      bytes_total: null,
      files_done: 0,
      files_total: null,
      rate_bytes_per_second: null,
      remaining_seconds: null,
      percent: null,
    },
    result: null,
    error: null,
    requested_by: 'local:me',
    created_at: '2026-01-01T00:00:00.000Z',
    finished_at: null,
    allowed_actions: ['cancel'],
  });
  finish({ made: 1 });
  await operations.wait(body.id);
  const read = await app.inject({ url: `/api/v1/operations/${body.id}` });
  expect(read.statusCode).toBe(200);
  expect(read.headers.location).toBeUndefined();
  expect(read.json()).toMatchObject({ state: 'succeeded', result: { made: 1 }, allowed_actions: [] });
});

test('a second start on the target is 409 and names the first', async () => {
  const { id } = (await build()).json<OperationBody>();
  const refused = await build();
  expect(refused.statusCode).toBe(409);
  expect(refused.json()).toMatchObject({ code: 'operation/busy', detail: expect.stringContaining(id) });
});

test('who prefers to wait gets the end when it comes in time', async () => {
  const waiting = build('a', { prefer: 'respond-async, wait=10' });
  await vi.waitFor(() => expect(contexts).toHaveLength(1));
  finish('done');
  const answer = await waiting;
  expect(answer.statusCode).toBe(200);
  expect(answer.headers['preference-applied']).toBe('wait=10');
  expect(answer.json()).toMatchObject({ state: 'succeeded', result: 'done' });
});

test('who prefers to wait hears after that time that the work goes on', async () => {
  const waiting = build('a', { prefer: 'wait=10' });
  await vi.waitFor(() => expect(clock.sleeping()).toBe(2));
  await clock.advance(10_000);
  const answer = await waiting;
  expect(answer.statusCode).toBe(202);
  expect(answer.json()).toMatchObject({ state: 'running' });
});

test.each([
  ['wait=5', 5],
  ['respond-async, wait = 20', 20],
  ['WAIT="7"; x=y', 7],
  ['wait=100000', 600],
  ['wait=-1', undefined],
  ['wait', undefined],
  ['handling=lenient', undefined],
  [undefined, undefined],
])('Prefer: %s means %s seconds', (header, seconds) => {
  expect(preferredWait(header)).toBe(seconds);
});

test('a repeated request with its key gets the first operation; another body under it is refused', async () => {
  const first = await build('a', { 'idempotency-key': 'k-1' });
  const again = await build('a', { 'idempotency-key': 'k-1' });
  expect(again.statusCode).toBe(202);
  expect(again.json()).toMatchObject({ id: first.json<OperationBody>().id });
  expect(contexts).toHaveLength(1);
  const other = await build('a', { 'idempotency-key': 'k-1' }, { size: 2 });
  expect([other.statusCode, other.json().code]).toEqual([422, 'request/idempotency-conflict']);
  const elsewhere = await build('b', { 'idempotency-key': 'k-1' });
  expect(elsewhere.json<OperationBody>().id).not.toBe(first.json<OperationBody>().id);
  for (const bad of ['', 'a b', 'x'.repeat(256)])
    expect((await build('c', { 'idempotency-key': bad })).statusCode).toBe(400);
});

test('cancelling is audited, and refused once the operation has ended', async () => {
  const { id } = (await build()).json<OperationBody>();
  const cancelled = await app.inject({
    method: 'POST',
    url: `/api/v1/operations/${id}/cancel`,
    headers: { prefer: 'wait=5' },
  });
  expect(cancelled.statusCode).toBe(200);
  expect(cancelled.json()).toMatchObject({ state: 'cancelled', allowed_actions: [] });
  expect(await events.listAudit({ limit: 5 })).toMatchObject([
    { actor: 'local:me', action: 'operation.cancel', object: id, outcome: 'done' },
  ]);
  const again = await app.inject({ method: 'POST', url: `/api/v1/operations/${id}/cancel` });
  expect([again.statusCode, again.json().code]).toEqual([409, 'conflict/state']);
});

test.each(['op_none', '..', '%2e%2e%2fetc', '%00', 'x'.repeat(101)])('%s is no operation', async (id) => {
  for (const path of ['', '/stream']) {
    const { statusCode } = await app.inject({ url: `/api/v1/operations/${id}${path}` });
    expect([400, 404, 422]).toContain(statusCode);
  }
  const { statusCode } = await app.inject({ method: 'POST', url: `/api/v1/operations/${id}/cancel` });
  expect([400, 404, 422]).toContain(statusCode);
});

test('the list pages by cursor and filters', async () => {
  const ids: string[] = [];
  for (const target of ['a', 'b', 'c']) {
    await clock.advance(1);
    ids.unshift((await build(target)).json<OperationBody>().id);
  }
  const list = async (query: string) => {
    const body = (await app.inject({ url: `/api/v1/operations?${query}` })).json<{
      items: OperationBody[];
      next_cursor: string | null;
    }>();
    return { ids: body.items.map((operation) => operation.id), next: body.next_cursor };
  };
  expect(await list('limit=2')).toEqual({ ids: ids.slice(0, 2), next: ids[1] });
  expect(await list(`limit=2&cursor=${ids[1]}`)).toEqual({ ids: ids.slice(2), next: null });
  expect((await list('target_id=b')).ids).toEqual([ids[1]]);
  expect((await list('state=failed')).ids).toEqual([]);
  expect((await list('kind=thing.build&state=running')).ids).toEqual(ids);
  expect((await app.inject({ url: '/api/v1/operations?cursor=%27' })).statusCode).toBe(422);
});

test('the stream shows the operation until its end; whoever saw the end is sent away', async () => {
  const { url } = await listen(app, { host: '127.0.0.1', port: 0, setting: 'RAGWARDEN_PORT', name: 'API' });
  const { id } = (await build()).json<OperationBody>();
  const stream = await fetch(`${url}/api/v1/operations/${id}/stream`);
  expect(stream.headers.get('content-type')).toContain('text/event-stream');
  await contexts[0]!.phase('second');
  finish('done');
  const text = await stream.text();
  const shown = text.split('\n').filter((line) => line.startsWith('data: '));
  expect(JSON.parse(shown.at(-1)!.slice(6))).toMatchObject({ id, state: 'succeeded', result: 'done' });
  expect(text).toContain('id: end\n');

  const resumed = await fetch(`${url}/api/v1/operations/${id}/stream`, { headers: { 'last-event-id': '1' } });
  expect(await resumed.text()).toContain('"state":"succeeded"');
  const over = await fetch(`${url}/api/v1/operations/${id}/stream`, { headers: { 'last-event-id': 'end' } });
  expect(over.status).toBe(204);
});
