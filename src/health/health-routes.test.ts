import { afterEach, describe, expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createHttpServer } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createCheckRunner } from './check-runner.ts';
import { dashboardHealthRoutes } from './dashboard-routes.ts';
import type { GraphFacts } from './graph-status.ts';
import { createHealth } from './health.ts';
import type { CheckResult, HealthCheck, LookingCheck } from './health-check.ts';
import { healthRoutes } from './health-routes.ts';
import { type SystemFacts, systemStatusRoutes } from './system-status-routes.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Nothing of these words may reach a stranger. */
const secret = 'the-secret-of-the-house';

const database: Omit<CheckResult, 'atMs'> = {
  status: 'unhealthy',
  message: `It refuses the password of ${secret}.`,
  checks: { connection: { status: 'unhealthy', response_time: null } },
};
const redis: Omit<CheckResult, 'atMs'> = {
  ...{ status: 'healthy', message: `Redis of ${secret} answers.` },
  checks: {
    connection: { status: 'healthy', ping_time: 0.001 },
    performance: { status: 'healthy', operation_time: 0.002 },
  },
  metrics: { memory: { used_memory_mb: 1, max_memory_mb: 0, memory_utilization: null } },
};

const looking = (name: string, kind: LookingCheck['kind'], found: () => Omit<CheckResult, 'atMs'>): LookingCheck => ({
  ...{ name, kind, about: 'watched', neededFor: ['answer', 'ingest'], intervalMs: 30_000, timeoutMs: 5_000 },
  look: async () => found(),
});

const host: HealthCheck = {
  ...{ name: 'host', kind: 'system', about: 'watched' },
  read: () => ({
    ...{ status: 'critical', message: 'Disk at 95 %.', atMs: 1 },
    checks: {
      cpu: { status: 'healthy', severity: 'none', percent: 10 },
      disk: { status: 'warning', severity: 'critical', percent: 95 },
    },
    metrics: { cpu: { usage_percent: 10 } },
  }),
};
const own: HealthCheck = {
  ...{ name: 'own disk', kind: 'system', about: 'own' },
  read: () => ({ status: 'healthy', message: `Of ${secret}.`, atMs: 1 }),
};

const backup: HealthCheck = {
  ...{ name: 'backup default', kind: 'application', about: 'watched' },
  read: () => ({ status: 'degraded', message: 'The newest point is old.', atMs: 1 }),
};

const graph: GraphFacts = {
  ...{ graphId: 'default', targetId: 'default', workspace: 'acme', status: 'DEGRADED' },
  reasons: [{ code: 'stuck-documents', message: '2 documents unfinished.' }],
  ...{ observedAtMs: 1_000, latencyMs: 5, documents: { processed: 7, processing: 2 } },
  pipeline: { busy: false, jobName: '', latestMessage: '' },
  stuck: {
    ...{ cause: 'pipeline-idle', sinceMs: 500, documents: 2 },
    listed: [{ id: 'doc-1', status: 'processing', updatedAt: '2026-01-01T00:00:00.000Z' }],
  },
  audit: { verdict: 'clean', atMs: 900, counts: { doc_status: 9 }, dangling: {} },
  sizeBytes: 42,
  backup: { newestVerifiedMs: undefined, objectiveMet: false },
};

const facts: SystemFacts = {
  ...{ version: '1.2.3', environment: 'production', uptimeSeconds: 7, resources: undefined, folderConfigured: true },
  ...{ entities: undefined, relations: 3, communities: 5, queries: 4, operations: 6 },
  recentOperations: [{ id: 'op', kind: 'backup.take', state: 'running', atMs: 0, targetId: null }],
};

async function serve(found: { database?: typeof database } = {}) {
  const clock = createFakeClock();
  let looks = 0;
  const count = <T>(value: T): T => {
    looks += 1;
    return value;
  };
  const runner = createCheckRunner({
    checks: [
      looking('database default', 'database', () => count(found.database ?? database)),
      looking('redis default', 'cache', () => count(redis)),
    ],
    clock,
    log: silentLogger,
  });
  const health = createHealth({ checks: [host, own, backup], runner, clock });
  health.setReady(true);
  const app = createHttpServer({
    log: silentLogger,
    clock,
    allowedHosts: () => ['localhost'],
    async authenticate({ headers }) {
      const role = headers.authorization?.replace('Bearer ', '');
      return role === 'admin' || role === 'user'
        ? { subject: `local:${role}`, role, workspaces: 'all', via: 'token' }
        : undefined;
    },
  });
  closing.push(
    () => app.close(),
    () => runner.stop?.(),
  );
  const graphs = () => [graph];
  const replication = {
    ...{ configured: false, enabled: false, status: 'not configured', message: 'No replication target is configured.' },
    ...{ paused: null, refused: [], targets: [], placement: [] },
  };
  await app.register(healthRoutes({ health, dashboard: undefined }));
  await app.register(
    dashboardHealthRoutes({ health, graphs, replication: async () => replication, now: () => clock.now() }),
  );
  await app.register(systemStatusRoutes({ health, graphs, facts: async () => facts }));
  const call = (path: string, role?: string, method: 'GET' | 'POST' = 'GET') =>
    app.inject({ method, url: path, headers: role === undefined ? {} : { authorization: `Bearer ${role}` } });
  return { health, call, looks: () => looks };
}

describe('a stranger', () => {
  test('learns a word at every public door, and nothing else', async () => {
    const { call, health } = await serve();
    await health.freshReport();
    for (const path of [
      ...['/livez', '/healthz', '/health/live', '/-/healthy', '/readyz', '/readyz?verbose', '/health/ready?verbose=1'],
      '/-/ready',
    ]) {
      const answer = await call(path);
      expect([path, answer.statusCode, answer.json()]).toEqual([path, 200, { status: 'ok' }]);
    }
    for (const role of [undefined, 'user']) {
      const answer = await call('/health', role);
      expect(Object.keys(answer.json()).sort()).toEqual(['status', 'timestamp']);
      expect(answer.json().status).toBe('critical');
      expect(answer.payload).not.toContain(secret);
    }
  });

  test('cannot have everything looked at', async () => {
    const { call, looks } = await serve();
    expect((await call('/health?fresh=true')).statusCode).toBe(401);
    expect((await call('/health?fresh=true', 'user')).statusCode).toBe(403);
    expect((await call('/api/v1/health-dashboard/status?fresh=true')).statusCode).toBe(401);
    expect(looks()).toBe(0);
  });
});

describe('an admin', () => {
  test('reads what was last seen, and has everything looked at when that is asked for', async () => {
    const { call, looks } = await serve();
    const before = (await call('/api/v1/health-dashboard/status', 'admin')).json();
    expect(before).toMatchObject({ fresh: false, can_answer: { can: null } });
    expect(looks()).toBe(0);
    const now = (await call('/api/v1/health-dashboard/status?fresh=true', 'admin')).json();
    expect(looks()).toBe(2);
    expect(now).toMatchObject({
      ...{ status: 'critical', fresh: true },
      can_answer: { can: false, reasons: [{ check: 'database default', status: 'unhealthy' }] },
      can_ingest: { can: false },
      reasons: [{ check: 'host' }, { check: 'database default' }, { check: 'backup default' }],
    });
    expect(now.checks.find((one: { name: string }) => one.name === 'database default')).toMatchObject({
      ...{ kind: 'database', status: 'unhealthy', last_look: 'unhealthy', looks: 1, failures: 1, age_seconds: 0 },
      checks: { connection: { status: 'unhealthy' } },
    });
    const short = (await call('/health', 'admin')).json();
    expect(short).toMatchObject({ can_answer: { can: false }, database: { connected: false } });
    expect(looks()).toBe(2);
  });

  test('has what the backend is able to do apart from the overall word', async () => {
    const { call } = await serve({ database: { status: 'unhealthy', message: 'Read-only.', blocks: ['ingest'] } });
    const body = (await call('/api/v1/health-dashboard/status?fresh=1', 'admin')).json();
    expect([body.can_answer.can, body.can_ingest.can]).toEqual([true, false]);
  });

  test('has the full check with the fields of document 002', async () => {
    const { call } = await serve();
    const { components } = (await call('/api/v1/health-dashboard/components?fresh=true', 'admin')).json();
    expect(components.database).toMatchObject({ status: 'unhealthy', error: expect.stringContaining('refuses') });
    expect(components.cache).toMatchObject({
      ...{ status: 'healthy', checks: { performance: { operation_time: 0.002 } } },
      metrics: { memory: { max_memory_mb: 0, memory_utilization: null } },
    });
    expect(components.cache).not.toHaveProperty('error');
    expect(components.system_resources).toMatchObject({
      status: 'critical',
      alerts: [{ type: 'disk_full', severity: 'critical', message: 'Disk at 95.0 %.' }],
    });
    // What nobody looks at is not well.
    expect(components.external_services.status).toBe('unknown');
  });

  test('asks for a graph by its name and by target and workspace; another is 404 with those that there are', async () => {
    const { call } = await serve();
    for (const id of ['default', 'default:acme']) {
      const answer = await call(`/api/v1/health-dashboard/graphs/${encodeURIComponent(id)}/status`, 'admin');
      expect(answer.json()).toMatchObject({
        ...{ graph_id: 'default', status: 'DEGRADED', documents: { processing: 2 } },
        stuck: { documents: 2, listed: [{ id: 'doc-1' }] },
        audit: { verdict: 'clean' },
      });
    }
    const missing = await call('/api/v1/health-dashboard/graphs/nobody/status', 'admin');
    expect([missing.statusCode, missing.json().detail]).toEqual([404, 'There is no such graph. There is default.']);
    const figures = (await call('/api/v1/health-dashboard/metrics', 'admin')).json();
    expect(figures).toMatchObject({ graphs_by_status: { DEGRADED: 1 }, stuck_documents: 2, checks_total: 5 });
  });

  test('is told that nothing is replicated, neither well nor ill, beside how graphs and backups are', async () => {
    const { call, looks } = await serve();
    expect((await call('/api/v1/health-dashboard/replication/status', 'admin')).json()).toMatchObject({
      configured: false,
      status: 'not configured',
    });
    const path = '/api/v1/backup-replication/recovery/health';
    const before = (await call(path, 'admin')).json();
    expect([looks(), before.replication.status]).toEqual([0, 'not configured']);
    const found = (await call(`${path}-check`, 'admin', 'POST')).json();
    expect(looks()).toBe(2);
    expect(found).toMatchObject({
      overall_status: 'critical',
      graphs: {
        default: {
          ...{
            component_id: 'default',
            component_type: 'graph',
            status: 'degraded',
            message: '2 documents unfinished.',
          },
          details: { documents: { processed: 7, processing: 2 }, stuck: 2 },
        },
      },
      backups: { default: { status: 'degraded', message: 'The newest point is old.' } },
      replication: { configured: false, status: 'not configured' },
    });
    expect(Object.keys(found.backups)).toEqual(['default']);
  });

  test('has no number that nobody knows', async () => {
    const { call } = await serve();
    const advanced = (await call('/api/system/health/advanced?fresh=true', 'admin')).json();
    expect(advanced).toMatchObject({
      ...{ provider: null, system_resources: null, workspaces: { total: 1, active: 1 } },
      graph_data: { path_configured: true, entities_available: null, relationships_available: true },
      ...{ database: { connected: false }, cache: { available: true } },
      components: { api: 'healthy', indexing_manager: 'degraded', graph_operations: 'unhealthy' },
    });
    const enhanced = (await call('/api/system/status/enhanced', 'admin')).json();
    expect(enhanced).toMatchObject({
      ...{ version: '1.2.3', environment: 'production', uptime_seconds: 7, query_metrics: { total_queries: 4 } },
      graph_metrics: {
        ...{ total_entities: null, total_relationships: 3, total_communities: 5 },
        ...{ queries_processed: 4, exports_generated: null },
      },
      workspace_metrics: { total_workspaces: 1, operations_performed: 6 },
      indexing_metrics: { total_jobs: 9, active_jobs: 2, completed_jobs: 7, failed_jobs: 0 },
      recent_operations: [{ type: 'backup.take', timestamp: '1970-01-01T00:00:00.000Z' }],
    });
  });

  test('sees our own parts behind readiness', async () => {
    const { call, health } = await serve();
    expect((await call('/readyz?verbose', 'admin')).json()).toEqual({
      status: 'ok',
      checks: [{ name: 'own disk', status: 'healthy', message: `Of ${secret}.` }],
    });
    health.setReady(false);
    expect((await call('/readyz?verbose')).json()).toEqual({ status: 'not ready' });
  });
});
