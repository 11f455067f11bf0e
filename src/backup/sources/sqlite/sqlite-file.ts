import { Worker } from 'node:worker_threads';
import { AppError } from '../../../platform/errors.ts';
import { workerUrl } from '../../../platform/workers.ts';

/** What the thread is asked for. */
export type SqliteRequest =
  | { readonly act: 'copy'; readonly from: string; readonly to: string }
  | { readonly act: 'look'; readonly file: string };

/** What stands in a database file. `problems` are the lines of its integrity check; empty: it is sound. */
export type SqliteLook = {
  readonly problems: readonly string[];
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>;
  readonly version: string;
};

export type SqliteAnswer = { readonly look: SqliteLook } | { readonly error: string };

/**
 * Reads a database file in a thread of its own: a check reads every page, and SQLite holds whoever calls it meanwhile.
 * `copy` makes one copy as of one moment, whoever writes, and looks at it; nothing of the original is changed.
 * @throws AppError with `code`; the signal's reason
 */
export async function askSqlite(
  request: SqliteRequest,
  options: { readonly code: 'backup/capture-failed' | 'restore/digest-mismatch'; readonly signal: AbortSignal },
): Promise<SqliteLook> {
  const { signal, code } = options;
  signal.throwIfAborted();
  const worker = new Worker(workerUrl('sqlite-file'), { workerData: request, name: 'sqlite', env: {} });
  const onAbort = (): void => void worker.terminate();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const answer = await new Promise<SqliteAnswer>((resolve, reject) => {
      worker.once('message', (message: SqliteAnswer) => resolve(message));
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('its thread ended without an answer')));
    });
    if ('look' in answer) return answer.look;
    const file = request.act === 'copy' ? request.from : request.file;
    throw new AppError(code, `${file} cannot be read as an SQLite database: ${answer.error}.`);
  } catch (err) {
    signal.throwIfAborted();
    throw err;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}
