import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import { contentOf, field, removeFolder } from '../warden-harness.ts';
import { killedAt, listPoints, type Prepared, prepareOnePoint, settledEvent, wait } from './killed.ts';

describe.skipIf(!hasPart('restic'))('SIGKILL', () => {
  let prepared: Prepared;
  beforeAll(async () => {
    prepared = await prepareOnePoint();
  });
  afterAll(() => removeFolder(prepared.dataDir));

  const boundaries: [string, boolean][] = [
    // All of them, with every store: kill-stores.test.ts.
    ['backup:captured-inputs', false],
    ['backup:uploaded', true],
  ];
  test.concurrent.each(boundaries)('while a point is taken, at %s: it exists afterwards: %s', (boundary, exists) =>
    killedAt(prepared, {
      boundary,
      ask: ['/api/v1/backup/trigger', undefined],
      async after(warden, workspace) {
        expect(contentOf(workspace)).toEqual(prepared.good);
        const points = await listPoints(warden);
        expect(points).toHaveLength(exists ? 2 : 1);
        expect((await settledEvent(warden)).message).toMatch(exists ? /exists/ : /does not exist/);
        const again = await warden.call('POST', '/api/v1/backup/trigger', undefined, wait);
        expect(field(again.body, 'state')).toBe('succeeded');
        if (!exists) return;
        const path = `/api/v1/backup/points/${field(points[0], 'backup_id')}/verify`;
        expect(field((await warden.call('POST', path, undefined, wait)).body, 'state')).toBe('succeeded');
      },
    }),
  );

  test.concurrent.each(['drill:fetched', 'drill:removed'])(
    'while a drill runs, at %s: its scratch folder goes at the next start, and the next drill begins at once',
    (boundary) =>
      killedAt(prepared, {
        boundary,
        ask: ['/api/v1/recovery/drills', { backup_id: prepared.pointId }],
        async after(warden, workspace) {
          expect(contentOf(workspace)).toEqual(prepared.good);
          expect(readdirSync(join(warden.dataDir, 'drills'))).toEqual([]);
          const [left] = listOf((await warden.call('GET', '/api/v1/recovery/drills')).body);
          expect(left).toMatchObject({ verdict: 'error', reasons: ['ragwarden ended while it ran'] });
          const again = await warden.call('POST', '/api/v1/recovery/drills', {}, wait);
          expect(field(again.body, 'result', 'verdict')).toBe('passed');
        },
      }),
  );
});

const listOf = (body: unknown): unknown[] => {
  const items = field(body, 'items');
  return Array.isArray(items) ? items : [];
};
