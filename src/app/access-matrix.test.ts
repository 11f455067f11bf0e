import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../config/index.ts';
import type { AccessClass, Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createWarden, type StartedWarden, type Warden } from './warden.ts';

const adminToken = 'an-admin-token-for-this-test-alone';
const jwtSecret = 'a-shared-secret-of-more-than-32-bytes';
const dataDir = mkdtempSync(join(tmpdir(), 'ragwarden-matrix-'));
let warden: Warden;
let started: StartedWarden;
const credentials: Record<string, Record<string, string>> = { stranger: {} };

const jwt = (sub: string): Promise<string> =>
  new SignJWT({ sub, exp: Math.floor(Date.now() / 1_000) + 3_600 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(jwtSecret));

beforeAll(async () => {
  const env = { RAGWARDEN_ADMIN_TOKEN: adminToken, RAGWARDEN_JWT_SECRET: jwtSecret, ADMIN_USER_IDS: 'root' };
  const flags = { 'data-dir': dataDir, port: '0', 'metrics-port': '0', 'gateway-port': '0' };
  warden = createWarden({ reading: readConfig({ env, flags, cwd: dataDir }), log: silentLogger, command: 'serve' });
  started = await warden.start();
  for (const role of ['user', 'service', 'scrape', 'admin'] as const) {
    const made = await started.access.createToken('test', { name: role, role, workspaces: 'all', label: '' });
    credentials[role] = { authorization: `Bearer ${made.secret}` };
  }
  credentials['user by JWT'] = { 'x-api-key': await jwt('alice') };
  credentials['admin by JWT'] = { authorization: `Bearer ${await jwt('root')}` };
});
afterAll(async () => {
  await warden.stop('the test is over');
  rmSync(dataDir, { recursive: true });
});

const roles: Record<string, Role | undefined> = {
  stranger: undefined,
  user: 'user',
  service: 'service',
  scrape: 'scrape',
  admin: 'admin',
  'user by JWT': 'user',
  'admin by JWT': 'admin',
};
/** Written down once more, so that a change of the rule is seen as one. */
const admitted: Record<AccessClass, readonly (Role | undefined)[]> = {
  public: [undefined, 'user', 'service', 'scrape', 'admin'],
  user: ['user', 'admin'],
  service: ['service', 'admin'],
  scrape: ['scrape', 'service', 'admin'],
  admin: ['admin'],
};
/** A stranger is public even where the answer is about credentials. */
const answersAboutCredentials = new Set(['/api/v1/access/login']);

/** With ids that exist nowhere, and a body that no schema takes: whoever is admitted changes nothing. */
async function call(method: string, url: string, headers: Record<string, string>): Promise<number> {
  // A stream never ends; its HEAD is admitted by the same rule.
  const asked = url.endsWith('/stream') ? 'HEAD' : method;
  const unsafe = !['GET', 'HEAD'].includes(asked);
  const answer = await started.server.inject({
    method: asked as 'GET',
    url: url.replaceAll(/:\w+/g, 'nothing').replace('*', 'nothing'),
    headers: { ...headers, ...(unsafe ? { 'content-type': 'application/json' } : {}) },
    ...(unsafe ? { payload: '"nothing that fits"' } : {}),
  });
  return answer.statusCode;
}

test('every route answers each role as its class says: 401 to strangers, 403 to others, and neither to whom it is for', async () => {
  const wrong: string[] = [];
  const seen = new Set<AccessClass>();
  for (const route of started.server.routeTable) {
    if (answersAboutCredentials.has(route.url)) continue;
    seen.add(route.access);
    for (const [who, role] of Object.entries(roles)) {
      const status = await call(route.method, route.url, credentials[who] ?? {});
      const expected = admitted[route.access].includes(role) ? 'in' : role === undefined ? 401 : 403;
      const found = status === 401 || status === 403 ? status : 'in';
      if (found !== expected || status === 500)
        wrong.push(`${route.method} ${route.url} (${route.access}): ${who} gets ${status}`);
    }
  }
  expect(wrong).toEqual([]);
  expect([...seen].sort()).toEqual(['admin', 'public', 'scrape', 'service', 'user']);
  expect(started.server.routeTable.length).toBeGreaterThan(45);
  // Every route seven times, some of which read much.
});

describe('the trail', () => {
  /** Unsafe routes that leave no entry of their own, each with its reason. */
  const without: Record<string, string> = {
    'POST /api/v1/targets/:id/inspect': 'an operation, which keeps who asked for it',
    'POST /api/v1/backup/trigger': 'an operation, which keeps who asked for it',
    'POST /api/v1/backup-replication/backup/graphs/:graph_id/snapshots': 'an operation, which keeps who asked for it',
    'DELETE /api/v1/backup-replication/backup/graphs/:graph_id/snapshots/:snapshot_id':
      'needs a snapshot; shown in test/graph-snapshots.test.ts',
    'POST /api/v1/backup-replication/backup/graphs/:graph_id/snapshots/:snapshot_id/restore':
      'an operation, which keeps who asked for it',
    'POST /api/v1/backup-replication/backup/cleanup': 'an operation, which keeps who asked for it',
    'POST /api/v1/backup-replication/backup/schedule':
      'needs a graph; audited where it is written (graph-schedules.ts)',
    'POST /api/v1/backup-replication/replication/targets':
      'needs a place; audited where it is registered, shown in src/replication/replicas.test.ts',
    'POST /api/v1/backup-replication/backup/snapshots/upload':
      'a service tells what it sent; kept in the replication log, shown in src/replication/receive/receive.test.ts',
    'POST /api/v1/backup-replication/backup/snapshots/received/verify': 'only looks; told as a read',
    'POST /api/v1/backup-replication/backup/snapshots/received/adopt':
      'needs a received point; audited at its end (adopt-received.ts), shown in test/second-ragwarden.test.ts',
    'PATCH /api/v1/backup-replication/replication/targets/:target_id': 'the same as of a place that is registered',
    'DELETE /api/v1/backup-replication/replication/targets/:target_id': 'the same',
    'POST /api/v1/backup-replication/replication/targets/:target_id/replicate':
      'needs a place; audited where it begins (replication.ts)',
    'POST /api/v1/backup-replication/replication/targets/:target_id/verify': 'the same',
    'POST /api/v1/backup-replication/replication/targets/:target_id/prune': 'the same',
    'POST /api/v1/backup-replication/replication/targets/:target_id/heal': 'the same',
    'POST /api/v1/backup-replication/replication/graphs/:graph_id/replicate': 'the same',
    'POST /api/v1/backup/points/:backup_id/verify': 'an operation, which keeps who asked for it',
    'POST /api/v1/backup/restore/:backup_id': 'an operation, which keeps who asked for it',
    'POST /api/v1/recovery/drills': 'an operation, which keeps who asked for it; audited with its verdict (drills.ts)',
    'POST /api/v1/recovery/failover/plan': 'only looks; told as a read',
    'POST /api/v1/recovery/failover': 'needs a target; audited with its end (failovers.ts)',
    'POST /api/v1/recovery/reseed': 'the same',
    'POST /api/v1/backup-replication/recovery/checkpoints': 'needs a point; audited where it is made (checkpoints.ts)',
    'DELETE /api/v1/backup-replication/recovery/checkpoints/:checkpoint_id': 'the same',
    'POST /api/v1/backup-replication/recovery/checkpoints/:checkpoint_id/validate': 'the same',
    'POST /api/v1/backup-replication/recovery/checkpoints/:checkpoint_id/failover': 'as any failover',
    'POST /api/v1/repository/check': 'an operation, which keeps who asked for it; audited where it begins (upkeep.ts)',
    'POST /api/v1/repository/forget': 'the same',
    'POST /api/v1/repository/prune': 'the same',
    'POST /api/v1/repository/unlock': 'the same',
    'POST /api/v1/events': 'an event, which keeps who told it; shown in event-routes.test.ts',
    'POST /api/v1/settings/check': 'only looks; told as a read',
    'POST /api/v1/backup-replication/recovery/health-check': 'the same',
    'POST /api/system/config/validate': 'the same',
    'POST /api/v1/system/logs/rotate': 'needs a log; audited at its end, shown in logs.test.ts',
    'POST /api/v1/system/logs/cleanup': 'the same',
    'DELETE /api/system/cache': 'as POST /api/system/cache/clear, by the same lines',
    'POST /api/v1/targets/:id/probe': 'only looks; told as a read',
    'POST /api/v1/targets/:id/orphans/search': 'an operation, which keeps who asked for it',
    'POST /api/v1/targets/:id/canary/run': 'only looks; told as a read',
    'POST /api/v1/targets/:id/canary/plant': 'needs a backend; audited where it is planted (canary.ts)',
    'POST /api/v1/targets/:id/documents/reprocess': 'needs a backend; audited where it is asked (reprocess.ts)',
    'POST /api/v1/gateway/keys': 'needs a target; audited where it is made, shown in test/gateway.test.ts',
    'DELETE /api/v1/gateway/keys/:id': 'the same',
    'PUT /api/v1/metrics/alerts/silences/:id': 'needs a silence; shown in src/notify/notify-routes.test.ts',
    'DELETE /api/v1/metrics/alerts/silences/:id': 'the same',
    'POST /api/v1/metrics/alerts/receivers': 'asks for the address of its host; shown there too',
    'PUT /api/v1/metrics/alerts/receivers/:id': 'the same',
    'DELETE /api/v1/metrics/alerts/receivers/:id': 'the same',
    'POST /api/v1/metrics/alerts/receivers/:id/enable': 'the same',
    'POST /api/v1/metrics/alerts/receivers/:id/test': 'the same',
    'POST /api/v1/metrics/alerts/deliveries/:id/retry': 'the same',
    'POST /api/v1/metrics/analytics/run': 'only looks; told as a read',
    'POST /api/v1/metrics/analytics/recommendations/:recommendation_id/dismiss':
      'needs a recommendation; audited where it is dismissed, shown in analytics-routes.test.ts',
    'POST /api/v1/metrics/analytics/recommendations/:recommendation_id/reopen': 'the same',
    'POST /api/v1/metrics/record': 'records values; who may is told where tokens are made',
    'POST /api/v1/metrics/agents/record': 'the same',
    'POST /api/v1/monitoring/lightrag/record': 'the same',
    'POST /api/v1/metrics/alerts/rules/test': 'changes nothing',
    'POST /api/v1/metrics/alerts/:alert_id/acknowledge': 'of what fires; shown in alert-evaluation.test.ts',
    'POST /api/v1/metrics/resources':
      'the same, of what a program holds; once a minute in the trail, shown in resource-routes.test.ts',
    'POST /api/v1/metrics/resources/:resource_id/access':
      'the same; of what another registered it is audited, shown in resource-routes.test.ts',
    'POST /api/v1/metrics/resources/:resource_id/touch': 'the same as registering',
    'POST /api/v1/metrics/resources/:resource_id/release': 'as access',
    'DELETE /api/v1/metrics/resources/:resource_id': 'as access',
    'POST /api/v1/metrics/cleanup/plans': 'looks and writes down what it saw; nothing is changed',
    'POST /api/v1/metrics/cleanup/quarantine/undo':
      'needs something in the quarantine; shown in folder-cleanup.test.ts',
    'POST /api/workspaces/:workspace_id/cleanup': 'needs a workspace; as POST /api/v1/metrics/cleanup/runs',
    'POST /api/workspaces/cleanup/run': 'the same',
    'POST /api/v1/metrics/quotas/check': 'a use, which the ledger has; who may is told where tokens are made',
    'POST /api/v1/metrics/quotas/reservations': 'a use that is held; the row keeps who asked for it',
    'POST /api/v1/metrics/quotas/reservations/:reservation_id/settle': 'the same',
    'POST /api/v1/metrics/quotas/reservations/:reservation_id/release': 'the same',
    'POST /api/v1/metrics/quotas/reservations/:reservation_id/renew': 'the same',
    'POST /api/v1/metrics/quotas/replay': 'only looks; told as a read',
    'POST /v1/metrics': 'the same',
    'POST /api/v1/otlp/v1/metrics': 'the same',
    'DELETE /api/v1/metrics/reset/:agent_id': 'as DELETE /api/v1/metrics/reset, by the same lines',
    'POST /api/v1/operations/:id/cancel': 'needs a running operation; shown in operation-routes.test.ts',
    'POST /api/v1/backup/rebuild-catalogue': 'an operation, which keeps who asked for it',
    'DELETE /api/v1/config/lightrag': 'as with the default, by the same lines',
    'DELETE /api/v1/tuning/values': 'the same',
    'POST /api/v1/tuning/check': 'changes nothing',
    'POST /api/v1/tuning/revisions/:revision/rollback': 'as a change; shown in tuning.test.ts',
    'POST /api/v1/tuning/apply': 'an operation, which keeps who asked for it',
    'POST /api/system/provider/switch': 'the same; audited when it is over, in provider-switch.test.ts',
    'POST /api/provider/switch': 'the same',
    'PUT /api/v1/backup/points/:backup_id/pin': 'needs a recovery point; audited where it is pinned (catalogue.ts)',
    'DELETE /api/v1/backup/points/:backup_id/pin': 'needs a recovery point; audited where it is pinned (catalogue.ts)',
  };

  test('every route that changes something leaves an entry with its actor', async () => {
    const { access, server, events } = started;
    const token = () => access.createToken('test', { name: 'made', role: 'user', workspaces: [], label: '' });
    const session = async (): Promise<Record<string, string>> => {
      const answer = await server.inject({
        method: 'POST',
        url: '/api/v1/access/login',
        payload: { token: adminToken },
      });
      const cookie = String(answer.headers['set-cookie']).split(';')[0] ?? '';
      return { cookie, origin: 'http://localhost', 'x-csrf-token': answer.json().csrf_token, authorization: '' };
    };
    type Call = { path?: string; payload?: object; headers?: Record<string, string>; action: string };
    const calls: Record<string, () => Promise<Call>> = {
      'POST /api/v1/access/login': async () => ({ payload: { token: adminToken }, action: 'access.login' }),
      'POST /api/v1/access/logout': async () => ({ headers: await session(), action: 'access.logout' }),
      'POST /api/v1/access/login-links': async () => ({ action: 'access.create-login-link' }),
      'POST /api/v1/access/tokens': async () => ({
        payload: { name: 'a', role: 'user' },
        action: 'access.create-token',
      }),
      'POST /api/v1/access/tokens/:id/rotate': async () => ({
        path: (await token()).token.id,
        action: 'access.rotate-token',
      }),
      'DELETE /api/v1/access/tokens/:id': async () => ({
        path: (await token()).token.id,
        action: 'access.revoke-token',
      }),
      'DELETE /api/v1/access/sessions': async () => ({ action: 'access.end-sessions' }),
      'POST /api/v1/backup/repository/adopt': async () => ({
        payload: { confirm: true },
        action: 'backup.adopt-repository',
      }),
      'PATCH /api/v1/settings': async () => ({ payload: { 'log.level': 'error' }, action: 'settings.patch' }),
      'POST /api/v1/settings/reload': async () => ({ action: 'settings.reload' }),
      'PUT /api/v1/metrics/definitions/:name': async () => ({ payload: { type: 'gauge' }, action: 'metrics.define' }),
      'POST /api/v1/monitoring/lightrag/reset': async () => ({ action: 'traffic.reset' }),
      'DELETE /api/v1/metrics/reset': async () => ({ action: 'metrics.reset' }),
      'POST /api/v1/metrics/alerts/rules': async () => ({
        payload: { name: 'made', metric_name: 'level', condition: 'gt', threshold: 1 },
        action: 'alerts.create-rule',
      }),
      'PUT /api/v1/metrics/alerts/rules/:rule_name': async () => ({
        path: 'made',
        payload: { metric_name: 'level', condition: 'gt', threshold: 2 },
        action: 'alerts.change-rule',
      }),
      'DELETE /api/v1/metrics/alerts/rules/:rule_name': async () => ({ path: 'made', action: 'alerts.delete-rule' }),
      'POST /api/v1/metrics/alerts/silences': async () => ({
        payload: { matchers: ['alertname=cpu'], until: new Date(Date.now() + 60_000).toISOString(), comment: 'a test' },
        action: 'notify.create-silence',
      }),
      'PUT /api/v1/config/lightrag': async () => ({ payload: { cache_size: 20 }, action: 'tuning.set' }),
      'PUT /api/v1/config/lightrag/default': async () => ({ payload: { top_k: 20 }, action: 'tuning.set' }),
      'PUT /api/v1/tuning/values': async () => ({ payload: { values: { top_k: 21 } }, action: 'tuning.set' }),
      'DELETE /api/v1/config/lightrag/default': async () => ({ action: 'tuning.reset-all' }),
      'POST /api/v1/metrics/cleanup/runs': async () => ({ payload: { strategy: 'events' }, action: 'cleanup.run' }),
      'POST /api/v1/metrics/resources/cleanup/:resource_type': async () => ({ path: 'lock', action: 'cleanup.run' }),
      'POST /api/v1/metrics/cleanup/tasks': async () => ({
        payload: { task_id: 'made', cleanup_type: 'events' },
        action: 'cleanup.task-add',
      }),
      'PUT /api/v1/metrics/cleanup/tasks/:task_id': async () => ({
        path: 'made',
        payload: { cleanup_type: 'metrics' },
        action: 'cleanup.task-change',
      }),
      'POST /api/v1/metrics/cleanup/tasks/:task_id/disable': async () => ({
        path: 'made',
        action: 'cleanup.task-disable',
      }),
      'POST /api/v1/metrics/cleanup/tasks/:task_id/enable': async () => ({
        path: 'made',
        action: 'cleanup.task-enable',
      }),
      'POST /api/v1/metrics/cleanup/tasks/:task_id/run': async () => ({ path: 'made', action: 'cleanup.run' }),
      'DELETE /api/v1/metrics/cleanup/tasks/:task_id': async () => ({ path: 'made', action: 'cleanup.task-remove' }),
      'POST /api/v1/metrics/quotas': async () => ({
        payload: { quota_id: 'first', name: 'First', resource_type: 'tokens', limit: 1 },
        action: 'quota.create',
      }),
      'PATCH /api/v1/metrics/quotas/:quota_id': async () => ({
        path: 'first',
        payload: { limit: 2 },
        action: 'quota.update',
      }),
      'POST /api/v1/metrics/quotas/:quota_id/reset': async () => ({ path: 'first', action: 'quota.reset' }),
      'DELETE /api/v1/metrics/quotas/:quota_id': async () => ({ path: 'first', action: 'quota.delete' }),
      'POST /api/v1/system/services/restart': async () => ({
        payload: { names: ['growth'] },
        action: 'system.restart',
      }),
      'POST /api/system/cache/clear': async () => ({ action: 'system.clear-caches' }),
      'POST /api/v1/backup/start': async () => ({ action: 'backup.start' }),
      'POST /api/v1/backup/stop': async () => ({ action: 'backup.stop' }),
      'POST /api/v1/backup/recovery-kit/confirm': async () => ({ action: 'backup.confirm-kit' }),
    };
    const unsafe = server.routeTable
      .filter(({ method }) => !['GET', 'HEAD'].includes(method))
      .map(({ method, url }) => `${method} ${url}`);
    const mend = 'Give a new route its call here, or its reason above.';
    expect(
      unsafe.filter((route) => !(route in calls) && !(route in without)),
      mend,
    ).toEqual([]);
    expect([...Object.keys(calls), ...Object.keys(without)].filter((route) => !unsafe.includes(route))).toEqual([]);
    for (const [route, prepare] of Object.entries(calls)) {
      const [method = '', pattern = ''] = route.split(' ');
      const { path, payload, headers, action } = await prepare();
      const before = (await events.auditHead()).seq;
      const { authorization, ...others } = { authorization: `Bearer ${adminToken}`, ...headers };
      const answer = await server.inject({
        method: method as 'POST',
        url: pattern.replace(/:\w+/, path ?? 'any'),
        headers: authorization === '' ? others : { authorization, ...others },
        ...(payload === undefined ? {} : { payload }),
      });
      const entries = (await events.listAudit({ limit: 10 })).filter((entry) => entry.seq > before);
      expect([
        route,
        answer.statusCode < 300,
        entries.map((entry) => `${entry.actor} ${entry.action} ${entry.outcome}`),
      ]).toEqual([route, true, [`local:admin ${action} done`]]);
    }
  });

  test('who read what, and who was turned away, is told once a day for each route', async () => {
    const { access, server, events } = started;
    const made = await access.createToken('test', { name: 'reader', role: 'admin', workspaces: 'all', label: '' });
    const other = await access.createToken('test', { name: 'intruder', role: 'user', workspaces: [], label: '' });
    const get = (url: string, token: string) => server.inject({ url, headers: { authorization: `Bearer ${token}` } });
    for (let i = 0; i < 3; i += 1) {
      await get('/api/v1/backup/points?limit=1', made.secret);
      await get('/api/v1/backup/points/backup_20200101_000000_zzzz', made.secret);
      await get('/api/v1/audit', other.secret);
      await get('/health', other.secret);
    }
    const told = async (actor: string) =>
      (await events.listAudit({ limit: 10, actor })).map((entry) => `${entry.action} ${entry.object} ${entry.outcome}`);
    await expect.poll(() => told('local:reader')).toEqual(['access.read GET /api/v1/backup/points done']);
    await expect.poll(() => told('local:intruder')).toEqual(['access.refused GET /api/v1/audit refused']);
    const [entry] = await events.listAudit({ limit: 1, actor: 'local:reader' });
    expect(entry?.data).toEqual({ role: 'admin', via: 'token', address: '127.0.0.1' });
  });
});
