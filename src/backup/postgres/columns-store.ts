import type { PostgresSession } from './connection.ts';

export type TableShape = {
  /** Those that can be written, in the table's order. */
  readonly columns: readonly string[];
  /** Empty without a primary key. */
  readonly primaryKey: readonly string[];
};

/** Undefined: there is no such table. */
export async function readShape(
  session: Pick<PostgresSession, 'rows'>,
  table: { readonly schema: string; readonly name: string },
): Promise<TableShape | undefined> {
  const [row] = await session.rows<{ columns: string[]; key: string[] }>(
    `select array(select a.attname::text from pg_attribute a
                   where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum)
              as columns,
            array(select a.attname::text from pg_index i cross join unnest(i.indkey::int[]) with ordinality k(attnum, place)
                    join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
                   where i.indrelid = c.oid and i.indisprimary order by k.place) as key
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')`,
    [table.schema, table.name],
  );
  return row && { columns: row.columns, primaryKey: row.key };
}
