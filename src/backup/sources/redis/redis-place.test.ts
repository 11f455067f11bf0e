import { expect, test } from 'vitest';
import { placeInWords, readRedisUrl } from './redis-place.ts';

const plain = { host: 'cache.example', port: 6379, username: undefined, password: undefined, database: 0 };

test.each([
  ['redis://cache.example', {}],
  ['redis://cache.example:7000/3', { port: 7000, database: 3 }],
  ['redis://cache.example/?db=4', { database: 4 }],
  ['redis://:p%40ss%2525@cache.example', { password: 'p@ss%25' }],
  ['redis://rag:100%@cache.example', { username: 'rag', password: '100%' }],
  ['redis://[::1]:6380/1', { host: '::1', port: 6380, database: 1 }],
  ['rediss://cache.example', { tls: { verify: true, ca: undefined } }],
  ['rediss://cache.example?ssl_cert_reqs=none', { tls: { verify: false, ca: undefined } }],
])('%s is read as the backend reads it', (url, more) => {
  expect(readRedisUrl(url)).toEqual({ ...plain, tls: undefined, ...more });
});

test.each(['redis://cache.example/many', 'redis://cache.example/-1', 'http://s3cret@cache.example', 's3cret'])(
  '%s is refused, and nothing of it is shown',
  (url) => {
    expect(() => readRedisUrl(url)).toThrow(/URL of the Redis/);
    expect(() => readRedisUrl(url)).not.toThrow(/s3cret|many/);
  },
);

test('its place is told without what is secret', () => {
  expect(placeInWords(readRedisUrl('redis://rag:s3cret@cache.example:7000/3'))).toBe(
    'database 3 of the Redis at cache.example:7000',
  );
});
