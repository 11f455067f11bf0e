import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dataFolderCheck, freeSpaceCheck, orphansCheck, separateDisksCheck, targetFoldersCheck } from './folders.ts';
import { look, subjectOf } from './test-subject.ts';

const isRoot = process.getuid?.() === 0;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-doctor-folders-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const watching = (env: Record<string, string>) => subjectOf({ RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9', ...env });
const made = (name: string): string => {
  const path = join(folder, name);
  mkdirSync(path, { mode: 0o700 });
  return path;
};

test('a data folder that others can read is told with the command that closes it', async () => {
  const path = made('data');
  const subject = subjectOf({ RAGWARDEN_DATA_DIR: path });
  expect(await look(dataFolderCheck, subject)).toMatchObject([{ verdict: 'ok' }]);
  chmodSync(path, 0o755);
  expect(await look(dataFolderCheck, subject)).toMatchObject([{ verdict: 'warn', mend: `chmod 700 ${path}` }]);
});

test('a data folder whose place is a file is told', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, '');
  chmodSync(path, 0o700);
  expect(await look(dataFolderCheck, subjectOf({ RAGWARDEN_DATA_DIR: path }))).toMatchObject([
    { verdict: 'fail', detail: `${path} is not a folder` },
  ]);
});

test('folders of the backend are told with their owner, and one that is missing with what to look at', async () => {
  const found = await look(
    targetFoldersCheck,
    watching({ WORKING_DIR: made('work'), INPUT_DIR: join(folder, 'nowhere') }),
  );
  expect(found).toMatchObject([
    { what: 'working folder', verdict: 'ok', detail: expect.stringMatching(/of .*uid \d+/) },
    { what: 'input folder', verdict: 'fail', detail: expect.stringContaining('does not exist') },
  ]);
});

test.skipIf(isRoot)('a folder that cannot be written would not be restored into', async () => {
  const path = made('work');
  chmodSync(path, 0o500);
  expect(await look(targetFoldersCheck, watching({ WORKING_DIR: path }))).toMatchObject([
    { verdict: 'warn', detail: expect.stringContaining('a restore would not') },
  ]);
});

test('only temporary files that are older than an hour and of the backend count as left over', async () => {
  const path = made('work');
  const subject = watching({ WORKING_DIR: path });
  const file = (name: string, ageMs: number): void => {
    writeFileSync(join(path, name), 'x'.repeat(1024));
    utimesSync(join(path, name), new Date(), new Date(subject.nowMs - ageMs));
  };
  file('kv_store_doc_status.json', 7_200_000);
  file('vdb_chunks.json.tmp.1.2.3', 60_000);
  file('notes.tmp.txt', 7_200_000);
  expect(await look(orphansCheck, subject)).toMatchObject([{ verdict: 'ok' }]);
  file('kv_store_full_docs.json.tmp.1.2.3', 7_200_000);
  mkdirSync(join(path, 'team'));
  file('team/vdb_chunks.json.tmp.1.2.3', 7_200_000);
  expect(await look(orphansCheck, subject)).toMatchObject([
    {
      verdict: 'warn',
      detail: expect.stringContaining('2 temporary files older than an hour (2.00 KiB)'),
      mend: expect.stringContaining('-mmin +60 -delete'),
    },
  ]);
});

test('a repository beside the data it protects is told', async () => {
  const found = await look(separateDisksCheck, watching({ WORKING_DIR: made('work'), BACKUP_DIR: made('repository') }));
  expect(found).toMatchObject([{ verdict: 'warn', detail: expect.stringContaining('one broken disk takes both') }]);
});

test('free space is told once for each file system, with what lies on it and what will be needed', async () => {
  const work = made('work');
  writeFileSync(join(work, 'kv_store_doc_status.json'), 'x'.repeat(4096));
  const found = await look(freeSpaceCheck, watching({ WORKING_DIR: work, RAGWARDEN_DATA_DIR: join(folder, 'data') }));
  expect(found).toHaveLength(1);
  expect(found[0]?.detail).toContain('data folder and staging, repository, working folder');
  // 4 KiB into the new repository, 4 KiB by record in the staging tree, and 4 KiB beside what is there.
  expect(found[0]?.detail).toContain('may need 12.0 KiB');
  const settings = { WORKING_DIR: work, RAGWARDEN_DATA_DIR: join(folder, 'data'), RAGWARDEN_BACKUP_UNFOLD: 'false' };
  expect((await look(freeSpaceCheck, watching(settings)))[0]?.detail).toContain('may need 8.00 KiB');
});
