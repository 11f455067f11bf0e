import { afterAll, beforeAll, expect, test } from 'vitest';
import { field, type RunningWarden, removeFolder, startWarden, temporaryFolder } from './warden-harness.ts';

const dataDir = temporaryFolder('load');
let warden: RunningWarden;

beforeAll(async () => {
  warden = await startWarden({ dataDir });
});
afterAll(async () => {
  await warden.stop();
  removeFolder(dataDir);
});

type Entry = { readonly seq: number; readonly action: string };

async function auditAfter(seq: number): Promise<Entry[]> {
  const found: Entry[] = [];
  let cursor: unknown;
  do {
    const { status, body } = await warden.call(
      'GET',
      `/api/v1/audit?limit=500${typeof cursor === 'string' ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
    );
    expect(status).toBe(200);
    found.push(...(field(body, 'items') as Entry[]));
    cursor = field(body, 'next_cursor');
  } while (typeof cursor === 'string');
  return found.filter((entry) => entry.seq > seq);
}

const visits = 12;

/** Each user reads what a dashboard reads and makes one thing that is kept. */
async function load(users: number): Promise<Map<string, number>> {
  const answers = new Map<string, number>();
  const ask = async (method: string, path: string): Promise<void> => {
    const { status } = await warden.call(method, path);
    const key = `${method} ${path.split('?')[0]} ${status}`;
    answers.set(key, (answers.get(key) ?? 0) + 1);
  };
  await Promise.all(
    Array.from({ length: users }, async () => {
      for (let visit = 0; visit < visits; visit += 1) {
        await ask('GET', '/health');
        await ask('GET', '/api/v1/targets');
        await ask('GET', '/api/v1/events?limit=10');
        await ask('POST', '/api/v1/access/login-links');
      }
    }),
  );
  return answers;
}

test('twenty times as many users at once get every answer, and each change is kept once, without a gap', async () => {
  const before = Math.max(0, ...(await auditAfter(0)).map(({ seq }) => seq));
  for (const users of [5, 100])
    expect(Object.fromEntries(await load(users)), `${users} users`).toEqual({
      'GET /health 200': users * visits,
      'GET /api/v1/targets 200': users * visits,
      'GET /api/v1/events 200': users * visits,
      'POST /api/v1/access/login-links 201': users * visits,
    });
  const entries = (await auditAfter(before)).sort((a, b) => a.seq - b.seq);
  expect(entries.filter(({ action }) => action === 'access.create-login-link')).toHaveLength(105 * visits);
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => before + 1 + i));
  expect((await warden.callStranger('GET', '/readyz')).status).toBe(200);
});
