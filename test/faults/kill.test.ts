import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import {
  contentOf,
  field,
  lightenRepository,
  type RunningWarden,
  removeFolder,
  startWarden,
  temporaryFolder,
  until,
} from '../warden-harness.ts';

const wait = { prefer: 'wait=90' };
const noSchedule = { RAGWARDEN_BACKUP_AT_START: 'false' };

const settledEvent = async (warden: RunningWarden): Promise<{ message: string; data: unknown }> => {
  const { body } = await warden.call('GET', '/api/v1/events?type=operation.settled&limit=1');
  return { message: String(field(body, 'items', 0, 'message')), data: field(body, 'items', 0, 'data') };
};
const listPoints = async (warden: RunningWarden): Promise<unknown[]> => {
  const items = field((await warden.call('GET', '/api/v1/backup/points')).body, 'items');
  return Array.isArray(items) ? items : [];
};

describe.skipIf(!hasPart('restic'))('SIGKILL', () => {
  const template = temporaryFolder('kill-template');
  let pointId: string;
  let good: Record<string, string>;

  beforeAll(async () => {
    const warden = await startWarden({ dataDir: template });
    await until('the first point', async () => ((await listPoints(warden)).length > 0 ? true : undefined));
    pointId = String(field((await listPoints(warden))[0], 'backup_id'));
    await warden.stop();
    await lightenRepository(template);
    good = contentOf(join(template, 'sample', 'rag_storage'));
  });
  afterAll(() => removeFolder(template));

  /** One copy of the prepared data folder per case; `damage` before the start, `after` in the life that follows the kill. */
  const killedAt = async (options: {
    boundary: string;
    damage?(workspace: string): void;
    ask: [path: string, body: unknown];
    after(warden: RunningWarden, workspace: string): Promise<void>;
  }): Promise<void> => {
    const dataDir = temporaryFolder('kill');
    try {
      cpSync(template, dataDir, { recursive: true, preserveTimestamps: true });
      const workspace = join(dataDir, 'sample', 'rag_storage');
      options.damage?.(workspace);
      const doomed = await startWarden({ dataDir, killAt: options.boundary, settings: noSchedule });
      expect((await doomed.call('POST', ...options.ask)).status).toBe(202);
      expect((await doomed.exited).signal).toBe('SIGKILL');
      const warden = await startWarden({ dataDir, settings: noSchedule });
      try {
        await options.after(warden, workspace);
      } finally {
        await warden.stop();
      }
    } finally {
      removeFolder(dataDir);
    }
  };

  const ofBackup: [string, boolean][] = [
    ['backup:listed', false],
    ['backup:captured-workspace', false],
    ['backup:captured-inputs', false],
    ['backup:manifest-staged', false],
    ['backup:uploaded', true],
    ['backup:verified', true],
    ['backup:catalogued', true],
  ];
  test.each(ofBackup)('while a point is taken, at %s: it exists afterwards: %s', (boundary, exists) =>
    killedAt({
      boundary,
      ask: ['/api/v1/backup/trigger', undefined],
      async after(warden, workspace) {
        expect(contentOf(workspace)).toEqual(good);
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

  const ofRestore: [string, 'old' | 'new'][] = [
    ['restore:safety-taken', 'old'],
    ['restore:stopped', 'old'],
    ['restore:staged', 'old'],
    ['restore:journal:prepared:after', 'old'],
    ['restore:journal:moving:after', 'old'],
    ['restore:out:kv_store_full_docs.json', 'old'],
    ['restore:in:kv_store_full_docs.json', 'old'],
    ['restore:journal:moved:before', 'old'],
    ['restore:journal:moved:after', 'new'],
    ['restore:checked', 'new'],
    ['restore:journal:done:after', 'new'],
    ['restore:started', 'new'],
  ];
  let bad: Record<string, string>;
  test.each(ofRestore)(
    'while a point is restored, at %s: the %s state stands, and an event says so',
    (boundary, state) =>
      killedAt({
        boundary,
        damage(workspace) {
          rmSync(join(workspace, 'vdb_chunks.json'));
          writeFileSync(join(workspace, 'extra.txt'), 'not in the point');
          bad = contentOf(workspace);
        },
        ask: [`/api/v1/backup/restore/${pointId}`, { confirm: true }],
        async after(warden, workspace) {
          expect(contentOf(workspace)).toEqual(state === 'new' ? good : bad);
          expect(field((await settledEvent(warden)).data, 'state')).toBe(state);
          // That the next restore works is shown once, in the middle of the moves.
          if (boundary !== 'restore:in:kv_store_full_docs.json') return;
          const done = await warden.call('POST', `/api/v1/backup/restore/${pointId}`, { confirm: true }, wait);
          expect(field(done.body, 'state')).toBe('succeeded');
          expect(contentOf(workspace)).toEqual(good);
        },
      }),
  );
});
