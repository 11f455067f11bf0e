import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mainProgram } from './setup/product-programs.ts';
import { field, removeFolder, temporaryFolder, until } from './warden-harness.ts';

let folder: string;
let child: ChildProcess;
let api: string;
let log = '';

const write = (yaml: string): void => writeFileSync(join(folder, 'ragwarden.yaml'), yaml);
const call = async (method: string, path: string, body?: object): Promise<unknown> => {
  const token = readFileSync(join(folder, 'data', 'local-token'), 'utf8').trim();
  const answer = await fetch(`${api}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return answer.json();
};
const settingValue = async (key: string): Promise<unknown> =>
  field(await call('GET', `/api/v1/settings/${key}`), 'value');
const newest = async (type: string): Promise<unknown> =>
  field(await call('GET', `/api/v1/events?type=${type}&limit=1`), 'items', 0);

/** A service as systemd starts it: no terminal, the file of settings in its working folder. */
beforeAll(async () => {
  folder = temporaryFolder('settings');
  write('profile: development\nlog: {level: warn}\nbackup: {enabled: false, retention_days: 5}\n');
  child = spawn(
    process.execPath,
    [
      mainProgram(),
      'serve',
      '--data-dir',
      join(folder, 'data'),
      '--port',
      '0',
      '--metrics-port',
      '0',
      '--gateway-port',
      '0',
    ],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH ?? '', BACKUP_FREQUENCE: '60' } },
  );
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const [line] = await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, 'data'),
    once(child, 'exit').then(() => {
      throw new Error(`it ended:\n${log}`);
    }),
  ]);
  api = String(field(JSON.parse(String(line)), 'api'));
});
afterAll(async () => {
  const ended = once(child, 'exit');
  if (child.kill('SIGTERM')) await ended;
  removeFolder(folder);
});

test('the development profile watches the bundled sample where no backend is named, and says so', async () => {
  const target = field(await call('GET', '/api/v1/targets'), 'items', 0);
  expect([field(target, 'id'), field(target, 'sample')]).toEqual(['sample', true]);
  expect(await settingValue('resources.leak_check_interval_seconds')).toBe(10);
  expect(await settingValue('resources.cleanup_interval_seconds')).toBe(30);
});

test('a name with a slip in it is told at the start', () => {
  expect(log).toContain('BACKUP_FREQUENCE: is not a setting, but looks like BACKUP_FREQUENCY');
});

test('one part can be debugged while it runs, and the others stay quiet', async () => {
  const before = log;
  await call('PATCH', '/api/v1/settings', { 'log.levels': { system: 'info' } });
  await call('POST', '/api/v1/settings/reload');
  await until('the part speaks', () => (log.includes('the settings were read again') ? true : undefined));
  const lines = log
    .slice(before.length)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string; slice?: string });
  expect(lines.filter(({ level }) => level === 'info').every(({ slice }) => slice === 'system')).toBe(true);
  await call('PATCH', '/api/v1/settings', { 'log.levels': null });
});

test('a job keeps the interval that it is given while it runs', async () => {
  const interval = async (): Promise<unknown> => {
    const jobs = field(await call('GET', '/api/v1/system/jobs'), 'items') as {
      name: string;
      interval_seconds: number;
    }[];
    return jobs.find(({ name }) => name === 'workspace sizes')?.interval_seconds;
  };
  expect(await interval()).toBe(10);
  await call('PATCH', '/api/v1/settings', { 'metrics.collection_interval_seconds': 600 });
  expect(await interval()).toBe(600);
});

describe('SIGHUP', () => {
  test('reads the file again without an end of the service', async () => {
    write('profile: development\nlog: {level: warn}\nbackup: {enabled: true, retention_days: 6}\n');
    child.kill('SIGHUP');
    await until('the new value is in force', async () =>
      (await settingValue('backup.retention_days')) === 6 ? true : undefined,
    );
    const event = await until('the event', async () => await newest('settings.reloaded'));
    expect(field(event, 'data', 'actor')).toBe('SIGHUP');
    expect(field(event, 'data', 'needs_restart')).toEqual(['backup.enabled']);
    expect(await settingValue('backup.enabled')).toBe(false);
  });

  test('with a file that is not right changes nothing and says why', async () => {
    write('backup: {retention_days: 7}\nlog: {level: loud}\n');
    child.kill('SIGHUP');
    await until('the event', async () => await newest('settings.reload-failed'));
    expect(await settingValue('backup.retention_days')).toBe(6);
    expect(log).toMatch(/ragwarden\.yaml:2: log\.level must be one of/);
    expect(child.exitCode).toBe(null);
  });
});
