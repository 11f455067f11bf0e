import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../../../../test/setup/parts.ts';
import { createChildProcesses } from '../../../platform/child-processes/index.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLogger } from '../../../platform/logging.ts';
import {
  createLightragDatabase,
  type LightragDatabase,
  layOutGraphs,
} from '../../postgres/lightrag-database.fixture.ts';
import { createPostgresSource } from '../../sources/postgres/postgres-source.ts';
import { describeSource } from '../../sources/source-contract.fixture.ts';
import type { Restorer, RestorerRequest, RestoreScope } from '../restorer.ts';
import { type FixturePoint, takeFixturePoint } from './restorer.fixture.ts';
import { createPostgresRestorer } from './restorer.ts';

const skip = !hasPart('postgresql');
const folder = mkdtempSync(join(tmpdir(), 'rw-pgrestore-'));
const children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'records') });
const made: { remove(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of made.splice(0)) await one.remove();
});
afterAll(async () => {
  await children.stop();
  rmSync(folder, { recursive: true, force: true });
});

const tables = ['full', 'status', 'chunks'].map((name) => `lightrag_doc_${name}`);
const allTables = [...tables, 'lightrag_vdb_chunks_test_4d', 'lightrag_llm_cache'];
const digests = (database: LightragDatabase, where?: string) =>
  Promise.all(allTables.map((table) => database.digest(table, where)));

async function newDatabase(): Promise<LightragDatabase> {
  const database = await createLightragDatabase();
  made.push(database);
  await database.fill('default', 3);
  await database.fill('library', 2);
  return database;
}

const restorerOf = (database: LightragDatabase): Restorer =>
  createPostgresRestorer({ connection: database.connection, children });

let operations = 0;
const newOperation = (): string => {
  operations += 1;
  return `op_${String(operations).padStart(26, '0')}`;
};

async function restoreWhole(
  database: LightragDatabase,
  point: FixturePoint,
  scope: RestoreScope = {},
): Promise<{ request: RestorerRequest; undoPlace: string | undefined; steps: string[] }> {
  const request = point.request(newOperation(), scope);
  const context = point.context();
  // A later life goes on with each step.
  await restorerOf(database).prepare(request, context);
  expect(await restorerOf(database).state(request, context.signal)).toBe('prepared');
  await restorerOf(database).commit(request, context);
  expect(await restorerOf(database).state(request, context.signal)).toBe('committed');
  await restorerOf(database).verify(request, context);
  const undoPlace = await restorerOf(database).finish(request, context);
  return { request, undoPlace, steps: context.steps };
}

/** What anybody might have done to a database since the point. */
async function change(database: LightragDatabase): Promise<void> {
  await database.fill('late', 2, 'later');
  await database.run(`delete from lightrag_doc_full where id = 'doc-1';
    update lightrag_doc_chunks set content = 'changed' where id = 'chunk-2';
    update lightrag_vdb_chunks_test_4d set content_vector = array[9] where id = 'chunk-1'`);
}

describe.skipIf(skip)('with a server', () => {
  describeSource('a PostgreSQL', async () => {
    const database = await createLightragDatabase();
    await database.fill('default', 3);
    const { connection } = database;
    const sourceOf = (at: typeof connection) =>
      createPostgresSource({ name: 'database', connection: at, children, dump: 'database' });
    const secret = 'canary-of-the-contract';
    return {
      source: sourceOf(connection),
      astray: sourceOf({ ...connection, database: 'nowhere', password: secret }),
      secret,
      change: () => change(database),
      content: () => digests(database),
      back: restorerOf(database),
      close: () => database.remove(),
    };
  });
});

describe.skipIf(skip)('a database that is LightRAG’s alone', () => {
  test('comes back by rename of a new one, with its owner, rights, settings and comment, and the former one is kept', async () => {
    const database = await newDatabase();
    const name = database.connection.database;
    await database.run(`comment on database "${name}" is 'of the library'; alter database "${name}" set work_mem = '7MB';
      alter database "${name}" set search_path = "$user", public; revoke connect on database "${name}" from public`);
    const point = await takeFixturePoint(folder, children, database.connection);
    const before = await digests(database);
    await change(database);
    const changed = await digests(database);
    const plan = await restorerOf(database).plan(point.request('op_plan'), new AbortController().signal);
    expect(plan).toMatchObject({
      place: expect.stringContaining(`database ${name} on`),
      method: 'a new database is filled and takes the name',
      lost: { rows: expect.any(Number) },
      blockers: [],
      warnings: [],
    });
    expect(plan.items.find((item) => item.name === 'public.lightrag_doc_full')).toMatchObject({
      action: 'replace',
      oldRows: 4,
      newRows: 5,
    });
    expect(plan.lost.rows).toBeGreaterThanOrEqual(2);
    const { undoPlace, request } = await restoreWhole(database, point);
    expect(await digests(database)).toEqual(before);
    const [facts] = await database.run(
      `select shobj_description(oid, 'pg_database') as comment, datacl::text as acl, current_setting('work_mem') as memory,
              current_setting('search_path') as path from pg_database where datname = current_database()`,
    );
    expect(facts).toMatchObject({ comment: 'of the library', memory: '7MB', path: '"$user", public' });
    expect(facts?.acl).not.toMatch(/[{,]=Tc/);
    expect(undoPlace).toContain(`${name.slice(0, 29)}_before_`);
    // What it was lies beside it, whole.
    const former = /database (\S+)/.exec(undoPlace ?? '')?.[1] ?? '';
    const kept = createKept(database, former);
    expect(await digests(kept)).toEqual(changed);
    await restorerOf(database).finish(request, point.context());
    // The next restore takes it away.
    const again = await restoreWhole(database, point);
    const left = await database.run(`select datname from pg_database where datname like '${name}\\_%'`);
    expect(left.map(({ datname }) => datname)).toEqual([/database (\S+)/.exec(again.undoPlace ?? '')?.[1]]);
    made.push({ remove: async () => void (await database.run(`drop database "${String(left[0]?.datname)}"`)) });
    made.reverse();
  });

  // What lies in the server after the other steps is what lay there before them.
  test.each([
    ['created', 'prepared'],
    ['filled', 'prepared'],
    ['prepared', 'prepared'],
    ['renamed', 'committed'],
  ])('a kill at postgres:%s leaves a state from which the old database comes back', async (end, state) => {
    const database = await newDatabase();
    const point = await takeFixturePoint(folder, children, database.connection);
    await change(database);
    const changed = await digests(database);
    const request = point.request(newOperation());
    const run = async (): Promise<void> => {
      const context = point.context(`postgres:${end}`);
      await restorerOf(database).prepare(request, context);
      await restorerOf(database).commit(request, context);
    };
    await expect(run()).rejects.toThrow(`killed at postgres:${end}`);
    const later = restorerOf(database);
    expect(await later.state(request, new AbortController().signal)).toBe(state);
    if (state === 'committed') await later.commit(request, point.context());
    // What was only begun is not taken for ready.
    else if (end !== 'prepared')
      await expect(later.commit(request, point.context())).rejects.toMatchObject({ code: 'restore/blocked' });
    await later.undo(request, point.context());
    await later.undo(request, point.context());
    expect(await later.state(request, new AbortController().signal)).toBe('none');
    expect(await digests(database)).toEqual(changed);
    const left = await database.run(
      `select datname from pg_database where datname like '${database.connection.database}\\_%'`,
    );
    expect(left).toEqual([]);
  });

  test('that is gone is made anew, and one beside it under another name', async () => {
    const database = await newDatabase();
    const name = database.connection.database;
    await database.run(`comment on database "${name}" is 'of the library'`);
    const point = await takeFixturePoint(folder, children, database.connection);
    const before = await digests(database);
    await restoreWhole(database, point, { aside: `${name}_copy` });
    const copy = createKept(database, `${name}_copy`);
    made.push({ remove: async () => void (await database.run(`drop database "${name}_copy"`)) });
    made.reverse();
    expect(await digests(copy)).toEqual(before);
    const taken = await restorerOf(database).plan(
      point.request('op_x', { aside: `${name}_copy` }),
      new AbortController().signal,
    );
    expect(taken.blockers).toEqual([`there is a database ${name}_copy already`]);
    await database.remove();
    const { undoPlace } = await restoreWhole(database, point);
    expect(undoPlace).toBeUndefined();
    expect(await digests(database)).toEqual(before);
    expect(
      await database.run(
        `select shobj_description(oid, 'pg_database') as comment from pg_database where datname = '${name}'`,
      ),
    ).toEqual([{ comment: 'of the library' }]);
  });
});

const createKept = (database: LightragDatabase, name: string): LightragDatabase => {
  const connection = { ...database.connection, database: name };
  return {
    ...database,
    connection,
    digest: async (table, where = 'true') => {
      const [row] = await runIn(
        connection,
        `select coalesce(md5(string_agg(t::text, '|' order by t::text)), 'empty') as digest from ${table} t where ${where}`,
      );
      return String(row?.digest);
    },
  };
};

async function runIn(connection: LightragDatabase['connection'], sql: string): Promise<Record<string, unknown>[]> {
  const { connectPostgres } = await import('../../postgres/connection.ts');
  const session = await connectPostgres(connection, { failsAs: 'restore/blocked' });
  try {
    return await session.rows(sql);
  } finally {
    await session.close();
  }
}

describe.skipIf(skip)('a database that holds what is not LightRAG’s', () => {
  const foreign = `create table invoices (id serial primary key, amount int references invoices); insert into invoices (amount) values (null), (1);
    create view seen as select workspace, id from lightrag_doc_full`;

  test('gets the rows of LightRAG’s tables alone, whatever was dropped or came later, and foreign ones stay', async () => {
    const database = await newDatabase();
    await database.run(foreign);
    await layOutGraphs(database, ['default']);
    const point = await takeFixturePoint(folder, children, database.connection);
    const before = await digests(database);
    const node = await database.digest('chunk_entity_relation.base');
    await change(database);
    await database.run(`insert into invoices (amount) values (2); drop table lightrag_llm_cache;
      create table lightrag_vdb_chunks_new_8d (workspace varchar, id varchar, primary key (workspace, id)); insert into lightrag_vdb_chunks_new_8d values ('default', 'x');
      update chunk_entity_relation.base set properties = '{}'; delete from chunk_entity_relation."DIRECTED"`);
    const invoices = await database.digest('invoices');
    const plan = await restorerOf(database).plan(point.request('op_plan'), new AbortController().signal);
    expect(plan.warnings[0]).toMatch(/not by rename of a new database: .*public\.invoices/);
    expect(plan.items.map(({ name, action }) => `${action} ${name}`)).toEqual(
      expect.arrayContaining([
        'add public.lightrag_llm_cache',
        'remove public.lightrag_vdb_chunks_new_8d',
        'replace public.lightrag_doc_full',
      ]),
    );
    const { undoPlace } = await restoreWhole(database, point);
    expect(await digests(database)).toEqual(before);
    expect(await database.digest('invoices')).toBe(invoices);
    expect(await database.digest('lightrag_vdb_chunks_new_8d')).toBe('empty');
    expect(await database.digest('chunk_entity_relation.base')).toBe(node);
    expect(await database.run('select count(*)::int as n from chunk_entity_relation."DIRECTED"')).toEqual([{ n: 1 }]);
    expect(await database.run('select count(*)::int as n from seen')).toEqual([{ n: 5 }]);
    // Made as the point defines it, with its key.
    expect(
      await database.run(`select conname from pg_constraint where conrelid = 'lightrag_llm_cache'::regclass`),
    ).toEqual([{ conname: 'lightrag_llm_cache_pk' }]);
    expect(undoPlace).toMatch(/^schema ragwarden_before_/);
    // What restores leave is in no later point, and the next restore takes it away.
    const later = await takeFixturePoint(folder, children, database.connection);
    await restoreWhole(database, later);
    const schemas = await database.run(`select nspname from pg_namespace where nspname like 'ragwarden%'`);
    expect(schemas).toHaveLength(1);
  });

  test('a kill at any step leaves a state from which the old rows come back', async () => {
    const database = await newDatabase();
    await database.run(foreign);
    await layOutGraphs(database, ['default']);
    const point = await takeFixturePoint(folder, children, database.connection);
    await change(database);
    await database.run(`select ag_catalog.drop_graph('chunk_entity_relation', true); drop table lightrag_llm_cache`);
    const look = () => Promise.all(allTables.slice(0, 4).map((table) => database.digest(table)));
    const changed = await look();
    for (const [end, state] of [
      ['created', 'prepared'],
      ['filled', 'prepared'],
      ['prepared', 'prepared'],
      ['exchanged', 'committed'],
    ] as const) {
      const request = point.request(newOperation());
      const run = async (): Promise<void> => {
        const context = point.context(`postgres:${end}`);
        const restorer = restorerOf(database);
        await restorer.prepare(request, context);
        await restorer.commit(request, context);
        await restorer.verify(request, context);
      };
      await expect(run()).rejects.toThrow(`killed at postgres:${end}`);
      const later = restorerOf(database);
      expect([end, await later.state(request, new AbortController().signal)]).toEqual([end, state]);
      await later.undo(request, point.context());
      await later.undo(request, point.context());
      expect(await later.state(request, new AbortController().signal)).toBe('none');
      expect(await look()).toEqual(changed);
      const left = await database.run(
        `select nspname as name from pg_namespace where nspname ~ 'ragwarden|chunk_entity' union select relname from pg_class where relname = 'lightrag_llm_cache'`,
      );
      expect([end, left]).toEqual([end, []]);
    }
  });
});

describe.skipIf(skip)('one workspace', () => {
  let database: LightragDatabase;
  let whole: FixturePoint;
  let alone: FixturePoint;
  beforeAll(async () => {
    database = await createLightragDatabase();
    await database.fill('default', 3);
    await database.fill('library', 2);
    await layOutGraphs(database, ['default', 'library']);
    whole = await takeFixturePoint(folder, children, database.connection);
    alone = await takeFixturePoint(folder, children, database.connection, { workspace: 'library' });
  });
  afterAll(() => database.remove());

  const others = `workspace <> 'library'`;
  const ours = `workspace = 'library'`;

  test.each([
    ['from a point of the whole database', () => whole],
    ['from a point of itself', () => alone],
  ])('goes back %s, and no row of another is touched', async (_, pointOf) => {
    const point = pointOf();
    const before = await digests(database, ours);
    await database.run(`update lightrag_doc_chunks set content = 'changed ' || workspace where id = 'chunk-1';
      insert into lightrag_doc_full (workspace, id) values ('library', 'later'), ('default', 'later') on conflict do nothing;
      delete from library_chunk_entity_relation."DIRECTED"; update chunk_entity_relation.base set properties = '{"mine": 1}'`);
    const untouched = async () => [
      ...(await digests(database, others)),
      await database.digest('chunk_entity_relation.base'),
      ...(await database.run(`select xmin::text, ctid::text from lightrag_doc_full where ${others} order by ctid`)).map(
        (row) => JSON.stringify(row),
      ),
    ];
    const theirs = await untouched();
    const plan = await restorerOf(database).plan(
      point.request('op_plan', { workspace: 'library' }),
      new AbortController().signal,
    );
    expect(plan.items.find(({ name }) => name === 'public.lightrag_doc_full')).toMatchObject({
      oldRows: 3,
      newRows: 2,
    });
    await restoreWhole(database, point, { workspace: 'library' });
    expect(await digests(database, ours)).toEqual(before);
    expect(await untouched()).toEqual(theirs);
    expect(await database.run('select count(*)::int as n from library_chunk_entity_relation."DIRECTED"')).toEqual([
      { n: 1 },
    ]);
  });

  test('is known by the name that its rows have', async () => {
    const restorer = createPostgresRestorer({
      connection: database.connection,
      children,
      named: (name) => (name === 'ours' ? 'library' : name),
    });
    const plan = await restorer.plan(whole.request('op_plan', { workspace: 'ours' }), new AbortController().signal);
    expect(plan.items.find(({ name }) => name === 'public.lightrag_doc_full')?.newRows).toBe(2);
  });

  test('goes beside the live one under another name, and away again', async () => {
    const request = whole.request(newOperation(), { workspace: 'library', asWorkspace: 'copy' });
    const before = await digests(database);
    const context = whole.context();
    await restorerOf(database).prepare(request, context);
    await restorerOf(database).commit(request, context);
    await restorerOf(database).verify(request, context);
    const rows = (workspace: string) =>
      database.run(
        `select id, content, content_vector, length from lightrag_vdb_chunks_test_4d where workspace = '${workspace}' order by id`,
      );
    expect(await rows('copy')).toEqual(await rows('library'));
    expect(await database.run('select count(*)::int as n from copy_chunk_entity_relation._ag_label_vertex')).toEqual([
      { n: 2 },
    ]);
    await restorerOf(database).undo(request, context);
    expect(await digests(database)).toEqual(before);
    expect(await database.run(`select 1 from pg_namespace where nspname = 'copy_chunk_entity_relation'`)).toEqual([]);
  });

  test('whose rows came out short is not restored', async () => {
    const broken = structuredClone(whole.component);
    if (broken.restore.by !== 'restorer') throw new Error('no recipe');
    const details = JSON.parse(JSON.stringify(broken.restore.details));
    details.tables.find((table: { name: string }) => table.name === 'lightrag_doc_full').rows.library = 7;
    const request = {
      ...whole.request(newOperation(), { workspace: 'library' }),
      component: { ...broken, restore: { by: 'restorer' as const, details } },
    };
    await expect(restorerOf(database).prepare(request, whole.context())).rejects.toMatchObject({
      code: 'restore/digest-mismatch',
    });
    await restorerOf(database).undo(request, whole.context());
    expect(await restorerOf(database).state(request, new AbortController().signal)).toBe('none');
  });
});

test.skipIf(skip)(
  'a role that is no superuser brings its own database back, by rename where it may make databases',
  async () => {
    const database = await newDatabase();
    const name = database.connection.database;
    await database.run(
      `create role "${name}" login createdb password 'x'; alter database "${name}" owner to "${name}"`,
    );
    for (const table of allTables) await database.run(`alter table ${table} owner to "${name}"`);
    const connection = { ...database.connection, user: name, password: 'x' };
    const ours = { ...database, connection };
    const point = await takeFixturePoint(folder, children, connection);
    const before = await digests(database);
    await change(database);
    const { undoPlace } = await restoreWhole(ours, point);
    expect(undoPlace).toContain('_before_');
    expect(await digests(database)).toEqual(before);
    expect(
      await database.run(`select distinct tableowner as owner from pg_tables where schemaname = 'public'`),
    ).toEqual([{ owner: name }]);
    const kept = await database.run(`select datname from pg_database where datname like '${name}\\_before%'`);
    await database.run(`drop database "${String(kept[0]?.datname)}"`);
    await database.run(`alter role "${name}" nocreatedb`);
    await change(database);
    const again = await restoreWhole(ours, point);
    expect(again.undoPlace).toMatch(/^schema ragwarden_before_/);
    expect(await digests(database)).toEqual(before);
  },
);

test.skipIf(skip)(
  'a rehearsal restores into a server of its own, counts what came out, and leaves nothing',
  async () => {
    const database = await newDatabase();
    const point = await takeFixturePoint(folder, children, database.connection, { auditWorkspace: 'default' });
    const context = point.context();
    const rehearsal = await restorerOf(database).rehearse(point.request(newOperation()), context);
    try {
      expect(rehearsal.problems).toEqual([]);
      expect(rehearsal.counts).toMatchObject({ full_docs: 5, vdb_chunks: 5 });
      expect(rehearsal.phases.map(({ name }) => name)).toEqual([
        'cluster',
        'fetch',
        'globals',
        'restore',
        'count',
        'audit',
      ]);
      expect(rehearsal.extracts).toMatchObject({ doc_status: { rows: 3 }, vdb_chunks: { rows: 3 } });
      expect(readFileSync(rehearsal.extracts?.text_chunks?.path ?? '', 'utf8').split('\n')[0]).toBe(
        '{"id":"chunk-1","document":"doc-1"}',
      );
    } finally {
      await rehearsal.remove();
      await rehearsal.remove();
    }
  },
);
