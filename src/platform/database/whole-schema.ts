import { DatabaseSync } from 'node:sqlite';

/** What makes an empty SQLite file at once into what all steps, one after the other, would have made of it. */
export type WholeSchema = { readonly steps: readonly string[]; readonly script: string };

/**
 * Reads it from a file that every step was run on, and nothing else.
 * @throws Error when a step wrote rows, which a schema does not hold
 */
export function readWholeSchema(path: string): WholeSchema {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const made = database
      .prepare(`select type, name, sql from sqlite_master where name not like 'sqlite\\_%' escape '\\' order by rowid`)
      .all();
    const steps: string[] = [];
    for (const { type, name } of made) {
      if (type !== 'table') continue;
      const rows = database.prepare(`select * from "${String(name)}"`).all();
      if (name === 'kysely_migration') steps.push(...rows.map((row) => String(row.name)));
      else if (rows.length > 0 && name !== 'kysely_migration_lock')
        throw new Error(`A step wrote rows into ${String(name)}, which are not part of a schema.`);
    }
    // As the migrator writes them: it goes on from here.
    const noted = steps.map((step) => `('${step}', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`);
    return {
      steps,
      script: [
        ...made.flatMap(({ sql }) => (sql === null ? [] : [String(sql)])),
        `insert into kysely_migration (name, timestamp) values ${noted.join(', ')}`,
        `insert into kysely_migration_lock (id, is_locked) values ('migration_lock', 0)`,
      ].join(';\n'),
    };
  } finally {
    database.close();
  }
}
