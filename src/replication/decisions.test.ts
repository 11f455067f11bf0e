import { describe, expect, test } from 'vitest';
import type { RecoveryPoint } from '../backup/index.ts';
import { environmentOf, placeWithCredentials, requireKnownCredentials } from './credentials.ts';
import { damagedPacks, planHeal } from './heal.ts';
import { measureLag } from './lag.ts';
import { type ReplicaOverview, readOverview } from './overview.ts';
import { decidePlacement, type PlacedCopy, type PlacementRule } from './placement.ts';
import { watchGrowth } from './places/repository-place.ts';
import { planSync, refusePoint } from './plan-sync.ts';
import { freshState, type Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { decideReplicaWork } from './replication-job.ts';

const hour = 3_600_000;
const point = (id: string, takenMs: number, more: object = {}): RecoveryPoint =>
  // Of a point, what these decisions look at.
  ({ id, takenMs, storedBytes: 10, logicalBytes: 100, verifiedMs: 1, manifest: null, ...more }) as RecoveryPoint;
const snapshot = (id: string, tree: string, ...tags: string[]) => ({ id, tree, tags });

describe('lag', () => {
  test.each<[string, RecoveryPoint[], string[], number | null, number, number]>([
    ['nothing to copy', [], [], null, 0, 0],
    ['all there', [point('a', 1)], ['a'], 0, 0, 0],
    ['nothing there', [point('a', 1), point('b', 2)], [], hour - 1, 2, 20],
    ['the newest missing', [point('a', 1), point('b', 5)], ['a'], hour - 5, 1, 10],
    ['only an older one missing: not behind, and not whole', [point('a', 1), point('b', 5)], ['b'], 0, 1, 10],
    ['bytes nobody noted', [point('a', 1, { storedBytes: null })], [], hour - 1, 1, 100],
  ])('%s', (_, points, there, lagMs, missing, bytes) => {
    const copies = points.filter(({ id }) => there.includes(id)).map(({ id, takenMs }) => ({ pointId: id, takenMs }));
    expect(measureLag(points, copies, hour)).toMatchObject({ lagMs, points: missing, bytes });
  });
  test('is not hidden by a copy that is dated in the future', () => {
    const [old, missed, ahead] = [point('a', 1), point('b', 5), point('ahead', 100 * hour)];
    const at = (...there: RecoveryPoint[]) =>
      measureLag(
        [ahead, missed, old],
        there.map(({ id, takenMs }) => ({ pointId: id, takenMs })),
        hour,
      );
    expect(at(ahead, old)).toMatchObject({ lagMs: hour - 5, points: 1, newestTherePointId: 'a' });
    // How long that one has waited nobody knows.
    expect(at(old, missed)).toMatchObject({ lagMs: 0, points: 1, newestTherePointId: 'b' });
  });
});

test('how far behind a place is nobody knows where all that is missing is dated in the future', () => {
  const [ahead, later] = [point('ahead', 100 * hour), point('later', 101 * hour)];
  const copy = { pointId: 'ahead', takenMs: 100 * hour };
  expect(measureLag([ahead], [], hour)).toMatchObject({ lagMs: null, points: 1 });
  expect(measureLag([ahead, later], [copy], hour)).toMatchObject({ lagMs: null, points: 1 });
  expect(measureLag([ahead], [copy], hour)).toMatchObject({ lagMs: 0, points: 0 });
  // Nor when its date has come.
  const known = { ...ahead, misdated: true };
  expect(measureLag([known], [], 200 * hour)).toMatchObject({ lagMs: null });
  expect(measureLag([known, point('old', 1)], [copy], 200 * hour)).toMatchObject({ lagMs: 200 * hour - 1 });
});

describe('a good point that was noted while the clock was behind', () => {
  const [older, good] = [point('older', 1), point('good', 50 * hour, { misdated: true, inOrder: true })];
  const at = (...there: RecoveryPoint[]) => there.map(({ id, takenMs }) => ({ pointId: id, takenMs }));

  test('is the newest there, and since when it is missing nobody knows', () => {
    const lag = (...there: RecoveryPoint[]) => measureLag([good, older], at(...there), 60 * hour);
    expect(lag(good, older)).toMatchObject({ lagMs: 0, points: 0, newestTherePointId: 'good' });
    expect(lag(good)).toMatchObject({ lagMs: 0, points: 1, newestTherePointId: 'good' });
    expect(lag(older)).toMatchObject({ lagMs: null, points: 1, newestTherePointId: 'older' });
  });
  test('hides no other that lies there from a placement rule', async () => {
    const replica = { id: 'far', zone: 'far', offline: false, enabled: true };
    const copies = at(good, older).map((one) => ({ ...one, replicaId: 'far', targetId: 't' }));
    const overview = readOverview({
      ...{ clock: { now: () => 60 * hour }, targetIds: ['t'], sourceUnsound: async () => undefined },
      points: { list: async () => [good, older].map((one) => ({ ...one, targetId: 't' })) },
      replicas: { list: async () => [replica] },
      store: {
        states: async () => new Map([['far', { ...freshState, status: 'healthy' }]]),
        copies: async () => copies,
      },
      settings: () => ({
        ...{ enabled: true, pruneIntervalMs: 0 },
        placement: { copies: 2, zones: 2, offline: false, zone: 'house', withinMs: hour, offlineWithinMs: hour },
      }),
      // Of its parts, what an overview asks.
    } as unknown as ReplicationDeps);
    expect((await overview).placement).toMatchObject([{ met: true, copies: 2 }]);
  });
});

describe('placement', () => {
  const rule: PlacementRule = {
    ...{ copies: 3, zones: 2, offline: true, zone: 'house' },
    ...{ withinMs: hour, offlineWithinMs: 24 * hour },
  };
  const nowMs = 100 * hour;
  const copy = (more: Partial<PlacedCopy>): PlacedCopy => ({
    ...{ replicaId: 'r', zone: 'house', offline: false, newestTakenMs: 98 * hour, sound: true },
    ...more,
  });
  const far = copy({ replicaId: 'far', zone: 'far' });
  const tape = copy({ replicaId: 'tape', zone: 'safe', offline: true, newestTakenMs: 80 * hour });
  const decide = (replicas: PlacedCopy[], takenMs = [98 * hour], sourceSound = true) =>
    decidePlacement(rule, { takenMs, replicas, sourceSound }, nowMs);

  test('is met by the repository, another zone, and what lies offline and is not too old', () => {
    expect(decide([far, tape])).toEqual({ met: true, copies: 3, zones: 3, offline: true, missing: [] });
  });
  test.each([
    ['a copy that is behind', [copy({ newestTakenMs: 97 * hour }), tape], undefined, ['2 of 3 copies']],
    ['a damaged copy', [copy({ sound: false }), tape], undefined, ['2 of 3 copies']],
    ['a copy that is dated in the future', [copy({ newestTakenMs: 200 * hour }), tape], undefined, ['2 of 3 copies']],
    ['one zone', [copy({}), copy({ zone: 'house', offline: true })], undefined, ['1 of 2 zones']],
    [
      'an offline one that is too old',
      [far, copy({ offline: true, newestTakenMs: hour })],
      undefined,
      ['2 of 3', 'offline'],
    ],
    ['a damaged repository here', [far, tape], false, ['2 of 3 copies']],
  ])('is broken by %s, and says so', (_, replicas, sourceSound, words) => {
    const { met, missing } = decide(replicas, undefined, sourceSound);
    expect(met).toBe(false);
    for (const [index, word] of words.entries()) expect(missing[index]).toContain(word);
  });
  test('asks for nothing before the first point is old enough', () => {
    expect(decide([], [99.5 * hour]).met).toBe(true);
    expect(decide([], []).met).toBe(true);
  });
  test('asks for what is dated in the future where there is nothing else', () => {
    const tapeAhead = { ...tape, newestTakenMs: 200 * hour };
    expect(decide([], [200 * hour]).met).toBe(false);
    expect(decide([{ ...far, newestTakenMs: 200 * hour }, tapeAhead], [200 * hour]).met).toBe(true);
  });
});

describe('what is copied', () => {
  const here = [
    snapshot('s1', 't1', 'rp:a', 'manifest'),
    snapshot('s2', 't2', 'rp:b', 'stream:x'),
    snapshot('s3', 't3', 'rp:b', 'manifest'),
    snapshot('s4', 't4', 'rp:c', 'manifest', 'rejected'),
  ];
  const points = [point('a', 1), point('b', 2), point('c', 3), point('gone', 4)];

  test('is what is missing by point and tree, the newest first; what was rejected or is gone is not', () => {
    const plan = planSync(points, here, [snapshot('other', 't1', 'rp:a', 'manifest', 'pinned')]);
    expect(plan.held.map((one) => one.point.id)).toEqual(['a']);
    expect(plan.copy.map((one) => [one.point.id, one.streams, one.manifest])).toEqual([['b', ['s2'], 's3']]);
  });
  test('is the rest of a point whose stream alone came through', () => {
    const plan = planSync(points, here, [snapshot('x', 't2', 'rp:b', 'stream:x')]);
    expect(plan.copy.find((one) => one.point.id === 'b')).toMatchObject({ streams: [], manifest: 's3' });
  });
  test('is nothing under an id that means something else there', () => {
    const plan = planSync(points, here, [snapshot('x', 'other', 'rp:a', 'manifest')]);
    expect(plan.conflicts).toEqual([{ pointId: 'a', here: 't1', there: 'other' }]);
  });
  test('is no point that was not verified, or whose audit found damage', () => {
    const audited = (verdict: string) => point('a', 1, { manifest: { content_audit: { verdict } } });
    expect(refusePoint(point('a', 1, { verifiedMs: null }))).toBeDefined();
    expect(refusePoint(audited('damaged'))).toBeDefined();
    expect(refusePoint(audited('clean'))).toBeUndefined();
  });
});

describe('healing', () => {
  const bad = [snapshot('b1', 't1', 'rp:a', 'manifest'), snapshot('b2', 't2', 'rp:b', 'manifest')];
  test('drops what is damaged and lies at the other side, and nothing else', () => {
    const plan = planHeal(bad, [snapshot('g1', 't1', 'rp:a', 'manifest')], new Set(['b1', 'b2']));
    expect([plan.drop, plan.bring, plan.lost].map((list) => list.map(({ id }) => id))).toEqual([
      ['b1'],
      ['g1'],
      ['b2'],
    ]);
    expect(planHeal(bad, [snapshot('g', 'other', 'rp:a', 'manifest')], new Set(['b1'])).drop).toEqual([]);
  });
  test('copies everything anew that the other side holds when nobody can tell what is damaged', () => {
    const plan = planHeal(bad, [snapshot('g1', 't1', 'rp:a', 'manifest')], undefined);
    expect([plan.drop.map(({ id }) => id), plan.lost]).toEqual([['b1'], []]);
  });
  test('knows packs by what a check says of them', () => {
    const [one, two] = ['a'.repeat(64), 'b'.repeat(64)];
    const lines = [
      `pack ${one}: does not exist`,
      `Pack ID does not match, want ${two}, got ${'c'.repeat(64)}`,
      'other',
    ];
    expect(damagedPacks(lines)).toEqual([one, two]);
  });
});

describe('credentials', () => {
  test.each([
    ['s3', { RCLONE_CONFIG: 'x' }],
    ['folder', { AWS_ACCESS_KEY_ID: 'x' }],
    ['gs', { GOOGLE_APPLICATION_CREDENTIALS: '/etc/shadow' }],
    ['s3', { AWS_ACCESS_KEY_ID: 'a\nRESTIC_PASSWORD_COMMAND=id' }],
    ['sftp', { RESTIC_PASSWORD_COMMAND: 'id' }],
  ] as const)('of a %s are only those that it reads: %o', (kind, credentials) => {
    expect(() => requireKnownCredentials(kind, credentials, 'api')).toThrow(/do not fit/);
  });
  test('of a REST server stand in the place, and nowhere else', () => {
    const secrets = { RESTIC_REST_USERNAME: 'me', RESTIC_REST_PASSWORD: 'p@ss/word' };
    expect(placeWithCredentials('rest', 'rest:https://host/path', secrets)).toBe(
      'rest:https://me:p%40ss%2Fword@host/path',
    );
    expect(environmentOf('rest', secrets)).toEqual({});
    expect(environmentOf('s3', { AWS_ACCESS_KEY_ID: 'k' })).toEqual({ AWS_ACCESS_KEY_ID: 'k' });
  });
});

describe('what is done with a replica', () => {
  const timing = { checkIntervalMs: 300_000, intervalMs: 0, verifyIntervalMs: 24 * hour, pruneIntervalMs: 20 * hour };
  const litter = (hours: number) => ({ litteredMs: hours * hour, verifiedMs: hours * hour });
  const replica = { id: 'r', enabled: true, offline: false } as Replica;
  const stuck = (triedMs: number) => ({
    ...{ failuresInRow: 1, pointsOnly: true, syncedMs: null, attemptedMs: 10 * hour },
    stuck: [{ pointId: 'p', error: 'too large', failures: 1, triedMs }],
  });
  const seen = (state: object, points = 0): ReplicaOverview => ({
    replica,
    state: {
      ...freshState,
      status: 'healthy',
      checkedMs: 10 * hour,
      syncedMs: 10 * hour,
      verifiedMs: 10 * hour,
      ...state,
    },
    targets: [{ targetId: 't', copies: 1, points, bytes: 0, lagMs: 0, newestThereMs: 1, newestTherePointId: 'p' }],
  });
  const decide = (one: ReplicaOverview, nowMs: number, paused: string | null = null, more = {}) =>
    decideReplicaWork(one, { paused }, { ...timing, ...more }, nowMs);

  test.each([
    ['a missing point is copied at once', seen({}, 1), 10 * hour, 'sync'],
    ['nothing is missing and nothing is due', seen({}), 10 * hour + 1, 'nothing'],
    ['it is looked at in turn', seen({}), 10 * hour + 300_000, 'look'],
    ['it is verified in turn', seen({}), 34 * hour, 'verify'],
    ['a point that is stuck waits on its own', seen(stuck(10 * hour), 1), 10 * hour + 299_999, 'nothing'],
    ['and is tried again', seen(stuck(10 * hour), 1), 10 * hour + 300_000, 'sync'],
    ['a newer one does not wait for it', seen(stuck(10 * hour), 2), 10 * hour + 1, 'sync'],
    [
      'a place that failed waits with all',
      seen({ ...stuck(10 * hour), pointsOnly: false }, 2),
      10 * hour + 1,
      'nothing',
    ],
    [
      'one that was tried in the future, since the clock was set back, is tried',
      seen(stuck(11 * hour), 1),
      10 * hour,
      'sync',
    ],
    ['after a failure it waits', seen({ failuresInRow: 1, attemptedMs: 10 * hour }, 1), 10 * hour + 299_999, 'nothing'],
    ['and then tries again', seen({ failuresInRow: 1, attemptedMs: 10 * hour }, 1), 10 * hour + 300_000, 'sync'],
    ['after many failures longer', seen({ failuresInRow: 3, attemptedMs: 10 * hour }, 1), 10 * hour + 600_000, 'look'],
    ['where a share found damage all of it is read at once', seen({ findings: ['a'] }), 10 * hour + 1, 'verify all'],
    ['and once only', seen({ findings: ['a'], damageReadMs: 1, status: 'degraded' }), 34 * hour, 'look'],
    ['what was forgotten there is not freed at once', seen(litter(10)), 29 * hour, 'look'],
    ['but in turn', seen(litter(10)), 30 * hour, 'prune'],
    ['and only where there is something to free', seen({ ...litter(9), prunedMs: 10 * hour }), 31 * hour, 'look'],
    ['what came while it was freed is freed in turn', seen({ ...litter(10), prunedMs: 10 * hour }), 30 * hour, 'prune'],
    ['freeing that failed waits', seen({ ...litter(10), pruneTriedMs: 30 * hour }), 30 * hour + 299_999, 'look'],
    ['and is tried again', seen({ ...litter(10), pruneTriedMs: 30 * hour }), 31 * hour, 'prune'],
    [
      'a freeing of a time that is to come, since the clock was set back, holds up none',
      seen({ litteredMs: 10 * hour + 1, prunedMs: 40 * hour, pruneTriedMs: 40 * hour }),
      10 * hour + 2,
      'prune',
    ],
    ['nor does what was forgotten then', seen({ litteredMs: 40 * hour }), 10 * hour + 1, 'prune'],
    [
      'and never longer than twelve intervals',
      seen({ failuresInRow: 99, attemptedMs: 10 * hour }, 1),
      11 * hour,
      'sync',
    ],
  ])('%s', (_, one, nowMs, expected) => expect(decide(one, nowMs)).toBe(expected));

  test('where all of it could not be read it is looked at, and tried again after twelve intervals', () => {
    const found = seen({ findings: ['a'] });
    const at = (nowMs: number, triedMs: number) => decideReplicaWork(found, { paused: null }, timing, nowMs, triedMs);
    expect(at(10 * hour + 300_000, 10 * hour + 1)).toBe('look');
    expect(at(11 * hour + 1, 10 * hour + 1)).toBe('verify all');
  });

  test('after the clock was set back nobody waits for a time that was', () => {
    const failed = seen({ failuresInRow: 9, attemptedMs: 10 * hour }, 1);
    expect(decide(failed, hour)).toBe('sync');
    expect(decide(seen({}, 1), hour, null, { intervalMs: hour })).toBe('sync');
    expect(decide(seen({ verifiedMs: 10 * hour }), hour)).toBe('verify');
    expect(decide(seen({ verifiedMs: 0 }), hour)).toBe('look');
  });

  test('nothing is copied while the source is not sound, or before the schedule says so', () => {
    expect(decide(seen({}, 1), 10 * hour + 1, 'damaged')).toBe('nothing');
    expect(decide(seen({}, 1), 10 * hour + 1, null, { intervalMs: hour })).toBe('nothing');
    expect(decide(seen({}, 1), 11 * hour, null, { intervalMs: hour })).toBe('sync');
  });
  test('a new place is left alone until there is a point', () => {
    const fresh = { ...seen({ checkedMs: null, reachedMs: null }), targets: [] };
    expect(decide(fresh, 10 * hour)).toBe('nothing');
    expect(decide({ ...fresh, state: { ...fresh.state, reachedMs: 1 } }, 10 * hour)).toBe('look');
  });
  test('one that is switched off, or offline, is left alone as far as that goes', () => {
    expect(decide({ ...seen({}, 1), replica: { ...replica, enabled: false } }, 99 * hour)).toBe('nothing');
    const littered = seen({ ...litter(10), findings: ['a'] });
    for (const one of [seen({}), littered])
      expect(decide({ ...one, replica: { ...replica, offline: true } }, 99 * hour)).toBe('look');
  });
  test('space is freed by itself neither at another ragwarden, nor while the setting says never', () => {
    const littered = seen({ ...litter(10), verifiedMs: 90 * hour });
    expect(decide({ ...littered, replica: { ...replica, kind: 'ragwarden' } }, 99 * hour)).toBe('look');
    expect(decide(littered, 99 * hour, null, { pruneIntervalMs: 0 })).toBe('look');
    expect(decide(littered, 99 * hour)).toBe('prune');
  });
});

test('what comes to a folder is told while it comes, and no more once it is dear to measure', async () => {
  const told: number[] = [];
  const over = new AbortController();
  let measured = 0;
  const measure = async (): Promise<number> => {
    measured += 10;
    if (measured === 30) over.abort();
    return measured;
  };
  await watchGrowth(measure, over.signal, (bytes) => told.push(bytes), { everyMs: 0, dearMs: 1_000_000 });
  expect(told).toEqual([10, 20]);
  const { signal } = new AbortController();
  await watchGrowth(measure, signal, (bytes) => told.push(bytes), { everyMs: 0, dearMs: -1 });
  expect(told).toEqual([10, 20, 40]);
});
