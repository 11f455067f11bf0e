import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import type { ServerView } from './check.ts';
import { portsCheck, repositoryCheck } from './running-server.ts';
import { look, subjectOf } from './test-subject.ts';

const running = (repository: object): ServerView =>
  ({
    state: 'running',
    api: {
      call: async () => ({ location: '/srv/points', id: null, tool: null, locks: [], upkeep: [], ...repository }),
    },
    backup: { available: true },
  }) as unknown as ServerView;

test.each([
  [{ state: 'ok', reason: null, warnings: [] }, 'ok', 'opens', undefined],
  [{ state: 'wrong-password', reason: null, warnings: [] }, 'fail', 'wrong-password', 'repository/wrong-password'],
  [{ state: 'missing', reason: null, warnings: [] }, 'fail', 'missing', 'repository/missing'],
  [{ state: 'unavailable', reason: 'no answer', warnings: [] }, 'fail', 'no answer', 'repo status'],
  [{ state: 'ok', reason: null, warnings: ['Pruning failed.'] }, 'warn', 'Pruning failed.', 'repo status'],
])(
  'how the repository stands today is told, whatever points were taken before: %j',
  async (answer, verdict, detail, mend) => {
    const [found] = await look(repositoryCheck, subjectOf({}, running(answer)));
    expect(found).toMatchObject({ verdict, detail: expect.stringContaining(detail) });
    if (mend === undefined) expect(found?.mend).toBeUndefined();
    else expect(found?.mend).toContain(mend);
  },
);

test('the port of the gateway is tried like the others, since a start fails where it is taken', async () => {
  const taken = createServer();
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? String(address.port) : '';
  const env = { RAGWARDEN_PORT: '0', LIGHTRAG_METRICS_PORT: '0', RAGWARDEN_GATEWAY_PORT: port };
  try {
    const found = await look(portsCheck, subjectOf(env));
    expect(found.at(-1)).toMatchObject({
      verdict: 'fail',
      what: 'gateway port',
      detail: `${port} on 127.0.0.1 is taken`,
    });
  } finally {
    taken.close();
  }
});
