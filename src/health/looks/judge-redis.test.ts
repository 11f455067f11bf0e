import { expect, test } from 'vitest';
import type { HealthWord } from '../health-check.ts';
import { judgeRedis, type RedisSeen, readInfo } from './judge-redis.ts';

const info = readInfo(
  [
    '# Memory',
    'used_memory:52428800',
    'maxmemory:104857600',
    'maxmemory_policy:noeviction',
    'role:master',
    'run_id:r',
  ].join('\r\n'),
);
const seen = (more: Partial<RedisSeen>): RedisSeen => ({
  ...{ info, pingSeconds: 0.001, probe: { seconds: 0.002 }, before: undefined },
  ...more,
});

test.each<[string, Partial<RedisSeen>, HealthWord, { ping_time: number; operation_time: number }]>([
  ['all is well', {}, 'healthy', { ping_time: 0.001, operation_time: 0.002 }],
  [
    'just below a tenth of a second',
    { probe: { seconds: 0.099 } },
    'healthy',
    { ping_time: 0.001, operation_time: 0.099 },
  ],
  [
    'a key takes a tenth of a second',
    { probe: { seconds: 0.1 } },
    'degraded',
    { ping_time: 0.001, operation_time: 0.1 },
  ],
  ['a ping takes a tenth of a second', { pingSeconds: 0.1 }, 'degraded', { ping_time: 0.1, operation_time: 0.002 }],
])('what is seen is judged: %s', (_, more, status, times) => {
  const { result } = judgeRedis(seen(more));
  expect([result.status, result.checks?.connection?.ping_time, result.checks?.performance?.operation_time]).toEqual([
    ...[status, times.ping_time, times.operation_time],
  ]);
  expect(result.checks?.performance?.status).toBe(times.operation_time >= 0.1 ? 'degraded' : 'healthy');
  expect(result.metrics?.memory).toEqual({ used_memory_mb: 50, max_memory_mb: 100, memory_utilization: 0.5 });
});

test('one that refuses writes for want of memory is not said to do so soon', () => {
  const full = new Map([...info, ['used_memory', '104857600']]);
  expect(judgeRedis(seen({ info: full })).result).toMatchObject({
    status: 'degraded',
    message: '100 % of maxmemory is in use: it will soon refuse writes.',
  });
  const refusal = 'It is out of memory and refuses writes.';
  expect(judgeRedis(seen({ info: full, probe: { refusal } })).result).toMatchObject({
    status: 'unhealthy',
    message: refusal,
  });
});
