import { expect, test } from 'vitest';
import { createBreaker } from './breaker.ts';

const opened = () => {
  const breaker = createBreaker();
  for (let count = 0; count < 5; count += 1) breaker.failed(1_000);
  return breaker;
};

test('opens after five connections in a row that did not come about, and not before', () => {
  const breaker = createBreaker();
  for (let count = 0; count < 4; count += 1) expect(breaker.failed(0)).toBe(false);
  breaker.connected();
  for (let count = 0; count < 4; count += 1) expect(breaker.failed(0)).toBe(false);
  expect(breaker.admits(0)).toBe(true);
  expect(breaker.failed(0)).toBe(true);
  expect(breaker.admits(0)).toBe(false);
});

test('lets one try after the pause, and all when that one got through', () => {
  const breaker = opened();
  expect(breaker.retryInMs(1_000)).toBe(500);
  expect(breaker.admits(1_499)).toBe(false);
  expect(breaker.admits(1_500)).toBe(true);
  expect(breaker.admits(1_500)).toBe(false);
  breaker.connected();
  expect(breaker.admits(1_500)).toBe(true);
});

test('a try that fails doubles the pause, to five seconds at most', () => {
  const breaker = opened();
  let nowMs = 1_000;
  const pauses = [500, 1_000, 2_000, 4_000, 5_000, 5_000];
  for (const pauseMs of pauses) {
    expect(breaker.retryInMs(nowMs)).toBe(pauseMs);
    nowMs += pauseMs;
    expect(breaker.admits(nowMs)).toBe(true);
    breaker.failed(nowMs);
  }
});

test('a try whose caller left says nothing: the next may try', () => {
  const breaker = opened();
  expect(breaker.admits(1_500)).toBe(true);
  breaker.unknown();
  expect(breaker.admits(1_500)).toBe(true);
});

test('says that the upstream is there only when the last that went to it showed so', () => {
  const breaker = createBreaker();
  expect(breaker.state()).toBe('unknown');
  breaker.connected();
  expect(breaker.state()).toBe('closed');
  breaker.failed(0);
  expect(breaker.state()).toBe('unknown');
  expect(breaker.admits(0)).toBe(true);
  for (let count = 0; count < 4; count += 1) breaker.failed(0);
  expect(breaker.state()).toBe('open');
  breaker.admits(500);
  breaker.connected();
  expect(breaker.state()).toBe('closed');
});
