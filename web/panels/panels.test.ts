import { describe, expect, test } from 'vitest';
import type { BackupStatus, Operation, Point, WardenEvent } from '../api/wire.ts';
import { levelOf } from '../parts/mark.tsx';
import { runningFor, whyNoDrill, whyNoNewPoint, whyNot } from '../state/actions.ts';
import { mergeEvents } from '../state/event-feed.ts';
import { notePhases } from '../state/phases.ts';
import { documentShares } from './documents.tsx';
import { containerFigures, disksOf } from './host.tsx';
import { changeOf, scopeOf, summaryOf } from './plan.tsx';
import { brokenRelations } from './point-detail.tsx';
import { sourcesInWords } from './sources.tsx';
import { progressFacts } from './work.tsx';

const event = (seq: number): WardenEvent => ({
  seq,
  at: '2026-11-22T04:00:00Z',
  type: 'x.y',
  severity: 'info',
  target_id: null,
  operation_id: null,
  message: `event ${seq}`,
  data: {},
});

const running: Operation = {
  id: 'op_1',
  kind: 'backup.create',
  target_id: 'sample',
  state: 'running',
  phase: 'uploading',
  progress: {
    bytes_done: 2048,
    bytes_total: 4096,
    files_done: 0,
    files_total: null,
    rate_bytes_per_second: 1024,
    remaining_seconds: 2,
    percent: 50,
  },
  result: null,
  error: null,
  requested_by: 'local:admin',
  created_at: '2026-11-22T04:00:00Z',
  finished_at: null,
  allowed_actions: ['cancel'],
};

test('documents keep one order, words that are new come last, and shares add up', () => {
  const shares = documentShares({ failed: 1, quarantined: 1, processed: 6, pending: 0 });
  expect(shares.map((share) => share.status)).toEqual(['processed', 'pending', 'failed', 'quarantined']);
  expect(shares.reduce((sum, share) => sum + share.percent, 0)).toBe(100);
  expect(documentShares({ processed: 0 })).toEqual([{ status: 'processed', count: 0, percent: 0 }]);
});

test('events are merged newest first, each once', () => {
  expect(mergeEvents([event(3), event(1)], [event(2), event(3)]).map(({ seq }) => seq)).toEqual([3, 2, 1]);
  expect(mergeEvents([event(3), event(2)], [event(4)], 2).map(({ seq }) => seq)).toEqual([4, 3]);
});

test('one file system under two names is shown once', () => {
  const disk = { total: 100, used: 40, free: 60, percent: 40 };
  const shown = disksOf({
    ...disk,
    data_dir: { ...disk, path: '/var/lib/ragwarden' },
    mounts: [{ total: 500, used: 100, free: 400, percent: 20, path: '/srv' }],
  });
  expect(shown.map(({ name }) => name)).toEqual(['Disk /', 'Disk /srv']);
  expect(disksOf(null)).toEqual([]);
});

test('of a container only what is limited is shown, with what the limit did', () => {
  const unlimited = { path: '/', memory: null, cpu: null, processes: null };
  expect(containerFigures(unlimited)).toEqual([]);
  const memory = { limit: 2 ** 30, used: 2 ** 29, percent: 50, oom_kills: 2 };
  const cpu = { limit_cores: 1.5, used_cores: 1.2, percent: 80, throttled_seconds: 90 };
  expect(containerFigures({ ...unlimited, memory, cpu })).toEqual([
    { what: 'cpu', value: '80 %', percent: 80, detail: 'CPU, of 1.5 cores, held back 1 min 30 s' },
    { what: 'memory', value: '50 %', percent: 50, detail: 'memory, 512 MiB of 1.00 GiB, 2 processes killed' },
  ]);
  const calm = { ...unlimited, cpu: { ...cpu, limit_cores: null }, memory: { ...memory, oom_kills: 0 } };
  expect(containerFigures(calm).map(({ detail }) => detail)).toEqual(['memory, 512 MiB of 1.00 GiB']);
});

test('progress tells only what is known', () => {
  expect(progressFacts(running)).toEqual(['2.00 KiB of 4.00 KiB', '1.00 KiB/s', 'about 2 s left']);
  const nothing = { ...running.progress, bytes_done: 0, bytes_total: null };
  expect(
    progressFacts({ ...running, progress: { ...nothing, rate_bytes_per_second: null, remaining_seconds: null } }),
  ).toEqual([]);
});

test('a plan is summed up in words', () => {
  expect(summaryOf([{ action: 'replace' }, { action: 'replace' }, { action: 'remove' }])).toBe(
    '2 names replaced, 1 moved out',
  );
  expect(summaryOf([])).toBe('nothing to move');
});

test('a word that is not known has no level, whatever it is', () => {
  expect([levelOf('HEALTHY'), levelOf('OFFLINE'), levelOf('UNKNOWN'), levelOf('constructor')]).toEqual([
    'good',
    'bad',
    'none',
    'none',
  ]);
});

describe('a button that cannot be used says why', () => {
  const status: BackupStatus = {
    status: 'scheduled',
    enabled: true,
    schedule_on: true,
    available: true,
    unavailable_reason: null,
    next_backup: null,
    last_backup_time: null,
    last_verified_backup: null,
    frequency: 3_600,
    retention_days: 7,
    daily_retention_days: 30,
    backup_count: 0,
    location: '/repository',
    target_id: 'sample',
    rpo: { objective_seconds: 7_200, measured_seconds: null, met: false },
    warnings: [],
  };
  const point: Pick<Point, 'allowed_actions'> = { allowed_actions: ['verify'] };

  test('for taking a point', () => {
    expect(whyNoNewPoint(status, undefined)).toBeUndefined();
    expect(whyNoNewPoint(undefined, undefined)).toContain('Not known');
    expect(whyNoNewPoint(status, running)).toBe('A recovery point is being taken.');
    expect(whyNoNewPoint({ ...status, available: false, unavailable_reason: 'restic is missing' }, undefined)).toBe(
      'restic is missing',
    );
  });

  test('for verifying and restoring, where the server says what is allowed', () => {
    expect(whyNot('verify', point, status, undefined)).toBeUndefined();
    expect(whyNot('restore', point, status, undefined)).toBe('This point cannot be restored.');
    expect(whyNot('verify', point, status, running)).toBe('A recovery point is being taken.');
  });
});

test('a drill keeps nobody from taking a point, and no second one begins', () => {
  const drilling = { ...running, kind: 'recovery.drill' };
  expect(runningFor([drilling], 'sample')).toBeUndefined();
  expect(runningFor([drilling, running], 'sample')).toBe(running);
  const status = { available: true, unavailable_reason: null, backup_count: 1, target_id: 'sample' };
  expect(whyNoDrill({ ...(status as BackupStatus) }, [drilling])).toBe('A drill is under way.');
  expect(whyNoDrill({ ...(status as BackupStatus) }, [running])).toBeUndefined();
  expect(whyNoDrill({ ...(status as BackupStatus), backup_count: 0 }, [])).toBe('There is no point to rehearse yet.');
});

test('phases are kept in the order in which they were seen, of what runs', () => {
  const first = notePhases(new Map(), [{ ...running, phase: 'waiting' }]);
  const then = notePhases(first, [{ ...running, phase: 'capturing' }]);
  expect(notePhases(then, [{ ...running, phase: 'capturing' }]).get('op_1')).toEqual(['waiting', 'capturing']);
  expect(notePhases(then, [{ ...running, state: 'succeeded' }]).size).toBe(0);
});

test('a plan says its scope, and rows where rows are counted', () => {
  expect(scopeOf({ workspace: null, as_workspace: null, aside: false })).toBe('All workspaces, in place');
  expect(scopeOf({ workspace: '', as_workspace: 'b', aside: false })).toBe('The unnamed workspace, under the name b');
  expect(scopeOf({ workspace: 'a', as_workspace: null, aside: true })).toBe('The workspace a, beside the live data');
  const item = { name: 'n', action: 'replace', reason: '', old_bytes: 2048, new_bytes: null } as const;
  expect(changeOf(item)).toBe('2.00 KiB → unknown');
  expect(changeOf({ ...item, old_rows: 1_200, new_rows: null })).toBe('1,200 → none rows');
});

test('what a point holds is said with what it lacks', () => {
  const part = { kind: 'files', online: true, consistent: 'when-still', restorable_elsewhere: true } as const;
  const items = [{ ...part, name: 'workspace', restored_by: 'swap' as const, notes: [] }];
  expect(sourcesInWords({ items, missing: [] })).toBe('A point holds workspace');
  const missing = [{ name: 'redis', reason: 'it does not answer' }];
  expect(sourcesInWords({ items, missing })).toBe('A point holds workspace; not redis');
});

test('of an audit what does not hold is told, the most frequent first', () => {
  const found = brokenRelations({
    dangling: {
      nodes_without_vector: { count: 2, examples: ['A'] },
      texts_without_document: { count: 0, examples: [] },
      edges_without_vector: { count: 5, examples: [] },
    },
  });
  expect(found.map(({ relation, count }) => [relation, count])).toEqual([
    ['edges without vector', 5],
    ['nodes without vector', 2],
  ]);
});
