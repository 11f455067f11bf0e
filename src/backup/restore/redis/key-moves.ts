import type { Redis } from 'ioredis';
import { type MarkerState, markerKey } from './restore-marker.ts';

export type KeyMove =
  | { readonly by: 'rename'; readonly from: Buffer; readonly to: Buffer }
  | { readonly by: 'remove'; readonly key: Buffer }
  | { readonly by: 'mark'; readonly state: MarkerState };

/** Whoever else uses the server waits for one transaction: this many moves take it some tens of milliseconds. */
export const movesAtOnce = 20_000;

/**
 * Carries moves out in their order, in as few transactions as that allows: a kill in between leaves a beginning of the list
 * and a mark that says how far it came.
 */
export async function carryOut(
  redis: Redis,
  operationId: string,
  moves: readonly KeyMove[],
  atOnce: number,
  between: () => Promise<void>,
): Promise<void> {
  for (let from = 0; from < moves.length; from += atOnce) {
    if (from > 0) await between();
    const transaction = redis.multi();
    for (const move of moves.slice(from, from + atOnce))
      if (move.by === 'rename') transaction.rename(move.from, move.to);
      else if (move.by === 'remove') transaction.unlink(move.key);
      else transaction.hset(markerKey(operationId), 'state', move.state);
    // It had an end of its own, and that came.
    for (const [failure] of (await transaction.exec()) ?? [])
      if (failure && !/no such key/.test(failure.message)) throw failure;
  }
}

/** Takes keys away in small steps. */
export async function removeKeys(redis: Redis, keys: readonly Buffer[]): Promise<void> {
  for (let from = 0; from < keys.length; from += 1_000) await redis.unlink(...keys.slice(from, from + 1_000));
}
