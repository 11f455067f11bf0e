import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..');
export const built = (name: string): string => join(root, 'dist', name);

const endings: (() => void)[] = [];
process.on('exit', () => {
  for (const end of endings) end();
});

/** Removed when the run ends, however it ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-bench-'));
  endings.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** User and system time of all its threads that still run, from the scheduler's own account; milliseconds. */
export function cpuMs(pid: number): number {
  let total = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    try {
      total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch {
      // A thread that ended meanwhile.
    }
  return total / 1e6;
}

/** The process and all its children that it has waited for; in ticks of 10 ms, so for work of seconds only. Milliseconds. */
export function cpuWithChildrenMs(pid: number | 'self'): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) * 10;
}

export const memoryMib = (pid: number, what: 'VmRSS' | 'VmHWM' | 'RssAnon' = 'VmRSS'): number =>
  Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;

export type Running = {
  readonly pid: number;
  readonly child: ChildProcess;
  /** From the call of spawn to the first line. */
  readonly readyMs: number;
  /** Its first line on standard output. */
  readonly line: string;
  stop(): Promise<void>;
};

/** Starts a program and waits for its first line. */
export async function startProgram(
  program: string,
  args: readonly string[],
  options: {
    env?: Record<string, string> /** Where it says that it is up, if not on standard output. */;
    from?: 'stderr';
  } = {},
): Promise<Running> {
  const startedMs = performance.now();
  const child = spawn(program, [...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...options.env },
  });
  endings.push(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
  });
  const exited = once(child, 'exit');
  const source = options.from === 'stderr' ? child.stderr : child.stdout;
  const line = await Promise.race([
    once(createInterface({ input: source }), 'line').then(([text]) => String(text)),
    exited.then(() => {
      throw new Error(`${program} ${args.join(' ')} ended before it was ready:\n${said}`);
    }),
  ]);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} did not start`);
  return {
    pid,
    child,
    line,
    readyMs: performance.now() - startedMs,
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** Node.js with a script of a few lines, which prints a line when it is up. */
export const startScript = (script: string, env?: Record<string, string>): Promise<Running> =>
  startProgram(process.execPath, ['--input-type=module', '-e', script], { env });

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

/** A program that listens on a free port of loopback, and when it answers. */
export async function startServer(program: string, args: (port: number) => string[], ready: string) {
  const port = await freePort();
  const child = spawn(program, args(port), { stdio: 'ignore' });
  endings.push(() => child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 200; i += 1) {
    if (
      await fetch(url + ready).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      break;
    await sleep(50);
  }
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await exited;
    },
  };
}

export const isThere = (program: string): boolean =>
  (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program)));
