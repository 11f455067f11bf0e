import { expect, test } from 'vitest';
import { bodyOf, factsOf, lagOf, type NewPlace, sumOf, turnOf } from './figures.ts';

const part = { target: 'a', copies: 2, lag_seconds: 40, missing_points: 1, missing_bytes: 10, newest_taken_at: null };

test('a place is as far behind as the target that waits longest, and points of all of them are counted', () => {
  const lag = [part, { ...part, lag_seconds: null }, { ...part, lag_seconds: 90 }];
  expect(lagOf({ lag })).toBe(90);
  expect(lagOf({ lag: [{ ...part, lag_seconds: null }] })).toBeNull();
  expect(sumOf({ lag }, 'copies')).toBe(6);
});

const typed: NewPlace = {
  ...{ kind: 's3', name: 'cloud', where: 's3:https://host/bucket', zone: '', offline: false, limitKiB: '' },
  atOnce: '',
  secrets: { AWS_ACCESS_KEY_ID: 'id', AWS_SESSION_TOKEN: '', AZURE_ACCOUNT_KEY: 'of another kind', API_KEY: 'rw_x' },
};

test('only what was typed is sent, and no secret of a kind that was not chosen', () => {
  expect(bodyOf(typed)).toEqual({
    ...{ name: 'cloud', location: 's3:https://host/bucket', credentials: { AWS_ACCESS_KEY_ID: 'id' } },
  });
  expect(
    bodyOf({ ...typed, kind: 'folder', where: '/mnt/x', zone: 'cellar', offline: true, limitKiB: '500', atOnce: '1' }),
  ).toEqual({
    ...{
      name: 'cloud',
      location: '/mnt/x',
      zone: 'cellar',
      offline: true,
      limit_kib_per_second: 500,
      max_concurrent: 1,
    },
  });
  expect(bodyOf({ ...typed, kind: 'ragwarden', where: 'https://other:8710' })).toEqual({
    ...{ name: 'cloud', base_url: 'https://other:8710', api_key: 'rw_x' },
  });
});

test('what else is written of something is told a fact each, and what is no plain word as JSON has it', () => {
  expect(factsOf({ percent: 5, tree_id: 'abc', notes: ['a', 'b'], gone: null })).toEqual([
    { name: 'percent', says: '5' },
    { name: 'tree id', says: 'abc' },
    { name: 'notes', says: '["a","b"]' },
    { name: 'gone', says: 'null' },
  ]);
  expect([null, 1, 3].map(turnOf)).toEqual(['as the setting says', 'alone', 'while fewer than 3 are worked on']);
});
