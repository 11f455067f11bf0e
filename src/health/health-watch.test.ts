import { expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import type { CheckChange } from './check-runner.ts';
import type { Health } from './health.ts';
import type { HealthCheck } from './health-check.ts';
import { createHealthWatch } from './health-watch.ts';

test('a change that could not be written down is told by the next run, and holds up no other', async () => {
  const told: string[] = [];
  let full = true;
  const note = async ({ name, before, status }: CheckChange): Promise<void> => {
    if (full && name !== 'second') throw new Error('the disk is full');
    told.push(`${name}: ${before} -> ${status}`);
  };
  const check = (name: string): HealthCheck => ({
    ...{ name, about: 'watched' },
    read: () => ({ status: 'unhealthy', message: '', atMs: 1 }),
  });
  const watch = createHealthWatch({
    ...{ checks: [check('first'), check('second')], clock: createFakeClock(), log: silentLogger, onChange: note },
    // Of health, what it asks for.
    health: {
      report: () => ({ answer: { can: false, reasons: [] }, ingest: { can: undefined, reasons: [] } }),
    } as unknown as Health,
  });
  await watch.runOnce();
  expect(told).toEqual(['second: undefined -> unhealthy']);
  full = false;
  await watch.runOnce();
  await watch.runOnce();
  expect(told.slice(1)).toEqual([
    'first: undefined -> unhealthy',
    'can answer: undefined -> unhealthy',
    'can ingest: undefined -> unknown',
  ]);
});
