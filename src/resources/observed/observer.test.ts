import { afterEach, expect, test } from 'vitest';
import { createEventLog } from '../../events/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import type { Reading } from './measure.ts';
import { createObserver } from './observer.ts';

let state: TestState;
afterEach(() => state.remove());

async function watching() {
  state = await openTestState();
  const clock = createFakeClock(Date.parse('2026-03-01T00:00:00Z'));
  const events = createEventLog({ db: state.db, clock, instance: 'here' });
  const seen = { value: 100, upSeconds: 0, fails: false };
  const make = () =>
    createObserver({
      sources: [
        {
          name: 'indexer',
          async look(): Promise<Reading[]> {
            if (seen.fails) throw new Error('not to be seen');
            return [{ subject: 'indexer', measure: 'descriptors', value: seen.value, upSeconds: seen.upSeconds }];
          },
        },
      ],
      ...{ intervalMs: 1_000, instance: 'here', db: state.db, events, clock, log: silentLogger },
    });
  let observer = make();
  return {
    seen,
    observer: () => observer,
    restart: () => {
      observer = make();
    },
    /** Quarters of an hour, three looks each. */
    async pass(quarters: number, grow = 0): Promise<void> {
      for (let look = 0; look < quarters * 3; look += 1) {
        await clock.advance(300_000);
        seen.upSeconds += 300;
        seen.value += grow;
        await observer.runOnce();
      }
    },
    told: async () =>
      (await events.list({ limit: 100, order: 'oldest-first' })).map(({ type, severity }) => [type, severity]),
  };
}
const finding = (observer: ReturnType<typeof createObserver>) => observer.find('indexer', 'descriptors')?.finding;

test('a leak is told when it is confirmed, and once more when it has gone', async () => {
  const { pass, observer, told } = await watching();
  await pass(16, 4);
  expect(finding(observer())).toMatchObject({ level: 'confirmed', assessment: { by: 'runaway' } });
  await pass(20);
  expect(finding(observer())?.level).toBe('confirmed');
  await pass(60);
  expect(finding(observer())).toBeUndefined();
  const types = (await told()).map(([type]) => type);
  expect(types.filter((type) => type === 'resource.leak-confirmed')).toHaveLength(1);
  expect(types.at(-1)).toBe('resource.leak-disproved');
});

test('a restart of ragwarden forgets neither the floors nor what they showed, and tells nothing twice', async () => {
  const { pass, observer, restart, told } = await watching();
  await pass(8, 4);
  const before = await told();
  const floors = observer().find('indexer', 'descriptors')?.floors.length ?? 0;
  expect(before.map(([type]) => type)).toContain('resource.leak-confirmed');
  restart();
  await pass(1, 4);
  expect(observer().find('indexer', 'descriptors')?.floors.length).toBeGreaterThanOrEqual(floors);
  expect(finding(observer())?.level).toBe('confirmed');
  expect(await told()).toEqual(before);
});

test('a restart of the service that is watched begins a new run, and what grows anew each time is still a leak', async () => {
  const { pass, observer, seen } = await watching();
  for (let run = 0; run < 3; run += 1) {
    seen.value = 100;
    seen.upSeconds = 0;
    await pass(20, 1);
  }
  expect(finding(observer())?.level).toBe('confirmed');
});

test('what cannot be seen says why, and is seen again when it can be', async () => {
  const { pass, observer, seen } = await watching();
  seen.fails = true;
  await pass(1);
  expect([...observer().unseen()]).toEqual([['indexer', 'not to be seen']]);
  seen.fails = false;
  await pass(1);
  expect(observer().unseen().size).toBe(0);
});
