import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../platform/errors.ts';
import { flush } from './durable.ts';
import type { OpenQuarantine, QuarantineKind } from './quarantine.ts';
import type { CleanupDatabase, SqlSession } from './strategies/database-sessions-store.ts';

const rowsAtOnce = 500;

/** A name of the catalogue, quoted. */
const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const tableName = (schema: string | undefined, table: string): string =>
  schema === undefined ? identifier(table) : `${identifier(schema)}.${identifier(table)}`;

/**
 * Takes rows of one table of the backend: each batch is written into the quarantine, then deleted where it still is what was
 * copied. `where` and its parameters say which; ids are read anew for each batch.
 * @returns how many went, and their size as text
 */
export async function takeRows(options: {
  session: SqlSession;
  /** Unless told, where the session's search path finds the table. */
  schema?: string;
  table: string;
  /** Of the primary key, besides `workspace`. */
  idColumn: string;
  where: string;
  parameters: readonly unknown[];
  what: string;
  targetId: string;
  quarantine: OpenQuarantine;
  signal: AbortSignal;
  /** Of the files of this run. */
  nextFile(): number;
}): Promise<{ rows: number; bytes: number }> {
  const { session, quarantine, signal } = options;
  const table = tableName(options.schema, options.table);
  const id = identifier(options.idColumn);
  let rows = 0;
  let bytes = 0;
  let after = '';
  while (!signal.aborted) {
    const position = `$${options.parameters.length + 1}`;
    const found = await session.rows<{ id: string; workspace: string; line: string }>(
      `select ${id}::text as id, workspace, row_to_json(t)::text as line from ${table} t
       where (${options.where}) and ${id}::text > ${position} order by ${id}::text limit ${rowsAtOnce}`,
      [...options.parameters, after],
    );
    const last = found.at(-1);
    if (!last) break;
    after = last.id;
    const file = `rows-${options.nextFile()}.jsonl`;
    await quarantine.prepare();
    await writeLines(
      join(quarantine.folder, file),
      found.map(({ line }) => line),
    );
    await flush(quarantine.folder);
    const size = found.reduce((sum, { line }) => sum + Buffer.byteLength(line), 0);
    const entries = await quarantine.announce([
      {
        ...{ kind: 'rows', what: `${found.length} rows of ${options.what}`, bytes: size },
        data: {
          ...{ target: options.targetId, table: options.table, rows: found.length },
          ...(options.schema === undefined ? {} : { schema: options.schema }),
          file: join(quarantine.folder, file),
        },
      },
    ]);
    // Only what is still as it was copied: a row that was written meanwhile differs in its text, and stays.
    const gone = await session.rows(
      `delete from ${table} t using unnest($1::text[], $2::text[], $3::text[]) as c(id, workspace, line)
       where t.${id}::text = c.id and t.workspace = c.workspace and row_to_json(t)::text = c.line returning 1`,
      [found.map((one) => one.id), found.map((one) => one.workspace), found.map(({ line }) => line)],
    );
    await quarantine.settle(entries);
    rows += gone.length;
    bytes += size;
  }
  return { rows, bytes };
}

async function writeLines(path: string, lines: readonly string[]): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.write(`${lines.join('\n')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Rows come back as they were; one that is there again stays as it is there. */
export function createRowQuarantine(databaseOf: () => CleanupDatabase | undefined): QuarantineKind {
  return {
    name: 'rows',
    async restore({ data, what }, signal) {
      const database = databaseOf();
      if (!database || database.targetId !== data.target)
        throw new AppError('feature/disabled', `The database of ${what} is not named any more.`);
      const lines = (await readFile(String(data.file), 'utf8')).split('\n').filter((line) => line !== '');
      const table = tableName(data.schema === undefined ? undefined : String(data.schema), String(data.table));
      const session = await database.open(signal);
      try {
        // A generated column takes no value, it makes its own.
        const columns = (
          await session.rows<{ name: string }>(
            `select attname::text as name from pg_attribute
             where attrelid = to_regclass($1) and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
            [table],
          )
        ).map(({ name }) => identifier(name));
        if (columns.length === 0) throw new AppError('conflict/state', `The table of ${what} is not there any more.`);
        // One statement: all of them come back or none.
        await session.rows(
          `insert into ${table} (${columns.join(', ')}) select ${columns.map((name) => `r.${name}`).join(', ')}
           from unnest($1::text[]) as line cross join lateral json_populate_record(null::${table}, line::json) r
           on conflict do nothing`,
          [lines],
        );
      } finally {
        await session.close();
      }
    },
    purge: async () => undefined,
    wasTaken: async () => true,
  };
}
