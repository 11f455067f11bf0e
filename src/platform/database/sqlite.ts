import { AsyncLocalStorage } from 'node:async_hooks';
import { chmodSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { AppError } from '../errors.ts';
import type { Logger } from '../logging.ts';
import type { Database, Tx } from './database.ts';
import { NodeSqliteDialect } from './sqlite-dialect.ts';
import { asStorageError } from './storage-error.ts';
import { tryWhileLocked } from './while-locked.ts';

/** Greatest number of units and greatest time that one commit gathers. */
const groupUnits = 256;
const groupMs = 20;

type Waiting = {
  readonly work: (tx: Tx) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (err: unknown) => void;
};

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
}): Database & { readonly writer: Kysely<unknown> } {
  const { name, path, log, lockTimeoutMs: timeout = 5_000 } = options;
  const write = new DatabaseSync(path, { timeout });
  // The files that SQLite makes beside it inherit its mode.
  chmodSync(path, 0o600);
  tryWhileLocked(timeout, () =>
    write.exec(
      `pragma page_size = 8192; pragma auto_vacuum = incremental; pragma journal_mode = wal;
       pragma synchronous = ${options.synchronous}; pragma foreign_keys = on; pragma temp_store = memory;`,
    ),
  );
  const read = new DatabaseSync(path, { readOnly: true, timeout });
  let grouping = false;
  const writer = new Kysely<unknown>({
    dialect: new NodeSqliteDialect(write, () => {
      // A full disk makes SQLite roll the whole transaction back by itself. A unit that went on would write outside of it.
      if (grouping && !write.isTransaction) throw lostGroup(name);
    }),
  });
  const reader = new Kysely<unknown>({ dialect: new NodeSqliteDialect(read) });

  const queue: Waiting[] = [];
  const insideUnit = new AsyncLocalStorage<{ open: boolean }>();
  let pumping: Promise<void> | undefined;
  let closed = false;

  const runOne = async (waiting: Waiting, hooks: (() => void)[]): Promise<unknown> => {
    const own: (() => void)[] = [];
    const scope = { open: true };
    const tx: Tx = {
      as<Tables>() {
        if (!scope.open) throw new Error('a unit of work was used after its end');
        // The store that asks declares its own slice's tables; nothing here could check them.
        return writer as unknown as Kysely<Tables>;
      },
      afterCommit: (then) => own.push(then),
    };
    write.exec('savepoint unit');
    try {
      const result = await insideUnit
        .run(scope, async () => waiting.work(tx))
        .finally(() => {
          scope.open = false;
        });
      if (!write.isTransaction) throw lostGroup(name);
      write.exec('release unit');
      hooks.push(...own);
      return result;
    } catch (err) {
      if (write.isTransaction) write.exec('rollback to unit; release unit');
      throw err;
    }
  };

  const commitGroup = async (): Promise<void> => {
    const done: { waiting: Waiting; result: unknown }[] = [];
    const hooks: (() => void)[] = [];
    try {
      write.exec('begin immediate');
      grouping = true;
    } catch (err) {
      queue.shift()?.reject(asStorageError(err, name));
      return;
    }
    const startedAt = performance.now();
    while (queue.length > 0 && done.length < groupUnits && performance.now() - startedAt < groupMs) {
      const waiting = queue.shift();
      if (!waiting) break;
      try {
        done.push({ waiting, result: await runOne(waiting, hooks) });
      } catch (err) {
        waiting.reject(asStorageError(err, name));
      }
      // A full disk makes SQLite roll the whole transaction back by itself: then nothing of this group stands.
      if (!write.isTransaction) {
        grouping = false;
        for (const { waiting: gone } of done) gone.reject(lostGroup(name));
        return;
      }
    }
    grouping = false;
    try {
      write.exec('commit');
    } catch (err) {
      if (write.isTransaction) write.exec('rollback');
      for (const { waiting } of done) waiting.reject(asStorageError(err, name));
      return;
    }
    for (const hook of hooks) {
      try {
        hook();
      } catch (err) {
        log.error({ err, database: name }, 'an after-commit hook failed');
      }
    }
    for (const { waiting, result } of done) waiting.resolve(result);
  };

  const pump = async (): Promise<void> => {
    while (queue.length > 0) await commitGroup();
    pumping = undefined;
  };

  return {
    name,
    writer,
    reader: <Tables>() => reader as unknown as Kysely<Tables>,
    unit<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
      if (insideUnit.getStore()?.open)
        return Promise.reject(new Error('a unit of work was started inside another one'));
      if (closed) return Promise.reject(new AppError('internal/stopping', 'ragwarden is stopping.'));
      return new Promise<Result>((resolve, reject) => {
        // Each waiting unit resolves with what its own `work` returned.
        queue.push({ work, resolve: (value) => resolve(value as Result), reject });
        pumping ??= Promise.resolve().then(pump);
      });
    },
    async copyTo(target) {
      await backup(read, target);
    },
    async close() {
      if (closed) return;
      closed = true;
      await pumping;
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
