import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../tools/system-packages.mjs';
import { memoryFolder } from './memory-folder.ts';
import { programOf } from './parts.ts';

export type RestKeys = { readonly RESTIC_REST_USERNAME: string; readonly RESTIC_REST_PASSWORD: string };

/** A throw-away REST server of one test file (`rclone serve restic`) with a password, on a port of its own. */
export type TestRest = {
  /** Where repositories lie, on this machine. */
  readonly folder: string;
  /** `rest:http://…` of a path below that folder, without credentials. */
  location(path: string): string;
  remove(): Promise<void>;
};

export async function startRest(keys: RestKeys): Promise<TestRest> {
  const root = memoryFolder('rest');
  const folder = join(root, 'repositories');
  mkdirSync(folder);
  const command = [programOf('rclone'), 'serve', 'restic', '--addr', '127.0.0.1:0', folder];
  // Ends with the test run, however that ends.
  const setpriv = findProgram('setpriv');
  const [program = '', ...args] = setpriv ? [setpriv, '--pdeathsig', 'KILL', '--', ...command] : command;
  const env = {
    ...{ PATH: process.env.PATH, HOME: root, RCLONE_CONFIG: join(root, 'rclone.conf') },
    ...{ RCLONE_USER: keys.RESTIC_REST_USERNAME, RCLONE_PASS: keys.RESTIC_REST_PASSWORD },
  };
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  const address = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-20_000);
      const [, found] = /on (http:\/\/127\.0\.0\.1:\d+)\//.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`rclone ended:\n${said}`)));
  });
  return {
    folder,
    location: (path) => `rest:${address}/${path}`,
    async remove() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
      rmSync(root, { recursive: true, force: true });
    },
  };
}
