import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, vi } from 'vitest';
import { generateWorkspace, type WorkspaceFault } from '../../examples/sample-backend/generate.ts';
import { createWarden } from '../../src/app/index.ts';
import { makeLightRepository } from '../../src/backup/repository/light-key.fixture.ts';
import { readConfig } from '../../src/config/index.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { createLogger } from '../../src/platform/logging.ts';
import { impatientClock } from '../impatient-clock.ts';
import { programOf } from '../setup/parts.ts';
import { mainProgram, sampleProgram } from '../setup/product-programs.ts';
import { type Answer, field, temporaryFolder, until } from '../warden-harness.ts';

/** What faults are tried on: the product over a small generated workspace, in this process where no kill is needed. */
export type OpenWarden = {
  readonly dataDir: string;
  readonly api: string;
  /** Where a test switched it on. */
  readonly gateway: string | undefined;
  /** As admin, with the local token. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Awaits the operation. */
  take(): Promise<unknown>;
  restore(pointId: string, body?: object): Promise<unknown>;
  plan(pointId: string): Promise<Answer>;
  points(): Promise<unknown[]>;
  history(): Promise<unknown[]>;
  events(type: string): Promise<unknown[]>;
  status(): Promise<unknown>;
  log(): string;
  stop(): Promise<void>;
};

export const wait = { prefer: 'wait=100' };
export const password = 'the password of a repository of tests';
export const main = mainProgram();

/** Points only when a test asks, a busy machine is no finding, looks come quickly. */
export const calm: Record<string, string> = {
  RAGWARDEN_BACKUP_AT_START: 'false',
  RAGWARDEN_THRESHOLD_WINDOW: '3600',
  RAGWARDEN_DISK_WARNING_PERCENT: '100',
  RAGWARDEN_DISK_CRITICAL_PERCENT: '100',
  RAGWARDEN_PROBE_INTERVAL: '0.5',
};

export const sampleOf = (dataDir: string) => ({
  workspace: join(dataDir, 'sample', 'rag_storage'),
  inputs: join(dataDir, 'sample', 'inputs'),
});

/** A store that is large enough to be stored by record. */
export function writeLargeStore(workspace: string): void {
  const rows = Array.from({ length: 400 }, (_, row) => [
    `default:extract:${String(row).padStart(32, '0')}`,
    { return: `row ${row} `.repeat(30), cache_type: 'extract', original_prompt: `prompt ${row}` },
  ]);
  writeFileSync(join(workspace, 'kv_store_llm_response_cache.json'), JSON.stringify(Object.fromEntries(rows), null, 2));
}

/** A data folder with a generated sample and an empty repository whose key costs nothing to open. */
export async function prepareDataFolder(
  name: string,
  options: { repository?: string; faults?: readonly WorkspaceFault[] } = {},
): Promise<string> {
  const dataDir = temporaryFolder(name);
  const { workspace, inputs } = sampleOf(dataDir);
  mkdirSync(join(dataDir, 'sample'), { recursive: true });
  await generateWorkspace({
    dir: workspace,
    inputDir: inputs,
    size: 'tiny',
    seed: 1,
    shape: '1.5',
    workspace: '',
    faults: options.faults ?? [],
  });
  writeFileSync(join(dataDir, 'sample', 'generated'), '');
  await prepareRepository(options.repository ?? join(dataDir, 'repository'), join(dataDir, 'repository-password'));
  return dataDir;
}

export async function prepareRepository(repository: string, passwordFile: string): Promise<void> {
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  await makeLightRepository(repository, password);
}

/** restic itself, as an operator would run it. */
export function restic(
  repository: string,
  passwordFile: string,
  args: readonly string[],
  options: { cwd?: string } = {},
): string {
  return execFileSync(programOf('restic'), ['--no-cache', '-r', repository, '--password-file', passwordFile, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent' },
    ...options,
  });
}

export function copyDataFolder(template: string, name: string): string {
  const dataDir = temporaryFolder(name);
  cpSync(template, dataDir, { recursive: true, preserveTimestamps: true });
  return dataDir;
}

/** The whole product in this process, with a hook at the named boundaries of backup and restore. */
export async function openWarden(
  dataDir: string,
  options: {
    settings?: Record<string, string>;
    command?: 'serve' | 'up';
    step?: (name: string) => void | Promise<void>;
    clock?: Clock;
  } = {},
): Promise<OpenWarden> {
  let log = '';
  const warden = createWarden({
    reading: readConfig({
      env: {
        ...calm,
        RAGWARDEN_GATEWAY_ENABLED: 'false',
        ...options.settings,
        RAGWARDEN_DATA_DIR: dataDir,
        RAGWARDEN_PORT: '0',
        LIGHTRAG_METRICS_PORT: '0',
        RAGWARDEN_GATEWAY_PORT: '0',
      },
      cwd: dataDir,
    }),
    clock: options.clock ?? impatientClock,
    command: options.command ?? 'up',
    sampleSize: 'tiny',
    log: createLogger({
      level: 'info',
      destination: {
        write: (line: string) => {
          log += line;
        },
      },
    }),
    ...(options.step ? { step: options.step } : {}),
  });
  const started = await warden.start();
  return {
    dataDir,
    api: started.api,
    gateway: started.gateway,
    ...callsOf(started.api, dataDir),
    log: () => log,
    stop: () => warden.stop('the test is over'),
  };
}

/** What tests ask of a running product, here or in another process. */
export function callsOf(
  api: string,
  dataDir: string,
): Omit<OpenWarden, 'dataDir' | 'api' | 'gateway' | 'log' | 'stop'> {
  const token = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
  const call: OpenWarden['call'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = undefined;
    }
    return { status: response.status, body: parsed, headers: response.headers, text };
  };
  const list = async (path: string): Promise<unknown[]> => {
    const { body } = await call('GET', path);
    const items = Array.isArray(body) ? body : field(body, 'items');
    return Array.isArray(items) ? items : [];
  };
  return {
    call,
    take: async () => (await whenFree(() => call('POST', '/api/v1/backup/trigger', undefined, wait))).body,
    restore: async (id, body = { confirm: true }) =>
      (await whenFree(() => call('POST', `/api/v1/backup/restore/${id}`, body, wait))).body,
    plan: (id) => call('POST', `/api/v1/backup/restore/${id}`, { plan_only: true }),
    points: () => list('/api/v1/backup/points'),
    history: () => list('/api/v1/backup/history'),
    events: (type) => list(`/api/v1/events?type=${type}&limit=100`),
    status: async () => (await call('GET', '/api/v1/backup/status')).body,
  };
}

/** Forgetting begins by itself after a point was taken, and holds the target for a moment. */
export const whenFree = (ask: () => Promise<Answer>): Promise<Answer> =>
  until('the target to be free', async () => {
    const answer = await ask();
    return field(answer.body, 'code') === 'operation/busy' ? undefined : answer;
  });

/** Takes a point that has to succeed, and names it. */
export async function takeGood(warden: Pick<OpenWarden, 'take'>): Promise<string> {
  const taken = await warden.take();
  expect(field(taken, 'error')).toBeNull();
  return String(field(taken, 'result', 'backup_id'));
}

/** Why a call or an operation failed, as `code: detail`. */
export const failureOf = (body: unknown): string => {
  const at = field(body, 'error') ?? body;
  return `${field(at, 'code')}: ${field(at, 'detail')}`;
};

export type Backend = {
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  faults(wanted: object): Promise<void>;
  stop(): Promise<void>;
};

const backendProgram = sampleProgram();

export const backendArguments = (folders: { workspace: string; inputs: string }, port: number): string[] => [
  backendProgram,
  '--port',
  String(port),
  '--working-dir',
  folders.workspace,
  '--input-dir',
  folders.inputs,
  '--faults',
];

/** A backend that is not ours to supervise. */
export async function startBackend(
  folders: { workspace: string; inputs: string },
  options: { port?: number; more?: readonly string[] } = {},
): Promise<Backend> {
  const child = spawn(process.execPath, [...backendArguments(folders, options.port ?? 0), ...(options.more ?? [])], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env.PATH ?? '' },
  });
  const exited = once(child, 'exit');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { url } = JSON.parse(String(line)) as { url: string };
  return {
    url,
    port: Number(new URL(url).port),
    process: child,
    async faults(wanted) {
      const response = await fetch(`${url}/__faults`, { method: 'POST', body: JSON.stringify(wanted) });
      expect(response.status).toBe(200);
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
    },
  };
}

export const targetSettings = (url: string, folders: { workspace: string; inputs: string }) => ({
  RAGWARDEN_TARGET_URL: url,
  WORKING_DIR: folders.workspace,
  INPUT_DIR: folders.inputs,
});

/** Whether this user may mount; said aloud when not, since what depends on it is then not shown. */
export function mayMount(): boolean {
  const tried = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt'], {
    stdio: 'ignore',
  });
  if (tried.status === 0) return true;
  if (process.env.CI === 'true') throw new Error('this user may not mount, and CI=true allows no skipping');
  console.warn('SKIPPED: tests that mount a small file system: this user may not mount one');
  return false;
}

export function isRoot(): boolean {
  if (process.getuid?.() === 0) return true;
  console.warn('SKIPPED: tests that run the product as another user: only root can');
  return false;
}

/** A file system of its own with a limit; `free` unmounts it. */
export function mountSmall(folder: string, size: string): { free(): void } {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'none', folder]);
  return { free: () => void spawnSync('umount', ['--lazy', folder]) };
}

/** Living processes whose arguments name this folder; those of restic and of the sample backend do. */
export function processesOf(folder: string): { pid: number; args: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // A zombie has no arguments any more.
        return [{ pid: Number(name), args: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
      } catch {
        return [];
      }
    })
    .filter(({ args }) => args.includes(folder));
}

/** What ends with its parent is there for a moment after it, until the system has taken it away. */
export const untilGone = (folder: string, after: string): Promise<void> =>
  vi.waitFor(() => expect(processesOf(folder), `running after ${after}`).toEqual([]), {
    timeout: 60_000,
    interval: 50,
  });

export type Product = {
  readonly process: ChildProcess;
  /** Rejects, with what it logged, when it ends before it is ready. */
  readonly ready: Promise<{ api: string; metrics: string | null }>;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; log: string }>;
  stop(): Promise<void>;
};

/** The command line in a process of its own; `wrap` is what starts it (`unshare`, `setpriv`). */
export function launch(
  args: readonly string[],
  options: { settings?: Record<string, string>; wrap?: readonly string[]; uid?: number; gid?: number } = {},
): Product {
  const [program = '', ...rest] = [...(options.wrap ?? []), process.execPath, main, ...args];
  const child = spawn(program, rest, {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', ...calm, ...options.settings },
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid }),
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    log,
  }));
  const ready = Promise.race([
    once(createInterface({ input: child.stdout }), 'line').then(([line]) => JSON.parse(String(line))),
    ended.then((end) => {
      throw new Error(`the product ended before it was ready (${end.code ?? end.signal}):\n${end.log}`);
    }),
  ]);
  ready.catch(() => undefined);
  return {
    process: child,
    ready,
    ended,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}

/** `up` on any free ports, for scripts: one JSON line when ready. */
export const up = (dataDir: string): string[] => [
  'up',
  '--data-dir',
  dataDir,
  '--port',
  '0',
  '--metrics-port',
  '0',
  '--gateway-port',
  '0',
];
