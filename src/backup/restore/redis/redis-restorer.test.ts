import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasPart } from '../../../../test/setup/parts.ts';
import { startRedis, type TestRedis } from '../../../../test/setup/redis-server.ts';
import { type ChildProcesses, createChildProcesses } from '../../../platform/child-processes/index.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLogger } from '../../../platform/logging.ts';
import { createRedisSource } from '../../sources/redis/redis-source.ts';
import { type Captured, captureWhole, never } from '../../sources/test-capture.ts';
import type { Restorer, RestoreScope } from '../restorer.ts';
import { contextOf, inScratch, killed, requestOf } from '../test-restorer.ts';
import { createRedisRestorer } from './redis-restorer.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-redis-restore-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const status = (updated: string) => JSON.stringify({ status: 'processed', updated_at: updated });
const workspaces = ['acme', 'other', ''];

async function fill(redis: Redis): Promise<void> {
  await redis.flushall();
  const pipeline = redis.pipeline();
  for (const workspace of workspaces) {
    const begin = workspace === '' ? '' : `${workspace}_`;
    for (let i = 0; i < 12; i += 1) {
      pipeline.set(`${begin}text_chunks:chunk-${i}`, `chunk ${i} of ${workspace} `.repeat(20));
      pipeline.set(`${begin}doc_status:doc-${i}`, status('2026-11-29T09:00:00+00:00'));
      pipeline.zadd(`${begin}doc_status__sched:status:processed`, i / 3, `doc-${i}`);
      pipeline.sadd(`${begin}doc_status__sched:basename:${i % 2}.txt`, `doc-${i}`, `${workspace} ${i}`);
    }
  }
  pipeline.hset('session:1', { user: 'x', n: 1 });
  pipeline.rpush('jobs', 'b', 'a');
  pipeline.set('ours:state', 'one');
  pipeline.set('acme_text_chunks:brief', 'x', 'PX', 3_600_000);
  pipeline.select(3);
  pipeline.set('acme_full_docs:elsewhere', 'another database');
  pipeline.select(0);
  for (const [err] of (await pipeline.exec()) ?? []) if (err) throw err;
}

/** Everything that came after the point: rows changed, gone, new; others' keys changed as well. */
async function change(redis: Redis): Promise<void> {
  for (const workspace of workspaces) {
    const begin = workspace === '' ? '' : `${workspace}_`;
    await redis.set(`${begin}text_chunks:chunk-1`, 'another');
    await redis.unlink(`${begin}text_chunks:chunk-2`, `${begin}doc_status__sched:basename:0.txt`);
    await redis.set(`${begin}doc_status:doc-new`, status('2026-11-29T10:00:00+00:00'));
    await redis.zadd(`${begin}doc_status__sched:status:failed`, 1, 'doc-new');
  }
  await redis.hset('session:1', 'n', 2);
  await redis.set('session:2', 'new');
  await redis.set('newcomer_full_docs:doc-1', 'a workspace of somebody else');
  await redis.set('ours:state', 'two');
}

/** One line per key for which `wants` holds, with what it holds: two states are equal exactly when these are. */
async function contentOf(redis: Redis, wants: (key: string) => boolean): Promise<string[]> {
  const keys = (await redis.keys('*')).filter(wants).sort();
  return Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key);
      const value =
        type === 'string'
          ? await redis.get(key)
          : type === 'zset'
            ? await redis.zrange(key, 0, '-1', 'WITHSCORES')
            : type === 'set'
              ? (await redis.smembers(key)).sort()
              : type === 'hash'
                ? await redis.hgetall(key)
                : await redis.lrange(key, 0, -1);
      return JSON.stringify([key, type, value, (await redis.pttl(key)) > 0]);
    }),
  );
}
const everything = (redis: Redis) => contentOf(redis, () => true);
const own = (key: string) => key.startsWith('ragwarden:');
const ofWorkspace = (workspace: string) => (key: string) =>
  workspace === '' ? /^(text_chunks|doc_status)/.test(key) : key.startsWith(`${workspace}_`);

describe.skipIf(!hasPart('redis'))('the keys of a Redis', () => {
  let server: TestRedis;
  let redis: Redis;
  let children: ChildProcesses;
  let copy: Captured;
  let lines: Captured;
  let atCapture: string[];

  const restorerOf = (movesAtOnce = 1_000): Restorer =>
    createRedisRestorer({
      url: server.url(),
      workspace: 'acme',
      named: (workspace) => workspace,
      children,
      clock: systemClock,
      movesAtOnce,
    });
  const capture = (mode: 'replication' | 'keys'): Promise<Captured> =>
    captureWhole(
      createRedisSource({ name: 'redis', url: server.url(), mode, prefixes: ['ours:'], workspace: 'acme' }),
      join(folder, 'capture'),
    );
  const restore = async (captured: Captured, scope: RestoreScope = {}, operationId = 'op_1') => {
    const request = requestOf(captured, scope, operationId);
    const { context, steps } = contextOf(folder, captured);
    const restorer = restorerOf();
    await inScratch(context, async () => {
      await restorer.prepare(request, context);
      expect(await restorer.state(request, never)).toBe('prepared');
      await restorer.commit(request, context);
      expect(await restorer.state(request, never)).toBe('committed');
      await restorer.verify(request, context);
    });
    return { kept: await restorer.finish(request, context), steps };
  };
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url());
    children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
    await fill(redis);
    atCapture = await everything(redis);
    copy = await capture('replication');
    lines = await capture('keys');
  });
  afterAll(async () => {
    await children?.stop();
    redis?.disconnect();
    await server?.remove();
  });
  beforeEach(async () => {
    await redis.config('SET', 'maxmemory', '0');
    await fill(redis);
    await change(redis);
  });

  const atCaptureOf = (workspace: string): string[] =>
    atCapture.filter((line) => ofWorkspace(workspace)(JSON.parse(line)[0]));

  test.each([
    ['a copy of the server', () => copy],
    ['lines of its keys', () => lines],
  ])('come back whole from %s, and nobody else’s are touched', async (_form, captured) => {
    const foreign = (key: string) => /^(session|jobs|newcomer)/.test(key);
    const others = await contentOf(redis, foreign);
    const plan = await restorerOf().plan(requestOf(captured()), never);
    expect(plan.blockers).toEqual([]);
    expect(plan.lost).toEqual({ rows: 3, examples: ['doc-new', 'doc-new', 'doc-new'] });
    expect(plan.warnings).toContainEqual(expect.stringContaining('newcomer'));
    expect(plan.items).toContainEqual(
      expect.objectContaining({ name: 'acme_doc_status', action: 'replace', oldRows: 13, newRows: 12 }),
    );
    expect(plan.items).toContainEqual(expect.objectContaining({ name: 'other keys', action: 'keep', oldRows: 3 }));

    const { kept } = await restore(captured());
    for (const workspace of workspaces)
      expect(await contentOf(redis, ofWorkspace(workspace))).toEqual(atCaptureOf(workspace));
    expect(await redis.get('ours:state')).toBe('one');
    expect(await contentOf(redis, foreign)).toEqual(others);
    expect(await redis.pttl('acme_text_chunks:brief')).toBeGreaterThan(3_000_000);
    await redis.select(3);
    expect(await redis.get('acme_full_docs:elsewhere')).toBe('another database');
    await redis.select(0);

    // What was there before stays until the next restore, and is not taken for anybody's.
    expect(kept).toMatch(/^\d+ keys under ragwarden:before:op_1: in database 0/);
    expect(await redis.get('ragwarden:before:op_1:acme_text_chunks:chunk-1')).toBe('another');
    await restore(captured(), {}, 'op_2');
    expect(await redis.keys('ragwarden:*op_1*')).toEqual([]);
    expect(await redis.get('ragwarden:before:op_2:acme_text_chunks:chunk-2')).toMatch(/^chunk 2/);
  });

  test.each([
    ['a copy of the server', () => copy],
    ['lines of its keys', () => lines],
  ])('of one workspace come back from %s, and no other workspace turns with it', async (_form, captured) => {
    const others = (key: string) => !key.startsWith('acme_') && !own(key);
    const before = await contentOf(redis, others);
    await restore(captured(), { workspace: 'acme' });
    expect(await contentOf(redis, ofWorkspace('acme'))).toEqual(atCaptureOf('acme'));
    expect(await contentOf(redis, others)).toEqual(before);
  });

  test('of one workspace can take another name, side indexes with them', async () => {
    await redis.set('copy_full_docs:old', 'in the way');
    const before = await contentOf(redis, (key) => !key.startsWith('copy_') && !own(key));
    await restore(lines, { workspace: 'acme', asWorkspace: 'copy' });
    const renamed = atCaptureOf('acme').map((line) => line.replace('["acme_', '["copy_'));
    expect(await contentOf(redis, ofWorkspace('copy'))).toEqual(renamed);
    expect(renamed.some((line) => line.includes('copy_doc_status__sched:status:processed'))).toBe(true);
    expect(await contentOf(redis, (key) => !key.startsWith('copy_') && !own(key))).toEqual(before);
  });

  test('of a point that was of one workspace are that workspace’s alone, whatever is asked for', async () => {
    const alone = await captureWhole(
      createRedisSource({
        name: 'redis',
        url: server.url(),
        mode: 'auto',
        prefixes: [],
        workspace: 'other',
        only: true,
      }),
      join(folder, 'capture'),
    );
    await redis.set('other_text_chunks:chunk-5', 'later');
    const before = await contentOf(redis, (key) => !key.startsWith('other_'));
    await restore(alone);
    expect(await redis.get('other_text_chunks:chunk-5')).toMatch(/^chunk 5/);
    expect(await contentOf(redis, (key) => !key.startsWith('other_') && !own(key))).toEqual(before);
  });

  test('can go beside the living ones, under a name of their own or into another database', async () => {
    const before = await contentOf(redis, (key) => !own(key));
    await restore(lines, { aside: 'trial' });
    expect(await redis.get('trial_acme_text_chunks:chunk-2')).toMatch(/^chunk 2/);
    expect(await redis.get('trial_text_chunks:chunk-2')).toMatch(/^chunk 2/);
    expect(await contentOf(redis, (key) => !own(key) && !key.startsWith('trial_'))).toEqual(before);
    const again = await restorerOf().plan(requestOf(lines, { aside: 'trial' }), never);
    expect(again.blockers).toEqual([expect.stringContaining('lie in that place already')]);
    const odd = await restorerOf().plan(requestOf(lines, { aside: '../x' }), never);
    expect(odd.blockers[0]).toContain('number of a database');

    await restore(lines, { aside: '7' }, 'op_7');
    await redis.select(7);
    expect((await everything(redis)).filter((line) => !line.includes('"ragwarden:'))).toEqual(
      atCapture.filter((line) => !/^\["(session|jobs)/.test(line)),
    );
    await redis.select(0);
    expect(await contentOf(redis, (key) => !own(key) && !key.startsWith('trial_'))).toEqual(before);
  });

  describe('a kill', () => {
    const kills: [string, number][] = [
      ['redis:fetched', 1],
      ['redis:staging', 1],
      ['redis:prepared', 1],
      ['redis:moving', 1],
      ['redis:moving', 4],
      ['redis:moving', 7],
      ['redis:moving', 11],
      ['redis:committed', 1],
    ];

    test.each(kills)('at %s, time %d, is undone by a later life', async (step, time) => {
      const before = await everything(redis);
      const request = requestOf(lines);
      const dying = contextOf(folder, lines, { step, time });
      await inScratch(dying.context, async () => {
        const restorer = restorerOf(13);
        const work = async () => {
          await restorer.prepare(request, dying.context);
          await restorer.commit(request, dying.context);
        };
        await expect(work()).rejects.toBe(killed);
      });
      const later = contextOf(folder, lines).context;
      const state = await restorerOf(13).state(request, never);
      // Whatever was begun there has to be taken away again, however little it is.
      expect(state).toBe(step === 'redis:fetched' ? 'none' : step === 'redis:committed' ? 'committed' : 'prepared');
      await restorerOf(13).undo(request, later);
      await restorerOf(13).undo(request, later);
      expect(await everything(redis)).toEqual(before);
      expect(await restorerOf().state(request, never)).toBe('none');
    });

    test.each([1, 5, 8])('in the middle of the exchange can be gone on from as well (%d)', async (time) => {
      const request = requestOf(lines);
      const dying = contextOf(folder, lines, { step: 'redis:moving', time });
      await inScratch(dying.context, async () => {
        await restorerOf(13).prepare(request, dying.context);
        await expect(restorerOf(13).commit(request, dying.context)).rejects.toBe(killed);
      });
      const { context } = contextOf(folder, lines);
      await restorerOf(13).commit(request, context);
      await restorerOf(13).verify(request, context);
      for (const workspace of workspaces)
        expect(await contentOf(redis, ofWorkspace(workspace))).toEqual(atCaptureOf(workspace));
    });

    test.each([1, 4, 7, 10])('in the middle of undoing is undone to the end (%d)', async (time) => {
      const before = await everything(redis);
      const request = requestOf(lines);
      const dying = contextOf(folder, lines, { step: 'redis:undoing', time });
      await inScratch(dying.context, async () => {
        await restorerOf(13).prepare(request, dying.context);
        await restorerOf(13).commit(request, dying.context);
      });
      await expect(restorerOf(13).undo(request, dying.context)).rejects.toBe(killed);
      await restorerOf(13).undo(request, contextOf(folder, lines).context);
      expect(await everything(redis)).toEqual(before);
    });
  });

  test('need memory for old and new at once, and nothing begins without it', async () => {
    const before = await everything(redis);
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
    await redis.config('SET', 'maxmemory', String(used + 5_000));
    const request = requestOf(lines);
    const plan = await restorerOf().plan(request, never);
    expect(plan.blockers).toEqual([expect.stringMatching(/about \d+ bytes of memory, and its maxmemory leaves \d+/)]);
    expect(plan.freeNeededBytes).toBeGreaterThan(plan.freeAvailableBytes ?? 0);
    const { context } = contextOf(folder, lines);
    await expect(inScratch(context, () => restorerOf().prepare(request, context))).rejects.toMatchObject({
      code: 'restore/blocked',
    });
    expect(await everything(redis)).toEqual(before);
  });

  test('that are not those of the point after the exchange are told', async () => {
    const request = requestOf(lines);
    const { context } = contextOf(folder, lines);
    await inScratch(context, async () => {
      await restorerOf().prepare(request, context);
      await restorerOf().commit(request, context);
    });
    await redis.set('acme_text_chunks:chunk-3', 'written by somebody');
    await expect(restorerOf().verify(request, context)).rejects.toMatchObject({ code: 'restore/digest-mismatch' });
    await restorerOf().undo(request, context);
  });

  test.each([
    ['a copy of the server', () => copy],
    ['lines of its keys', () => lines],
  ])('are rehearsed from %s in a server of our own', async (_form, captured) => {
    const before = await everything(redis);
    const { context } = contextOf(folder, captured());
    const rehearsal = await inScratch(context, () => restorerOf().rehearse(requestOf(captured()), context));
    expect(rehearsal).toMatchObject({
      counts: captured().result.counts,
      problems: [],
      extracts: { text_chunks: { rows: 13 }, doc_status: { rows: 12 }, full_docs: { rows: 0 } },
      facts: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), redis_version: expect.stringMatching(/^\d+\./) },
    });
    expect(rehearsal.counts).toEqual({ text_chunks: 13, doc_status: 12 });
    expect(rehearsal.phases.map(({ name }) => name)).toContain('count');
    expect(await everything(redis)).toEqual(before);
    expect(readdirSync(join(folder, 'children')).filter((name) => name.endsWith('.json'))).toEqual([]);
  });

  test('that are damaged, missing or not readable here are found by the rehearsal', async () => {
    const rehearse = async (captured: Captured) => {
      const { context } = contextOf(folder, captured);
      return inScratch(context, () => restorerOf().rehearse(requestOf(captured), context));
    };
    const bytes = Buffer.from(copy.streams.get('dump.rdb') ?? '');
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    const flipped = new Map([['dump.rdb', bytes]]);
    await expect(rehearse({ ...copy, streams: flipped })).rejects.toMatchObject({ code: 'restore/digest-mismatch' });

    // The same damage with a manifest that does not know of it: the checksum inside finds it.
    const change = (captured: Captured, more: object): Captured => ({
      ...captured,
      result: {
        ...captured.result,
        restore: {
          by: 'restorer',
          details: { ...(captured.result.restore.by === 'restorer' ? captured.result.restore.details : {}), ...more },
        },
      },
    });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await expect(rehearse({ ...change(copy, { sha256 }), streams: flipped })).rejects.toMatchObject({
      code: 'restore/blocked',
      detail: expect.stringContaining('cannot read the copy'),
    });

    const details = lines.result.restore.by === 'restorer' ? lines.result.restore.details : {};
    const census = structuredClone(details.census) as {
      workspaces: Record<string, { namespaces: Record<string, { keys: number }> }>;
    };
    (census.workspaces.acme?.namespaces.text_chunks ?? { keys: 0 }).keys = 20;
    expect((await rehearse(change(lines, { census }))).problems).toEqual([
      'text_chunks of acme: 13 keys came back, 20 were captured',
    ]);
    await expect(rehearse(change(lines, { version: 2 }))).rejects.toMatchObject({ code: 'restore/blocked' });
  });

  test('cannot be planned for where no Redis answers', async () => {
    const gone = createRedisRestorer({
      url: 'redis://:s3cret@127.0.0.1:1/0',
      workspace: 'acme',
      named: (workspace) => workspace,
      children,
      clock: systemClock,
    });
    await expect(gone.plan(requestOf(lines), never)).rejects.toMatchObject({
      code: 'restore/blocked',
      detail: expect.stringMatching(/127\.0\.0\.1:1 does not answer(?!.*s3cret)/),
    });
  });
});
