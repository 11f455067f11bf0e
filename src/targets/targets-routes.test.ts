import { afterEach, expect, test } from 'vitest';
import { createEventLog } from '../events/index.ts';
import { openTestState } from '../migrations/test-state.ts';
import { createOperations } from '../operations/index.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type Principal } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createInspections } from './inspections.ts';
import { createInspector } from './inspector/index.ts';
import { type Observation, unreachableObservation } from './observation.ts';
import { targetsRoutes } from './targets-routes.ts';
import { createWatchedTarget } from './watched-target.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Real server, real watching; `Authorization: Bearer <role>` is that role. */
async function serve() {
  const clock = createFakeClock();
  const seen: Observation = {
    ...unreachableObservation(clock.now(), { kind: 'unreachable', message: 'x' }, 7),
    reachable: true,
    kind: 'lightrag',
    coreVersion: '1.5.7',
    documents: { processed: 3 },
    pipeline: { busy: false, jobName: 'a', latestMessage: 'b', unflushed: undefined, recoveryRequired: false },
    faults: [],
  };
  let probes = 0;
  const watched = createWatchedTarget({
    target: {
      id: 'default',
      kind: 'lightrag',
      kindFrom: 'default',
      sample: true,
      endpoints: [
        {
          url: 'http://127.0.0.1:9621',
          workspace: '',
          apiKey: 'secret-key',
          username: 'operator',
          password: 'secret-word',
        },
      ],
      stores: [{ name: 'workspace', kind: 'workspace-folder', path: '/srv/rag', separation: 'folder' }],
      workspaces: [''],
      userDataDir: undefined,
      paths: {},
      probeIntervalMs: 10_000,
      probeTimeoutMs: 5_000,
      stopTimeoutMs: 1_000,
      startTimeoutMs: 1_000,
    },
    adapter: {
      answers: async () => true,
      async probe() {
        probes += 1;
        return seen;
      },
    },
    clock,
    log: silentLogger,
    onChange: async () => undefined,
  });
  const app = createHttpServer({
    log: silentLogger,
    clock,
    allowedHosts: () => ['localhost'],
    async authenticate(request): Promise<Principal | undefined> {
      const role = (['admin', 'service', 'scrape', 'user'] as const).find(
        (name) => request.headers.authorization === `Bearer ${name}`,
      );
      return role && { subject: `local:${role}`, role, workspaces: 'all', via: 'token' };
    },
  });
  cleanUps.push(() => app.close());
  const state = await openTestState();
  const events = createEventLog({ db: state.db, clock, instance: 'test' });
  const operations = createOperations({ db: state.db, clock, log: silentLogger, events, instance: 'test' });
  const inspector = createInspector({ log: silentLogger, clock });
  cleanUps.push(
    () => state.remove(),
    () => operations.stop(),
    () => inspector.stop(),
  );
  await app.register(
    targetsRoutes({
      targets: [watched],
      inspections: createInspections({ targets: [watched], inspector, clock, log: silentLogger }),
      operations,
      sizes: () => [{ store: 'workspace', bytes: 12, files: 3, unread: null, below: new Map(), atMs: clock.now() }],
      lifecycle: () => ({ automatic: false, describe: { stop: 'stop it', start: 'start it' } }),
    }),
  );
  const call = (url: string, method: 'GET' | 'POST' = 'GET', role = 'admin') =>
    app.inject({ method, url, headers: { authorization: `Bearer ${role}` } });
  return { call, probes: () => probes, app };
}

test('a target that was not looked at is unknown, and asking does not probe', async () => {
  const { call, probes } = await serve();
  const answer = await call('/api/v1/targets');
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toMatchObject({
    items: [
      {
        id: 'default',
        sample: true,
        status: 'UNKNOWN',
        kind: null,
        documents: null,
        pipeline: null,
        observed_at: null,
      },
    ],
    next_cursor: null,
  });
  expect(probes()).toBe(0);
});

test('a probe that is asked for answers with what it saw', async () => {
  const { call, probes } = await serve();
  const answer = await call('/api/v1/targets/default/probe', 'POST');
  expect(answer.statusCode).toBe(200);
  expect(probes()).toBe(1);
  expect(answer.json()).toEqual({
    id: 'default',
    sample: true,
    status: 'HEALTHY',
    reasons: [],
    kind: 'lightrag',
    configured_kind: 'lightrag',
    kind_from: 'default',
    facts: [],
    not_applicable: [],
    core_version: '1.5.7',
    api_version: null,
    endpoints: [{ url: 'http://127.0.0.1:9621', workspace: '' }],
    stores: [{ name: 'workspace', kind: 'workspace-folder', path: '/srv/rag', separation: 'folder' }],
    observed_at: '2026-01-01T00:00:00.000Z',
    latency_ms: 7,
    documents: { processed: 3 },
    pipeline: { busy: false, job_name: 'a', latest_message: 'b', unflushed: null, recovery_required: false },
    sizes: [{ store: 'workspace', bytes: 12, files: 3, counted_at: '2026-01-01T00:00:00.000Z' }],
    lifecycle: { automatic: false, stop: 'stop it', start: 'start it' },
  });
  expect((await call('/api/v1/targets/default')).json()).toEqual(answer.json());
});

test('no answer holds the key or the password of an endpoint', async () => {
  const { call } = await serve();
  for (const path of ['/api/v1/targets', '/api/v1/targets/default'])
    expect((await call(path)).body).not.toMatch(/secret|operator/);
});

test.each([
  'other',
  '..',
  '%2e%2e',
  '..%2f..%2fetc',
  '%2e%2e%2fdefault',
  '',
  'Default',
  'default%00',
  'x'.repeat(10_240),
  '%',
])('there is no target by the id %.20s', async (id) => {
  const { call, probes } = await serve();
  for (const [method, path] of [
    ['GET', `/api/v1/targets/${id}`],
    ['POST', `/api/v1/targets/${id}/probe`],
  ] as const) {
    const answer = await call(path, method);
    expect([400, 404]).toContain(answer.statusCode);
    expect(answer.headers['content-type']).toContain('application/problem+json');
  }
  expect(probes()).toBe(0);
});

test.each([
  ['GET', '/api/v1/targets'],
  ['GET', '/api/v1/targets/default'],
  ['POST', '/api/v1/targets/default/probe'],
] as const)('%s %s is for admins', async (method, path) => {
  const { call, probes } = await serve();
  for (const [role, status] of [
    ['nobody', 401],
    ['user', 403],
    ['scrape', 403],
    ['service', 403],
  ] as const)
    expect([role, (await call(path, method, role)).statusCode]).toEqual([role, status]);
  expect(probes()).toBe(0);
});
