import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type HttpServer, listen, type Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import type { NewEvent } from './event.ts';
import { createEventLog, type EventLog } from './event-log.ts';
import { type EventBody, eventRoutes } from './event-routes.ts';

let state: TestState;
let clock: FakeClock;
let events: EventLog;
let app: HttpServer;
let role: Role | undefined;

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock();
  events = createEventLog({ db: state.db, clock, instance: 'warden' });
  role = 'admin';
  app = createHttpServer({
    log: silentLogger,
    clock,
    authenticate: async () => role && { subject: 'local:me', role, workspaces: 'all', via: 'token' },
    allowedHosts: () => [],
  });
  await app.register(eventRoutes({ events, log: silentLogger, enabled: true }));
});
afterEach(async () => {
  await app.close();
  await state.remove();
});

const happened = (event: Partial<NewEvent> = {}): Promise<number> =>
  state.db.unit((tx) => events.record(tx, { type: 'host.threshold', severity: 'info', message: 'm', ...event }));
const get = async (url: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const answer = await app.inject({ url });
  return { status: answer.statusCode, body: answer.json() };
};
const seqs = async (url: string): Promise<number[]> =>
  ((await get(url)).body.items as EventBody[]).map((event) => event.seq);

test.each(['/api/v1/events', '/api/v1/events/stream', '/api/v1/audit', '/api/v1/audit/verify'])(
  '%s is for admins alone',
  async (url) => {
    role = undefined;
    expect((await get(url)).status).toBe(401);
    for (const other of ['user', 'service', 'scrape'] as const) {
      role = other;
      expect((await get(url)).status).toBe(403);
    }
  },
);

test('events come in snake case with instants, and page by cursor in both orders', async () => {
  for (let i = 0; i < 5; i += 1) await happened({ targetId: 'default', data: { n: i } });
  const first = await get('/api/v1/events?limit=2');
  expect(first.status).toBe(200);
  expect(first.body).toMatchObject({
    items: [
      { seq: 5, at: '2026-01-01T00:00:00.000Z', target_id: 'default', operation_id: null, data: { n: 4 } },
      { seq: 4 },
    ],
    next_cursor: '4',
  });
  expect(await seqs('/api/v1/events?limit=2&cursor=4')).toEqual([3, 2]);
  const last = await get('/api/v1/events?limit=2&cursor=2');
  expect(last.body).toMatchObject({ items: [{ seq: 1 }], next_cursor: null });
  expect(await seqs('/api/v1/events?order=oldest&limit=2&cursor=2')).toEqual([3, 4]);
});

test('filters of the list', async () => {
  await happened({ type: 'backup.point-taken', targetId: 'a' });
  await clock.advance(60_000);
  await happened({ type: 'backup.point-failed', severity: 'error' });
  await happened({ severity: 'critical' });
  expect(await seqs('/api/v1/events?type=backup.*')).toEqual([2, 1]);
  expect(await seqs('/api/v1/events?type=backup.point-taken,host.threshold')).toEqual([3, 1]);
  expect(await seqs('/api/v1/events?severity=error,critical')).toEqual([3, 2]);
  expect(await seqs('/api/v1/events?target_id=a')).toEqual([1]);
  expect(await seqs('/api/v1/events?since=2026-01-01T01:01:00%2B01:00')).toEqual([3, 2]);
  expect(await seqs('/api/v1/events?until=2026-01-01T00:01:00Z')).toEqual([1]);
});

test.each([
  'limit=0',
  'limit=501',
  'limit=x',
  'cursor=-1',
  'cursor=9999999999999999',
  'severity=loud',
  'type=a%20or%201',
  'since=yesterday',
  'order=up',
])('%s is refused', async (query) => {
  expect(await get(`/api/v1/events?${query}`)).toMatchObject({ status: 422, body: { code: 'request/invalid' } });
});

test('the audit trail is listed and verified', async () => {
  for (const action of ['quota.set', 'token.revoke'])
    await state.db.unit((tx) => events.audit(tx, { actor: 'local:me', action, object: 'x', outcome: 'done' }));
  const list = await get('/api/v1/audit?action=quota.set');
  expect(list.body).toMatchObject({ items: [{ seq: 1, actor: 'local:me', outcome: 'done' }], next_cursor: null });
  const head = await events.auditHead();
  expect((await get('/api/v1/audit/verify')).body).toEqual({
    intact: true,
    entries: 2,
    head,
    broken_at_seq: null,
    reason: null,
  });
});

/** Reads messages of an event stream until there are as many as asked for. */
async function read(
  url: string,
  count: number,
  lastId?: string,
): Promise<{ id: string; event: string; data: unknown }[]> {
  const abort = new AbortController();
  const answer = await fetch(url, {
    signal: abort.signal,
    headers: lastId === undefined ? {} : { 'last-event-id': lastId },
  });
  const found: { id: string; event: string; data: unknown }[] = [];
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of answer.body!) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string): string | undefined =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const data = field('data');
      if (data !== undefined)
        found.push({ id: field('id') ?? '', event: field('event') ?? '', data: JSON.parse(data) });
    }
    if (found.length >= count) break;
  }
  abort.abort();
  return found;
}

test('the stream goes on after the last event received, filtered, and then live', async () => {
  const { url } = await listen(app, { host: '127.0.0.1', port: 0, setting: 'RAGWARDEN_PORT', name: 'API' });
  for (let i = 0; i < 4; i += 1) await happened({ severity: i % 2 ? 'error' : 'info' });
  const missed = await read(`${url}/api/v1/events/stream`, 3, '1');
  expect(missed.map((message) => message.id)).toEqual(['2', '3', '4']);
  expect(missed[0]).toMatchObject({ event: 'event', data: { seq: 2, severity: 'error' } });

  const live = read(`${url}/api/v1/events/stream?severity=error`, 2, '2');
  await happened();
  await happened({ severity: 'error' });
  expect((await live).map((message) => message.id)).toEqual(['4', '6']);
});

test('a number beyond the newest says that the list has to be loaded again', async () => {
  const { url } = await listen(app, { host: '127.0.0.1', port: 0, setting: 'RAGWARDEN_PORT', name: 'API' });
  await happened();
  expect(await read(`${url}/api/v1/events/stream`, 1, '99')).toMatchObject([{ id: '1', event: 'refresh' }]);
  const odd = await fetch(`${url}/api/v1/events/stream`, { headers: { 'last-event-id': 'x' } });
  expect(odd.status).toBe(400);
});
