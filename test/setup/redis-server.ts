import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../tools/system-packages.mjs';
import { freePort } from './free-port.ts';
import { programOf } from './parts.ts';

/** A throw-away Redis of one test file, on a port of its own. */
export type TestRedis = {
  readonly port: number;
  /** `user` and `password` as they are; they are encoded here. */
  url(options?: { database?: number; user?: string; password?: string }): string;
  readonly pid: () => number;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** After `kill`, on the same port, with what it had written: nothing without `'--appendonly', 'yes'`. */
  again(): Promise<void>;
  remove(): Promise<void>;
};

/** @param settings as on its command line: `'--maxmemory', '64mb'` */
export async function startRedis(...settings: readonly string[]): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'rw-redis-'));
  const port = await freePort();
  const command = [
    programOf('redis'),
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'],
    // Otherwise a copy begins five seconds after it was asked for, in case somebody else asks too.
    ...['--repl-diskless-sync-delay', '0'],
    ...settings,
  ];
  // Ends with the test run, however that ends.
  const setpriv = findProgram('setpriv');
  const [program = '', ...args] = setpriv ? [setpriv, '--pdeathsig', 'KILL', '--', ...command] : command;
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stdout?.on('data', (text: Buffer) => {
        said = (said + text.toString()).slice(-20_000);
        if (said.includes('Ready to accept connections')) resolve();
      });
      child.once('exit', () => reject(new Error(`redis-server ended:\n${said}`)));
    });
  };
  await start();
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    port,
    url: ({ database = 0, user = '', password } = {}) => {
      const login = password === undefined ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
      return `redis://${login}127.0.0.1:${port}/${database}`;
    },
    pid: () => child.pid ?? 0,
    kill: end,
    again: start,
    async remove() {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
