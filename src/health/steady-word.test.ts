import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type HealthWord, healthWords } from './health-check.ts';
import { flapQuietMs, noteLook, type Steadiness, unseen } from './steady-word.ts';

const short: Readonly<Record<string, HealthWord>> = {
  h: 'healthy',
  '?': 'unknown',
  d: 'degraded',
  u: 'unhealthy',
  c: 'critical',
};

/** One look every `everyMs`; the words as they stand after each. */
function course(looks: string, everyMs = 30_000): { readonly words: string; readonly last: Steadiness } {
  let state = unseen;
  const words = [...looks].map((look, at) => {
    state = noteLook(state, short[look] ?? 'unknown', at * everyMs);
    return Object.keys(short).find((key) => short[key] === state.word) ?? '-';
  });
  return { words: words.join(''), last: state };
}

const changesOf = (words: string): number => [...words].filter((word, at) => at > 0 && word !== words[at - 1]).length;

describe('the word of a check', () => {
  test.each([
    ['the first look counts at once', 'u', 'u'],
    ['one bad look changes nothing', 'hhuhh', 'hhhhh'],
    ['two in a row do', 'hhuuu', 'hhhuu'],
    ['three of eight do, though never two in a row', 'hhuhhuhhu', 'hhhhhhhhu'],
    ['every fourth is still well', 'huhhhuhhhuhhh', 'hhhhhhhhhhhhh'],
    ['one good look changes nothing', 'uuhuu', 'uuuuu'],
    ['three in a row do', 'uuhhhh', 'uuuuhh'],
    ['it gets better as far as all three looks say', 'cchdhh', 'ccccdd'],
    ['from bad to worse takes two looks too', 'dduduu', 'dddddu'],
    ['what is late twice is unknown', 'hh??hhh', 'hhh???h'],
  ])('%s', (_, looks, words) => {
    expect(course(looks).words).toBe(words);
  });

  test('an input that comes and goes all night changes it a few times, and then no more', () => {
    for (const pattern of ['hu', 'huu', 'hhu', 'hhhuuu', 'hhhhhuuuuu', 'hhhhhhhhhhuuuuuuuuuu']) {
      const night = pattern.repeat(960 / pattern.length);
      const { words, last } = course(night);
      expect(changesOf(words), pattern).toBeLessThanOrEqual(6);
      expect(last.word, pattern).toBe('unhealthy');
      expect(last.flapping, pattern).toBe(pattern.length > 3);
    }
  });

  test('what flapped is well again after half an hour without a bad look, not before', () => {
    const flapping = course('hhhuuu'.repeat(6));
    expect(flapping.last.flapping).toBe(true);
    const startMs = 36 * 30_000;
    let state = flapping.last;
    for (let ms = startMs; ms < state.badMs + flapQuietMs; ms += 30_000) {
      state = noteLook(state, 'healthy', ms);
      expect(state.word).toBe('unhealthy');
    }
    state = noteLook(state, 'healthy', flapping.last.badMs + flapQuietMs);
    expect(state).toMatchObject({ word: 'healthy', flapping: false });
  });

  test('it is always one that was looked at lately, or the one it had', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...healthWords), { minLength: 1, maxLength: 60 }), (looks) => {
        let state = unseen;
        looks.forEach((look, at) => {
          const before = state.word;
          state = noteLook(state, look, at * 30_000);
          expect([before, ...state.recent]).toContain(state.word);
          // As often as it is looked at in vain, so often it is not forgotten.
          if (looks.slice(0, at + 1).every((one) => one === look)) expect(state.word).toBe(look);
        });
      }),
    );
  });
});
