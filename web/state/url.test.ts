import { expect, test, vi } from 'vitest';
import { usualEvents } from './event-question.ts';
import { noQuestion } from './metric-question.ts';
import { usualTraffic } from './traffic-question.ts';
import { followLoginLinks, loginCodeOf, readUrl, writeUrl } from './url.ts';

test('the state of the page makes a round trip through the address', () => {
  const state = {
    view: 'overview' as const,
    question: noQuestion,
    traffic: usualTraffic,
    events: usualEvents,
    filters: {},
    point: 'backup_20261122_041200_ab3f',
    restore: 'backup_20261122_041200_ab3f',
    // The unnamed workspace is empty, and not the same as none.
    choice: { only: 'workspace,inputs', workspace: '', as: 'a b' },
    operation: undefined,
    rows: 'all',
    days: '7',
    severity: 'warning,error,critical',
    target: 'default',
  };
  expect(readUrl(writeUrl('', state))).toEqual(state);
});

test('parameters of others stay, and an empty state leaves no question mark', () => {
  const nothing = {
    ...{ view: 'overview' as const, question: noQuestion, traffic: usualTraffic, events: usualEvents, filters: {} },
    ...{ point: undefined, restore: undefined, choice: {}, operation: undefined, rows: undefined },
    ...{ days: undefined, severity: undefined, target: undefined },
  };
  expect(writeUrl('?theme=x&point=a', nothing)).toBe('?theme=x');
  expect(writeUrl('?point=a', nothing)).toBe('');
});

test.each([
  ['#login=abc-123', 'abc-123'],
  ['#login=a%2Fb', 'a/b'],
  ['#login=', undefined],
  ['#login=%E0%A4%A', undefined],
  [`#login=${'x'.repeat(201)}`, undefined],
  ['#elsewhere', undefined],
  ['', undefined],
])('the fragment %s holds the code %s', (hash, code) => {
  expect(loginCodeOf(hash)).toBe(code);
});

test('a login link that is opened where the page stands already begins it anew, and no other address does', () => {
  const reload = vi.fn();
  const page = Object.assign(new EventTarget(), { location: { hash: '', reload } });
  followLoginLinks(page as unknown as Window);
  for (const [hash, times] of [
    ['#elsewhere', 0],
    ['#login=abc', 1],
  ] as const) {
    page.location.hash = hash;
    page.dispatchEvent(new Event('hashchange'));
    expect(reload).toHaveBeenCalledTimes(times);
  }
});
