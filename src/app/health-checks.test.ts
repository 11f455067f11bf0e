import { expect, test } from 'vitest';
import type { BackupStatus } from '../backup/index.ts';
import type { RemoteWrite } from '../metrics/index.ts';
import { systemClock } from '../platform/clock.ts';
import type { TargetStatus, WatchedTarget } from '../targets/index.ts';
import { backupCheck, remoteStoreCheck, targetCheck } from './health-checks.ts';

const nowMs = Date.UTC(2026, 0, 5, 12);
const clock = { ...systemClock, now: () => nowMs };
type Store = ReturnType<RemoteWrite['stores']>[number];
const well: Store = {
  ...{ name: 'central', url: 'http://store.test', segments: 0, samples: 0, bytes: 0, oldestMs: undefined },
  ...{ lastSuccessMs: nowMs - 1_000, failingSinceMs: null, lastError: null, lastLoss: null },
};
const check = (store: Partial<Store>) => {
  const stores = () => [{ ...well, ...store }];
  // Only what is known of the stores is asked for.
  return remoteStoreCheck({ stores } as unknown as RemoteWrite, 'central', clock).read();
};

test.each<[string, Partial<Store>, 'healthy' | 'degraded', string]>([
  ['takes samples', {}, 'healthy', 'http://store.test takes samples.'],
  ['was not asked yet', { lastSuccessMs: null }, 'healthy', 'Nothing was sent to http://store.test yet.'],
  ['missed one request', { failingSinceMs: nowMs - 59_000, lastError: 'it answered 503' }, 'healthy', 'takes samples'],
  [
    'took nothing for a minute',
    { failingSinceMs: nowMs - 60_000, lastError: 'it answered 503', samples: 70 },
    'degraded',
    'takes no samples since 2026-01-05T11:59:00.000Z; 70 wait. it answered 503',
  ],
  ['is behind', { oldestMs: nowMs - 301_000, samples: 70 }, 'degraded', 'is 301 s behind; 70 samples wait'],
  ['is a little behind', { oldestMs: nowMs - 299_000, samples: 70 }, 'healthy', 'takes samples'],
  [
    'refused some a while ago',
    { lastLoss: { atMs: nowMs - 599_000, reason: 'it answered 400' } },
    'degraded',
    'were lost at 2026-01-05T11:50:01.000Z: it answered 400',
  ],
  ['refused some long ago', { lastLoss: { atMs: nowMs - 600_000, reason: 'it answered 400' } }, 'healthy', ''],
])('a store that %s', (_, store, status, message) => {
  const found = check(store);
  expect(found.status).toBe(status);
  expect(found.message).toContain(message);
});

test.each([
  ['server-error', 'DEGRADED', ['answer', 'ingest']],
  ['not-understood', 'DEGRADED', ['answer', 'ingest']],
  ['slow', 'DEGRADED', undefined],
  // Nothing is known of now.
  ['stale', 'UNKNOWN', undefined],
] as const)('a target whose reason is %s (%s) blocks %j', (code, word, blocks) => {
  const status = (): TargetStatus => ({ word, reasons: [{ code, message: 'It answers 502.' }] });
  // Only what is read of it.
  const watched = { target: { id: 'rag' }, status, observation: () => undefined } as unknown as WatchedTarget;
  expect(targetCheck(watched).read().blocks).toEqual(blocks);
});

test.each([
  ['of unknown age', null, 'how old they are is unknown'],
  ['too old', 86_400_000, 'older than the objective allows'],
])('a newest verified point that is %s is told as such', (_, measuredMs, words) => {
  // What the check looks at.
  const status = {
    ...{ availability: { available: true }, upkeep: [], error: null, newestVerified: { takenMs: nowMs } },
    rpo: { objectiveMs: 7_200_000, measuredMs, met: false },
  } as unknown as BackupStatus;
  expect(backupCheck('t', () => status, clock, 0).read()).toMatchObject({
    status: 'degraded',
    message: expect.stringContaining(words),
  });
});

test('a point that is partial is named where a whole one is missing, and none is no partial one', () => {
  const told = (newest: object | undefined, startedMs: number) => {
    // What the check looks at.
    const status = {
      ...{ availability: { available: true }, upkeep: [], error: null, newestVerified: undefined, newest },
      rpo: { objectiveMs: 7_200_000, measuredMs: null, met: false },
    } as unknown as BackupStatus;
    const { status: word, message } = backupCheck('t', () => status, clock, startedMs).read();
    return [word, message];
  };
  const partial = expect.stringContaining('`ragwarden backup show p1` says what it lacks');
  for (const [startedMs, word, none] of [
    [nowMs, 'unknown', 'The first recovery point is not taken yet.'],
    [0, 'degraded', 'There is no verified recovery point.'],
  ] as const) {
    expect(told(undefined, startedMs)).toEqual([word, none]);
    expect(told({ id: 'p1', status: 'partial' }, startedMs)).toEqual([word, partial]);
  }
});
