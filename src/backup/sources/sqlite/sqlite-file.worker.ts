/** Reading of database files, in a thread of its own: one request in, one answer out. */
import { backup, DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { describeError } from '../../../platform/errors.ts';
import type { SqliteAnswer, SqliteLook, SqliteRequest } from './sqlite-file.ts';

// The other side is `sqlite-file.ts` and nobody else.
const request = workerData as SqliteRequest;

/** All at once, so that it is of one moment and no writer makes it begin anew. */
const allPages = 0x7fff_ffff;
const busyMs = 10_000;
const mostProblems = 20;

async function copy(from: string, to: string): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: busyMs });
  try {
    await backup(source, to, { rate: allPages });
  } finally {
    source.close();
  }
  // One file, whatever the original writes beside itself.
  const copied = new DatabaseSync(to);
  try {
    copied.exec('pragma journal_mode = delete');
  } finally {
    copied.close();
  }
}

/** SQLITE_CORRUPT: some damage ends the check itself. */
const isCorrupt = (err: unknown): boolean =>
  typeof err === 'object' && err !== null && 'errcode' in err && (Number(err.errcode) & 0xff) === 11;

function findProblems(database: DatabaseSync): string[] {
  try {
    return database
      .prepare(`pragma integrity_check(${mostProblems})`)
      .all()
      .map((row) => String(Object.values(row)[0]))
      .filter((line) => line !== 'ok');
  } catch (err) {
    if (!isCorrupt(err)) throw err;
    return [describeError(err)];
  }
}

function look(file: string): SqliteLook {
  // Nobody writes to it, and nothing is to appear beside it.
  const url = pathToFileURL(file);
  url.searchParams.set('immutable', '1');
  const database = new DatabaseSync(url, { readOnly: true });
  try {
    const problems = findProblems(database);
    const names =
      problems.length > 0 ? [] : database.prepare(`select name from sqlite_master where type = 'table'`).all();
    const tables: Record<string, number> = {};
    for (const { name } of names) {
      const quoted = `"${String(name).replaceAll('"', '""')}"`;
      try {
        tables[String(name)] = Number(database.prepare(`select count(*) as n from ${quoted}`).get()?.n);
      } catch {
        // A table of an extension that is not here; the check has read its pages.
      }
    }
    return { problems, tables, version: String(database.prepare('select sqlite_version() as v').get()?.v) };
  } finally {
    database.close();
  }
}

const answer = (message: SqliteAnswer): void => parentPort?.postMessage(message);
try {
  if (request.act === 'copy') await copy(request.from, request.to);
  answer({ look: look(request.act === 'copy' ? request.to : request.file) });
} catch (err) {
  answer({ error: describeError(err) });
}
