import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideWatch, type Figures, type WatchLimits } from './decide-watch.ts';

const limits: WatchLimits = { leastRequests: 20, errorRise: 0.05, slowdown: 0.5 };
const figures = (requests: number, failed: number, p95Ms?: number, canary: boolean | null = null): Figures => ({
  ...{ requests, failed, canary },
  answers: p95Ms === undefined ? {} : { query: { requests, p95Ms } },
});
const verdictOf = (before: Figures, after: Figures, over = true) => decideWatch(before, after, limits, over).verdict;

describe('a change is judged by what came after it against what was before', () => {
  test.each([
    ['as before', figures(100, 2, 800), figures(100, 2, 800), 'kept'],
    ['five of a hundred more fail: as many as may', figures(100, 2), figures(100, 7), 'kept'],
    ['six more', figures(100, 2), figures(100, 8), 'worse'],
    ['all of few fail', figures(100, 0), figures(19, 19), 'unjudged'],
    ['all of enough fail', figures(100, 0), figures(20, 20), 'worse'],
    ['fewer fail', figures(100, 50), figures(100, 40), 'kept'],
    ['nobody asked before, and half fail', figures(0, 0), figures(40, 20), 'worse'],
    ['half as long again: as long as may be', figures(100, 0, 1_000), figures(100, 0, 1_500), 'kept'],
    ['longer than that', figures(100, 0, 1_000), figures(100, 0, 1_501), 'worse'],
    ['many times as long, and nobody notices', figures(100, 0, 10), figures(100, 0, 90), 'kept'],
    ['slower, and too few before', figures(19, 0, 100), figures(100, 0, 9_000), 'kept'],
    ['slower, and too few after', figures(100, 0, 100), figures(19, 0, 9_000), 'unjudged'],
    [
      'the known question is not answered any more',
      figures(0, 0, undefined, true),
      figures(0, 0, undefined, false),
      'worse',
    ],
    ['it was not answered before either', figures(0, 0, undefined, false), figures(0, 0, undefined, false), 'unjudged'],
    ['it was not asked since', figures(0, 0, undefined, true), figures(0, 0, undefined, null), 'unjudged'],
    ['it is answered as before', figures(0, 0, undefined, true), figures(0, 0, undefined, true), 'kept'],
    ['nobody asked at all', figures(0, 0), figures(0, 0), 'unjudged'],
  ])('%s', (_, before, after, verdict) => expect(verdictOf(before, after)).toBe(verdict));

  test('errors are judged as soon as enough was asked, times and the known question when the window is over', () => {
    expect(verdictOf(figures(100, 0), figures(20, 20), false)).toBe('worse');
    expect(verdictOf(figures(100, 0, 100), figures(100, 0, 9_000), false)).toBe('watching');
    expect(verdictOf(figures(0, 0, 1, true), figures(0, 0, 1, false), false)).toBe('watching');
  });

  test('the verdict says what was compared, what is worse first', () => {
    expect(decideWatch(figures(100, 2, 1_000, true), figures(50, 1, 2_000, true), limits, true).reasons).toEqual([
      '95 of 100 queries took at most 2000 ms, 1000 ms before.',
      '2 % of 50 requests failed, 2 % of 100 before.',
      'The known question was answered, as before.',
    ]);
    expect(decideWatch(figures(3, 0), figures(4, 0), limits, true).reasons).toEqual([
      expect.stringContaining('4 requests in the window and 3 before it'),
    ]);
  });

  const some = fc
    .record({
      requests: fc.nat(500),
      share: fc.float({ min: 0, max: 1, noNaN: true }),
      p95: fc.nat(10_000),
      canary: fc.boolean(),
    })
    .map(({ requests, share, p95, canary }) => figures(requests, Math.floor(requests * share), p95, canary));

  test('what is as it was is never worse', () => {
    fc.assert(fc.property(some, fc.boolean(), (one, over) => verdictOf(one, one, over) !== 'worse'));
  });
  test('one failure more never makes a verdict better', () => {
    fc.assert(
      fc.property(some, some, (before, after) => {
        const again = { ...after, failed: Math.min(after.requests, after.failed + 1) };
        return verdictOf(before, after) !== 'worse' || verdictOf(before, again) === 'worse';
      }),
    );
  });
});
