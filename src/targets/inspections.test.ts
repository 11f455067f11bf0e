import { cpSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createInspections, storesElsewhere } from './inspections.ts';
import { createInspector } from './inspector/index.ts';
import { unreachableObservation } from './observation.ts';
import type { FileFindings } from './target-status.ts';
import type { WatchedTarget } from './watched-target.ts';

const recorded = join(import.meta.dirname, '../../test/fixtures/lightrag-1.5.7/workspace/rag_storage');
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function watchRecorded() {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-inspections-'));
  cpSync(recorded, folder, { recursive: true });
  const inspector = createInspector({ log: silentLogger, clock: systemClock });
  cleanUps.push(
    () => rmSync(folder, { recursive: true }),
    () => inspector.stop(),
  );
  const noted: FileFindings[] = [];
  const watched = {
    target: {
      id: 'default',
      kind: 'lightrag',
      workspaces: ['library'],
      stores: [{ name: 'workspace', kind: 'workspace-folder', path: folder }],
    },
    observation: () => undefined,
    noteFiles: (findings: FileFindings) => noted.push(findings),
    // Of a watched target the inspections use what stands above.
  } as unknown as WatchedTarget;
  const inspections = createInspections({ targets: [watched], inspector, clock: systemClock, log: silentLogger });
  return { inspections, noted, folder };
}

test('a sound workspace brings no fault, and an unchanged one is not read again', async () => {
  const { inspections, noted } = watchRecorded();
  await inspections.runOnce();
  await inspections.runOnce();
  expect(noted).toHaveLength(1);
  expect(noted[0]?.faults).toEqual([]);
  expect(inspections.last('default')?.audit.counts.doc_status).toBe(6);
});

test('a torn file is told to the target at the next round', async () => {
  const { inspections, noted, folder } = watchRecorded();
  await inspections.runOnce();
  truncateSync(join(folder, 'library', 'kv_store_text_chunks.json'), 500);
  await inspections.runOnce();
  expect(noted.at(-1)?.faults.map((fault) => fault.code)).toContain('file-torn');
});

test('stores that a database keeps are not missed among the files', () => {
  const seen = unreachableObservation(1, { kind: 'unreachable', message: '' });
  expect(storesElsewhere(undefined)).toEqual([]);
  expect(
    storesElsewhere({ ...seen, storageClasses: { kv_storage: 'PGKVStorage', vector_storage: 'NanoVectorDBStorage' } }),
  ).toEqual(['kv']);
});
