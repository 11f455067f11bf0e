import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createChildProcesses, findProgram, systemSearchPath } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { describeError } from '../../platform/errors.ts';
import { silentLogger } from '../../platform/logging.ts';
import { type Check, fail, type Outcome, ok, warn } from './check.ts';

export const nodeCheck: Check = {
  id: 'node',
  what: 'Node.js',
  look: async () =>
    Number(process.versions.node.split('.')[0]) >= 24
      ? ok(process.versions.node)
      : fail(`${process.versions.node} is too old`, 'Install Node.js 24 or newer.'),
};

/** Older ones lack what the repository needs. */
const leastRestic = [0, 14] as const;

export const resticCheck: Check = {
  id: 'restic',
  what: 'restic',
  async look(_, signal) {
    const program = findProgram('restic', systemSearchPath);
    if (program === undefined) return fail('it is missing, so backups are unavailable', 'apt-get install restic');
    const told = await tellVersion(program, ['version'], signal);
    if (typeof told !== 'string') return told;
    const version = /^restic (\d+)\.(\d+)(\.\d+)?/.exec(told);
    if (!version) return fail(`${program} does not tell its version`, 'Install restic anew.');
    const [major, minor] = [Number(version[1]), Number(version[2])];
    const enough = major > leastRestic[0] || (major === leastRestic[0] && minor >= leastRestic[1]);
    const shown = version[0].slice('restic '.length);
    return enough ? ok(`${shown} at ${program}`) : fail(`${shown} is too old`, 'Install restic 0.14 or newer.');
  },
};

export const setprivCheck: Check = {
  id: 'setpriv',
  what: 'setpriv',
  look: async () =>
    findProgram('setpriv', systemSearchPath) === undefined
      ? warn(
          'it is missing: should ragwarden be killed, a running child process ends only at the next start',
          'apt-get install util-linux',
        )
      : ok('child processes end with ragwarden, however that ends'),
};

/** What a program prints about its version, or why it cannot be told. */
export async function tellVersion(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | Outcome> {
  const recordDir = mkdtempSync(join(tmpdir(), 'ragwarden-doctor-'));
  const children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir });
  try {
    const { stdout, exitCode } = await children.run({
      program,
      args: [...args],
      env: { PATH: systemSearchPath },
      purpose: `${program} ${args.join(' ')}`,
      timeoutMs: 8_000,
      signal,
    });
    return exitCode === 0 ? stdout : fail(`${program} ends with ${exitCode}`, `Install ${program} anew.`);
  } catch (err) {
    if (signal.aborted) throw err;
    return fail(`${program} cannot be run: ${describeError(err)}`, `Install ${program} anew.`);
  } finally {
    await children.stop();
    rmSync(recordDir, { recursive: true, force: true });
  }
}
