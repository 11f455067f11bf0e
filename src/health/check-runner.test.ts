import { afterEach, describe, expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { type CheckChange, type CheckRunner, createCheckRunner } from './check-runner.ts';
import type { CheckResult, LookingCheck } from './health-check.ts';

type Look = Omit<CheckResult, 'atMs'>;
const well: Look = { status: 'healthy', message: 'It answers.' };
const ill: Look = { status: 'unhealthy', message: 'It does not answer.' };

const check = (name: string, look: LookingCheck['look'], more: Partial<LookingCheck> = {}): LookingCheck => ({
  ...{ name, kind: 'external', about: 'watched', neededFor: ['answer'], intervalMs: 30_000, timeoutMs: 10_000, look },
  ...more,
});

const running: CheckRunner[] = [];
afterEach(async () => {
  for (const runner of running.splice(0)) await runner.stop?.();
});

function runnerOf(...checks: readonly LookingCheck[]) {
  const clock = createFakeClock();
  const changes: CheckChange[] = [];
  const telling = { fails: false };
  const runner = createCheckRunner({
    checks,
    clock,
    log: silentLogger,
    async onChange(change) {
      if (telling.fails) throw new Error('the disk is full');
      changes.push(change);
    },
  });
  running.push(runner);
  const word = (at = 0) => runner.views()[at]?.result.status;
  return { clock, runner, changes, word, telling };
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('a check that is looked at in the background', () => {
  test('is unknown before the first look, and looked at in its interval', async () => {
    let looks = 0;
    const { clock, runner, word } = runnerOf(
      check('a', async () => {
        looks += 1;
        return well;
      }),
    );
    expect(word()).toBe('unknown');
    runner.start?.(new AbortController().signal);
    await clock.advance(1_000);
    expect(word()).toBe('healthy');
    await clock.advance(60_000);
    expect(looks).toBe(3);
  });

  test('that could not tell its change tells it with the next look, once', async () => {
    const { clock, runner, changes, telling } = runnerOf(check('a', async () => well));
    telling.fails = true;
    runner.start?.(new AbortController().signal);
    await clock.advance(1_000);
    expect(changes).toEqual([]);
    telling.fails = false;
    await clock.advance(90_000);
    expect(changes).toMatchObject([{ name: 'a', before: undefined, status: 'healthy' }]);
  });

  test('is looked at by another interval as soon as that is told, not after the old one', async () => {
    let looks = 0;
    let intervalMs = 3_600_000;
    const { clock, runner } = runnerOf({
      ...check('a', async () => {
        looks += 1;
        return well;
      }),
      get intervalMs() {
        return intervalMs;
      },
    });
    runner.start?.(new AbortController().signal);
    await clock.advance(1_000);
    await clock.advance(20_000);
    intervalMs = 30_000;
    runner.reschedule();
    await clock.advance(9_999);
    expect(looks).toBe(1);
    await clock.advance(1);
    expect(looks).toBe(2);
    // It waits by the longer one again, and what is due already is not put off.
    intervalMs = 60_000;
    runner.reschedule();
    await clock.advance(59_999);
    expect(looks).toBe(2);
    await clock.advance(1);
    expect(looks).toBe(3);
    expect(runner.views()[0]?.intervalMs).toBe(60_000);
  });

  test('changes its word after a second look that comes soon, and says so once', async () => {
    let look = well;
    const { clock, runner, changes, word } = runnerOf(check('a', async () => look));
    runner.start?.(new AbortController().signal);
    await clock.advance(1_000);
    look = ill;
    await clock.advance(30_000);
    expect(word()).toBe('healthy');
    expect(runner.views()[0]).toMatchObject({ looked: 'unhealthy' });
    expect(runner.views()[0]?.result.message).toBe('It answers. The latest look says unhealthy: It does not answer.');
    await clock.advance(5_000);
    expect(word()).toBe('unhealthy');
    await clock.advance(120_000);
    expect(changes.map(({ before, status }) => [before, status])).toEqual([
      [undefined, 'healthy'],
      ['healthy', 'unhealthy'],
    ]);
  });

  test('that hangs is given up, is unknown, and gets no second look beside the first', async () => {
    let looks = 0;
    let given: AbortSignal | undefined;
    const { clock, runner, word } = runnerOf(
      check('hangs', (signal) => {
        looks += 1;
        given = signal;
        return never();
      }),
    );
    runner.start?.(new AbortController().signal);
    await clock.advance(1_000);
    expect(given?.aborted).toBe(false);
    await clock.advance(10_000);
    expect(given?.aborted).toBe(true);
    expect(word()).toBe('unknown');
    expect(runner.views()[0]?.result.message).toBe('It did not come back within 10 s.');
    await clock.advance(300_000);
    expect(looks).toBe(1);
    expect(runner.views()[0]?.result.message).toBe('An earlier look has not come back yet.');
  });

  test.each<[string, LookingCheck['look'], Partial<CheckResult>]>([
    [
      'throws at once',
      () => {
        throw new Error('no route');
      },
      { status: 'unhealthy', message: 'no route' },
    ],
    ['rejects', () => Promise.reject(new Error('refused')), { status: 'unhealthy', message: 'refused' }],
    ['gives nothing', async () => undefined as never, { status: 'unknown' }],
    ['gives another word', async () => ({ status: 'fine', message: 'x' }) as never, { status: 'unknown' }],
    ['gives figures that are none', async () => ({ ...well, metrics: { a: { share: 0 / 0 } } }), { status: 'healthy' }],
    ['gives no text', async () => ({ status: 'healthy', message: 7 }) as never, { status: 'unknown' }],
  ])('that %s has a result all the same', async (_, look, expected) => {
    const { runner } = runnerOf(check('odd', look));
    const [view] = await runner.lookNow();
    expect(view?.result).toMatchObject(expected);
  });

  test('keeps no good word when nobody looks any more', async () => {
    const { clock, runner, word } = runnerOf(check('a', async () => well));
    await runner.lookNow();
    expect(word()).toBe('healthy');
    await clock.advance(75_001);
    expect(word()).toBe('unknown');
    expect(runner.views()[0]?.result.message).toBe('The last look is 75 s old.');
  });
});

describe('a fresh look at everything', () => {
  test('looks at all together, tells what it sees now, and is one round for all who ask', async () => {
    let looks = 0;
    let look = well;
    const all = Array.from({ length: 5 }, (_, at) =>
      check(`c${at}`, async () => {
        looks += 1;
        return look;
      }),
    );
    const { runner, word } = runnerOf(...all);
    await runner.lookNow();
    look = ill;
    const rounds = await Promise.all([runner.lookNow(), runner.lookNow()]);
    expect(looks).toBe(10);
    expect(rounds[0]).toBe(rounds[1]);
    // One look is a fact, and no change of the word yet.
    expect(rounds[0]?.map((view) => view.result.status)).toEqual(Array(5).fill('unhealthy'));
    expect(word()).toBe('healthy');
  });

  test('of two hundred has a bounded number under way, and the one that hangs delays nobody', async () => {
    let under = 0;
    let most = 0;
    const leave: (() => void)[] = [];
    const slow = Array.from({ length: 199 }, (_, at) =>
      check(`c${at}`, async () => {
        under += 1;
        most = Math.max(most, under);
        await new Promise<void>((resolve) => leave.push(resolve));
        under -= 1;
        return well;
      }),
    );
    const { clock, runner } = runnerOf(check('hangs', never), ...slow);
    const round = runner.lookNow();
    for (let released = 0; released < 199; ) {
      await clock.advance(0);
      const now = leave.splice(0);
      released += now.length;
      for (const go of now) go();
    }
    await clock.advance(15_000);
    const views = await round;
    expect(most).toBe(31);
    expect(views.filter(({ result }) => result.status === 'healthy')).toHaveLength(199);
    expect(views[0]?.result.status).toBe('unknown');
  });

  test('ends in time with what is there, and does not call the rest well', async () => {
    const { clock, runner } = runnerOf(
      check('well', async () => well),
      check('slow', never, { timeoutMs: 60_000 }),
    );
    const round = runner.lookNow();
    await clock.advance(0);
    await clock.advance(15_000);
    expect((await round).map(({ result }) => result.status)).toEqual(['healthy', 'unknown']);
  });
});
