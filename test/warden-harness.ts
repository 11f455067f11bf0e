import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { makeLightRepository } from '../src/backup/repository/light-key.fixture.ts';
import { memoryFolder } from './setup/memory-folder.ts';
import { childCompiled, childProgram, shortLife } from './setup/product-programs.ts';

export type Answer = {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
  readonly text: string;
};

export type RunningWarden = {
  readonly dataDir: string;
  readonly api: string;
  readonly metrics: string;
  /** Where a test switched it on. */
  readonly gateway: string | undefined;
  readonly process: ChildProcess;
  /** As admin, with the local token. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** As a stranger. */
  callStranger(method: string, path: string, headers?: Record<string, string>): Promise<Answer>;
  readonly log: () => string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stop(): Promise<void>;
};

export const temporaryFolder = memoryFolder;

/** Polls until `look` answers something, and says what was missing when it does not. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  limitMs = 120_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function startWarden(options: {
  dataDir: string;
  /** Boundary at which the process kills itself. */
  killAt?: string;
  /** Settings by their environment names. */
  settings?: Record<string, string>;
  /** The product makes its repository itself, which takes seconds; otherwise an empty one with a light key waits for it. */
  makesRepository?: boolean;
  /** Its folder for temporary files, where a test looks at what is left in it. */
  temporary?: string;
}): Promise<RunningWarden> {
  if (!options.makesRepository) await prepareRepository(options.dataDir, options.settings?.BACKUP_DIR);
  const child = spawn(process.execPath, [...shortLife, childProgram(), options.dataDir, options.killAt ?? ''], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH ?? '',
      ...(options.temporary === undefined ? {} : { TMPDIR: options.temporary }),
      NODE_COMPILE_CACHE: childCompiled,
      ...Object.fromEntries(Object.entries(options.settings ?? {}).map(([name, value]) => [`TEST_${name}`, value])),
    },
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const exited = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  const lines = createInterface({ input: child.stdout });
  const ready = await Promise.race([
    once(lines, 'line').then(
      ([line]) => JSON.parse(String(line)) as { api: string; metrics: string; gateway?: string },
    ),
    exited.then(({ code, signal }) => {
      throw new Error(`the product ended before it was ready (${code ?? signal}):\n${log}`);
    }),
  ]);
  const token = readFileSync(join(options.dataDir, 'local-token'), 'utf8').trim();
  const send = async (
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Answer> => {
    const response = await fetch(`${ready.api}${path}`, {
      method,
      redirect: 'manual',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
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
  return {
    dataDir: options.dataDir,
    api: ready.api,
    metrics: ready.metrics,
    gateway: ready.gateway,
    process: child,
    exited,
    log: () => log,
    call: (method, path, body, headers) => send(method, path, body, { authorization: `Bearer ${token}`, ...headers }),
    callStranger: (method, path, headers) => send(method, path, undefined, headers ?? {}),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await exited;
      // Wherever a test asked: an answer that was held back, or a failure nobody foresaw, fails it.
      const broken = /^.*(?:broke its schema|failed unexpectedly).*$/m.exec(log);
      if (broken) throw new Error(`the server failed inside: ${broken[0].slice(0, 2_000)}`);
    },
  };
}

/** Everything below a folder, byte for byte, as one comparable value; our own `.ragwarden` is left out. */
export function contentOf(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (path: string): void => {
    for (const name of readdirSync(path).sort()) {
      if (path === folder && name === '.ragwarden') continue;
      const inner = join(path, name);
      const stat = lstatSync(inner);
      if (stat.isDirectory()) {
        found[`${relative(folder, inner)}/`] = `mode ${stat.mode & 0o777}`;
        walk(inner);
      } else found[relative(folder, inner)] = readFileSync(inner).toString('base64');
    }
  };
  if (existsSync(folder)) walk(folder);
  return found;
}

export const removeFolder = (path: string): void => rmSync(path, { recursive: true, force: true });

/** One field of a JSON answer, by path; undefined when any step of the way is missing. */
export function field(value: unknown, ...path: (string | number)[]): unknown {
  let found: unknown = value;
  for (const step of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string | number, unknown>)[step];
  }
  return found;
}

export const passwordOfTests = 'the password of a repository of tests';

/** An empty repository of a new data folder, which costs nothing to open; one that is there stays. See the fixture. */
export async function prepareRepository(dataDir: string, repository = join(dataDir, 'repository')): Promise<void> {
  const passwordFile = join(dataDir, 'repository-password');
  if (existsSync(passwordFile) || existsSync(join(repository, 'config'))) return;
  writeFileSync(passwordFile, `${passwordOfTests}\n`, { mode: 0o600 });
  await makeLightRepository(repository, passwordOfTests);
}
