import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import type { Clock } from '../../../platform/clock.ts';
import { AppError, describeError, isAppError } from '../../../platform/errors.ts';
import { isOwnKey } from '../../sources/redis/lightrag-keys.ts';
import { listKeys, openRedis, savesByItself } from '../../sources/redis/redis-connection.ts';
import { type RedisDetails, redisDetails } from '../../sources/redis/redis-details.ts';
import { placeInWords, readRedisUrl } from '../../sources/redis/redis-place.ts';
import type { Restorer, RestorerRequest, RestorerState } from '../restorer.ts';
import { createContentDigest } from './key-digest.ts';
import { carryOut, type KeyMove, movesAtOnce, removeKeys } from './key-moves.ts';
import type { OpenedRestore } from './opened-restore.ts';
import { planRedis } from './plan-redis.ts';
import { rehearseRedis } from './rehearse-redis.ts';
import {
  beforePrefix,
  keysUnder,
  type MarkerState,
  markerKey,
  readMarker,
  stagedPrefix,
  under,
} from './restore-marker.ts';
import { asideProblem, decideScope } from './restore-scope.ts';
import { removeLeftovers, stageKeys } from './stage-keys.ts';

export type RedisRestorerOptions = {
  /** Holds a secret. */
  readonly url: string;
  /** The workspace that the target serves, as its keys name it. */
  readonly workspace: string;
  /** A workspace of the target as its keys name it. */
  named(workspace: string): string;
  readonly children: ChildProcesses;
  readonly clock: Clock;
  /** Moves in one transaction. */
  readonly movesAtOnce?: number;
};

/**
 * Brings the backend's keys of a Redis back. The server is shared as a rule, so its files are never touched: the keys of the
 * point are staged under names of their own in the living server, and change places with the old ones by renaming, in
 * transactions that also note how far it came. Keys of others, and workspaces that are not asked for, are never among them.
 */
export function createRedisRestorer(options: RedisRestorerOptions): Restorer {
  const atOnce = options.movesAtOnce ?? movesAtOnce;

  const withRedis = async <T>(
    request: RestorerRequest,
    signal: AbortSignal,
    work: (opened: OpenedRestore) => Promise<T>,
  ): Promise<T> => {
    const details = requireDetails(request);
    const scope = decideScope(details, request.scope, options.workspace, options.named);
    const place = { ...readRedisUrl(options.url), database: scope.database };
    const { redis, close } = await openRedis(
      place,
      signal,
      (cause, err) =>
        new AppError('restore/blocked', `The ${placeInWords(place)} does not answer: ${cause}.`, { cause: err }),
    );
    try {
      return await work({ redis, place, details, scope });
    } catch (err) {
      signal.throwIfAborted();
      const answers = (): Promise<boolean> =>
        redis.ping().then(
          () => true,
          () => false,
        );
      if (isAppError(err) || (await answers())) throw err;
      throw new AppError(
        'restore/blocked',
        `The ${placeInWords(place)} went away in the middle of the work: ${describeError(err)}. See that it runs, then restore again.`,
        { cause: err },
      );
    } finally {
      close();
    }
  };

  return {
    kind: 'redis',

    plan: (request, signal) =>
      withRedis(request, signal, (opened) => planRedis(opened, request, options.workspace, signal)),

    prepare: (request, context) =>
      withRedis(request, context.signal, async (opened) => {
        const problem = asideProblem(request.scope.aside);
        if (problem !== undefined) throw new AppError('restore/blocked', `${request.component.name}: ${problem}.`);
        await removeLeftovers(opened.redis, request.operationId, options.workspace, context.signal);
        await stageKeys(opened, request, context, options);
        await context.step('redis:prepared');
      }),

    commit: (request, context) =>
      withRedis(request, context.signal, async ({ redis, scope }) => {
        const { operationId } = request;
        const state = (await readMarker(redis, operationId))?.state;
        if (state === 'committed' || state === 'finished') return;
        if (state !== 'prepared' && state !== 'moving-out' && state !== 'moving-in')
          throw new AppError(
            'restore/blocked',
            'The keys of the point are not staged in the Redis, so nothing was exchanged.',
          );
        const moves: KeyMove[] = [];
        if (state !== 'moving-in') {
          const before = beforePrefix(operationId);
          const old = await listKeys(redis, (key) => !isOwnKey(key) && scope.replaces(key), context.signal);
          if (scope.beside && old.length > 0)
            throw new AppError('restore/blocked', `${old.length} keys lie in the place beside the living ones by now.`);
          moves.push({ by: 'mark', state: 'moving-out' });
          for (const key of old) moves.push({ by: 'rename', from: key, to: under(before, key) });
        }
        moves.push({ by: 'mark', state: 'moving-in' });
        const staged = stagedPrefix(operationId);
        for (const key of await keysUnder(redis, staged, context.signal))
          moves.push({ by: 'rename', from: key, to: key.subarray(staged.length) });
        moves.push({ by: 'mark', state: 'committed' });
        await carryOut(redis, operationId, moves, atOnce, () => context.step('redis:moving'));
        await context.step('redis:committed');
      }),

    verify: (request, context) =>
      withRedis(request, context.signal, async ({ redis, scope, place }) => {
        const marker = await readMarker(redis, request.operationId);
        const keys = await listKeys(redis, (key) => !isOwnKey(key) && scope.replaces(key), context.signal);
        const digest = createContentDigest();
        for (let from = 0; from < keys.length; from += 200)
          await digest.add(
            redis,
            keys.slice(from, from + 200).map((key) => ({ at: key, name: key })),
          );
        if (marker?.digest !== digest.hex() || marker.keys !== digest.keys())
          throw new AppError(
            'restore/digest-mismatch',
            `The ${placeInWords(place)} holds ${digest.keys()} keys of the backend that are not as the ${marker?.keys ?? 0} of the point.`,
          );
      }),

    undo: (request, context) =>
      withRedis(request, context.signal, async ({ redis, scope }) => {
        const { operationId } = request;
        const state = (await readMarker(redis, operationId))?.state;
        const before = beforePrefix(operationId);
        const moves: KeyMove[] = [];
        // Only after all old keys are out of the way, everything that the scope names is new.
        if (state === 'moving-in' || state === 'committed' || state === 'emptying' || state === 'finished') {
          moves.push({ by: 'mark', state: 'emptying' });
          for (const key of await listKeys(redis, (key) => !isOwnKey(key) && scope.replaces(key), context.signal))
            moves.push({ by: 'remove', key });
        }
        const old = await keysUnder(redis, before, context.signal);
        if (moves.length > 0 || old.length > 0) moves.push({ by: 'mark', state: 'moving-back' });
        for (const key of old) moves.push({ by: 'rename', from: key, to: key.subarray(before.length) });
        await carryOut(redis, operationId, moves, atOnce, () => context.step('redis:undoing'));
        await removeKeys(redis, await keysUnder(redis, stagedPrefix(operationId), context.signal));
        await redis.unlink(markerKey(operationId));
      }),

    finish: (request, context) =>
      withRedis(request, context.signal, async ({ redis, place }) => {
        const { operationId } = request;
        const marker = await readMarker(redis, operationId);
        const old = await keysUnder(redis, beforePrefix(operationId), context.signal);
        if (marker && old.length > 0)
          await redis.hset(markerKey(operationId), 'state', 'finished' satisfies MarkerState);
        else await redis.unlink(markerKey(operationId));
        // What a server that saves now and then has in memory only, the next crash would take back to before.
        if (await savesByItself(redis)) await redis.bgsave().catch(() => undefined);
        return old.length === 0
          ? undefined
          : `${old.length} keys under ${beforePrefix(operationId).toString()} in ${placeInWords(place)}`;
      }),

    state: (request, signal) =>
      withRedis(request, signal, async ({ redis }): Promise<RestorerState> => {
        const marker = await readMarker(redis, request.operationId);
        switch (marker?.state) {
          case undefined:
            return 'none';
          case 'committed':
          case 'finished':
            return 'committed';
          default:
            return 'prepared';
        }
      }),

    rehearse: (request, context) =>
      rehearseRedis(request, requireDetails(request), context, {
        ...options,
        scopeOf: (details) => decideScope(details, request.scope, options.workspace, options.named),
      }),
  };
}

function requireDetails({ component }: RestorerRequest): RedisDetails {
  const parsed = redisDetails.safeParse(component.restore.by === 'restorer' ? component.restore.details : undefined);
  if (!parsed.success)
    throw new AppError(
      'restore/blocked',
      `The manifest does not say how ${component.name} goes back, or a newer version wrote it.`,
    );
  return parsed.data;
}
