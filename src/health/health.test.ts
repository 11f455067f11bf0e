import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../platform/clock.ts';
import { createHealth } from './health.ts';
import { type CheckResult, type HealthCheck, healthWords } from './health-check.ts';
import { overallWord } from './verdict.ts';

const check = (name: string, about: 'watched' | 'own', result: Partial<CheckResult>): HealthCheck => ({
  name,
  about,
  read: () => ({ status: 'healthy', message: '', atMs: 1, ...result }),
});

describe('the overall word', () => {
  test('is unknown when nothing was checked', () => {
    expect(overallWord([])).toBe('unknown');
  });

  test('is healthy only when every check is', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...healthWords), { minLength: 1 }), (words) => {
        expect(overallWord(words) === 'healthy').toBe(words.every((word) => word === 'healthy'));
        expect(words).toContain(overallWord(words));
      }),
    );
  });
});

describe('readiness', () => {
  test('comes with the start and goes with the stop', () => {
    const health = createHealth({ checks: [], clock: systemClock });
    expect(health.ready()).toBe(false);
    health.setReady(true);
    expect(health.ready()).toBe(true);
  });

  test('does not depend on the backend, but on our own parts', () => {
    const sick = (about: 'watched' | 'own') => {
      const health = createHealth({ checks: [check('x', about, { status: 'critical' })], clock: systemClock });
      health.setReady(true);
      return health.ready();
    };
    expect(sick('watched')).toBe(true);
    expect(sick('own')).toBe(false);
  });
});
