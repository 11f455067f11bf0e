import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMetricRegistry, createMetricsHandler } from '../metrics/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { type Database, openSqlite } from '../platform/database/index.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { createHttpClient, type HttpClient } from '../platform/http-client.ts';
import { createJobs, type Jobs } from '../platform/jobs.ts';
import { createLogger, silentLogger } from '../platform/logging.ts';
import { createReconciler } from '../platform/reconciler.ts';
import { createHeartbeat, type Heartbeat, withSuffix } from './heartbeat.ts';

let state: TestState;
let http: HttpClient;
let server: Server;
let clock: FakeClock;
let jobs: Jobs;
let heard: string[];
let answer: number;
let log: string;
const stops: (() => unknown)[] = [];

beforeEach(async () => {
  state = await openTestState();
  http = createHttpClient();
  clock = createFakeClock();
  jobs = createJobs();
  heard = [];
  log = '';
  answer = 200;
  server = createServer((request, response) => {
    heard.push(`${request.method} ${request.url}`);
    response.writeHead(answer, answer === 302 ? { location: '/elsewhere' } : {}).end('OK');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await http.close();
  server.close();
  await state.remove();
});

function heartbeat(more: { unhealthySuffix?: string; db?: Database } = {}): Heartbeat & { metrics(): Promise<string> } {
  const write = (line: string): void => {
    log += line;
  };
  const logger = createLogger({ level: 'info', destination: { write } });
  const registry = createMetricRegistry({ clock, log: logger });
  const { port } = server.address() as AddressInfo;
  const made = createHeartbeat({
    url: `http://127.0.0.1:${port}/ping/secret-key`,
    unhealthySuffix: undefined,
    intervalMs: 60_000,
    http,
    jobs,
    db: state.db,
    registry,
    clock,
    log: logger,
    ...more,
  });
  const expose = createMetricsHandler(registry);
  const metrics = async () => String((await expose(undefined)).body);
  return { ...made, metrics };
}

const lines = (text: string): number => log.split('\n').filter((line) => line.includes(text)).length;

test('each completed round is one call, and the state took a write before it', async () => {
  const beat = heartbeat();
  await beat.runOnce();
  await beat.runOnce();
  expect(heard).toEqual(['GET /ping/secret-key', 'GET /ping/secret-key']);
  expect(beat.status()).toMatchObject({ complete: true, callError: null, lastSuccessMs: clock.now() });
  const row = await state.db
    .reader<{ system_fact: { key: string; at_ms: number } }>()
    .selectFrom('system_fact')
    .selectAll()
    .executeTakeFirst();
  expect(Number(row?.at_ms)).toBe(clock.now());
});

test('falls silent while a job hangs, says so once, and goes on when it works again', async () => {
  let release: () => void = () => undefined;
  const job = createReconciler({
    name: 'hanging',
    intervalMs: 1_000,
    runLimitMs: 5_000,
    clock,
    log: silentLogger,
    run: () => new Promise<void>((done) => (release = done)),
  });
  jobs.add(job);
  stops.push(() => {
    release();
    return job.stop?.();
  });
  job.start?.(new AbortController().signal);
  const beat = heartbeat();
  jobs.add(beat);
  await beat.runOnce();
  expect(heard).toHaveLength(1);
  await clock.advance(5_001);
  await beat.runOnce();
  await beat.runOnce();
  expect(heard).toHaveLength(1);
  expect(beat.status()).toMatchObject({ complete: false, reason: 'hanging: one run has lasted 5 s' });
  expect(lines('is not complete')).toBe(1);
  release();
  await clock.advance(0);
  await beat.runOnce();
  expect(heard).toHaveLength(2);
  expect(lines('keeps its time again')).toBe(1);
});

test('falls silent while the state cannot be written, and goes on afterwards', async () => {
  const { path } = state;
  const db = openSqlite({ name: 'state', path, synchronous: 'NORMAL', log: silentLogger, lockTimeoutMs: 20 });
  stops.push(() => db.close());
  const beat = heartbeat({ db });
  const other = new DatabaseSync(path);
  other.exec('begin exclusive');
  await beat.runOnce();
  expect(heard).toEqual([]);
  expect(beat.status().reason).toMatch(/^the state cannot be written: /);
  other.exec('rollback');
  other.close();
  await beat.runOnce();
  expect(heard).toHaveLength(1);
});

test('a write that hangs is not joined by another each round', async () => {
  let begun = 0;
  const unit = (): Promise<never> => {
    begun += 1;
    return new Promise(() => undefined);
  };
  const never = { ...state.db, unit };
  const { port } = server.address() as AddressInfo;
  const beat = createHeartbeat({
    url: `http://127.0.0.1:${port}/`,
    unhealthySuffix: undefined,
    intervalMs: 60_000,
    http,
    jobs,
    db: never,
    registry: createMetricRegistry({ clock, log: silentLogger }),
    clock,
    log: silentLogger,
  });
  for (let round = 0; round < 2; round += 1) {
    const run = beat.runOnce();
    await clock.advance(10_000);
    await run;
  }
  expect(begun).toBe(1);
  expect(heard).toEqual([]);
});

test.each([500, 404, 302])(
  'an answer of %i is a failure, counted, said once, followed nowhere and forgotten when it works',
  async (code) => {
    answer = code;
    const beat = heartbeat();
    await beat.runOnce();
    await beat.runOnce();
    expect(heard).toEqual(['GET /ping/secret-key', 'GET /ping/secret-key']);
    expect(beat.status()).toMatchObject({ callFailures: 2, callError: `it answered ${code}`, lastSuccessMs: null });
    expect(lines('was not reached')).toBe(1);
    answer = 204;
    await beat.runOnce();
    expect(beat.status()).toMatchObject({ callFailures: 0, callError: null });
    expect(await beat.metrics()).toContain('ragwarden_heartbeat_calls_total{outcome="failed"} 2');
  },
);

test('the key of the URL stands in no log and in no status', async () => {
  const beat = heartbeat();
  server.close();
  server.closeAllConnections();
  await beat.runOnce();
  expect(beat.status().callError).toBeTruthy();
  expect(JSON.stringify(beat.status()) + log).not.toContain('secret-key');
});

test('with a suffix somebody is told instead of silence', async () => {
  jobs.add({ jobs: () => [{ ...stuck }] });
  const beat = heartbeat({ unhealthySuffix: '/fail' });
  await beat.runOnce();
  expect(heard).toEqual(['GET /ping/secret-key/fail']);
  expect(beat.status()).toMatchObject({ complete: false, lastSuccessMs: null });
  expect(withSuffix('https://h/a/?b=c', '/fail')).toBe('https://h/a/fail?b=c');
});

const stuck = {
  name: 'stuck',
  intervalMs: 1_000,
  runs: 0,
  failures: 0,
  lastStartedAt: 0,
  lastFinishedAt: null,
  lastError: null,
  running: true,
  active: true,
  startedAt: 0,
  runLimitMs: 1,
  restart: async () => 'inactive',
};
