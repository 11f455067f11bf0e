import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freeSpaceCheck, separateDisksCheck } from './folders.ts';
import { look, subjectOf } from './test-subject.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-doctor-disk-'));
const disk = join(folder, 'disk');

/** A small file system of its own, where this user may mount one. */
function mount(): boolean {
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'ragwarden-test', disk], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('SKIPPED: tests that need a file system of their own: mounting one is not allowed here');
    return false;
  }
}

const mounted = mount();
beforeAll(() => {
  mkdirSync(join(folder, 'work'));
});
afterAll(() => {
  if (mounted) execFileSync('umount', [disk]);
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(!mounted)('a nearly full disk fails, and only the one that is', async () => {
  const subject = subjectOf({
    RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9',
    WORKING_DIR: join(folder, 'work'),
    BACKUP_DIR: join(disk, 'repository'),
  });
  const found = await look(freeSpaceCheck, subject);
  expect(found).toHaveLength(2);
  expect(found[0]?.verdict).not.toBe('fail');
  expect(found[1]).toMatchObject({ verdict: 'fail', detail: expect.stringContaining('(repository)') });
  expect(await look(separateDisksCheck, subject)).toMatchObject([{ verdict: 'ok' }]);
});
