import { expect, test } from 'vitest';
import { bodyOf, lagOf, type NewPlace, sumOf } from './figures.ts';

const part = { target: 'a', copies: 2, lag_seconds: 40, missing_points: 1, missing_bytes: 10, newest_taken_at: null };

test('a place is as far behind as the target that waits longest, and points of all of them are counted', () => {
  const lag = [part, { ...part, lag_seconds: null }, { ...part, lag_seconds: 90 }];
  expect(lagOf({ lag })).toBe(90);
  expect(lagOf({ lag: [{ ...part, lag_seconds: null }] })).toBeNull();
  expect(sumOf({ lag }, 'copies')).toBe(6);
});

const typed: NewPlace = {
  ...{ kind: 's3', name: 'cloud', where: 's3:https://host/bucket', zone: '', offline: false, limitKiB: '' },
  secrets: { AWS_ACCESS_KEY_ID: 'id', AWS_SESSION_TOKEN: '', AZURE_ACCOUNT_KEY: 'of another kind', API_KEY: 'rw_x' },
};

test('only what was typed is sent, and no secret of a kind that was not chosen', () => {
  expect(bodyOf(typed)).toEqual({
    ...{ name: 'cloud', location: 's3:https://host/bucket', credentials: { AWS_ACCESS_KEY_ID: 'id' } },
  });
  expect(bodyOf({ ...typed, kind: 'folder', where: '/mnt/x', zone: 'cellar', offline: true, limitKiB: '500' })).toEqual(
    {
      ...{ name: 'cloud', location: '/mnt/x', zone: 'cellar', offline: true, limit_kib_per_second: 500 },
    },
  );
  expect(bodyOf({ ...typed, kind: 'ragwarden', where: 'https://other:8710' })).toEqual({
    ...{ name: 'cloud', base_url: 'https://other:8710', api_key: 'rw_x' },
  });
});
