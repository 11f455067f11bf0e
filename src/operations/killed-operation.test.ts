import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { createEventLog } from '../events/index.ts';
import { openTestState } from '../migrations/test-state.ts';
import { systemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createOperations } from './index.ts';

test('what a killed process left half-done is settled by the next one, in the phase it had reached', async () => {
  const state = await openTestState();
  const script = join(import.meta.dirname, 'killed-operation.fixture.ts');
  const child = spawn(process.execPath, [script, state.path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let id = '';
  for await (const line of createInterface({ input: child.stdout })) {
    id = line;
    child.kill('SIGKILL');
  }
  expect((await exited)[1]).toBe('SIGKILL');

  const { db } = state;
  const events = createEventLog({ db, clock: systemClock, instance: 'warden' });
  const operations = createOperations({ db, clock: systemClock, log: silentLogger, events, instance: 'warden' });
  const begin = () =>
    operations.start({
      kind: 'backup.create',
      targetId: 'default',
      input: {},
      requestedBy: 'admin',
      run: async () => 1,
    });
  await expect(begin()).rejects.toMatchObject({ code: 'operation/busy' });
  const settled = await operations.settle({
    settlers: {
      'restore.run': async ({ input, phase }) => ({ message: 'The old state stands.', data: { input, phase } }),
    },
  });
  expect(settled.map((operation) => operation.id)).toEqual([id]);
  expect(await operations.require(id)).toMatchObject({
    state: 'interrupted',
    epoch: 2,
    result: { input: { point: 'rp_7' }, phase: 'moving' },
  });
  expect(await events.list({ limit: 5 })).toMatchObject([{ type: 'operation.settled', operationId: id }]);
  expect(await operations.wait((await begin()).id)).toMatchObject({ state: 'succeeded' });
  await operations.stop();
  await state.remove();
});
