import { AppError, describeError, storageError, systemCode } from '../errors.ts';

/** What the database says about disk, locks and connection, in the words of the catalogue; everything else passes through. */
export function asStorageError(err: unknown, name: string): unknown {
  if (typeof err !== 'object' || err === null || err instanceof AppError) return err;
  if ('errcode' in err && typeof err.errcode === 'number') return ofSqlite(err, err.errcode & 0xff, name);
  if (err instanceof LostConnection)
    return new AppError('storage/unavailable', `The ${name} database does not answer. Nothing was changed.`, {
      cause: err,
      retryAfterSeconds: 5,
    });
  const state = sqlState(err);
  if (state !== undefined) return ofPostgres(err, state, name);
  return storageError(err, `writing the ${name} database`);
}

function ofSqlite(err: unknown, primary: number, name: string): unknown {
  if (primary === 13)
    return new AppError('storage/full', `The disk of the ${name} database is full. Nothing was changed.`, {
      cause: err,
    });
  if (primary === 5 || primary === 8 || primary === 10 || primary === 14)
    return new AppError('storage/unavailable', `The ${name} database cannot be written just now.`, { cause: err });
  // SQLITE_CORRUPT and SQLITE_NOTADB: not for a retry, and nothing that a program could mend without a loss.
  if (primary === 11 || primary === 26)
    return new AppError(
      'storage/damaged',
      `The file of the ${name} database is damaged (${describeError(err)}). Keep it, and begin without it: docs/runbooks/state-damaged.md says how.`,
      { cause: err },
    );
  return err;
}

/** @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
function ofPostgres(err: unknown, state: string, name: string): unknown {
  const unavailable = (what: string): AppError =>
    new AppError('storage/unavailable', `The ${name} database ${what}. Nothing was changed.`, {
      cause: err,
      retryAfterSeconds: 5,
    });
  if (state === '53100')
    return new AppError('storage/full', `The disk of the ${name} database is full. Nothing was changed.`, {
      cause: err,
    });
  if (state === '25006') return unavailable('only takes reads just now (a standby?)');
  if (state === '55P03') return unavailable('is held by another process');
  if (state === '57014') return unavailable('took too long to answer');
  if (state === '40001' || state === '40P01') return unavailable('is busy with something that stands in the way');
  if (state === '53300') return unavailable('takes no more connections');
  if (state.startsWith('28') || state === '3D000') return unavailable('does not let ragwarden in any more');
  if (endsConnection(state)) return unavailable('does not answer');
  return err;
}

/** The connection to the server is gone; the statement under way may or may not have been carried out. */
export class LostConnection extends Error {
  override readonly name = 'LostConnection';
}

/** SQLSTATE of what PostgreSQL answered; a code of five capitals and digits, unlike `EPIPE`, comes with a severity. */
export function sqlState(err: unknown): string | undefined {
  if (typeof err !== 'object' || err === null || !('severity' in err)) return undefined;
  return systemCode(err);
}

/** After these the server has closed, or will close, the connection: class 08, shutdown, crash, start-up, idle in transaction. */
export const endsConnection = (state: string): boolean =>
  state.startsWith('08') || state.startsWith('57P0') || state === '25P03' || state === '53300';

/** The statement was the victim of a conflict and may be tried again. */
export const isConflict = (err: unknown): boolean => {
  const state = sqlState(err);
  return state === '40001' || state === '40P01';
};
