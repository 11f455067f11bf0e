import { expect, test } from 'vitest';
import { openTestMetrics } from '../migrations/test-state.ts';
import { createAgents } from './agents.ts';
import { heldClock } from './test-metrics.ts';

const now = Date.UTC(2026, 0, 5, 12);

test('an agent with a name or a number that a database refuses keeps nobody from being counted', async () => {
  const opened = await openTestMetrics();
  try {
    const agents = createAgents({ db: opened.db, clock: heldClock(now) });
    const run = (agent_id: string, value: number) =>
      agents.count({ name: 'agent_executions', value, use: 'counter', labels: { agent_id, status: 'success' } }, now);
    run('a\0b', 1);
    run('half', 0.5);
    run('half', 1.5);
    run('countless', 1e290);
    run('good', 1);
    await agents.flush();
    run('good', 1);
    expect(await agents.find('good')).toMatchObject([{ executions: 2, successes: 2, lastExecutionMs: now }]);
    expect(await agents.find('a\ufffdb')).toMatchObject([{ executions: 1 }]);
    expect(await agents.find('half')).toMatchObject([{ executions: 1, successes: 1 }]);
    expect(await agents.find('countless')).toMatchObject([{ executions: 1e9 }]);
  } finally {
    await opened.remove();
  }
});
