import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../platform/logging.ts';
import type { Repository } from '../repository/index.ts';
import { givePermissions } from '../restore/index.ts';
import type { TreeEntry } from '../sources/tree.ts';
import type { RecoveryPlan } from './plan-recovery.ts';
import { recoverPoint } from './recover-point.ts';

test('what lies there already gets the permissions that it has in the point', async () => {
  const root = mkdtempSync(join(tmpdir(), 'recover-files-'));
  const folder = join(root, 'inputs');
  mkdirSync(join(folder, 'private'), { recursive: true });
  writeFileSync(join(folder, 'private', 'a.txt'), 'a');
  chmodSync(join(folder, 'private'), 0o755);
  chmodSync(join(folder, 'private', 'a.txt'), 0o644);
  const sha256 = createHash('sha256').update('a').digest('hex');
  const entries: TreeEntry[] = [
    { path: 'private', kind: 'dir', mode: 0o700, mtimeMs: 1 },
    { path: 'private/a.txt', kind: 'file', bytes: 1, sha256, mode: 0o600, mtimeMs: 1 },
  ];
  const plan = {
    ...{ blockers: [], point: { id: 'backup_20261122_010203_abcd', snapshotId: 's' } },
    parts: [{ kind: 'files', component: { name: 'inputs' }, folder, entries, action: 'there', beside: false }],
  } as unknown as RecoveryPlan; // Nothing else is read.
  try {
    await recoverPoint(
      {
        ...{ repository: {} as Repository, log: silentLogger, scratchDir: root },
        step: async () => undefined,
        tell: () => undefined,
      },
      plan,
      new AbortController().signal,
    );
    const modeOf = (path: string): string => (statSync(join(folder, path)).mode & 0o777).toString(8);
    expect([modeOf('private'), modeOf('private/a.txt')]).toEqual(['700', '600']);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('what may not be given other permissions keeps them and is told; any other failure ends it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'recover-files-'));
  try {
    for (const name of ['a', 'b']) writeFileSync(join(root, name), '', { mode: 0o644 });
    const entries = ['a', 'b'].map((path): TreeEntry => {
      return { path, kind: 'file', bytes: 0, sha256: '', mode: 0o600, mtimeMs: 1 };
    });
    const failing = (code: string) => (path: string) =>
      path.endsWith('a') ? Promise.reject(Object.assign(new Error(code), { code })) : Promise.resolve();
    expect(await givePermissions(root, entries, failing('EPERM'))).toEqual([`${join(root, 'a')} (EPERM)`]);
    await expect(givePermissions(root, entries, failing('EIO'))).rejects.toThrow('EIO');
  } finally {
    rmSync(root, { recursive: true });
  }
});
