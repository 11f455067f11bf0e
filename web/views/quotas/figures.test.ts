import { expect, test } from 'vitest';
import type { Quota, QuotaBucket } from '../../api/quota-wire.ts';
import { amountOf, besidesOf, inOrder, levelOfUsage, limitOf, scopeOf, whoseOf } from './figures.ts';

const anybody = { target_id: null, workspace_id: null, user_id: null, key_id: null };

test.each([
  ['tokens', 200_000, '200,000'],
  ['cost_micros', 5_000_000, '$5'],
  ['cost_micros', 1_500, '$0.0015'],
  ['memory', 1_073_741_824, '1.00 GiB'],
  ['file_handle', 0, '0'],
])('of %s %d is %s', (kind, amount, text) => {
  expect(amountOf(kind, amount)).toBe(text);
});

test('a limit is told with its time, and with what it may be for a while', () => {
  const quota = {
    resource_type: 'llm_calls',
    limit: 100,
    burst_limit: null,
    period: 'hour',
    window: 'calendar',
  } as const;
  expect(limitOf(quota)).toBe('100 llm calls an hour');
  expect(limitOf({ ...quota, window: 'sliding', burst_limit: 150 })).toBe('100 llm calls in any hour, at most 150');
  expect(limitOf({ ...quota, resource_type: 'cost_micros', limit: 5_000_000, period: 'month' })).toBe('$5 a month');
  expect(limitOf({ ...quota, resource_type: 'process', period: 'day' })).toBe('100 processes a day');
  expect(limitOf({ ...quota, period: 'forever' })).toBe('100 llm calls at any time');
});

test('who shares a limit, and what nobody named is not passed over', () => {
  expect(scopeOf({ ...anybody, per: [] })).toBe('all together');
  expect(scopeOf({ ...anybody, target_id: 'rag', per: ['user', 'workspace'] })).toBe(
    'target rag; each user and workspace for itself',
  );
  expect(whoseOf({ ...anybody, workspace_id: '', user_id: 'anna' })).toBe('workspace (unnamed), user anna');
});

test('a full quota is bad only where it denies', () => {
  expect([79.9, 80, 100].map((percent) => levelOfUsage(percent, 'enforced'))).toEqual(['none', 'warn', 'bad']);
  expect(levelOfUsage(140, 'shadow')).toBe('warn');
  expect(levelOfUsage(null, 'enforced')).toBe('none');
});

test('what counts beside the use is named, and a zero is not', () => {
  expect(besidesOf('tokens', { held: 1_000, forfeited: 0, carried: 20 })).toEqual(['1,000 held', '20 carried over']);
});

test('the quota nearest to its limit comes first, and of equals the one that denies', () => {
  const quota = (quota_id: string, shadow = false) => ({ quota_id, shadow, enabled: true }) as Quota;
  const used = (used_percent: number) => ({
    violations: 0,
    bucket_count: 1,
    buckets: [{ used_percent, current_usage: 1 } as QuotaBucket],
  });
  const usage = { low: used(10), high: used(95) };
  const order = inOrder([quota('b', true), quota('a', true), quota('z'), quota('low'), quota('high')], usage);
  expect(order.map((one) => one.quota_id)).toEqual(['high', 'low', 'z', 'a', 'b']);
});
