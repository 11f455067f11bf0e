import { expect, test } from 'vitest';
import { createFakeClock } from '../../platform/fake-clock.ts';
import type { BackendDocument } from './document.ts';
import { createInsertFollowing, decideInsert, type InsertEnd } from './insert-following.ts';

const document = (status: string, more: Partial<BackendDocument> = {}): BackendDocument => ({
  id: `doc-${status}`,
  status,
  filePath: 'a.txt',
  trackId: 't',
  createdMs: 1_000,
  updatedMs: 4_000,
  error: null,
  isDuplicate: false,
  ...more,
});
const insert = { trackId: 't', acceptedMs: 0, subject: null };
const decide = (documents: readonly BackendDocument[], nowMs = 10_000) =>
  decideInsert(insert, documents, { nowMs, longestMs: 3_600_000 });

test.each<[string, readonly BackendDocument[], Partial<InsertEnd> | undefined]>([
  ['one that is done', [document('processed')], { outcome: 'processed', durationMs: 3_000, causes: [] }],
  ['one that goes on', [document('processed'), document('analyzing')], undefined],
  ['all failed', [document('failed', { error: 'Error code: 429' })], { outcome: 'failed', causes: ['rate-limit'] }],
  [
    'done and failed',
    [document('processed', { updatedMs: 9_000 }), document('failed')],
    { outcome: 'partly', documents: 2, durationMs: 8_000, causes: ['other'] },
  ],
  ['known already', [document('failed', { isDuplicate: true })], { outcome: 'duplicate', causes: ['duplicate'] }],
  ['known and failed', [document('failed', { isDuplicate: true }), document('failed')], { outcome: 'failed' }],
  ['no row yet', [], undefined],
])('an insert: %s', (_what, documents, end) => {
  if (end === undefined) expect(decide(documents)).toBeUndefined();
  else expect(decide(documents)).toMatchObject(end);
});

test('an insert of which no row comes, and one that never ends, are not followed for ever', () => {
  expect(decide([], 120_001)).toMatchObject({ outcome: 'no-documents', durationMs: null });
  expect(decide([document('processing')], 3_600_000)).toBeUndefined();
  expect(decide([document('processing')], 3_600_001)).toMatchObject({ outcome: 'given-up', durationMs: null });
});

test('questions become rarer, a backend that does not answer loses nothing, and only so many are followed', async () => {
  const clock = createFakeClock();
  const asked: number[] = [];
  const ends: InsertEnd[] = [];
  let answer: () => readonly BackendDocument[] = () => [document('pending')];
  const following = createInsertFollowing({
    documents: {
      async track() {
        asked.push(clock.now());
        return answer();
      },
    },
    clock,
    limits: () => ({ most: 1, longestMs: 3_600_000 }),
    onEnd: (end) => ends.push(end),
  });
  const { signal } = new AbortController();
  const turn = async () => {
    await clock.advance(following.nextInMs() ?? 0);
    await following.run(signal).catch(() => undefined);
  };
  expect(following.follow({ ...insert, acceptedMs: clock.now() })).toBe(true);
  expect(following.follow({ ...insert, trackId: 'other' })).toBe(false);
  expect(following.follow(insert)).toBe(true);
  for (let i = 0; i < 14; i += 1) await turn();
  const pauses = asked.slice(1).map((at, i) => at - (asked[i] ?? 0));
  expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
  expect(pauses.at(-1)).toBe(60_000);
  answer = () => {
    throw new Error('nobody answers');
  };
  await turn();
  expect(following.count()).toBe(1);
  answer = () => [document('processed')];
  await turn();
  expect(ends).toMatchObject([{ trackId: 't', outcome: 'processed' }]);
  expect(following.nextInMs()).toBeUndefined();
});
