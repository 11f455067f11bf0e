import { chmodSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { AppError } from '../errors.ts';
import type { Logger } from '../logging.ts';
import type { OpenDatabase } from './database.ts';
import { NodeSqliteDialect } from './sqlite-dialect.ts';
import { asStorageError } from './storage-error.ts';
import { createUnits, type Group, type Unit } from './units.ts';
import { tryWhileLocked } from './while-locked.ts';

/** Moved at once when free space is given back: half a MiB. */
const shrinkPages = 64;
/** What `pragma auto_vacuum` says where it is incremental. */
const incrementalVacuum = 2;

function openBoth(
  { name, path, synchronous }: { name: string; path: string; synchronous: 'FULL' | 'NORMAL' },
  timeout: number,
): { write: DatabaseSync; read: DatabaseSync } {
  let write: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(path, { timeout });
    write = opened;
    // The files that SQLite makes beside it inherit its mode.
    chmodSync(path, 0o600);
    tryWhileLocked(timeout, () => {
      // Setting this writes even where it is set: whoever opens beside a busy writer could wait for his lock in vain.
      if (opened.prepare('pragma auto_vacuum').get()?.auto_vacuum !== incrementalVacuum)
        opened.exec('pragma page_size = 8192; pragma auto_vacuum = incremental;');
      opened.exec(
        `pragma journal_mode = wal; pragma synchronous = ${synchronous};
       pragma foreign_keys = on; pragma temp_store = memory;`,
      );
    });
    return { write: opened, read: new DatabaseSync(path, { readOnly: true, timeout }) };
  } catch (err) {
    write?.close();
    throw asStorageError(err, name);
  }
}

/**
 * One SQLite file in WAL mode: one writing connection whose units share commits, one read-only connection beside it.
 * Writes run on the calling thread: measured with group commit, event-loop delay p99 stays within what the API needs.
 * @param synchronous `FULL` syncs each commit; `NORMAL` may lose the last commits on power loss, never the file
 * @param lockTimeoutMs how long a write waits, with the thread, for another process that writes; 5 s by default
 * @see docs/decisions/0005-database.md
 */
export function openSqlite(options: {
  name: string;
  path: string;
  synchronous: 'FULL' | 'NORMAL';
  log: Logger;
  lockTimeoutMs?: number;
}): OpenDatabase {
  const { name, log, lockTimeoutMs: timeout = 5_000 } = options;
  const { write, read } = openBoth(options, timeout);
  // Of the connection that never writes itself: its number changes with every commit of any other.
  const dataVersion = read.prepare('pragma data_version');
  let grouping = false;
  const writer = new Kysely<unknown>({
    dialect: new NodeSqliteDialect(write, () => {
      // A full disk makes SQLite roll the whole transaction back by itself. A unit that went on would write outside of it.
      if (grouping && !write.isTransaction) throw lostGroup(name);
    }),
  });
  const reader = new Kysely<unknown>({ dialect: new NodeSqliteDialect(read) });

  const [savepoint, release] = [write.prepare('savepoint unit'), write.prepare('release unit')];
  const runUnit = async (unit: Unit): Promise<void> => {
    savepoint.run();
    try {
      await unit.run(writer);
      if (!write.isTransaction) throw lostGroup(name);
      release.run();
      unit.accept();
    } catch (err) {
      if (write.isTransaction) write.exec('rollback to unit; release unit');
      unit.reject(asStorageError(err, name));
    }
  };

  const runGroup = async (group: Group): Promise<void> => {
    try {
      write.exec('begin immediate');
      grouping = true;
    } catch (err) {
      group.next()?.reject(asStorageError(err, name));
      return;
    }
    for (let unit = group.next(); unit; unit = group.next()) {
      await runUnit(unit);
      // A full disk makes SQLite roll the whole transaction back by itself: then nothing of this group stands.
      if (!write.isTransaction) {
        grouping = false;
        group.failed(lostGroup(name));
        return;
      }
    }
    grouping = false;
    try {
      write.exec('commit');
    } catch (err) {
      if (write.isTransaction) write.exec('rollback');
      group.failed(asStorageError(err, name));
      return;
    }
    group.committed();
  };
  const units = createUnits({ name, log, runGroup });
  let closed = false;

  return {
    name,
    writer,
    reader: <Tables>() => reader as unknown as Kysely<Tables>,
    unit: units.unit,
    runOnEmpty: (script) =>
      tryWhileLocked(timeout, () => {
        write.exec('begin immediate');
        try {
          const isEmpty = write.prepare('select 1 from sqlite_master').get() === undefined;
          if (isEmpty) write.exec(script);
          write.exec('commit');
          return isEmpty;
        } catch (err) {
          if (write.isTransaction) write.exec('rollback');
          throw err;
        }
      }),
    version: () => Number(dataVersion.get()?.data_version),
    async shrink() {
      // Pages move through the log, so a large step needs as much space as it frees: on a full disk only small ones succeed.
      let left = Number.POSITIVE_INFINITY;
      while (!closed) {
        // Between two commits: inside one it would wait for itself.
        await units.unit(async () => undefined);
        if (write.isTransaction) continue;
        write.exec('pragma wal_checkpoint(truncate)');
        const free = Number(write.prepare('pragma freelist_count').get()?.freelist_count ?? 0);
        // A reader elsewhere can hold pages back; the next time they go.
        if (free === 0 || free >= left) return;
        left = free;
        write.exec(`pragma incremental_vacuum(${shrinkPages}); pragma wal_checkpoint(truncate);`);
      }
    },
    async copyTo(target) {
      await backup(read, target);
    },
    async close() {
      if (closed) return;
      closed = true;
      await units.close();
      read.close();
      try {
        write.exec('pragma optimize');
      } catch (err) {
        // It only helps later queries; somebody else is writing just now.
        log.debug({ err, database: name }, 'the statistics of the database were not renewed');
      }
      write.close();
    },
  };
}

const lostGroup = (name: string): AppError =>
  new AppError('storage/full', `The ${name} database could not be written. Nothing was changed.`);
