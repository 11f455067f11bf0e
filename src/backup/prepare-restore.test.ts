import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { type Manifest, renderManifest } from './manifest.ts';
import { prepareRestore } from './prepare-restore.ts';
import type { Repository } from './repository/index.ts';

const id = 'backup_20261122_010203_abcd';
const lines = `${JSON.stringify({ path: 'a', kind: 'dir', mode: 448, mtimeMs: 1 })}\n`;
const manifest: Manifest = {
  format: 'ragwarden-recovery-point',
  version: 2,
  id,
  target: {
    id: 'default',
    kind: 'lightrag',
    core_version: null,
    api_version: null,
    workspaces: [''],
    storage_classes: {},
    embedding_model: null,
    embedding_dimension: null,
  },
  scope: 'target',
  cause: 'manual',
  taken_at: '2026-11-22T01:02:03.000Z',
  grade: 'consistent',
  reasons: [],
  partial: false,
  total_size_mb: 0,
  components: [
    {
      name: 'workspace',
      kind: 'files',
      entries_file: 'entries/workspace.jsonl',
      entries_sha256: createHash('sha256').update(lines).digest('hex'),
      tree_sha256: '',
      files: 0,
      bytes: 0,
      partial: false,
      proof: { grade: 'consistent', reasons: [] },
      skipped: [],
      damaged: [],
      notes: [],
      restore: { by: 'folder-swap', folder: '/srv', keep: [] },
    },
  ],
  missing: [],
  documents: null,
  counts: null,
  audit: { seq: 1, hash: '' },
  warden_version: '0',
};

test('two plans of one point that are asked for at once do not take the list from each other', async () => {
  const stagingDir = mkdtempSync(join(tmpdir(), 'prepare-restore-'));
  const both = Promise.withResolvers<void>();
  let arrived = 0;
  const repository = {
    snapshots: async () => [{ id: 'one', tree: 'tree', tags: [], time: '' }],
    readFile: async () => Buffer.from(renderManifest(manifest)),
    async restore({ target }: { target: string }) {
      const file = join(target, 'entries/workspace.jsonl');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, lines);
      arrived += 1;
      // The first one reads its list when the second has ended and tidied up.
      if (arrived === 1) await both.promise;
    },
  } as unknown as Repository; // Nothing else is asked for.
  // Which of them comes first is for the file system to say.
  const prepare = () => prepareRestore({ repository, stagingDir }, { id }).finally(() => both.resolve());
  for (const { entries } of await Promise.all([prepare(), prepare()]))
    expect(entries.get('workspace')).toMatchObject([{ path: 'a', kind: 'dir' }]);
  expect(readdirSync(stagingDir)).toEqual([]);
  rmSync(stagingDir, { recursive: true });
});
