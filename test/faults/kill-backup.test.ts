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
    ['backup:listed', false],
    ['backup:captured-workspace', false],
    ['backup:captured-inputs', false],
    ['backup:manifest-staged', false],
    ['backup:uploaded', true],
    ['backup:verified', true],
    ['backup:catalogued', true],
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
});
