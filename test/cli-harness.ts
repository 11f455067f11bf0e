import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** The product as it is shipped. */
const main = join(import.meta.dirname, '../dist/main.js');

const environment = {
  PATH: process.env.PATH,
  TERM: 'xterm',
  // A busy machine is no finding here, and points are taken when a test asks for one.
  RAGWARDEN_THRESHOLD_WINDOW: '3600',
  RAGWARDEN_DISK_WARNING_PERCENT: '100',
  RAGWARDEN_DISK_CRITICAL_PERCENT: '100',
  RAGWARDEN_BACKUP_AT_START: 'false',
  RAGWARDEN_PROBE_INTERVAL: '0.5',
};
export type Env = Record<string, string | undefined>;

export type Running = {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  /** Resolves when the output so far holds the text; rejects, with all of it, when the program ends without it. */
  saw(stream: 'stdout' | 'stderr', text: string | RegExp): Promise<string>;
};

/** Starts the program in a folder, as a person or a script would: in a pipe and under a pseudo-terminal. */
export function createLauncher(home: string) {
  if (!existsSync(main)) throw new Error('dist/ is missing: run `npm run build`');
  const living = new Set<Running['child']>();

  function start(program: string, args: readonly string[], env: Env): Running {
    const child = spawn(program, args, { cwd: home, env, stdio: ['pipe', 'pipe', 'pipe'] });
    living.add(child);
    const said = { stdout: '', stderr: '' };
    const watchers = new Set<() => void>();
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
        for (const watch of watchers) watch();
      });
    child.stdin.on('error', () => undefined);
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code));
    }).then((code) => {
      living.delete(child);
      return { code, ...said };
    });
    return {
      child,
      ended,
      saw(stream, text) {
        return new Promise((resolve, reject) => {
          const look = (): void => {
            if (typeof text === 'string' ? !said[stream].includes(text) : !text.test(said[stream])) return;
            watchers.delete(look);
            resolve(said[stream]);
          };
          watchers.add(look);
          ended.then(
            ({ code }) =>
              reject(new Error(`ended with ${code} before ${String(text)}:\n${said.stdout}\n${said.stderr}`)),
            reject,
          );
          look();
        });
      },
    };
  }

  const launch = (args: readonly string[], env: Env = {}): Running =>
    start(process.execPath, [main, ...args], { ...environment, ...env });

  /** Under a pseudo-terminal, where both outputs come as one and lines end with CR LF. */
  function launchInTerminal(args: readonly string[], env: Env = {}, columns = 140): Running {
    const words = [process.execPath, main, ...args].map((word) => `'${word}'`).join(' ');
    // What stands after the program shows how it has left the terminal.
    const script = `trap : INT; stty cols ${columns} rows 30; ${words}; code=$?; stty -a | grep -q ' echo ' && echo "terminal is sane"; exit $code`;
    return start('script', ['-qec', script, '/dev/null'], {
      ...environment,
      SHELL: '/bin/sh',
      ...env,
    });
  }

  async function inPipe(args: readonly string[], env: Env = {}) {
    const running = launch(args, env);
    running.child.stdin.end();
    return running.ended;
  }

  /** A line of bash, in which \$RAGWARDEN is the program. */
  async function inShell(line: string, env: Env = {}) {
    const running = start('bash', ['--norc', '-c', line], {
      ...environment,
      RAGWARDEN: `${process.execPath} ${main}`,
      ...env,
    });
    return running.ended;
  }

  return {
    launch,
    inShell,
    launchInTerminal,
    inPipe,
    /** Ends what a failed test left running. */
    endAll(): void {
      for (const child of living) child.kill('SIGKILL');
    },
  };
}
