import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { AppError } from '../platform/errors.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type HttpServer, listen, type Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import type { AuditAnchor, NewEvent } from './event.ts';
import { createEventLog, type EventLog } from './event-log.ts';
import { eventRoutes } from './event-routes.ts';
import type { EventBody } from './event-wire.ts';
import { exportEvents, ndjson } from './export.ts';

let state: TestState;
let clock: FakeClock;
let events: EventLog;
let app: HttpServer;
let role: Role | undefined;
let anchors: AuditAnchor[];

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
  anchors = [];
  await app.register(
    eventRoutes({
      events,
      recorder: events,
      ...{ db: state.db, clock },
      log: silentLogger,
      enabled: true,
      requireTarget(id) {
        if (id !== 'default') throw new AppError('target/unknown', `There is no target "${id}".`);
      },
      anchors: async () => anchors,
    }),
  );
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

test.each([
  '/api/v1/events',
  '/api/v1/events/stream',
  '/api/v1/events/analytics',
  '/api/v1/events/export',
  '/api/v1/audit',
  '/api/v1/audit/export',
  '/api/v1/audit/verify',
])('%s is for admins alone', async (url) => {
  role = undefined;
  expect((await get(url)).status).toBe(401);
  for (const other of ['user', 'service', 'scrape'] as const) {
    role = other;
    expect((await get(url)).status).toBe(403);
  }
});

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
    anchors: { matched: 0, removed: 0, foreign: 0 },
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

test('kind, graph, correlation and person narrow the list', async () => {
  await happened({ type: 'backup.point-taken', targetId: 'default', workspace: 'a', correlationId: 'c1' });
  await happened({ type: 'repository.checked', targetId: 'default', actor: 'local:me' });
  await happened({ type: 'restore.finished', targetId: 'default', correlationId: 'c1' });
  await happened({ type: 'quota.exceeded', targetId: 'other', workspace: 'a' });
  expect(await seqs('/api/v1/events?kind=backup')).toEqual([2, 1]);
  expect(await seqs('/api/v1/events?kind=backup,recovery')).toEqual([3, 2, 1]);
  expect(await seqs('/api/v1/events?kind=backup&type=backup.*')).toEqual([1]);
  expect(await seqs('/api/v1/events?correlation_id=c1')).toEqual([3, 1]);
  expect(await seqs('/api/v1/events?actor=local:me')).toEqual([2]);
  expect(await seqs('/api/v1/events?graph_id=default')).toEqual([3, 2, 1]);
  expect(await seqs('/api/v1/events?graph_id=default:a')).toEqual([1]);
  expect(await get('/api/v1/events?kind=backups')).toMatchObject({ status: 422 });
  expect((await get('/api/v1/events?limit=1')).body).toMatchObject({ items: [{ kind: 'quota' }] });
});

test('test_analytics_queries: analytics counts by kind and severity over time, and ranks the reasons', async () => {
  await happened({ type: 'backup.point-failed', severity: 'error', data: { error: { code: 'repository/locked' } } });
  await happened({ type: 'backup.point-failed', severity: 'error', data: { error: { code: 'repository/locked' } } });
  await clock.advance(3_600_000);
  await happened({ type: 'host.threshold', severity: 'critical', message: 'The disk is 95 % full.' });
  await happened({ type: 'backup.point-taken' });
  await clock.advance(1);
  const { status, body } = await get('/api/v1/events/analytics?bucket_seconds=3600');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    total: 4,
    by_severity: { error: 2, critical: 1, info: 1 },
    by_kind: [
      { kind: 'backup', total: 3, by_severity: { error: 2, info: 1 } },
      { kind: 'health', total: 1 },
    ],
    over_time: [
      { at: '2026-01-01T00:00:00.000Z', by_severity: { error: 2 }, by_kind: { backup: 2 } },
      { at: '2026-01-01T01:00:00.000Z', by_kind: { backup: 1, health: 1 } },
    ],
    reasons: [
      { reason: 'repository/locked', type: 'backup.point-failed', count: 2, last_at: '2026-01-01T00:00:00.000Z' },
      { reason: 'The disk is … % full.', count: 1 },
    ],
    reasons_of: 3,
  });
  expect((await get('/api/v1/events/analytics?kind=health&severity=critical')).body).toMatchObject({ total: 1 });
  expect((await get('/api/v1/events/analytics?since=2026-01-01T00:30:00Z')).body).toMatchObject({ total: 2 });
  for (const bad of ['since=2027-01-01T00:00:00Z', 'bucket_seconds=60&since=2020-01-01T00:00:00Z', 'bucket_seconds=1'])
    expect(await get(`/api/v1/events/analytics?${bad}`)).toMatchObject({ status: 422 });
});

test('an export has every event of its range in order, over many pages, and none that came after it began', async () => {
  await Promise.all(Array.from({ length: 1_203 }, (_, n) => happened({ severity: n % 3 === 0 ? 'error' : 'info' })));
  const linesOf = async (url: string): Promise<EventBody[]> => {
    const answer = await app.inject({ url });
    expect(answer.headers['content-type']).toBe('application/x-ndjson');
    return answer.body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as EventBody);
  };
  expect((await linesOf('/api/v1/events/export')).map(({ seq }) => seq)).toEqual(
    Array.from({ length: 1_203 }, (_, n) => n + 1),
  );
  expect(await linesOf('/api/v1/events/export?severity=error')).toHaveLength(401);
  expect(await linesOf('/api/v1/events/export?type=backup.*')).toEqual([]);
});

test('an export reads no further than its reader: a slow one holds one page', async () => {
  await Promise.all(Array.from({ length: 2_500 }, () => happened()));
  let asked = 0;
  const counting: EventLog = {
    ...events,
    list(filter) {
      asked += 1;
      return events.list(filter);
    },
  };
  const stream = ndjson(exportEvents(counting, {}));
  const reader = stream[Symbol.asyncIterator]();
  await reader.next();
  await setImmediate();
  expect(asked).toBeLessThanOrEqual(3);
  let lines = 0;
  for await (const text of exportEvents(counting, {})) lines += text.split('\n').length - 1;
  expect(lines).toBe(2_500);
  stream.destroy();
});

test('the audit trail is exported with its hashes, which verify without us', async () => {
  for (let i = 0; i < 3; i += 1)
    await state.db.unit((tx) =>
      events.audit(tx, { actor: 'me', action: 'quota.set', object: `${i}`, outcome: 'done' }),
    );
  const answer = await app.inject({ url: '/api/v1/audit/export' });
  let prev = '0'.repeat(64);
  for (const line of answer.body.trim().split('\n')) {
    const { seq, at, actor, action, object, outcome, data, prev_hash, hash } = JSON.parse(line);
    expect(prev_hash).toBe(prev);
    const text = JSON.stringify([seq, Date.parse(at), actor, action, object, outcome, JSON.stringify(data)]);
    expect(createHash('sha256').update(prev).update(text).digest('hex')).toBe(hash);
    prev = hash;
  }
  expect(prev).toBe((await events.auditHead()).hash);
});

const tell = async (payload: object) => {
  const answer = await app.inject({ method: 'POST', url: '/api/v1/events', payload });
  return { status: answer.statusCode, body: answer.json() };
};

test('a service tells of its backup, and it is found by graph under a type that is not ours', async () => {
  role = 'service';
  const told = await tell({
    kind: 'backup',
    event_type: 'SNAPSHOT_CREATED',
    graph_id: 'default:a',
    details: { size: 3 },
  });
  expect(told).toMatchObject({
    status: 201,
    body: {
      type: 'backup.told.snapshot-created',
      kind: 'backup',
      target_id: 'default',
      workspace: 'a',
      actor: 'local:me',
      message: 'local:me tells of a backup of default:a: snapshot-created.',
      data: { details: { size: 3 } },
    },
  });
  expect(await tell({ kind: 'recovery', event_type: 'x', checkpoint_id: 'cp' })).toMatchObject({ status: 201 });
  role = 'admin';
  expect(await seqs('/api/v1/events?graph_id=default:a&type=backup.told.*')).toEqual([1]);
});

test.each([
  ['another kind', { kind: 'access', event_type: 'login' }, 422],
  ['a type that is no word', { kind: 'backup', event_type: '../x' }, 422],
  ['more than it may say', { kind: 'backup', event_type: 'x', details: { text: 'x'.repeat(17_000) } }, 422],
  ['a graph that is not watched', { kind: 'backup', event_type: 'x', graph_id: 'elsewhere' }, 404],
  ['a field that is not known', { kind: 'backup', event_type: 'x', seq: 1 }, 422],
])('%s is not told', async (_what, payload, status) => {
  role = 'service';
  expect(await tell(payload)).toMatchObject({ status });
  expect(await events.lastSeq()).toBe(0);
});

test('a user may not tell', async () => {
  role = 'user';
  expect(await tell({ kind: 'backup', event_type: 'x' })).toMatchObject({ status: 403 });
});

test('what a request does belongs to it: its id is on the event and on the audit entry, with who asked', async () => {
  await app.close();
  app = createHttpServer({
    log: silentLogger,
    clock,
    authenticate: async () => ({ subject: 'local:me', role: 'admin', workspaces: 'all', via: 'token' }),
    allowedHosts: () => [],
  });
  app.post('/both', { config: { access: 'admin' } }, async () => {
    await state.db.unit(async (tx) => {
      await events.record(tx, { type: 'settings.changed', severity: 'info', message: 'm' });
      await events.audit(tx, { actor: 'local:me', action: 'settings.patch', object: '', outcome: 'done' });
    });
    return {};
  });
  // Units of several requests share one commit, each run by whoever empties the queue.
  const ask = (id: string) =>
    app.inject({ method: 'POST', url: '/both', headers: { 'x-request-id': id }, payload: { a: 1 } });
  await Promise.all([ask('one'), happened(), ask('two'), happened({ message: 'nobody' })]);
  const found = await events.list({ limit: 10, order: 'oldest-first' });
  const by = new Map(found.map((event) => [event.correlationId, event]));
  expect(by.get('one')).toMatchObject({ type: 'settings.changed', actor: 'local:me' });
  expect(by.get('two')).toMatchObject({ type: 'settings.changed', actor: 'local:me' });
  expect(found.filter((event) => event.correlationId === null && event.actor === null)).toHaveLength(2);
  expect((await events.listAudit({ correlationId: 'two', limit: 10 })).map((entry) => entry.action)).toEqual([
    'settings.patch',
  ]);
  expect(await events.verifyAudit()).toMatchObject({ intact: true, entries: 2 });
  await state.tamper(`update audit_entry set correlation_id = 'three' where seq = 2`);
  expect(await events.verifyAudit()).toMatchObject({ intact: false, brokenAtSeq: 2 });
});

test('the trail is held against the heads that recovery points noted, and against one of mine', async () => {
  const audit = (object: string) =>
    state.db.unit((tx) => events.audit(tx, { actor: 'me', action: 'a.b', object, outcome: 'done' }));
  for (let i = 0; i < 3; i += 1) await audit(`${i}`);
  const noted = await events.auditHead();
  const trail = await events.trailId();
  anchors = [
    { ...noted, trail, where: 'recovery point p1' },
    { seq: 2, hash: 'f'.repeat(64), trail: 'of another', where: 'recovery point p0' },
  ];
  for (let i = 0; i < 3; i += 1) await audit(`${i}`);
  const verify = async (query = '') => (await get(`/api/v1/audit/verify${query}`)).body;
  expect(await verify()).toMatchObject({ intact: true, entries: 6, anchors: { matched: 1, removed: 0, foreign: 1 } });
  const head = await events.auditHead();
  expect(await verify(`?expected_seq=6&expected_hash=${head.hash}`)).toMatchObject({ anchors: { matched: 2 } });
  expect(await verify(`?expected_seq=7&expected_hash=${head.hash}`)).toMatchObject({
    intact: false,
    broken_at_seq: 7,
    reason: 'entries are missing at the end: the expected head notes that there were 7',
  });
  expect((await get('/api/v1/audit/verify?expected_seq=7')).status).toBe(422);

  // The end is cut off, and what is left is a chain without a fault.
  await state.tamper('delete from audit_entry where seq > 2');
  expect(await verify('?against=nothing')).toMatchObject({ intact: true, entries: 2 });
  expect(await verify()).toMatchObject({ intact: false, broken_at_seq: 3 });
  // And goes on from there, as if nothing had been.
  await audit('instead');
  expect(await verify()).toMatchObject({
    intact: false,
    broken_at_seq: 3,
    reason: 'the chain differs from what recovery point p1 notes',
  });
});
