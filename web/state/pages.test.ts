import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mostAtOnce, readPages } from './pages.ts';

/** A list as the API pages it, which refuses more than it gives at once. */
function listOf(count: number, refusesAbove = mostAtOnce) {
  const asked: string[] = [];
  const ask = async (query: string): Promise<{ items: number[]; next_cursor: string | null }> => {
    asked.push(query);
    const [limit, from] = [Number(new URLSearchParams(query).get('limit')), new URLSearchParams(query).get('cursor')];
    if (limit > refusesAbove) throw new Error(`limit: at most ${refusesAbove}`);
    const first = Number(from ?? 0);
    const items = Array.from({ length: Math.min(limit, count - first) }, (_, n) => first + n);
    return { items, next_cursor: first + limit < count ? String(first + limit) : null };
  };
  return { ask, asked };
}

test('a list goes on beyond what one answer gives, and says whether there is more', async () => {
  const { ask, asked } = listOf(700);
  const some = await readPages(ask, 640);
  expect(some.items).toEqual(Array.from({ length: 640 }, (_, n) => n));
  expect(some.next_cursor).not.toBeNull();
  expect(asked).toEqual(['limit=200', 'limit=200&cursor=200', 'limit=200&cursor=400', 'limit=40&cursor=600']);
  expect(await readPages(listOf(700).ask, 1_000)).toMatchObject({ next_cursor: null, items: { length: 700 } });
  expect(await readPages(listOf(0).ask, 20)).toEqual({ items: [], next_cursor: null });
});

test('no list that the page reads by pages gives less at once than it asks for', () => {
  type Parameter = { name: string; schema: { maximum?: number } };
  const text = readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8');
  const { paths } = JSON.parse(text) as { paths: Record<string, { get?: { parameters?: Parameter[] } }> };
  const read = [
    '/api/v1/metrics/quotas/reservations',
    '/api/v1/metrics/quotas/violations',
    '/api/v1/recovery/failovers',
    '/api/v1/backup-replication/recovery/checkpoints',
    '/api/v1/backup-replication/replication/logs',
  ];
  const limits = read.map(
    (path) => paths[path]?.get?.parameters?.find(({ name }) => name === 'limit')?.schema.maximum ?? 0,
  );
  expect(Math.min(...limits)).toBeGreaterThanOrEqual(mostAtOnce);
  for (const path of read) expect(paths[path]?.get?.parameters?.map(({ name }) => name)).toContain('cursor');
});
