import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Observation } from '../targets/index.ts';
import type { ProtectedTarget } from './backup-deps.ts';
import { inspectCaptured } from './inspect-captured.ts';
import { wholeTarget } from './selection.ts';
import type { CaptureResult } from './sources/source.ts';
import type { Staging } from './staging.ts';

test('a workspace whose digest is as before is not read again, and one that changed is, or that is asked about otherwise', async () => {
  let looks = 0;
  // Of target, capture and staging, what the inspection needs.
  const guarded = {
    target: { workspaces: ['acme'] },
    async inspect() {
      looks += 1;
      return { counts: { looks }, embeddingDimension: undefined, faults: [] };
    },
  } as unknown as ProtectedTarget;
  const staging = {
    componentFolder: (name: string) => name,
    auditFolder: join(tmpdir(), 'rw-no-audit'),
  } as unknown as Staging;
  const look = async (treeSha256: string, selection = wholeTarget, storageClasses = {}) => {
    const captured = [{ name: 'workspace', treeSha256, entries: [] }] as unknown as CaptureResult[];
    const observation = { storageClasses } as unknown as Observation;
    const facts = { captured, staging, selection, observation };
    return (await inspectCaptured(guarded, facts, { signal: AbortSignal.timeout(60_000) })).inspection?.counts.looks;
  };
  expect([await look('a'), await look('a'), await look('b'), await look('a')]).toEqual([1, 1, 2, 3]);
  expect(await look('a', { ...wholeTarget, workspace: '' })).toBe(4);
  expect(await look('a', { ...wholeTarget, workspace: '' }, { KV: 'RedisKVStorage' })).toBe(5);
  const none = { captured: [], staging, selection: wholeTarget, observation: undefined };
  expect(await inspectCaptured(guarded, none, { signal: AbortSignal.timeout(60_000) })).toEqual({ audited: {} });
});
