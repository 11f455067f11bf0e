import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../../../../test/setup/parts.ts';
import { startRedis, type TestRedis } from '../../../../test/setup/redis-server.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLogger } from '../../../platform/logging.ts';
import { type AuditReport, createInspector, type StoreExtract } from '../../../targets/index.ts';
import { decideAuditedStores } from '../../audited-stores.ts';
import { captureWhole } from '../test-capture.ts';
import { createRedisSource, type RedisCaptureMode } from './redis-source.ts';

const documents = 250;
const status = (i: number): string =>
  JSON.stringify({ status: i === 7 ? 'failed' : 'processed', chunks_list: [`chunk-${i}`] });

async function fill(redis: Redis): Promise<void> {
  const pipeline = redis.pipeline();
  for (let i = 0; i < documents; i += 1) {
    pipeline.set(`acme_doc_status:doc-${i}`, status(i));
    pipeline.set(`acme_full_docs:doc-${i}`, JSON.stringify({ content: `text ${i} `.repeat(200) }));
    // Long enough for Redis to pack it, and with what a line of JSON must not break at.
    pipeline.set(
      `acme_text_chunks:chunk-${i}`,
      JSON.stringify({ content: '\u2028x'.repeat(300), full_doc_id: `doc-${i}` }),
    );
    pipeline.zadd('acme_doc_status__sched:status:processed', i, `doc-${i}`);
  }
  pipeline.set('other_doc_status:doc-of-others', status(1));
  pipeline.set('doc_status:doc-of-the-unnamed', status(1));
  pipeline.select(3);
  pipeline.set('acme_full_docs:doc-elsewhere', '{}');
  pipeline.select(0);
  for (const [err] of (await pipeline.exec()) ?? []) if (err) throw err;
}

const danglingIn = (report: AuditReport | undefined): Record<string, readonly string[]> =>
  Object.fromEntries(
    Object.entries(report?.dangling ?? {})
      .filter(([, { count }]) => count > 0)
      .map(([name, { examples }]) => [name, examples]),
  );

describe.skipIf(!hasPart('redis'))('the stores of a Redis', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rw-redis-audit-'));
  const workspace = join(folder, 'workspace');
  const inspector = createInspector({ clock: systemClock, log: silentLogger });
  let server: TestRedis;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis('--rdbcompression', 'yes');
    redis = new Redis(server.url());
    await fill(redis);
    mkdirSync(workspace);
    const data = Array.from({ length: documents }, (_, i) => ({ __id__: `chunk-${i}` }));
    const matrix = Buffer.alloc(4 * documents).toString('base64');
    writeFileSync(join(workspace, 'vdb_chunks.json'), JSON.stringify({ embedding_dim: 1, data, matrix }));
  });
  afterAll(async () => {
    await inspector.stop();
    redis?.disconnect();
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const capture = async (mode: RedisCaptureMode) => {
    const source = createRedisSource({ name: 'redis', url: server.url(), mode, prefixes: [], workspace: 'acme' });
    return (await captureWhole(source, join(folder, 'spool'), join(folder, 'audit'))).result;
  };
  const audit = async (mode: RedisCaptureMode): Promise<AuditReport> => {
    const files = { name: 'workspace', kind: 'files' as const, entries: [] };
    const storageClasses = { kv_storage: 'RedisKVStorage', doc_status_storage: 'RedisDocStatusStorage' };
    const { extracts } = decideAuditedStores([files, await capture(mode)], { storageClasses }, '');
    return (await inspector.inspect({ folder: workspace, workspace: '', idle: true, extracts })).audit;
  };

  test.each<[RedisCaptureMode]>([['replication'], ['keys']])(
    'are clean beside vectors in files when they belong together, whatever other workspaces hold (%s)',
    async (mode) => {
      const report = await audit(mode);
      expect(danglingIn(report)).toEqual({});
      expect(report.counts).toEqual({
        doc_status: documents,
        full_docs: documents,
        text_chunks: documents,
        vdb_chunks: documents,
      });
      expect(report.documents).toEqual({ processed: documents - 1, failed: 1 });
      expect(report.unchecked).toContain('nodes_without_vector');
    },
  );

  test('name what is broken, each by its id, from the copy of the server and from its keys', async () => {
    await redis.del('acme_full_docs:doc-1', 'acme_doc_status:doc-2', 'acme_text_chunks:chunk-3');
    await redis.set('acme_doc_status:doc-4', 'no JSON');
    await redis.set('acme_doc_status:doc-300', JSON.stringify({ status: 'processed', chunks_list: ['chunk-300'] }));
    await redis.set('acme_full_docs:doc-300', '{}');
    await redis.set('acme_text_chunks:chunk-300', JSON.stringify({ full_doc_id: 'doc-300' }));
    const [copied, walked] = [await audit('replication'), await audit('keys')];
    expect(danglingIn(copied)).toEqual({
      documents_without_text: ['doc-1'],
      texts_without_document: ['doc-2'],
      processed_without_chunks: ['doc-3'],
      processed_without_chunk_vectors: ['doc-300'],
      chunks_without_document: ['chunk-2'],
      chunk_vectors_without_chunk: ['chunk-3'],
    });
    expect(copied.documents).toMatchObject({ unknown: 1 });
    expect(walked).toEqual(copied);
  });

  test('that cannot be written down leave the capture as it is, which says so', async () => {
    rmSync(join(folder, 'audit'), { recursive: true, force: true });
    writeFileSync(join(folder, 'audit'), 'no folder');
    const { extracts, notes, streams } = await capture('replication');
    expect([extracts, streams.length]).toEqual([undefined, 1]);
    expect(notes).toContainEqual(expect.stringContaining('its stores are not in the audit: EEXIST'));
  });
});

describe('where a store lies', () => {
  const extract = (rows: number): StoreExtract => ({ path: `${rows}`, rows, sha256: '' });
  const files = { name: 'workspace', kind: 'files' as const, entries: [{ path: 'acme/kv_store_full_docs.json' }] };
  const postgres = {
    name: 'database',
    kind: 'postgres' as const,
    entries: [],
    extracts: { doc_status: extract(2), full_docs: extract(2), text_chunks: extract(0), vdb_chunks: extract(5) },
  };
  const redis = {
    name: 'redis',
    kind: 'redis' as const,
    entries: [],
    extracts: { doc_status: extract(9), full_docs: extract(9), text_chunks: extract(0) },
  };
  // Of a captured tree what the decision looks at.
  const captured = [files, postgres, redis] as unknown as Parameters<typeof decideAuditedStores>[0];

  test('is what the backend says, though it be empty there', () => {
    const storageClasses = {
      doc_status_storage: 'PGDocStatusStorage',
      kv_storage: 'RedisKVStorage',
      vector_storage: 'QdrantVectorDBStorage',
    };
    expect(decideAuditedStores(captured, { storageClasses }, 'acme')).toEqual({
      homes: { doc_status: 'database', full_docs: 'redis', text_chunks: 'redis' },
      extracts: { doc_status: extract(2), full_docs: extract(9), text_chunks: extract(0) },
    });
  });

  test('is its file, else the database with most of it, where nobody says', () => {
    expect(decideAuditedStores(captured, undefined, 'acme').homes).toEqual({
      doc_status: 'redis',
      full_docs: 'workspace',
      vdb_chunks: 'database',
    });
    expect(decideAuditedStores(captured, undefined, '').homes.full_docs).toBe('redis');
  });
});
