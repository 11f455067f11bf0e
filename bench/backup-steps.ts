import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeLightRepository } from '../src/backup/repository/light-key.fixture.ts';
import { systemSearchPath } from '../src/platform/child-processes/index.ts';
import { cpuWithChildrenMs, temporaryFolder } from './processes.ts';
import { adminToken, type Product } from './product.ts';
import { type Size, Skipped } from './report.ts';

/** Milliseconds; CPU with all child processes. */
export type Step = { readonly wall: number; readonly cpu: number };

/**
 * restic as one would call it by hand, with a repository of its own; CPU from the account of ended children. In `tiny`, whose
 * figures nobody reads, the key of the repository costs nothing to open: half a second of each call else.
 */
export function bareRepository(size: Size): {
  folder: string;
  env: Record<string, string>;
  init(): Promise<Step>;
  restic(args: readonly string[]): Promise<Step>;
} {
  const base = temporaryFolder();
  const folder = join(base, 'repository');
  const password = 'bench';
  writeFileSync(join(base, 'password'), password);
  const env = {
    PATH: systemSearchPath,
    RESTIC_REPOSITORY: folder,
    RESTIC_PASSWORD_FILE: join(base, 'password'),
    RESTIC_CACHE_DIR: join(base, 'cache'),
  };
  const restic = async (args: readonly string[]): Promise<Step> => {
    const [cpu, wall] = [cpuWithChildrenMs('self'), performance.now()];
    const child = spawn('restic', ['--quiet', ...args], { stdio: ['ignore', 'ignore', 'inherit'], env });
    const [code] = await once(child, 'exit').catch((err: unknown) => {
      throw new Skipped(`restic cannot be started: ${String(err)}`);
    });
    if (code !== 0) throw new Error(`restic ${args.join(' ')} ended with ${code}`);
    return { wall: performance.now() - wall, cpu: cpuWithChildrenMs('self') - cpu };
  };
  return {
    folder,
    env,
    restic,
    async init() {
      if (size === 'full') return restic(['init']);
      await makeLightRepository(folder, password);
      return { wall: 0, cpu: 0 };
    },
  };
}

export async function takePoint(product: Product): Promise<Step> {
  const [cpu, wall] = [cpuWithChildrenMs(product.pid), performance.now()];
  const answer = await fetch(new URL('/api/v1/backup/trigger', product.api), {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, prefer: 'wait=300', 'content-type': 'application/json' },
    body: '{}',
  });
  const body = await answer.text();
  if (!answer.ok || !body.includes('"success"')) throw new Error(`the backup failed: ${answer.status} ${body}`);
  return { wall: performance.now() - wall, cpu: cpuWithChildrenMs(product.pid) - cpu };
}

export const bytesBelow = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
