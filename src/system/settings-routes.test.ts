import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLiveConfig, type LiveConfig, readConfig } from '../config/index.ts';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type HttpServer, type Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createSettingsControl, readRuntimeSettings, settingsRoutes } from './index.ts';

let state: TestState;
let events: EventLog;
let app: HttpServer;
let role: Role | undefined;
let cwd: string;
let live: LiveConfig;
const adminToken = 'a-secret-of-the-test';

/** A process that starts: what is in the environment, in the file and in the database. */
const begin = async (env: Record<string, string> = {}, yaml?: string): Promise<void> => {
  if (yaml !== undefined) write(yaml);
  const clock = createFakeClock();
  events = createEventLog({ db: state.db, clock, instance: 'warden' });
  live = createLiveConfig(
    readConfig({ env: { RAGWARDEN_ADMIN_TOKEN: adminToken, ...env }, cwd }),
    await readRuntimeSettings(state.db),
  );
  app = createHttpServer({
    log: silentLogger,
    clock,
    authenticate: async () => role && { subject: 'local:me', role, workspaces: 'all', via: 'token' },
    allowedHosts: () => [],
  });
  const settings = createSettingsControl({ live, db: state.db, events, clock, log: silentLogger });
  await app.register(settingsRoutes({ settings }));
};
const write = (yaml: string): void => writeFileSync(join(cwd, 'ragwarden.yaml'), yaml);

beforeEach(async () => {
  state = await openTestState();
  role = 'admin';
  cwd = mkdtempSync(join(tmpdir(), 'ragwarden-settings-'));
});
afterEach(async () => {
  await app.close();
  await state.remove();
  rmSync(cwd, { recursive: true, force: true });
});

type Shown = Record<string, unknown> & { key: string };
const call = async (
  method: 'GET' | 'PATCH' | 'POST',
  path = '',
  payload?: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown>; etag: string; text: string }> => {
  const answer = await app.inject({ method, url: `/api/v1/settings${path}`, headers, ...(payload ? { payload } : {}) });
  return { status: answer.statusCode, body: answer.json(), etag: String(answer.headers.etag), text: answer.body };
};
const one = async (key: string): Promise<Shown> => (await call('GET', `/${key}`)).body as Shown;
const violations = (body: Record<string, unknown>): string[] =>
  (body.errors as { at: string; message: string }[]).map(({ at, message }) => `${at} ${message}`);
const told = async (): Promise<string[]> =>
  (await events.list({ limit: 50, order: 'oldest-first' })).map(({ type, message }) => `${type} ${message}`);

test('everything is for admins alone, but the schema is for everybody', async () => {
  await begin();
  const routes = [
    ['GET', '/api/v1/settings'],
    ['GET', '/api/v1/settings/log.level'],
    ['PATCH', '/api/v1/settings'],
    ['POST', '/api/v1/settings/check'],
    ['POST', '/api/v1/settings/reload'],
  ] as const;
  for (const [method, url] of routes) {
    role = undefined;
    expect((await app.inject({ method, url })).statusCode).toBe(401);
    for (const other of ['user', 'service', 'scrape'] as const) {
      role = other;
      expect((await app.inject({ method, url })).statusCode).toBe(403);
    }
  }
  role = undefined;
  const schema = await app.inject({ url: '/ragwarden.schema.json' });
  expect(schema.statusCode).toBe(200);
  expect(schema.json()).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema' });
});

describe('reading', () => {
  test('each setting tells its value, its unit and where it comes from', async () => {
    await begin({ BACKUP_FREQUENCY: '7200', RAGWARDEN_PROFILE: 'development' }, 'log:\n  level: warn\n');
    expect(await one('backup.frequency_seconds')).toMatchObject({
      value: 7200,
      default: 86_400,
      unit: 'seconds',
      origin: { kind: 'environment', place: 'BACKUP_FREQUENCY' },
      environment: ['BACKUP_FREQUENCY', 'LIGHTRAG_AUTO_BACKUP_INTERVAL'],
      runtime: true,
      fixed_by: 'BACKUP_FREQUENCY',
    });
    expect(await one('log.level')).toMatchObject({
      value: 'warn',
      origin: { kind: 'file', place: expect.stringMatching(/ragwarden\.yaml:2$/) },
      fixed_by: null,
    });
    expect(await one('monitoring.interval_seconds')).toMatchObject({
      value: 1,
      default: 5,
      origin: { kind: 'profile' },
    });
    expect(await one('server.port')).toMatchObject({ value: 8710, origin: { kind: 'default' }, runtime: false });
  });

  test('of a secret is told only whether it is there', async () => {
    await begin();
    expect(await one('server.admin_token')).toMatchObject({ value: null, secret: true, is_set: true });
    expect(await one('target.api_key')).toMatchObject({ value: null, secret: true, is_set: false });
    expect((await call('GET')).text).not.toContain(adminToken);
  });

  test('an unknown key gets the nearest', async () => {
    await begin();
    const { status, body } = await call('GET', '/log.levl');
    expect([status, body.code]).toEqual([404, 'settings/unknown']);
    expect(body.detail).toContain('Did you mean log.level?');
  });
});

describe('changing', () => {
  test('is in force at once, is written to audit and events, and survives a restart; null resets', async () => {
    await begin({}, 'backup: {retention_days: 9}\n');
    const heard: number[] = [];
    live.onChange((now) => heard.push(now.backup.frequencyMs));
    const { status, body } = await call('PATCH', '', { 'backup.frequency_seconds': 3600, 'backup.retention_days': 14 });
    expect(status).toBe(200);
    expect(body.changed).toEqual([
      { key: 'backup.frequency_seconds', before: 86_400, after: 3600 },
      { key: 'backup.retention_days', before: 9, after: 14 },
    ]);
    expect(heard).toEqual([3_600_000]);
    expect(live.config().backup.retentionDays).toBe(14);
    expect(await one('backup.frequency_seconds')).toMatchObject({
      value: 3600,
      origin: { kind: 'api' },
      needs_restart: false,
    });
    expect(await told()).toEqual([
      'settings.changed backup.frequency_seconds is 3600 (was 86400), backup.retention_days is 14 (was 9) by local:me.',
    ]);
    const [entry] = await events.listAudit({ limit: 1 });
    expect(entry).toMatchObject({
      actor: 'local:me',
      action: 'settings.patch',
      outcome: 'done',
      data: { changes: body.changed },
    });

    await app.close();
    await begin();
    expect(live.config().backup.frequencyMs).toBe(3_600_000);
    await call('PATCH', '', { 'backup.retention_days': null });
    expect(await one('backup.retention_days')).toMatchObject({ value: 9, origin: { kind: 'file' } });
  });

  test('a value that is a map is replaced as a whole', async () => {
    await begin();
    await call('PATCH', '', { 'log.levels': { backup: 'debug', http: 'warning' } });
    expect(live.config().logLevels).toEqual({ backup: 'debug', http: 'warn' });
    await call('PATCH', '', { 'log.levels': { http: 'error' } });
    expect(live.config().logLevels).toEqual({ http: 'error' });
  });

  test('all or nothing: every violation is listed and nothing changes', async () => {
    await begin();
    const { status, body } = await call('PATCH', '', {
      'backup.frequency_seconds': 3600,
      'backup.retention_days': -1,
      'monitoring.interval_seconds': '5',
      'log.levels': { bakup: 'debug' },
      'log.level': 'loud',
      'bakup.retention_days': 1,
      __nothing: {},
    });
    expect([status, body.code]).toEqual([422, 'request/invalid']);
    expect(violations(body)).toEqual([
      'body.backup.retention_days must lie between 0 and 36500, not -1',
      'body.monitoring.interval_seconds must be a number, not "5"',
      expect.stringContaining('body.log.levels must be one of'),
      expect.stringContaining('body.log.level must be one of'),
      'body.bakup.retention_days is not a setting; did you mean backup.retention_days?',
      'body.__nothing is not a setting',
    ]);
    expect(live.config().backup.frequencyMs).toBe(86_400_000);
    expect(await told()).toEqual([]);
    expect(await readRuntimeSettings(state.db)).toEqual(new Map());
  });

  test('values that do not go together are refused', async () => {
    await begin();
    const { status, body } = await call('PATCH', '', { 'monitoring.thresholds.cpu_warning_percent': 95 });
    expect(status).toBe(422);
    expect(violations(body)[0]).toContain('lies above its critical threshold');
    const both = { 'monitoring.thresholds.cpu_warning_percent': 95, 'monitoring.thresholds.cpu_critical_percent': 99 };
    expect((await call('PATCH', '', both)).status).toBe(200);
    expect(live.config().monitoring.thresholds.warning.cpuPercent).toBe(95);
  });

  test('what needs a restart, and what flag or environment fix, is refused with the place', async () => {
    await begin({ BACKUP_RETENTION_DAYS: '3' });
    const restart = await call('PATCH', '', { 'server.port': 1, 'backup.frequency_seconds': 60 });
    expect([restart.status, restart.body.code]).toEqual([409, 'settings/needs-restart']);
    const secret = await call('PATCH', '', { 'server.admin_token': 'x'.repeat(20) });
    expect(secret.body.code).toBe('settings/needs-restart');
    const fixed = await call('PATCH', '', { 'backup.retention_days': 4, 'backup.frequency_seconds': 60 });
    expect([fixed.status, fixed.body.code]).toEqual([409, 'settings/fixed']);
    expect(violations(fixed.body)[0]).toContain('BACKUP_RETENTION_DAYS');
    expect(live.config().backup).toMatchObject({ retentionDays: 3, frequencyMs: 86_400_000 });
  });

  test('of two that read the same state, the second is told', async () => {
    await begin();
    const { etag } = await call('GET');
    const change = (seconds: number) =>
      call('PATCH', '', { 'backup.frequency_seconds': seconds }, { 'if-match': etag });
    const [first, second] = await Promise.all([change(60), change(120)]);
    expect([first.status, second.status, second.body.code]).toEqual([200, 412, 'request/precondition-failed']);
    expect(live.config().backup.frequencyMs).toBe(60_000);
    expect((await change(120)).status).toBe(412);
    expect((await call('PATCH', '', { 'log.level': 'warn' }, { 'if-match': first.etag })).status).toBe(200);
  });

  test.each([[[]], ['x'], [null], [{ 'log.level': { toString: 'x' } }]])('%j is no patch', async (payload) => {
    await begin();
    const answer = await app.inject({
      method: 'PATCH',
      url: '/api/v1/settings',
      headers: { 'content-type': 'application/json' },
      payload: JSON.stringify(payload),
    });
    expect(answer.statusCode).toBe(422);
  });

  test('what the API had set is left out at a start where it no longer fits, and the start goes on', async () => {
    await begin();
    await call('PATCH', '', { 'monitoring.thresholds.cpu_warning_percent': 89 });
    await app.close();
    await begin({}, 'monitoring: {thresholds: {cpu_warning_percent: 60, cpu_critical_percent: 70}}\n');
    expect(live.config().monitoring.thresholds.warning.cpuPercent).toBe(60);
    expect(
      live
        .state()
        .inForce.notices.map(({ message }) => message)
        .join(),
    ).toContain('set over the API are left out');
  });
});

describe('reading the file again', () => {
  test('changes runtime settings now, tells what needs a restart, and never half of it', async () => {
    await begin({}, 'backup: {frequency_seconds: 600}\n');
    write('profile: development\nserver: {port: 9999}\nbackup: {frequency_seconds: 1200}\ntarget: {paths: {/a: /b}}\n');
    const { status, body } = await call('POST', '/reload');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      valid: true,
      changed: [{ key: 'backup.frequency_seconds', before: 600, after: 1200 }],
      needs_restart: expect.arrayContaining(['profile', 'server.port', 'monitoring.interval_seconds', 'target.paths']),
    });
    expect(live.config()).toMatchObject({
      profile: 'production',
      server: { port: 8710 },
      backup: { frequencyMs: 1_200_000 },
    });
    // The development profile samples each second; it counts from the next start on.
    expect(live.config().monitoring.sampleIntervalMs).toBe(5_000);
    expect(await one('server.port')).toMatchObject({ value: 8710, needs_restart: true, pending_value: 9999 });
    expect((await told())[0]).toContain('settings.reloaded');
    expect((await call('POST', '/reload')).body.changed).toEqual([]);
  });

  test('a file that is not right changes nothing and lists every problem', async () => {
    await begin({}, 'backup: {frequency_seconds: 600}\n');
    write('backup: {frequency_seconds: 1200, retention_days: often}\nserver: {prot: 1}\n');
    const { status, body } = await call('POST', '/reload');
    expect([status, body.code]).toEqual([422, 'config/invalid']);
    expect(violations(body)).toHaveLength(2);
    expect(violations(body).join()).toContain('server.prot is not a setting. Did you mean server.port?');
    expect(live.config().backup.frequencyMs).toBe(600_000);
    expect((await told())[0]).toMatch(/^settings\.reload-failed .*2 problems/);
    const [entry] = await events.listAudit({ limit: 1 });
    expect(entry).toMatchObject({ action: 'settings.reload', outcome: 'refused' });
    // A patch afterwards works on what was last read, not on the broken file.
    expect((await call('PATCH', '', { 'log.level': 'warn' })).status).toBe(200);
  });

  test('a check says what a reload would do and does nothing', async () => {
    await begin({}, 'backup: {frequency_seconds: 600}\n');
    write('backup: {frequency_seconds: 1200}\nserver: {port: 8711}\n');
    const good = await call('POST', '/check');
    expect(good.body).toMatchObject({
      valid: true,
      problems: [],
      changed: [{ key: 'backup.frequency_seconds', after: 1200 }],
      notices: [],
      needs_restart: ['server.port'],
    });
    write('backup: [');
    expect((await call('POST', '/check')).body).toMatchObject({ valid: false, changed: [], needs_restart: [] });
    expect(live.config().backup.frequencyMs).toBe(600_000);
    expect(await told()).toEqual([]);
  });

  test('what the API set counts more than the file, what the environment says more than both', async () => {
    await begin(
      { LIGHTRAG_EVENT_LOG_RETENTION: '30' },
      'backup: {frequency_seconds: 600}\nevents: {retention_days: 1}\n',
    );
    await call('PATCH', '', { 'backup.frequency_seconds': 60 });
    write('backup: {frequency_seconds: 1200}\nevents: {retention_days: 2}\n');
    expect((await call('POST', '/reload')).body.changed).toEqual([]);
    expect(live.config()).toMatchObject({ backup: { frequencyMs: 60_000 }, events: { retentionDays: 30 } });
    await call('PATCH', '', { 'backup.frequency_seconds': null });
    expect(live.config().backup.frequencyMs).toBe(1_200_000);
  });

  test('a secret in a file is read again, and its change is told without it', async () => {
    writeFileSync(join(cwd, 'key'), 'first-secret');
    await begin({ RAGWARDEN_TARGET_URL: 'http://127.0.0.1:1', LIGHTRAG_API_KEY_FILE: 'key' });
    writeFileSync(join(cwd, 'key'), 'other-secret');
    const { body, text } = await call('POST', '/reload');
    expect(body.needs_restart).toEqual(['target.api_key']);
    expect(await one('target.api_key')).toMatchObject({ needs_restart: true, pending_value: null });
    expect(text + (await call('GET')).text + (await told()).join()).not.toMatch(/first-secret|other-secret/);
  });
});
