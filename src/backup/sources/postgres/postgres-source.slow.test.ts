import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasPart } from '../../../../test/setup/parts.ts';
import { startPostgresCluster } from '../../../../test/setup/postgres-cluster.ts';
import { createChildProcesses } from '../../../platform/child-processes/index.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLogger } from '../../../platform/logging.ts';
import {
  createLightragDatabase,
  type LightragDatabase,
  layOutGraphs,
} from '../../postgres/lightrag-database.fixture.ts';
import { postgresDetails } from './details.ts';
import { createPostgresSource, type PostgresSourceOptions } from './postgres-source.ts';
import { captureWhole, contextInto } from './stored-streams.fixture.ts';

const skip = !hasPart('postgresql');
const folder = mkdtempSync(join(tmpdir(), 'rw-pgsource-'));
const children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'records') });
let rag: LightragDatabase;

beforeAll(async () => {
  if (skip) return;
  rag = await createLightragDatabase();
  await rag.fill('default', 3);
  await rag.fill('library', 2);
});

afterAll(async () => {
  await children.stop();
  await rag?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const sourceOf = (more: Partial<PostgresSourceOptions> = {}, database = rag) =>
  createPostgresSource({ name: 'database', connection: database.connection, children, dump: 'database', ...more });

let made = 0;
function newFolder(): string {
  made += 1;
  const path = join(folder, `f${made}`);
  mkdirSync(path);
  return path;
}
const detailsOf = (result: Awaited<ReturnType<typeof captureWhole>>) =>
  postgresDetails.parse(result.restore.by === 'restorer' ? result.restore.details : undefined);
const listed = (file: string): string => execFileSync('pg_restore', ['--list', file], { encoding: 'utf8' });
const script = (file: string): string => execFileSync('pg_restore', ['-f', '-', file], { encoding: 'utf8' });

test.skipIf(skip)('a point holds the moment of its capture, whatever is written until it is read', async () => {
  const into = newFolder();
  const result = await captureWhole(sourceOf(), contextInto(into, children), () => rag.fill('late', 4));
  await rag.run(`delete from lightrag_doc_full where workspace = 'late'`);
  expect(result).toMatchObject({ partial: false, proof: { grade: 'consistent' }, files: 0 });
  expect(result.counts).toEqual({ full_docs: 5, text_chunks: 5, doc_status: 5, llm_response_cache: 5, vdb_chunks: 5 });
  expect(result.streams.map(({ name }) => name)).toEqual(['archive', 'globals']);
  expect(script(join(into, 'archive'))).not.toContain('\tlate\t');
  expect(readFileSync(join(into, 'globals'), 'utf8')).toMatch(/CREATE ROLE ragwarden/);
  expect(readFileSync(join(into, 'globals'), 'utf8')).not.toMatch(/PASSWORD/);
  const details = detailsOf(result);
  expect(details.tables.find(({ name }) => name === 'lightrag_doc_full')?.rows).toEqual({ default: 3, library: 2 });
  expect(details.tables.find(({ name }) => name.startsWith('lightrag_vdb'))?.columns).not.toContain('length');
  expect(details.moment.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  for (const table of [
    'lightrag_doc_chunks',
    'lightrag_doc_status',
    'lightrag_vdb_chunks_test_4d',
    'lightrag_llm_cache',
  ])
    await rag.run(`delete from ${table} where workspace = 'late'`);
});

test.skipIf(skip)('tells what is LightRAG’s and what is not, and dumps its relations alone where told', async () => {
  const other = await createLightragDatabase();
  try {
    await other.fill('default', 1);
    await layOutGraphs(other, ['default', 'library']);
    await other.run(`create table invoices (id serial primary key, "we ird" text); create schema shop;
      create table shop.orders (id int); create function shop.f() returns int language sql as 'select 1';
      create table shop.lightrag_doc_full (workspace text); select lo_create(0);
      create view seen as select id from lightrag_doc_full; create extension pg_trgm`);
    const into = newFolder();
    const result = await captureWhole(sourceOf({ dump: 'lightrag' }, other), contextInto(into, children));
    const details = detailsOf(result);
    expect(details.foreign).toMatchObject({
      schemas: ['shop'],
      functions: 1,
      large_objects: 1,
      relations: [
        { schema: 'public', name: 'invoices' },
        { schema: 'public', name: 'invoices_id_seq' },
        { schema: 'public', name: 'seen' },
        { schema: 'shop', name: 'lightrag_doc_full' },
        { schema: 'shop', name: 'orders' },
      ],
    });
    expect(details.graphs).toMatchObject([
      { name: 'chunk_entity_relation', workspace: 'default', rows: { _ag_label_vertex: 2, _ag_label_edge: 1 } },
      { name: 'library_chunk_entity_relation', workspace: 'library' },
    ]);
    expect(details.extensions.map(({ name }) => name)).toEqual(['pg_trgm', 'plpgsql']);
    expect(result.counts).toMatchObject({ graph_nodes: 4, graph_edges: 2, full_docs: 1 });
    expect(result.notes.join('\n')).toMatch(/not LightRAG's: public\.invoices/);
    const list = listed(join(into, 'archive'));
    expect(list).toMatch(/TABLE DATA public lightrag_doc_full/);
    expect(list).toMatch(/TABLE DATA library_chunk_entity_relation DIRECTED/);
    expect(list).toMatch(/TABLE DATA ag_catalog ag_label/);
    expect(list).not.toMatch(/invoices|shop|seen|BLOB/);
    const whole = newFolder();
    await captureWhole(sourceOf({}, other), contextInto(whole, children));
    expect(listed(join(whole, 'archive'))).toMatch(/BLOB/);
    expect(listed(join(whole, 'archive'))).toMatch(/TABLE DATA shop orders/);
  } finally {
    await other.remove();
  }
});

test.skipIf(skip)('of one workspace, its rows alone go into a script that psql reads', async () => {
  const into = newFolder();
  const result = await captureWhole(sourceOf({ workspace: '' }), contextInto(into, children));
  expect(result.counts).toMatchObject({ full_docs: 3, vdb_chunks: 3 });
  const rows = readFileSync(join(into, 'rows'), 'utf8');
  expect(rows.match(/^COPY /gm)).toHaveLength(5);
  expect(rows.match(/^\\\.$/gm)).toHaveLength(5);
  expect(rows).not.toContain('library');
  expect(listed(join(into, 'schema'))).toMatch(/TABLE public lightrag_doc_full/);
  expect(detailsOf(result)).toMatchObject({ holds: 'workspace', workspace: 'default' });
});

test.skipIf(skip)('says what rows refer to and is not there', async () => {
  const broken = await createLightragDatabase();
  try {
    await broken.fill('default', 3);
    await broken.run(
      `delete from lightrag_doc_full where id = 'doc-2'; delete from lightrag_doc_chunks where id = 'chunk-1'`,
    );
    const { notes } = await captureWhole(sourceOf({}, broken), contextInto(newFolder(), children));
    expect(notes).toContain('1 processed documents without their text (lightrag_doc_status)');
    expect(notes).toContain('1 vectors of chunks that are not there (lightrag_vdb_chunks_test_4d)');
  } finally {
    await broken.remove();
  }
});

/** A folder of programs that say another version, and do nothing else. */
function programsOf(version: string, script = ''): string {
  const path = newFolder();
  for (const name of ['pg_dump', 'pg_dumpall', 'psql']) {
    const file = join(path, name);
    writeFileSync(
      file,
      `#!/bin/sh\nif [ "$1" = --version ]; then echo "${name} (PostgreSQL) ${version}"; exit; fi\n${script}\n`,
    );
    chmodSync(file, 0o755);
  }
  return path;
}

test.skipIf(skip)(
  'clients that are missing or older than the server leave the database out, and the point says why',
  async () => {
    const none = await captureWhole(sourceOf({ folders: [newFolder()] }), contextInto(newFolder(), children));
    expect(none).toMatchObject({ partial: true, restore: { by: 'by-hand' } });
    expect(none.notes[0]).toMatch(/not installed.*postgresql-client-\d+/);
    const old = await captureWhole(sourceOf({ folders: [programsOf('9.6.1')] }), contextInto(newFolder(), children));
    expect(old.notes[0]).toMatch(/pg_dump 9\.6\.1 is older than the server/);
  },
);

test.skipIf(skip)('a dump that fails after half its output is a failed capture', async () => {
  const halves = programsOf('99.0', 'head -c 100000 /dev/zero; echo "pg_dump: error: enough" >&2; exit 1');
  await expect(captureWhole(sourceOf({ folders: [halves] }), contextInto(newFolder(), children))).rejects.toMatchObject(
    { code: 'backup/capture-failed' },
  );
});

test.skipIf(skip)(
  'a server that dies while it is read fails the capture, and nothing is left of the moment',
  async () => {
    const cluster = await startPostgresCluster();
    try {
      const database = await createLightragDatabase({ name: 'rag', server: cluster.url('postgres') });
      await database.fill('default', 3);
      const dying = captureWhole(sourceOf({}, database), contextInto(newFolder(), children), () => cluster.takeAway());
      await expect(dying).rejects.toMatchObject({ code: 'backup/capture-failed' });
      // And one that is not there at all.
      await expect(captureWhole(sourceOf({}, database), contextInto(newFolder(), children))).rejects.toMatchObject({
        code: 'backup/capture-failed',
        detail: expect.stringMatching(/does not let us in/),
      });
    } finally {
      await cluster.remove();
    }
  },
);

test.skipIf(skip)('a session that loses the moment while the dump is read fails the capture', async () => {
  const context = contextInto(newFolder(), children);
  const losing = captureWhole(sourceOf(), {
    ...context,
    async storeStream(name, producer) {
      const stored = await context.storeStream(name, producer);
      await rag.run(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'ragwarden'`,
      );
      return stored;
    },
  });
  await expect(losing).rejects.toMatchObject({ code: 'backup/capture-failed' });
});
