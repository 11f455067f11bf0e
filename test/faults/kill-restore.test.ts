import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import { contentOf, field, removeFolder } from '../warden-harness.ts';
import { whenFree } from './ground.ts';
import { killedAt, listPoints, type Prepared, prepareOnePoint, settledEvent, wait } from './killed.ts';

describe.skipIf(!hasPart('restic'))('SIGKILL', () => {
  let prepared: Prepared;
  let bad: Record<string, string>;
  beforeAll(async () => {
    prepared = await prepareOnePoint();
  });
  afterAll(() => removeFolder(prepared.dataDir));

  const boundaries: [string, 'old' | 'new'][] = [
    // All of them, with every store and without a backend to start again: kill-stores.test.ts.
    ['restore:safety-taken', 'old'],
    ['restore:in:kv_store_full_docs.json', 'old'],
    ['restore:journal:moved:after', 'new'],
    ['restore:started', 'new'],
  ];
  test.concurrent.each(boundaries)(
    'while a point is restored, at %s: the %s state stands, and an event says so',
    (boundary, state) =>
      killedAt(prepared, {
        boundary,
        damage(workspace) {
          rmSync(join(workspace, 'vdb_chunks.json'));
          writeFileSync(join(workspace, 'extra.txt'), 'not in the point');
          bad = contentOf(workspace);
        },
        // What the safety point costs is needed where the kill comes right after it.
        ask: [
          `/api/v1/backup/restore/${prepared.pointId}`,
          { confirm: true, safety_point: boundary === 'restore:safety-taken' },
        ],
        async after(warden, workspace) {
          expect(contentOf(workspace)).toEqual(state === 'new' ? prepared.good : bad);
          expect(field((await settledEvent(warden)).data, 'state')).toBe(state);
          // That the next restore works is shown once, in the middle of the moves.
          if (boundary !== 'restore:in:kv_store_full_docs.json') return;
          const path = `/api/v1/backup/restore/${prepared.pointId}`;
          const done = await whenFree(() => warden.call('POST', path, { confirm: true }, wait));
          expect(field(done.body, 'state')).toBe('succeeded');
          expect(contentOf(workspace)).toEqual(prepared.good);
        },
      }),
  );

  // The same at all of them, and what a drill leaves: kill-stores.test.ts.
  test.concurrent('while a point is taken of a backend that runs: once it is uploaded it exists, is sound, and the next one is taken', () =>
    killedAt(prepared, {
      boundary: 'backup:uploaded',
      ask: ['/api/v1/backup/trigger', undefined],
      async after(warden, workspace) {
        expect(contentOf(workspace)).toEqual(prepared.good);
        const points = await listPoints(warden);
        expect(points).toHaveLength(2);
        expect((await settledEvent(warden)).message).toMatch(/exists/);
        const again = await whenFree(() => warden.call('POST', '/api/v1/backup/trigger', undefined, wait));
        expect(field(again.body, 'state')).toBe('succeeded');
        const path = `/api/v1/backup/points/${field(points[0], 'backup_id')}/verify`;
        const verified = await whenFree(() => warden.call('POST', path, undefined, wait));
        expect(field(verified.body, 'state')).toBe('succeeded');
      },
    }));
});
