import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findOff, type Switch, switchKeys } from '../../web/state/switches.ts';
import { readConfig, settingEntries } from '../config/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createWarden, type StartedWarden, type Warden } from './warden.ts';

/** Each switch, the background work that is not there without it, and the routes that say so. */
const switches: readonly {
  readonly variable: string;
  readonly jobs: readonly string[];
  readonly routes: readonly string[];
}[] = [
  {
    variable: 'MONITORING_ENABLED',
    jobs: ['host sampler', 'user directories', 'probe default', 'workspace sizes', 'inspections', 'tuning'],
    routes: ['/api/v1/monitoring/system', '/api/v1/monitoring/health', '/api/v1/monitoring/user/a'],
  },
  { variable: 'LIGHTRAG_METRICS_ENABLED', jobs: ['metric sampling', 'metric flush'], routes: ['/metrics'] },
  {
    variable: 'BACKUP_ENABLED',
    jobs: ['backup schedule', 'drill schedule'],
    routes: [
      '/api/v1/backup/status',
      '/api/v1/backup/history',
      '/api/v1/backup/points',
      '/api/v1/backup/retention',
      '/api/v1/repository',
    ],
  },
  {
    variable: 'LIGHTRAG_RECOVERY_ENABLED',
    jobs: ['drill schedule'],
    routes: ['/api/v1/recovery/objectives', '/api/v1/recovery/drills'],
  },
  {
    variable: 'RAGWARDEN_ALERTS_ENABLED',
    jobs: ['alert evaluation'],
    routes: ['/api/v1/metrics/alerts/active', '/api/v1/metrics/alerts/rules'],
  },
  {
    variable: 'RAGWARDEN_ANALYTICS_ENABLED',
    jobs: ['analytics'],
    routes: ['/api/v1/metrics/analytics/profiles', '/api/v1/metrics/analytics/patterns'],
  },
  // Off unless somebody asks for it, and then while it runs: its targets stay registered, and nothing is copied.
  { variable: 'LIGHTRAG_REPLICATION_ENABLED', jobs: [], routes: [] },
  { variable: 'RAGWARDEN_CLEANUP_ENABLED', jobs: ['cleanup tasks'], routes: [] },
  // What was written before it was switched off still grows old.
  { variable: 'LIGHTRAG_EVENT_LOGGING_ENABLED', jobs: [], routes: ['/api/v1/events', '/api/v1/events/stream'] },
  { variable: 'RAGWARDEN_GATEWAY_ENABLED', jobs: [], routes: ['/api/v1/gateway/status'] },
  { variable: 'LIGHTRAG_HEALTH_CHECK_ENABLED', jobs: ['probe default'], routes: [] },
];
/** What the views of the page ask for by themselves. */
const askedByThePage = [
  ...['targets', 'operations?limit=10', 'monitoring/health', 'repository', 'audit', 'system/services'],
  ...['backup/status', 'backup/points?limit=50', 'backup/timeline?days=30', 'backup/sources'],
  ...['recovery/drills?limit=50', 'recovery/objectives', 'recovery/failover?target=default', 'recovery/failovers'],
  ...['health-dashboard/graphs', 'health-dashboard/status', 'health-dashboard/replication/status'],
  ...['events?limit=20', 'events/analytics', 'metrics/definitions?limit=1000', 'metrics/top?name=request_rate&by=mode'],
  ...['metrics/query?name=request_rate', 'metrics/alerts/active?state=pending', 'metrics/alerts/history?limit=15'],
  ...['metrics/alerts/rules', 'metrics/alerts/receivers', 'metrics/alerts/deliveries', 'metrics/alerts/silences'],
  ...['metrics/resources/summary', 'metrics/resources/leaks', 'metrics/resources/observed'],
  ...['metrics/quotas', 'metrics/quotas/reservations', 'metrics/quotas/violations', 'gateway/status', 'gateway/keys'],
  ...['metrics/cleanup/tasks', 'metrics/cleanup/strategies', 'metrics/cleanup/quarantine', 'metrics/cleanup/history'],
  ...['metrics/analytics/profiles', 'metrics/analytics/patterns', 'metrics/analytics/recommendations'],
  ...['metrics/analytics/forecasts', 'tuning/advice', 'tuning/effective', 'tuning/parameters'],
  ...[
    'traffic/summary?window=1h&by=mode',
    'traffic/recent?limit=20',
    'tuning/revisions',
    'tuning/plan',
    'tuning/drift',
  ],
  ...['tuning/providers', 'backup-replication/replication/logs', 'backup-replication/backup/snapshots/received'],
  ...['backup-replication/recovery/checkpoints', 'targets/default/orphans', 'targets/default/canary'],
  ...['targets/default/documents'],
].map((path) => `api/v1/${path}`);
const adminToken = 'the-token-of-this-test';

let folder: string;
const wardens: Warden[] = [];

async function start(name: string, off: readonly string[]): Promise<StartedWarden> {
  const dataDir = join(folder, name);
  const env = {
    ...Object.fromEntries(off.map((variable) => [variable, 'false'])),
    RAGWARDEN_DATA_DIR: dataDir,
    RAGWARDEN_PORT: '0',
    LIGHTRAG_METRICS_PORT: '0',
    RAGWARDEN_GATEWAY_PORT: '0',
    RAGWARDEN_ADMIN_TOKEN: adminToken,
    RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9',
    WORKING_DIR: join(folder, 'rag'),
    RAGWARDEN_BACKUP_AT_START: 'false',
  };
  const warden = createWarden({ reading: readConfig({ env, cwd: folder }), log: silentLogger, command: 'serve' });
  wardens.push(warden);
  return warden.start();
}

let off: StartedWarden;
let on: StartedWarden;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-switches-'));
  on = await start('on', []);
  off = await start(
    'off',
    switches.map(({ variable }) => variable),
  );
});
afterAll(async () => {
  for (const warden of wardens) await warden.stop('the test is over');
  rmSync(folder, { recursive: true, force: true });
});

const jobNames = (started: StartedWarden): string[] => started.jobs.states(Date.now()).map(({ name }) => name);
const ask = async (started: StartedWarden, url: string) => {
  const answer = await started.server.inject({ url, headers: { authorization: `Bearer ${adminToken}` } });
  return { status: answer.statusCode, text: answer.body };
};

describe('a part that is switched off', () => {
  test.each(switches)('by $variable has no background work, and its routes name the switch', async (one) => {
    for (const job of one.jobs) {
      expect(jobNames(on), job).toContain(job);
      expect(jobNames(off), job).not.toContain(job);
    }
    for (const url of one.routes) {
      const { status, text } = await ask(off, url);
      expect(status, url).toBe(409);
      expect(text).toContain('feature/disabled');
      expect(text, url).toContain(one.variable);
      if (!url.endsWith('/stream')) expect((await ask(on, url)).text).not.toContain('feature/disabled');
    }
  });

  test('is known to the page, which asks for nothing that is sure to be refused and for all else', async () => {
    for (const started of [on, off]) {
      const told = JSON.parse((await ask(started, `/api/v1/settings?key=${switchKeys.join('&key=')}`)).text);
      const switches: Switch[] = told.items;
      expect(switches.map(({ key }) => key).sort()).toEqual([...switchKeys].sort());
      for (const path of askedByThePage) {
        const { status, text } = await ask(started, `/${path}`);
        expect([path, status], text).toEqual([path, findOff(path, switches) === undefined ? 200 : 409]);
      }
    }
  });

  test('has no listener of its own', () => {
    expect(on.metrics).toBeDefined();
    expect(off.metrics).toBeUndefined();
    expect(on.gateway).toBeDefined();
    expect(off.gateway).toBeUndefined();
  });

  test('is one of these: every switch among the settings has its line here', () => {
    const known = settingEntries.filter(([, { key }]) => /(^|\.)enabled$/.test(key));
    const listed = new Set(switches.map(({ variable }) => variable));
    expect(known.filter(([, { env }]) => !env.some(({ name }) => listed.has(name))).map(([, { key }]) => key)).toEqual(
      [],
    );
  });

  test('cannot be the audit trail', async () => {
    await off.settings.patch({ 'log.level': 'error' }, { actor: 'test' });
    const { status, text } = await ask(off, '/api/v1/audit');
    expect(status).toBe(200);
    expect(JSON.parse(text).items[0]).toMatchObject({ actor: 'test', action: 'settings.patch' });
  });
});
