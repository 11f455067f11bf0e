import { unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { programOf, seenOrHidden } from '../../platform/child-processes/index.ts';
import { AppError, isAppError, systemCode } from '../../platform/errors.ts';
import type { Call, Repository, RepositoryLock } from './repository.ts';
import {
  adviceOn,
  decideLockHolder,
  describeHolder,
  findHolder,
  type LockFacts,
  wouldResticUnlock,
} from './restic-locks.ts';
import { parseLock } from './restic-output.ts';
import type { ResticOptions, ResticTool } from './restic-tool.ts';

export type LockKeeper = Pick<Repository, 'locks' | 'removeOwnStaleLocks' | 'unlock'> & {
  /** A lock left by a killed child of ours is removed and the work done after all; any other lock is an error that names its holder. */
  unlessLocked<T>(call: Call, work: () => Promise<T>): Promise<T>;
};

const fullId = /^[0-9a-f]{64}$/;

export function createLockKeeper(tool: ResticTool, options: ResticOptions): LockKeeper {
  const { location, children, log, clock } = options;
  const lockFacts = (): LockFacts => ({
    thisHost: hostname(),
    runningProcess: seenOrHidden,
    killedChildren: children.endedBySignal(),
  });

  const lockedBy = (lock: RepositoryLock, advice: string, cause?: unknown): AppError =>
    new AppError(
      'repository/locked',
      `The repository ${location.display} is locked by ${describeHolder(lock)}. ${advice}`,
      { cause, context: { lock } },
    );

  const locks = async ({ signal, operationId }: Call = {}): Promise<RepositoryLock[]> => {
    const call = { signal, operationId };
    const listed = await tool.demand('listing locks', ['list', 'locks', '--no-lock'], call);
    const facts = lockFacts();
    const found: RepositoryLock[] = [];
    for (const id of listed.stdout.split('\n').filter((line) => fullId.test(line))) {
      const result = await tool.run('reading a lock', ['cat', 'lock', id, '--no-lock'], call);
      // One that went away in between is no lock any more.
      const lock = result.exitCode === 0 ? parseLock(result.stdout) : undefined;
      if (lock) found.push({ id, ...lock, holder: decideLockHolder({ id, ...lock }, facts) });
    }
    return found;
  };

  /** In a folder a single lock can be taken away; elsewhere only restic can do it, which removes all that it takes for stale. */
  const remove = async (
    doomed: readonly RepositoryLock[],
    all: readonly RepositoryLock[],
    call: Call,
  ): Promise<void> => {
    if (location.kind === 'folder') {
      for (const { id } of doomed)
        await unlink(join(location.resticArgument, 'locks', id)).catch((err: unknown) => {
          if (systemCode(err) !== 'ENOENT') throw err;
        });
      return;
    }
    const facts = lockFacts();
    const other = all.find((lock) => !doomed.includes(lock) && wouldResticUnlock(lock, clock.now(), facts));
    if (other)
      throw lockedBy(other, 'It would be removed together with a dead lock of ours, so both stay. Look at it first.');
    await tool.demand('removing locks', ['unlock'], call);
  };

  const removeOwnStaleLocks: Repository['removeOwnStaleLocks'] = async ({ signal, operationId } = {}) => {
    const call = { signal, operationId };
    const all = await locks(call);
    const ours = all.filter(({ holder }) => holder === 'ours-dead');
    if (ours.length > 0) {
      await remove(ours, all, call);
      const facts = { repository: location.display, locks: ours.map(describeHolder) };
      log.warn(facts, 'removed locks that killed processes of ours had left');
    }
    return { removed: ours, remaining: all.filter((lock) => !ours.includes(lock)) };
  };

  return {
    locks,
    removeOwnStaleLocks,

    async unlock({ lockIds, signal, operationId }) {
      const call = { signal, operationId };
      const all = await locks(call);
      const doomed = all.filter(({ id }) => lockIds.includes(id));
      const held = doomed.find(({ holder }) => holder === 'alive' || holder === 'elsewhere');
      if (held?.holder === 'alive') throw lockedBy(held, 'That process is running.');
      if (held) throw lockedBy(held, 'Whether it is running can only be seen there: remove the lock on that machine.');
      if (doomed.length > 0) await remove(doomed, all, call);
    },

    async unlessLocked(call, work) {
      try {
        return await work();
      } catch (err) {
        if (!isAppError(err) || err.code !== 'repository/locked') throw err;
        const { removed, remaining } = await removeOwnStaleLocks(call);
        if (removed.length > 0) return await work();
        const holder = findHolder(remaining);
        throw holder ? lockedBy(holder, adviceOn(holder, clock.now(), programOf(holder.pid)), err) : err;
      }
    },
  };
}
