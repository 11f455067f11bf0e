import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../../../../test/setup/free-port.ts';
import { hasPart } from '../../../../test/setup/parts.ts';
import { startRedis, type TestRedis } from '../../../../test/setup/redis-server.ts';
import { findProgram } from '../../../../tools/system-packages.mjs';
import { captureWhole, completeCapture, pendingOf } from '../test-capture.ts';
import { readKeyLines } from './key-lines.ts';
import { createRdbKeyReader } from './rdb-keys.ts';
import { redisDetails } from './redis-details.ts';
import { createRedisSource, type RedisCaptureMode } from './redis-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-redis-source-'));
const into = join(folder, 'redis');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sourceOf = (url: string, mode: RedisCaptureMode = 'auto', only = false) =>
  createRedisSource({ name: 'redis', url, mode, prefixes: ['ours:'], workspace: 'acme', only });

/** What must be encoded in a URL, and what must not be decoded twice. */
const oddPassword = 'p@ss/w:rd%40?# é"\'\\ $';

async function fill(redis: Redis): Promise<void> {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 300; i += 1) {
    pipeline.set(`acme_text_chunks:chunk-${i}`, JSON.stringify({ content: `chunk ${i} `.repeat(30) }));
    if (i < 20) {
      pipeline.set(`acme_doc_status:doc-${i}`, JSON.stringify({ status: 'processed', n: i }));
      pipeline.zadd('acme_doc_status__sched:status:processed', i, `doc-${i}`);
      pipeline.sadd(`acme_doc_status__sched:basename:${'a'.repeat(60)}.txt`, `doc-${i}`);
      pipeline.set(`full_docs:doc-${i}`, 'of the unnamed workspace');
      pipeline.set(`other_full_docs:${'b'.repeat(100)}${i}`, 'another workspace');
    }
  }
  // All kinds of values that somebody else may keep there, small and large.
  pipeline.rpush('jobs', 'a', 'b');
  pipeline.rpush('many jobs', ...Array.from({ length: 3000 }, (_, i) => `job ${i}`));
  pipeline.hset('session:1', { a: 1, b: 'x'.repeat(100) });
  pipeline.hset('big session', Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`f${i}`, i])));
  pipeline.sadd('numbers', 1, 2, 3);
  pipeline.sadd('words', ...Array.from({ length: 600 }, (_, i) => `word ${i}`));
  pipeline.zadd('scores', ...Array.from({ length: 600 }, (_, i) => [i / 3, `m${i}`]).flat());
  pipeline.xadd('log', '*', 'field', 'value');
  pipeline.xgroup('CREATE', 'log', 'readers', '0');
  pipeline.xreadgroup('GROUP', 'readers', 'one', 'STREAMS', 'log', '>');
  pipeline.setex('cache:1', 1000, '12345');
  pipeline.set('bits', Buffer.from([0, 255, 10, 13]));
  pipeline.set('ours:state', 'of the backend too');
  pipeline.select(3);
  pipeline.set('acme_full_docs:elsewhere', 'another database');
  pipeline.select(0);
  for (const [err] of (await pipeline.exec()) ?? []) if (err) throw err;
}

const foreignKeys = 11;

async function* inPieces(bytes: Buffer | undefined): AsyncGenerator<Buffer> {
  for (let from = 0; from < (bytes?.length ?? 0); from += 1000) yield (bytes as Buffer).subarray(from, from + 1000);
}

describe.skipIf(!hasPart('redis'))('a real Redis', () => {
  let server: TestRedis;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis('--save', '3600', '1000000000', '--rdbcompression', 'yes');
    redis = new Redis(server.url());
    await fill(redis);
  });
  afterAll(async () => {
    redis?.disconnect();
    await server?.remove();
  });
  beforeEach(async () => {
    await redis.config('SET', 'save', '');
    await redis.config('SET', 'rdb-key-save-delay', '0');
  });

  test.each([
    ['a stream of known length, where the server writes dumps anyway', '3600 1000000000'],
    ['a stream that ends with a mark, where it does not', ''],
  ])('is copied at one moment: %s', async (_form, save) => {
    await redis.config('SET', 'save', save);
    const { result, streams } = await captureWhole(sourceOf(server.url()), into);
    const rdb = streams.get('dump.rdb') ?? Buffer.alloc(0);
    expect(rdb.toString('latin1', 0, 5)).toBe('REDIS');
    const details = redisDetails.parse(result.restore.by === 'restorer' ? result.restore.details : undefined);
    expect(details).toMatchObject({
      form: 'rdb',
      sha256: createHash('sha256').update(rdb).digest('hex'),
      database: 0,
      census: {
        workspaces: {
          acme: { namespaces: { text_chunks: { keys: 300 }, doc_status: { keys: 20 } }, indexes: { keys: 2 } },
          '': { namespaces: { full_docs: { keys: 20 } } },
          other: { namespaces: { full_docs: { keys: 20 } } },
        },
        prefixed: { keys: 1 },
        foreign: { keys: foreignKeys },
        expiring: 0,
      },
    });
    expect(result).toMatchObject({
      proof: { grade: 'consistent' },
      counts: { text_chunks: 300, doc_status: 20 },
      bytes: rdb.length,
      partial: false,
      notes: [expect.stringContaining(`${foreignKeys} keys are not the backend’s`)],
    });
    expect(readdirSync(into)).toEqual([]);
  });

  test('tells the same keys in whatever pieces its copy comes', async () => {
    const { streams } = await captureWhole(sourceOf(server.url()), into);
    const rdb = streams.get('dump.rdb') ?? Buffer.alloc(0);
    const keysOf = (pieces: (at: number) => number, end = rdb.length): string[] => {
      const seen: string[] = [];
      const reader = createRdbKeyReader(({ database, key, bytes }) => seen.push(`${database} ${key} ${bytes}`));
      for (let at = 0; at < end; ) {
        const size = pieces(at);
        reader.write(rdb.subarray(at, Math.min(end, at + size)));
        at += size;
      }
      return [...seen.sort(), reader.end() ?? 'whole'];
    };
    const whole = keysOf(() => rdb.length);
    expect(whole.at(-1)).toBe('whole');
    expect(whole).toHaveLength(300 + 20 + 2 + 20 + 20 + 1 + foreignKeys + 1);
    expect(keysOf(() => 1)).toEqual(whole);
    expect(keysOf((at) => 1 + ((at * 7919) % 61))).toEqual(whole);
    expect(keysOf(() => 100, rdb.length - 20).at(-1)).toBe('it ends in the middle');
  });

  test('is copied at one moment while it is written to all the time', async () => {
    await redis.config('SET', 'rdb-key-save-delay', '300');
    const writer = new Redis(server.url());
    let going = true;
    let round = 0;
    // Two keys that are always written together, one before and one after all others in any order.
    const writing = (async () => {
      for (; going; round += 1)
        await writer
          .multi()
          .set('acme_full_docs:left', String(round))
          .set('acme_entity_chunks:right', String(round))
          .set(`full_entities:${round % 50}`, 'x')
          .exec();
    })();
    const { result, streams } = await captureWhole(sourceOf(server.url()), into);
    const rounds = round;
    going = false;
    await writing;
    writer.disconnect();
    expect(rounds).toBeGreaterThan(0);
    expect(result.proof.grade).toBe('consistent');

    const text = (streams.get('dump.rdb') ?? Buffer.alloc(0)).toString('latin1');
    const valueAfter = (key: string): number => {
      const at = text.indexOf(key) + key.length;
      const code = text.charCodeAt(at);
      // Small numbers are packed into one or two bytes.
      return code === 0xc0 ? text.charCodeAt(at + 1) : text.charCodeAt(at + 1) | (text.charCodeAt(at + 2) << 8);
    };
    expect(valueAfter('acme_full_docs:left')).toBe(valueAfter('acme_entity_chunks:right'));
    await redis.unlink('acme_full_docs:left', 'acme_entity_chunks:right');
    await redis.unlink(...Array.from({ length: 50 }, (_, i) => `full_entities:${i}`));
  });

  test('is read key by key where an account may not copy it, with every odd character in its password', async () => {
    await redis.call('ACL', 'SETUSER', 'w@rden', 'on', `>${oddPassword}`, '~*', '+@all', '-psync', '-sync');
    const url = server.url({ user: 'w@rden', password: oddPassword });
    const { result, streams } = await captureWhole(sourceOf(url), into);
    expect(result.proof).toEqual({
      grade: 'consistent',
      reasons: ['the server counted no change while its keys were read'],
    });
    expect(result.notes[0]).toMatch(/hands out no copy of itself \(.*NOPERM/);
    expect(result.counts).toEqual({ text_chunks: 300, doc_status: 20 });
    expect(JSON.stringify(result)).not.toContain('p@ss');
    let keys = 0;
    for await (const batch of readKeyLines(inPieces(streams.get('keys.jsonl')))) keys += batch.length;
    expect(keys).toBe(300 + 20 + 2 + 20 + 20 + 1);

    await expect(captureWhole(sourceOf(url, 'replication'), into)).rejects.toMatchObject({
      code: 'backup/capture-failed',
      detail: expect.stringContaining('hands out no copy of itself'),
    });
    const wrong = server.url({ user: 'w@rden', password: 'wr0ng' });
    await expect(captureWhole(sourceOf(wrong), into)).rejects.toMatchObject({ code: 'backup/capture-failed' });
  });

  test('is copied for an account with every odd character in its password', async () => {
    await redis.call('ACL', 'SETUSER', 'copier', 'on', `>${oddPassword}`, '~*', '+@all');
    const { result } = await captureWhole(sourceOf(server.url({ user: 'copier', password: oddPassword })), into);
    expect(result.streams[0]?.name).toBe('dump.rdb');
  });

  test('gives one workspace alone when that is asked for', async () => {
    const { result, streams } = await captureWhole(sourceOf(server.url(), 'auto', true), into);
    expect(result.counts).toEqual({ text_chunks: 300, doc_status: 20 });
    const keys: string[] = [];
    for await (const batch of readKeyLines(inPieces(streams.get('keys.jsonl'))))
      keys.push(...batch.map(({ key }) => key.toString()));
    expect(keys).toHaveLength(322);
    expect(keys.filter((key) => !key.startsWith('acme_'))).toEqual([]);
  });

  test.skipIf(findProgram('openssl') === undefined)(
    'is copied over TLS, and only from who it is meant to be',
    async () => {
      const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
      const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
      const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
      execFileSync('openssl', ['req', '-x509', ...fresh, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
      const port = await freePort();
      const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
      const sealed = await startRedis('--tls-port', String(port), ...files, '--tls-auth-clients', 'no');
      const client = new Redis(sealed.url());
      await fill(client);
      client.disconnect();
      const url = `rediss://localhost:${port}/0`;
      const { result } = await captureWhole(sourceOf(`${url}?ssl_ca_certs=${cert}`), into);
      expect(result.counts).toEqual({ text_chunks: 300, doc_status: 20 });
      expect((await captureWhole(sourceOf(`${url}?ssl_cert_reqs=none`), into)).result.bytes).toBeGreaterThan(0);
      await expect(captureWhole(sourceOf(url), into)).rejects.toMatchObject({
        code: 'backup/capture-failed',
        detail: expect.stringContaining('self-signed'),
      });
      await sealed.remove();
    },
  );

  test('says that keys read one by one are from different moments when it was written to', async () => {
    const pending = await pendingOf(sourceOf(server.url(), 'keys'), into);
    expect((await completeCapture(pending)).result.proof.grade).toBe('consistent');
    const writer = new Redis(server.url());
    let going = true;
    const writing = (async () => {
      while (going) await writer.set('counter', 'x');
    })();
    const { result } = await captureWhole(sourceOf(server.url(), 'keys'), into);
    going = false;
    await writing;
    writer.disconnect();
    await redis.unlink('counter');
    expect(result.proof).toEqual({
      grade: 'fuzzy',
      reasons: ['the server was written to while its keys were read'],
    });
  });

  test('that may evict documents says so in the point', async () => {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const { result } = await captureWhole(sourceOf(server.url()), into);
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    expect(result.notes[0]).toMatch(/allkeys-lru: when memory is short it deletes documents silently/);
  });

  test('leaves nothing behind when a capture is let go of', async () => {
    await redis.config('SET', 'rdb-key-save-delay', '2000');
    const pending = await pendingOf(sourceOf(server.url()), into);
    await pending.release();
    await redis.config('SET', 'rdb-key-save-delay', '0');
    expect(existsSync(join(into, 'spool'))).toBe(false);
  });

  test('that dies in the middle fails the capture', async () => {
    const mortal = await startRedis();
    const client = new Redis(mortal.url());
    client.on('error', () => undefined);
    await fill(client);
    await client.config('SET', 'rdb-key-save-delay', '5000');
    const pending = await pendingOf(sourceOf(mortal.url()), into);
    await mortal.kill();
    client.disconnect();
    await expect(completeCapture(pending)).rejects.toMatchObject({
      code: 'backup/capture-failed',
      detail: expect.stringMatching(/ended|closed|ECONNRESET/),
    });
    expect(readdirSync(into)).toEqual([]);
    await expect(pendingOf(sourceOf(mortal.url()), into)).rejects.toMatchObject({
      code: 'backup/capture-failed',
      detail: expect.stringContaining('does not answer'),
    });
    await mortal.remove();
  });
});
