import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createThrottle, throttleAddress } from './throttle.ts';

const limits = { failures: 3, windowMs: 1_000, addresses: 10 };

test('blocks from the given number of failures on, until the window is over', () => {
  const throttle = createThrottle(limits);
  expect([throttle.fail('a', 0).tripped, throttle.fail('a', 10).tripped]).toEqual([false, false]);
  expect(throttle.blockedForSeconds('a', 20)).toBeUndefined();
  expect(throttle.fail('a', 20).tripped).toBe(true);
  expect(throttle.fail('a', 30).tripped).toBe(false);
  expect(throttle.blockedForSeconds('a', 40)).toBe(1);
  expect(throttle.blockedForSeconds('b', 40)).toBeUndefined();
  expect(throttle.blockedForSeconds('a', 1_000)).toBeUndefined();
  expect(throttle.fail('a', 1_000)).toEqual({ failures: 1, tripped: false });
});

test('a failure that turned out to be none is taken back', () => {
  const throttle = createThrottle(limits);
  for (let i = 0; i < 100; i += 1) {
    throttle.fail('a', 0);
    throttle.forgive('a');
  }
  throttle.forgive('nobody');
  expect(throttle.blockedForSeconds('a', 0)).toBeUndefined();
  expect(throttle.size()).toBe(0);
});

test('never remembers more addresses than it may', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000), { maxLength: 500 }), (keys) => {
      const throttle = createThrottle(limits);
      keys.forEach((key, i) => {
        throttle.fail(`${key}`, i);
      });
      return throttle.size() <= limits.addresses;
    }),
  );
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('%s is throttled as %s', (address, key) => {
  expect(throttleAddress(address)).toBe(key);
});
