import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export type StateWatch = {
  /** Waits until no work is under way, and takes what is there now as known. */
  settle(): Promise<void>;
  /** What differs from what was known, table by table; then that is known. Empty: nothing changed. */
  changes(): string[];
  close(): void;
};

/** Written by the passing of time, not by requests. */
const ofTime = new Set(['lease', 'kysely_migration', 'kysely_migration_lock']);

/** Refused attempts are told, and who reads what; nothing else may come of them. */
const toldAccess = (table: string, row: string): boolean =>
  (table === 'audit_entry' &&
    /"access\.(throttle|login|refused)".*"refused"|"(access\.read|system\.bundle)".*"done"/.test(row)) ||
  (table === 'event' && row.includes('"access.throttled"'));

/** Looks into the database and the protected folder beside the running warden, read-only. */
export function watchState(dataDir: string): StateWatch {
  const db = new DatabaseSync(join(dataDir, 'state.sqlite'), { readOnly: true });
  const tables = db
    .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name")
    .all()
    .map(({ name }) => String(name))
    .filter((name) => !ofTime.has(name));
  const versionOf = db.prepare('pragma data_version');
  const running = db.prepare("select count(*) as n from operation where state in ('running', 'cancelling')");
  const rowsOf = tables.map((table) => ({ table, rows: db.prepare(`select * from "${table}"`) }));
  const folder = join(dataDir, 'sample', 'rag_storage');

  let version: unknown;
  let known = new Map<string, Set<string>>();
  const read = (): Map<string, Set<string>> => {
    const found = new Map<string, Set<string>>();
    for (const { table, rows } of rowsOf)
      found.set(
        table,
        new Set(
          rows
            .all()
            // When a token was last used is written down now and then, whatever came of it.
            .map((row) => JSON.stringify({ ...row, last_used_ms: undefined }))
            .filter((row) => !toldAccess(table, row)),
        ),
      );
    return found;
  };
  const listed = (): string => {
    const found: string[] = [];
    if (existsSync(folder))
      for (const name of readdirSync(folder, { recursive: true }).map(String).sort()) {
        const { size, mtimeMs } = statSync(join(folder, name));
        found.push(`${name}\0${size}\0${mtimeMs}`);
      }
    return found.join('\n');
  };
  let files = '';

  return {
    async settle() {
      const deadline = Date.now() + 180_000;
      while (Number(running.get()?.n) > 0) {
        if (Date.now() > deadline) throw new Error('an operation did not end within three minutes');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      version = versionOf.get()?.data_version;
      known = read();
      files = listed();
    },
    changes() {
      const differences: string[] = [];
      const filesNow = listed();
      if (filesNow !== files) differences.push('the files of the backend');
      files = filesNow;
      const now = versionOf.get()?.data_version;
      if (now === version) return differences;
      version = now;
      const rows = read();
      for (const [table, after] of rows) {
        const before = known.get(table) ?? new Set();
        for (const row of after) if (!before.has(row)) differences.push(`${table}: now ${row.slice(0, 300)}`);
        for (const row of before) if (!after.has(row)) differences.push(`${table}: no longer ${row.slice(0, 300)}`);
      }
      known = rows;
      return differences;
    },
    close: () => db.close(),
  };
}
