import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findFolderMismatches, findLostFiles, mapPath } from './folder-match.ts';
import { type Observation, unreachableObservation } from './observation.ts';
import type { Target } from './target.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-folders-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const target = (change: Partial<Target> = {}): Target => ({
  id: 'default',
  kind: 'lightrag',
  kindFrom: 'default',
  sample: false,
  endpoints: [],
  stores: [
    { name: 'workspace', kind: 'workspace-folder', path: '/srv/rag/storage', separation: 'folder' },
    { name: 'inputs', kind: 'input-folder', path: '/srv/rag/inputs', separation: 'folder' },
  ],
  workspaces: ['library'],
  userDataDir: undefined,
  paths: {},
  probeIntervalMs: 1_000,
  probeTimeoutMs: 1_000,
  stopTimeoutMs: 1_000,
  startTimeoutMs: 1_000,
  ...change,
});
const told = (workingDirectory: string | undefined, inputDirectory?: string): Observation => ({
  ...unreachableObservation(0, { kind: 'unreachable', message: '' }),
  reachable: true,
  workingDirectory,
  inputDirectory,
});
const mismatches = async (of: Target, seen: Observation): Promise<string[]> =>
  (await findFolderMismatches(of, seen)).map((reason) => reason.message.split(/[.] |, but/)[0] ?? '');

test.each([
  ['/app/data/rag', { '/app/data': '/srv/data' }, '/srv/data/rag'],
  ['/app/data', { '/app/data/': '/srv/data/' }, '/srv/data'],
  ['/app/database', { '/app/data': '/srv/data' }, '/app/database'],
  ['/app/data/rag', { '/app': '/a', '/app/data': '/b' }, '/b/rag'],
  ['/app//data/./rag/', { '/app/data': '/b' }, '/b/rag'],
  ['/x/y', { '/': '/mnt/root' }, '/mnt/root/x/y'],
  ['/', { '/': '/mnt/root' }, '/mnt/root'],
])('%s by %j is %s', (path, paths, mapped) => {
  expect(mapPath(path, paths)).toBe(mapped);
});

test('the folders that are watched are no mismatch, with or without the workspace in them', async () => {
  expect(await mismatches(target(), told('/srv/rag/storage/', '/srv/rag/inputs'))).toEqual([]);
  expect(await mismatches(target(), told('/srv/rag/storage', '/srv/rag/inputs/library'))).toEqual([]);
});

test('each folder in which the backend works and we do not is named with ours', async () => {
  expect(await mismatches(target(), told('/srv/other', '/srv/rag/inputs'))).toEqual([
    'The backend works in /srv/other',
  ]);
  const [reason] = await findFolderMismatches(target(), told('/srv/other'));
  expect(reason).toMatchObject({ code: 'folder-mismatch' });
  expect(reason?.message).toContain('/srv/rag/storage is watched and backed up');
});

test('what a container sees is mapped before it is compared', async () => {
  const mapped = target({ paths: { '/app/data': '/srv/rag' } });
  expect(await mismatches(mapped, told('/app/data/storage', '/app/data/inputs'))).toEqual([]);
  expect(await mismatches(mapped, told('/app/data/rag_storage'))).toEqual([
    'The backend works in /app/data/rag_storage',
  ]);
});

test('relative folders, and folders that are not told, get no verdict', async () => {
  expect(await mismatches(target(), told('./rag_storage', undefined))).toEqual([]);
  expect(await mismatches(target(), told(undefined))).toEqual([]);
});

test('two names of one folder are one folder', async () => {
  mkdirSync(join(folder, 'real'));
  symlinkSync(join(folder, 'real'), join(folder, 'link'));
  const linked = target({
    stores: [{ name: 'workspace', kind: 'workspace-folder', path: join(folder, 'link'), separation: 'folder' }],
  });
  expect(await mismatches(linked, told(join(folder, 'real')))).toEqual([]);
});

test('documents that are told of without a list of them in the folder are lost files, where they are kept in files', async () => {
  const of = target({
    stores: [{ name: 'workspace', kind: 'workspace-folder', path: folder, separation: 'folder' }],
  });
  const seen = (processed: number, storage = 'JsonDocStatusStorage'): Observation => ({
    ...told(undefined),
    documents: { processed },
    storageClasses: { doc_status_storage: storage },
  });
  const [reason, ...more] = await findLostFiles(of, seen(100));
  expect(more).toEqual([]);
  expect(reason?.code).toBe('files-lost');
  expect(reason?.message).toContain(join(folder, 'library'));
  expect(reason?.message).toContain('100 processed documents');
  expect(await findLostFiles(of, seen(0))).toEqual([]);
  expect(await findLostFiles(of, seen(100, 'PGDocStatusStorage'))).toEqual([]);
  expect(await findLostFiles(target({ ...of, kind: 'custom' }), seen(100))).toEqual([]);
  mkdirSync(join(folder, 'library'));
  writeFileSync(join(folder, 'library', 'kv_store_doc_status.json'), '{}');
  expect(await findLostFiles(of, seen(100))).toEqual([]);
});
