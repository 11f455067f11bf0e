import { AppError, storageError } from '../errors.ts';

/** What SQLite says about the disk and about locks, in the words of the catalogue; everything else passes through. */
export function asStorageError(err: unknown, name: string): unknown {
  if (typeof err !== 'object' || err === null || !('errcode' in err) || typeof err.errcode !== 'number')
    return storageError(err, `writing the ${name} database`);
  const primary = err.errcode & 0xff;
  if (primary === 13)
    return new AppError('storage/full', `The disk of the ${name} database is full. Nothing was changed.`, {
      cause: err,
    });
  if (primary === 5 || primary === 8 || primary === 10 || primary === 14)
    return new AppError('storage/unavailable', `The ${name} database cannot be written just now.`, { cause: err });
  return err;
}
