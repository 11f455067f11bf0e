import { expect, test } from 'vitest';
import { readRepository } from './catalogue/read-repository.ts';
import type { Repository } from './repository/index.ts';
import { findManifestSnapshot } from './verify-point.ts';

const id = 'backup_20261122_010203_abcd';
const holding = (manifest: object): Repository =>
  ({
    snapshots: async () => [{ id: 'one', tree: 'tree', tags: [`rp:${id}`, 'manifest'], time: '2026-11-22T01:02:03Z' }],
    readFile: async () => Buffer.from(JSON.stringify(manifest)),
  }) as unknown as Repository; // Nothing else is asked for.

const format = 'ragwarden-recovery-point';

test.each([
  ['of version 1 that is broken', { format, version: 1 }, 'not one of ours', 'repository/damaged'],
  ['of version 2 that is broken', { format, version: 2 }, 'not one of ours', 'repository/damaged'],
  ['of a later version', { format, version: 3 }, 'newer version of ragwarden', 'restore/blocked'],
  ['of something else', { format: 'other', version: 3 }, 'not one of ours', 'repository/damaged'],
])('a manifest %s is told as what it is', async (_, manifest, refused, code) => {
  const repository = holding(manifest);
  const { found } = await readRepository(repository, [], { signal: AbortSignal.timeout(60_000), manifests: true });
  expect(found).toMatchObject([{ manifest: undefined, refused: expect.stringContaining(refused) }]);
  await expect(findManifestSnapshot({ repository }, id)).rejects.toMatchObject({ code });
});
