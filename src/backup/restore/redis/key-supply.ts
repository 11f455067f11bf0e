import { createReadStream } from 'node:fs';
import type { Redis } from 'ioredis';
import { AppError, describeError, isAppError } from '../../../platform/errors.ts';
import { type CarriedKey, carryKeys, readKeyLines } from '../../sources/redis/key-lines.ts';
import { scanKeys } from '../../sources/redis/redis-connection.ts';
import type { KeyScope } from './restore-scope.ts';

/** A key on its way: as it is called in the point, and where it goes to. */
export type SuppliedKey = CarriedKey & { readonly name: Buffer };

/** What of the lines belongs to the scope. @throws AppError `restore/digest-mismatch` when they are not what they should be */
export async function* supplyFromLines(file: string, scope: KeyScope): AsyncGenerator<SuppliedKey[]> {
  try {
    for await (const batch of readKeyLines(createReadStream(file))) {
      const wanted = batch.flatMap((one) => withName(one, scope));
      if (wanted.length > 0) yield wanted;
    }
  } catch (err) {
    if (isAppError(err)) throw err;
    throw new AppError('restore/digest-mismatch', `The captured keys cannot be read: ${describeError(err)}.`, {
      cause: err,
    });
  }
}

/** What of a server belongs to the scope. Nobody else writes to it, so a key that comes twice is the same twice. */
export async function* supplyFromServer(
  redis: Redis,
  scope: KeyScope,
  now: () => number,
  signal: AbortSignal,
): AsyncGenerator<SuppliedKey[]> {
  const seen = new Set<string>();
  for await (const keys of scanKeys(redis, signal)) {
    const wanted = keys.filter((key) => {
      const name = key.toString('latin1');
      if (seen.has(name) || scope.nameOf(key) === undefined) return false;
      seen.add(name);
      return true;
    });
    const carried = await carryKeys(redis, wanted, now);
    if (carried.length > 0) yield carried.flatMap((one) => withName(one, scope));
  }
}

function withName(one: CarriedKey, scope: KeyScope): SuppliedKey[] {
  const name = scope.nameOf(one.key);
  return name === undefined ? [] : [{ ...one, name }];
}
