import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig, requireConfig } from '../src/config/index.ts';
import { hasPart } from './setup/parts.ts';
import { mainProgram } from './setup/product-programs.ts';
import { field, type RunningWarden, removeFolder, startWarden, temporaryFolder, until } from './warden-harness.ts';

const root = resolve(import.meta.dirname, '..');

type Route = { readonly method: string; readonly path: string; readonly access: string };

/** The table in the documentation, which another test here holds against the server. */
const documented: readonly Route[] = [
  ...readFileSync(join(root, 'docs/api.md'), 'utf8').matchAll(/^\| (GET|POST|PUT|DELETE) \| `([^`]+)` \| (\w+) \|/gm),
].map(([, method = '', path = '', access = '']) => ({ method, path, access }));

/** With something in each place that no part of the product knows. */
const filled = (path: string): string =>
  path.replace(':backup_id', 'backup_20200101_000000_zzzz').replace(/:\w+/g, 'nothing');

/** They start or stop something as soon as an admin asks; what they do is shown where a recovery point is at stake. */
const effective = ['backup/trigger', 'backup/start', 'backup/stop', 'access/logout'].map((end) => `/api/v1/${end}`);

const adminToken = 'an-admin-token-for-this-test-alone';

describe('the server with the sample', () => {
  const dataDir = temporaryFolder('server');
  const repository = temporaryFolder('server-repository');
  let warden: RunningWarden;
  beforeAll(async () => {
    warden = await startWarden({
      dataDir,
      settings: {
        BACKUP_DIR: repository,
        BACKUP_FREQUENCY: '7200',
        BACKUP_RETENTION_DAYS: '3',
        LIGHTRAG_BACKUP_RETENTION_DAYS: '14',
        LIGHTRAG_METRICS_COLLECTION_INTERVAL: '1',
        RAGWARDEN_ADMIN_TOKEN: adminToken,
        RAGWARDEN_SAMPLE_INTERVAL: '0.2',
        RAGWARDEN_DIRECTORY_SIZES_INTERVAL: '1',
      },
    });
  });
  afterAll(async () => {
    await warden?.stop();
    for (const folder of [dataDir, repository]) removeFolder(folder);
  });

  const families = async (): Promise<string> => (await fetch(`${warden.metrics}/metrics`)).text();

  test('test_managers_initialized: every part has started, and each says what it sees', async () => {
    expect((await warden.callStranger('GET', '/readyz')).status).toBe(200);
    const events = (await warden.call('GET', '/api/v1/events?type=warden.started')).body;
    expect(field(events, 'items', 0, 'message')).toMatch(/started/);
    await until('the host was sampled', async () =>
      (await warden.call('GET', '/api/v1/monitoring/system')).status === 200 ? true : undefined,
    );
    const target = await until('the sample is healthy', async () => {
      const { body } = await warden.call('GET', '/api/v1/targets');
      return field(body, 'items', 0, 'status') === 'HEALTHY' ? body : undefined;
    });
    expect(field(target, 'items', 0, 'sample')).toBe(true);
    expect(field(target, 'items', 0, 'core_version')).toBe('1.5.7');
    const backup = (await warden.call('GET', '/api/v1/backup/status')).body;
    expect(['scheduled', 'running', 'error']).toContain(field(backup, 'status'));
    expect(warden.log()).not.toMatch(/"level":"error"/);
  });

  test('test_routes_registered: each documented route answers whom it should and nobody else', async () => {
    const wrong: string[] = [];
    for (const { method, path, access } of documented) {
      const stranger = await warden.callStranger(method, filled(path));
      const isOpen = ![401, 403].includes(stranger.status);
      if (isOpen !== (access === 'public') && path !== '/api/v1/access/login')
        wrong.push(`${method} ${path}: a stranger gets ${stranger.status}`);
      if (path.endsWith('/stream') || effective.includes(path)) continue;
      const admin = await warden.call(method, filled(path), method === 'GET' ? undefined : {});
      if ([401, 403, 405, 500].includes(admin.status) && path !== '/api/v1/access/login')
        wrong.push(`${method} ${path}: an admin gets ${admin.status}`);
      // What has no path names no thing either, unless there is nothing yet that it could be about.
      const isMissing = admin.status === 404 && field(admin.body, 'code') === 'request/not-found';
      if (isMissing && !path.includes(':')) wrong.push(`${method} ${path}: is not there`);
    }
    expect(wrong).toEqual([]);
  });

  test('an API key opens the backup routes, a wrong one does not', async () => {
    for (const path of ['/api/v1/backup/status', '/api/v1/backup/history', '/api/v1/backup/points']) {
      expect((await warden.callStranger('GET', path, { 'x-api-key': adminToken })).status).toBe(200);
      expect((await warden.callStranger('GET', path, { 'x-api-key': `${adminToken}x` })).status).toBe(401);
      expect((await warden.callStranger('GET', path)).status).toBe(401);
    }
  });

  test('test_config_loading: names of the environment reach the running parts', async () => {
    const status = (await warden.call('GET', '/api/v1/backup/status')).body;
    expect(field(status, 'frequency')).toBe(7_200);
    expect(field(status, 'retention_days')).toBe(3);
    expect(field(status, 'daily_retention_days')).toBe(14);
    expect(field(status, 'location')).toBe(repository);
    expect(field(status, 'rpo', 'objective_seconds')).toBe(7_200 + 3_600);
    const countedAt = async () =>
      field((await warden.call('GET', '/api/v1/targets/sample')).body, 'sizes', 0, 'counted_at');
    const first = await until('the folders were counted', async () => (await countedAt()) ?? undefined);
    await until('they were counted again', async () => ((await countedAt()) === first ? undefined : true));
  });

  test('test_health_dashboard: a browser gets a page, everybody else JSON; a stranger learns one word', async () => {
    const page = await warden.callStranger('GET', '/health', { accept: 'text/html,*/*' });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(page.text).toContain('<title>ragwarden: ');
    const json = await warden.callStranger('GET', '/health', { accept: '*/*' });
    expect(Object.keys(json.body as object).sort()).toEqual(['status', 'timestamp']);
    expect(page.text).not.toMatch(/1\.5\.7|rag_storage/);
    const checks = field((await warden.call('GET', '/health')).body, 'checks') as { name: string }[];
    expect(checks.map(({ name }) => name).sort()).toEqual([
      'alert evaluation',
      'background jobs',
      'backup sample',
      'drill sample',
      'host',
      'indexing sample',
      'notifications',
      'outbox',
      'own disk',
      'queues sample',
      'quota ledger',
      'replication',
      'scheduler',
      'state database',
      'target sample',
    ]);
  });

  test.skipIf(!hasPart('restic'))('the metrics count what happened, and only that', async () => {
    await until('the first recovery point is there', async () => {
      const { body } = await warden.call('GET', '/api/v1/backup/status');
      return field(body, 'last_verified_backup') === null ? undefined : true;
    });
    const point = field((await warden.call('GET', '/api/v1/backup/points')).body, 'items', 0);
    const text = await until('the status reached the metrics', async () => {
      const shown = await families();
      return /^recovery_points_total\{/m.test(shown) && /^backup_size_bytes\{/m.test(shown) ? shown : undefined;
    });
    const value = (series: string): number =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.slice(series.length),
      );
    expect(value('backup_snapshots_total{target="sample",outcome="success"}')).toBe(1);
    expect(Math.round((value('backup_size_bytes{target="sample"}') / 1024 ** 2) * 1000) / 1000).toBe(
      field(point, 'total_size_mb'),
    );
    expect(value('recovery_points_total{target="sample"}')).toBe(1);
    expect(value('ragwarden_recovery_points{target="sample"}')).toBe(1);
    expect(
      value('request_duration_seconds_count{method="GET",route="/api/v1/backup/status",status="2xx"}'),
    ).toBeGreaterThan(0);
    // Nothing is replicated yet: the families are announced and claim nothing.
    for (const name of ['replication_lag_seconds', 'replication_errors_total']) {
      expect(text).toMatch(new RegExp(`^# TYPE ${name} `, 'm'));
      expect(text).not.toMatch(new RegExp(`^${name}[{ ]`, 'm'));
    }
  });

  test('the exposition has a port of its own, and asks for a token on the port of the API', async () => {
    expect(warden.metrics).not.toBe(warden.api);
    expect((await fetch(`${warden.metrics}/metrics`)).status).toBe(200);
    expect((await warden.callStranger('GET', '/metrics')).status).toBe(401);
    expect((await warden.call('GET', '/metrics')).status).toBe(200);
    expect(readConfig({ env: {}, cwd: dataDir }).config.metrics.port).toBe(9090);
  });

  test('runs are on record: as events, in the history and as operations', async () => {
    const events = (await warden.call('GET', '/api/v1/events?type=backup.*')).body;
    const history = (await warden.call('GET', '/api/v1/backup/history?limit=10')).body;
    const operations = (await warden.call('GET', '/api/v1/operations')).body;
    expect(Array.isArray(history)).toBe(true);
    if (!hasPart('restic')) return;
    expect(field(events, 'items', 0, 'type')).toBe('backup.point-taken');
    expect(field(history, 0, 'status')).toBe('success');
    expect(field(operations, 'items', 0, 'kind')).toMatch(/^(backup|repository)\./);
  });
});

describe('the server with a backend of its own', () => {
  const dataDir = temporaryFolder('server-own');
  const secrets = { LIGHTRAG_API_KEY: 'key-of-the-watched-backend', RAGWARDEN_ADMIN_TOKEN: adminToken };
  const seenKeys: (string | undefined)[] = [];
  const backend = createServer((request, response) => {
    seenKeys.push(request.headers['x-api-key']?.toString());
    response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>broken</h1>');
  });
  let warden: RunningWarden;
  beforeAll(async () => {
    await new Promise<void>((done) => backend.listen(0, '127.0.0.1', done));
    warden = await startWarden({
      dataDir,
      settings: {
        ...secrets,
        // The server listens on a port, so this is no pipe.
        RAGWARDEN_TARGET_URL: `http://127.0.0.1:${(backend.address() as AddressInfo).port}`,
        RAGWARDEN_TARGET_ID: 'library',
        RAGWARDEN_PROBE_INTERVAL: '0.2',
        RAGWARDEN_BACKUP_AT_START: 'false',
        LIGHTRAG_BACKUP_ENABLED: 'false',
        RAGWARDEN_LOG_LEVEL: 'trace',
      },
    });
  });
  afterAll(async () => {
    await warden?.stop();
    backend.close();
    removeFolder(dataDir);
  });

  test('a failed probe is counted, told with its reason, and never called healthy', async () => {
    const target = await until('the backend was probed', async () => {
      const { body } = await warden.call('GET', '/api/v1/targets/library');
      return field(body, 'status') === 'UNKNOWN' ? undefined : body;
    });
    expect(['DEGRADED', 'OFFLINE']).toContain(field(target, 'status'));
    expect(field(target, 'reasons', 0, 'message')).toBeTruthy();
    expect(field(target, 'sample')).toBe(false);
    // Each probe that fails counts, not only the change to a worse word.
    await until('five failures are counted', async () => {
      const text = await (await fetch(`${warden.metrics}/metrics`)).text();
      const counted = /^health_check_failures_total\{target="library",check="target"\} (\d+)/m.exec(text)?.[1];
      return Number(counted ?? 0) >= 5 ? true : undefined;
    });
  });

  test('what is switched off says so and names the setting', async () => {
    for (const [method, path] of [
      ['GET', '/api/v1/backup/status'],
      ['GET', '/api/v1/backup/history'],
      ['POST', '/api/v1/backup/trigger'],
    ] as const) {
      const answer = await warden.call(method, path);
      expect(answer.status).toBe(409);
      expect(field(answer.body, 'code')).toBe('feature/disabled');
      expect(field(answer.body, 'detail')).toContain('BACKUP_ENABLED');
    }
  });

  test('the keys of backend and admin are used and appear nowhere: no answer, no log, no file', async () => {
    await until('the key was sent', () => (seenKeys.includes(secrets.LIGHTRAG_API_KEY) ? true : undefined));
    const places: string[] = [];
    const look = (where: string, text: string): void => {
      for (const [name, secret] of Object.entries(secrets))
        if (text.includes(secret)) places.push(`${name} in ${where}`);
    };
    for (const { method, path } of documented)
      if (method === 'GET' && !path.endsWith('/stream')) look(path, (await warden.call('GET', filled(path))).text);
    look('metrics', await (await fetch(`${warden.metrics}/metrics`)).text());
    await warden.stop();
    look('the log', warden.log());
    for (const entry of readdirSync(dataDir, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) look(entry.name, readFileSync(join(entry.parentPath, entry.name), 'latin1'));
    expect(places).toEqual([]);
  });
});

describe('the server with parts switched off', () => {
  test('no exposition, no probe, no event, no point: each switch of the environment switches its part', async () => {
    const dataDir = temporaryFolder('server-off');
    const warden = await startWarden({
      dataDir,
      settings: {
        LIGHTRAG_METRICS_ENABLED: 'false',
        LIGHTRAG_EVENT_LOGGING_ENABLED: 'false',
        LIGHTRAG_HEALTH_CHECK_ENABLED: 'false',
        BACKUP_ENABLED: 'false',
      },
    });
    try {
      expect(warden.metrics).toBeUndefined();
      expect((await warden.call('GET', '/metrics')).status).toBe(409);
      expect((await warden.call('GET', '/api/v1/backup/status')).status).toBe(409);
      // The sample was looked at once, when it was started; that grows old, and nobody looks again.
      await until('the state of the sample is unknown', async () =>
        field((await warden.call('GET', '/api/v1/targets/sample')).body, 'status') === 'UNKNOWN' ? true : undefined,
      );
      const checks = field((await warden.call('GET', '/health')).body, 'checks') as { name: string }[];
      expect(checks.map(({ name }) => name)).toEqual([
        'background jobs',
        'notifications',
        'own disk',
        'quota ledger',
        'scheduler',
        'outbox',
        'state database',
        'host',
      ]);
      // The event log stays empty, the audit trail cannot be switched off.
      await warden.call('POST', '/api/v1/access/tokens', { name: 'ci', role: 'service' });
      expect(field((await warden.call('GET', '/api/v1/events')).body, 'code')).toBe('feature/disabled');
      expect(field((await warden.call('GET', '/api/v1/audit')).body, 'items', 0, 'action')).toMatch(/token/);
    } finally {
      await warden.stop();
      removeFolder(dataDir);
    }
  });

  test('MONITORING_ENABLED=false: nothing is sampled or probed, and its routes say so', async () => {
    const dataDir = temporaryFolder('server-unwatched');
    const warden = await startWarden({ dataDir, settings: { MONITORING_ENABLED: 'false', BACKUP_ENABLED: 'false' } });
    try {
      for (const path of ['system', 'health', 'user/nobody']) {
        const { status, body } = await warden.call('GET', `/api/v1/monitoring/${path}`);
        expect([status, field(body, 'code')], path).toEqual([409, 'feature/disabled']);
      }
      expect(field((await warden.call('GET', '/health')).body, 'status')).toBe('unknown');
      const metrics = await (await fetch(`${warden.metrics}/metrics`)).text();
      expect(metrics).not.toMatch(/^ragwarden_host_cpu/m);
    } finally {
      await warden.stop();
      removeFolder(dataDir);
    }
  });
});

describe('the environment', () => {
  // Name, what is written there, where it arrives, and what stands there without it.
  test.each([
    ['BACKUP_ENABLED', 'false', ['backup', 'enabled'], false, true],
    ['LIGHTRAG_BACKUP_ENABLED', 'false', ['backup', 'enabled'], false, true],
    ['BACKUP_DIR', '/srv/points', ['backup', 'location'], '/srv/points', '/srv/ragwarden-data/repository'],
    ['LIGHTRAG_BACKUP_STORAGE', '/srv/points', ['backup', 'location'], '/srv/points', '/srv/ragwarden-data/repository'],
    ['BACKUP_FREQUENCY', '3600', ['backup', 'frequencyMs'], 3_600_000, 86_400_000],
    ['LIGHTRAG_AUTO_BACKUP_INTERVAL', '6', ['backup', 'frequencyMs'], 21_600_000, 86_400_000],
    ['BACKUP_RETENTION_DAYS', '14', ['backup', 'retentionDays'], 14, 7],
    ['LIGHTRAG_BACKUP_RETENTION_DAYS', '60', ['backup', 'dailyRetentionDays'], 60, 30],
    ['MONITORING_LOG_LEVEL', 'WARNING', ['logLevel'], 'warn', 'info'],
    ['LIGHTRAG_METRICS_ENABLED', 'false', ['metrics', 'enabled'], false, true],
    ['LIGHTRAG_METRICS_PORT', '9191', ['metrics', 'port'], 9_191, 9_090],
    ['LIGHTRAG_METRICS_COLLECTION_INTERVAL', '30', ['metrics', 'collectionIntervalMs'], 30_000, 60_000],
    ['LIGHTRAG_HEALTH_CHECK_ENABLED', 'false', ['healthCheckEnabled'], false, true],
    ['LIGHTRAG_EVENT_LOGGING_ENABLED', 'false', ['events', 'enabled'], false, true],
    ['LIGHTRAG_EVENT_LOG_RETENTION', '365', ['events', 'retentionDays'], 365, 90],
  ] as const)('test_config_loading: %s=%s arrives, and has its default', (name, written, path, arrived, fallback) => {
    const read = (env: Record<string, string>) => requireConfig(readConfig({ env, cwd: '/srv' }));
    expect(field(read({ [name]: written }), ...path)).toBe(arrived);
    expect(field(read({}), ...path)).toBe(fallback);
  });

  test('MONITORING_LOG_LEVEL decides what a started server logs', async () => {
    const dataDir = temporaryFolder('server-log');
    const logOf = async (level: string): Promise<string> => {
      const args = ['serve', '--data-dir', dataDir, '--port', '0', '--metrics-port', '0', '--gateway-port', '0'];
      const child = spawn(process.execPath, [mainProgram(), ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH ?? '', MONITORING_LOG_LEVEL: level },
      });
      let log = '';
      child.stderr.on('data', (chunk: Buffer) => {
        log += chunk.toString();
      });
      // Not its exit: what it said may come after that.
      const ended = new Promise((done) => child.once('close', done));
      await Promise.race([new Promise((ready) => child.stdout.once('data', ready)), ended]);
      child.kill('SIGTERM');
      await ended;
      return log;
    };
    try {
      expect(await logOf('DEBUG')).toMatch(/"level":"debug"/);
      expect(await logOf('ERROR')).toBe('');
    } finally {
      removeFolder(dataDir);
    }
  });
});
