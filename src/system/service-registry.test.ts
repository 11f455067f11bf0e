import { afterEach, expect, test } from 'vitest';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createJobs } from '../platform/jobs.ts';
import { silentLogger } from '../platform/logging.ts';
import { createReconciler } from '../platform/reconciler.ts';
import { createServiceRegistry } from './service-registry.ts';

let state: TestState | undefined;
afterEach(async () => {
  await state?.remove();
  state = undefined;
});

async function open() {
  state = await openTestState();
  const shared = state.db;
  const clock = createFakeClock();
  const registry = (instance: string, fails: boolean) => {
    const jobs = createJobs();
    const work = createReconciler({
      ...{ name: 'work', intervalMs: 30_000, clock, log: silentLogger },
      async run() {
        if (fails) throw new Error('the disk is gone');
      },
    });
    jobs.add(work);
    const services = createServiceRegistry({
      ...{ instance, version: '1.2.3', startedMs: clock.now(), jobs, shared, clock, log: silentLogger },
      listeners: () => [
        { name: 'api', url: 'http://127.0.0.1:1' },
        { name: 'gateway', url: undefined },
      ],
    });
    return { ...services, work };
  };
  return { clock, state, registry };
}

test('an instance tells what runs in it, and finds what the other one last told', async () => {
  const { clock, registry } = await open();
  const [one, two] = [registry('one', false), registry('two', true)];
  await one.work.runOnce();
  await two.work.runOnce();
  expect((await one.list()).map(({ instance }) => instance)).toEqual(['one']);
  await two.job?.runOnce();
  await one.job?.runOnce();
  await clock.advance(1_000);
  const [here, there, ...more] = await one.list();
  expect(more).toEqual([]);
  expect(here).toMatchObject({ instance: 'one', version: '1.2.3', here: true, alive: true, toldMs: clock.now() });
  expect(here?.services).toMatchObject([
    { name: 'api http://127.0.0.1:1', kind: 'listener', state: 'running' },
    { name: 'gateway', kind: 'listener', state: 'stopped' },
    { name: 'work', kind: 'job', runs: 1, failures: 0, last_error: null, last_run_ms: clock.now() - 1_000 },
  ]);
  expect(there).toMatchObject({ instance: 'two', here: false, alive: true, toldMs: clock.now() - 1_000 });
  expect(there?.services[2]).toMatchObject({ name: 'work', failures: 1, last_error: 'the disk is gone' });
});

test('who has not told for three minutes is not alive, and a row that cannot be read is nobody', async () => {
  const { clock, state: opened, registry } = await open();
  const [one, two] = [registry('one', false), registry('two', false)];
  await two.job?.runOnce();
  await clock.advance(179_999);
  expect((await one.list()).map(({ alive }) => alive)).toEqual([true, true]);
  await clock.advance(1);
  expect((await one.list()).map(({ alive }) => alive)).toEqual([true, false]);
  await opened.tamper(`update system_fact set value = '{"version":' where key = 'services:two'`);
  expect((await one.list()).map(({ instance }) => instance)).toEqual(['one']);
});
