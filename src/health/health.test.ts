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

describe('the verdicts', () => {
  const reportOf = (...checks: readonly HealthCheck[]) => createHealth({ checks, clock: systemClock }).report();
  const needed = (result: Partial<CheckResult>, neededFor: HealthCheck['neededFor'] = ['answer', 'ingest']) => ({
    ...check('x', 'watched', result),
    ...(neededFor === undefined ? {} : { neededFor }),
  });

  test.each<[string, Partial<CheckResult>, HealthCheck['neededFor'], boolean | undefined, boolean | undefined]>([
    ['well', {}, ['answer', 'ingest'], true, true],
    ['degraded', { status: 'degraded' }, ['answer', 'ingest'], true, true],
    ['in danger', { status: 'critical' }, ['answer', 'ingest'], true, true],
    ['down', { status: 'unhealthy' }, ['answer', 'ingest'], false, false],
    ['down, and needed for one thing', { status: 'unhealthy' }, ['answer'], false, undefined],
    ['not taking writes', { status: 'unhealthy', blocks: ['ingest'] }, ['answer', 'ingest'], true, false],
    ['not known', { status: 'unknown' }, ['answer', 'ingest'], undefined, undefined],
    ['needed for nothing', { status: 'unhealthy' }, [], undefined, undefined],
  ])('of something that is %s', (_, result, neededFor, answer, ingest) => {
    const { answer: one, ingest: other } = reportOf(needed(result, neededFor));
    expect([one.can, other.can]).toEqual([answer, ingest]);
  });

  test('are no when one thing blocks, whatever is unknown beside it', () => {
    const report = reportOf(needed({ status: 'unknown' }), needed({ status: 'unhealthy', message: 'Gone.' }));
    expect(report.answer).toEqual({ can: false, reasons: [{ check: 'x', status: 'unhealthy', message: 'Gone.' }] });
  });

  test('and the overall word: something outside that nothing is needed for degrades it, never more', () => {
    const outside = (neededFor: HealthCheck['neededFor']) =>
      reportOf(needed({}), { ...needed({ status: 'unhealthy' }, neededFor), name: 'y', kind: 'external' }).status;
    expect(outside([])).toBe('degraded');
    expect(outside(['answer'])).toBe('unhealthy');
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
