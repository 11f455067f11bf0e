import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import {
  contentOf,
  field,
  type RunningWarden,
  removeFolder,
  startWarden,
  temporaryFolder,
  until,
} from '../warden-harness.ts';

const wait = { prefer: 'wait=90' };
const noSchedule = { RAGWARDEN_BACKUP_AT_START: 'false' };

const settledEvent = async (warden: RunningWarden): Promise<{ message: string; data: unknown } | undefined> => {
  const { body } = await warden.call('GET', '/api/v1/events?type=operation.settled&limit=1');
  const event = field(body, 'items', 0);
  return event === undefined ? undefined : { message: String(field(event, 'message')), data: field(event, 'data') };
};
const listPoints = async (warden: RunningWarden): Promise<unknown[]> => {
  const items = field((await warden.call('GET', '/api/v1/backup/points')).body, 'items');
  return Array.isArray(items) ? items : [];
};

describe.skipIf(!hasPart('restic'))('SIGKILL while a recovery point is taken', () => {
  const boundaries: [string, boolean][] = [
    ['backup:listed', false],
    ['backup:captured-workspace', false],
    ['backup:captured-inputs', false],
    ['backup:manifest-staged', false],
    ['backup:uploaded', true],
    ['backup:verified', true],
    ['backup:catalogued', true],
  ];

  test.each(boundaries)('at %s: the point exists afterwards: %s', async (boundary, exists) => {
    const dataDir = temporaryFolder('kill-backup');
    try {
      const doomed = await startWarden({ dataDir, killAt: boundary });
      const before = contentOf(join(dataDir, 'sample', 'rag_storage'));
      expect((await doomed.exited).signal).toBe('SIGKILL');
      const warden = await startWarden({ dataDir, settings: noSchedule });
      try {
        expect(contentOf(join(dataDir, 'sample', 'rag_storage'))).toEqual(before);
        const points = await listPoints(warden);
        expect(points).toHaveLength(exists ? 1 : 0);
        const event = await settledEvent(warden);
        expect(event?.message).toMatch(exists ? /exists/ : /does not exist/);
        const again = await warden.call('POST', '/api/v1/backup/trigger', undefined, wait);
        expect(field(again.body, 'state')).toBe('succeeded');
        if (exists) {
          const verified = await warden.call(
            'POST',
            `/api/v1/backup/points/${field(points[0], 'backup_id')}/verify`,
            undefined,
            wait,
          );
          expect(field(verified.body, 'state')).toBe('succeeded');
        }
      } finally {
        await warden.stop();
      }
    } finally {
      removeFolder(dataDir);
    }
  });
});

describe.skipIf(!hasPart('restic'))('SIGKILL while a point is restored', () => {
  const template = temporaryFolder('kill-restore-template');
  let pointId: string;
  let good: Record<string, string>;

  beforeAll(async () => {
    const warden = await startWarden({ dataDir: template });
    await until('the first point', async () => ((await listPoints(warden)).length > 0 ? true : undefined));
    pointId = String(field((await listPoints(warden))[0], 'backup_id'));
    await warden.stop();
    good = contentOf(join(template, 'sample', 'rag_storage'));
  });
  afterAll(() => removeFolder(template));

  const boundaries: [string, 'old' | 'new'][] = [
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

  test.each(boundaries)(
    'at %s: afterwards the %s state, complete, and an event that says so',
    async (boundary, state) => {
      const dataDir = temporaryFolder('kill-restore');
      try {
        cpSync(template, dataDir, { recursive: true, preserveTimestamps: true });
        const workspace = join(dataDir, 'sample', 'rag_storage');
        rmSync(join(workspace, 'vdb_chunks.json'));
        writeFileSync(join(workspace, 'extra.txt'), 'not in the point');
        const bad = contentOf(workspace);
        const doomed = await startWarden({ dataDir, killAt: boundary, settings: noSchedule });
        const asked = await doomed.call('POST', `/api/v1/backup/restore/${pointId}`, { confirm: true });
        expect(asked.status).toBe(202);
        expect((await doomed.exited).signal).toBe('SIGKILL');
        const warden = await startWarden({ dataDir, settings: noSchedule });
        try {
          expect(contentOf(workspace)).toEqual(state === 'new' ? good : bad);
          const event = await settledEvent(warden);
          expect(field(event?.data, 'state')).toBe(state);
          if (state === 'old') {
            const done = await warden.call('POST', `/api/v1/backup/restore/${pointId}`, { confirm: true }, wait);
            expect(field(done.body, 'state')).toBe('succeeded');
            expect(contentOf(workspace)).toEqual(good);
          }
        } finally {
          await warden.stop();
        }
      } finally {
        removeFolder(dataDir);
      }
    },
  );
});
