import { identifier, literal, type PostgresSession, qualified } from '../../postgres/connection.ts';
import type { Places } from './names.ts';

/** One table whose rows are exchanged: `t<number>` in the staging schema has the new ones, in the former schema the old. */
export type Item = {
  readonly number: number;
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
  /** Empty: rows are told apart by nothing, so all of them are exchanged. */
  readonly key: readonly string[];
  /** Only rows of this workspace are touched; null: all. */
  readonly workspace: string | null;
};

/** What a restore made because it was not there: tables and graphs, which an undo takes away again. */
export type Made = { readonly kind: 'table' | 'graph'; readonly schema: string; readonly name: string };

export const stagedName = (schema: string, item: { readonly number: number }): string =>
  qualified({ schema, name: `t${item.number}` });
const scopeOf = (item: Item, alias: string): string =>
  item.workspace === null ? 'true' : `${alias}.workspace = ${literal(item.workspace)}`;
const listOf = (columns: readonly string[], alias?: string): string =>
  columns.map((column) => (alias === undefined ? '' : `${alias}.`) + identifier(column)).join(', ');

export async function createStaging(session: PostgresSession, places: Places): Promise<void> {
  const schema = identifier(places.stagingSchema);
  await session.run(
    `create schema ${schema};
     create table ${schema}.item (number int primary key, schema text, name text, columns text[], key text[], workspace text);
     create table ${schema}.made (kind text, schema text, name text)`,
  );
}

export async function addItem(session: PostgresSession, places: Places, item: Item): Promise<void> {
  const schema = identifier(places.stagingSchema);
  await session.rows(`insert into ${schema}.item values ($1, $2, $3, $4, $5, $6)`, [
    item.number,
    item.schema,
    item.name,
    item.columns,
    item.key,
    item.workspace,
  ]);
  // Types are those of the live table, which is what the rows will have to fit.
  await session.run(
    `create unlogged table ${stagedName(places.stagingSchema, item)} as
       select ${listOf(item.columns)} from only ${qualified(item)} limit 0`,
  );
}

export async function noteMade(session: PostgresSession, places: Places, made: Made): Promise<void> {
  await session.rows(`insert into ${identifier(places.stagingSchema)}.made values ($1, $2, $3)`, [
    made.kind,
    made.schema,
    made.name,
  ]);
}

export const readItems = (session: PostgresSession, schema: string): Promise<Item[]> =>
  session.rows<Item>(`select number, schema, name, columns, key, workspace from ${identifier(schema)}.item order by 1`);
const readMade = (session: PostgresSession, schema: string): Promise<Made[]> =>
  session.rows<Made>(`select kind, schema, name from ${identifier(schema)}.made`);

/** Comments of the schemas that restores leave, by name. */
export async function listOurSchemas(session: PostgresSession): Promise<ReadonlyMap<string, string | null>> {
  const rows = await session.rows<{ name: string; comment: string | null }>(
    `select nspname as name, obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname like 'ragwarden\\_%'`,
  );
  return new Map(rows.map(({ name, comment }) => [name, comment]));
}

export const markSchema = (name: string, mark: string): string =>
  `comment on schema ${identifier(name)} is ${literal(mark)}`;

export async function countStaged(session: PostgresSession, places: Places, item: Item): Promise<number> {
  const [row] = await session.rows<{ rows: string }>(
    `select count(*)::text as rows from ${stagedName(places.stagingSchema, item)}`,
  );
  return Number(row?.rows ?? 0);
}

/** A backend that still writes is told of, rather than waited for. */
const lockWaitMs = 60_000;

/**
 * Gives the live tables the rows of the staged ones, in one transaction. Rows that are alike stay as they are, so an index of
 * vectors is touched only for those that differ; what is of another workspace is not looked at.
 * @param finally further statements of the same transaction
 */
export async function exchange(
  session: PostgresSession,
  items: readonly Item[],
  options: {
    /** Where the new rows are. */
    readonly from: string;
    /** Where the old rows go; undefined: nowhere. */
    readonly keepIn?: string;
    readonly before?: readonly string[];
    readonly finally: readonly string[];
  },
): Promise<void> {
  const parentsFirst = await orderByReferences(session, items);
  await session.run(`begin; set local lock_timeout = '${lockWaitMs}'`);
  try {
    for (const item of items) await session.run(`lock table only ${qualified(item)} in share row exclusive mode`);
    for (const statement of options.before ?? []) await session.run(statement);
    if (options.keepIn !== undefined)
      for (const item of items)
        await session.run(
          `create table ${stagedName(options.keepIn, item)} as
             select ${listOf(item.columns)} from only ${qualified(item)} l where ${scopeOf(item, 'l')}`,
        );
    for (const item of [...parentsFirst].reverse()) await session.run(deleteOthers(item, options.from));
    for (const item of parentsFirst) await session.run(insertMissing(item, options.from));
    for (const statement of options.finally) await session.run(statement);
    await session.run('commit');
  } catch (err) {
    await session.run('rollback').catch(() => undefined);
    throw err;
  }
}

/** As text, since not every type knows whether two of its values are equal. */
const alike = (item: Item): string =>
  `(${listOf(item.key, 's')}) = (${listOf(item.key, 'l')}) and row(${listOf(item.columns, 's')})::text = row(${listOf(item.columns, 'l')})::text`;

const deleteOthers = (item: Item, from: string): string =>
  `delete from only ${qualified(item)} l where ${scopeOf(item, 'l')}${
    item.key.length === 0 ? '' : ` and not exists (select from ${stagedName(from, item)} s where ${alike(item)})`
  }`;

const insertMissing = (item: Item, from: string): string =>
  `insert into ${qualified(item)} (${listOf(item.columns)}) overriding system value
     select ${listOf(item.columns, 's')} from ${stagedName(from, item)} s${
       item.key.length === 0
         ? ''
         : ` where not exists (select from only ${qualified(item)} l
               where (${listOf(item.key, 's')}) = (${listOf(item.key, 'l')}) and ${scopeOf(item, 'l')})`
     }`;

/** Rows of the live table that are not the staged ones, in either direction. */
export async function countUnlike(session: PostgresSession, places: Places, item: Item): Promise<number> {
  const staged = stagedName(places.stagingSchema, item);
  const [row] = await session.rows<{ rows: string }>(
    item.key.length === 0
      ? `select abs((select count(*) from ${staged}) - (select count(*) from only ${qualified(item)} l where ${scopeOf(item, 'l')}))::text as rows`
      : `select ((select count(*) from ${staged} s
                   where not exists (select from only ${qualified(item)} l where ${scopeOf(item, 'l')} and ${alike(item)}))
               + (select count(*) from only ${qualified(item)} l
                   where ${scopeOf(item, 'l')} and not exists (select from ${staged} s where ${alike(item)})))::text as rows`,
  );
  return Number(row?.rows ?? 0);
}

/** A table that is referred to comes before those that refer to it. */
async function orderByReferences(session: PostgresSession, items: readonly Item[]): Promise<Item[]> {
  const rows = await session.rows<{ child: string; parent: string }>(
    `select conrelid::regclass::oid::text as child, confrelid::regclass::oid::text as parent from pg_constraint
      where contype = 'f' and conrelid <> confrelid`,
  );
  const oids = new Map<string, Item>();
  for (const item of items) {
    const [row] = await session.rows<{ oid: string }>('select $1::regclass::oid::text as oid', [qualified(item)]);
    if (row) oids.set(row.oid, item);
  }
  const ordered: Item[] = [];
  const visit = (oid: string, path: readonly string[]): void => {
    const item = oids.get(oid);
    if (!item || ordered.includes(item) || path.includes(oid)) return;
    for (const { child, parent } of rows) if (child === oid) visit(parent, [...path, oid]);
    ordered.push(item);
  };
  for (const oid of oids.keys()) visit(oid, []);
  return ordered;
}

/** Sequences of columns go on behind the greatest value that is there. */
export async function sequenceStatements(session: PostgresSession, items: readonly Item[]): Promise<string[]> {
  const statements: string[] = [];
  for (const item of items) {
    const rows = await session.rows<{ sequence: string; column: string }>(
      `select pg_get_serial_sequence($1, a.attname) as sequence, a.attname as column from pg_attribute a
        where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
          and pg_get_serial_sequence($1, a.attname) is not null`,
      [qualified(item)],
    );
    for (const { sequence, column } of rows)
      statements.push(
        `select setval(${literal(sequence)}, greatest((select last_value from ${sequence}), (select max(${identifier(column)}) from ${qualified(item)})))`,
      );
  }
  return statements;
}

/** The former rows with what is needed to put them back: the list of tables, and what had to be made. */
export const keepingSchema = (places: Places): string[] => [
  `create schema ${identifier(places.formerSchema)}`,
  `create table ${identifier(places.formerSchema)}.item as table ${identifier(places.stagingSchema)}.item`,
  `create table ${identifier(places.formerSchema)}.made as table ${identifier(places.stagingSchema)}.made`,
  markSchema(places.formerSchema, places.mark('committed')),
];

/** Takes the schemas away, and what was made. */
export async function dropTraces(
  session: PostgresSession,
  places: Places,
  from: 'stagingSchema' | 'formerSchema',
): Promise<string[]> {
  const [has] = await session.rows<{ there: boolean }>('select to_regclass($1) is not null as there', [
    qualified({ schema: places[from], name: 'made' }),
  ]);
  const made = has?.there ? await readMade(session, places[from]) : [];
  return [
    ...made.map((one) =>
      one.kind === 'table'
        ? `drop table if exists ${qualified(one)}`
        : `select ag_catalog.drop_graph(${literal(one.name)}, true)`,
    ),
    ...dropSchemas([places.stagingSchema, places.formerSchema]),
  ];
}

export const dropSchemas = (names: readonly string[]): string[] =>
  names.map((name) => `drop schema if exists ${identifier(name)} cascade`);
