import type { ChildRecord } from '../../platform/child-processes/index.ts';
import type { LockHolder, RepositoryLock } from './repository.ts';

/** restic calls a lock stale after this time without renewal, and `restic unlock` removes such locks of any machine. */
const resticStaleMs = 30 * 60_000;

export type LockFacts = {
  readonly thisHost: string;
  /** Start ticks of a living process, 0 when it is not shown, undefined when there is none. */
  readonly runningProcess: (pid: number) => number | undefined;
  /** Children of ours that did not end by themselves. */
  readonly killedChildren: readonly ChildRecord[];
};

/**
 * A lock is ours when a child of ours had that pid and began before the lock was made. Machines that share a host name (containers)
 * have process numbers of their own, so the number alone proves neither that a holder was ours nor, strictly, that it is dead.
 */
export function decideLockHolder(lock: Omit<RepositoryLock, 'holder'>, facts: LockFacts): LockHolder {
  if (lock.host !== facts.thisHost) return 'elsewhere';
  const running = facts.runningProcess(lock.pid);
  // Both times come from the same machine; the second is for clocks that were set meanwhile.
  const ours = facts.killedChildren.some(
    (child) =>
      child.pid === lock.pid &&
      child.startedAtMs <= lock.createdAtMs + 1_000 &&
      (running === undefined || running !== child.startTicks),
  );
  if (ours) return 'ours-dead';
  return running === undefined ? 'dead' : 'alive';
}

/** Whether `restic unlock`, which cannot be told which locks to remove, would remove this one too. */
export const wouldResticUnlock = (lock: RepositoryLock, nowMs: number, facts: LockFacts): boolean =>
  nowMs - lock.createdAtMs > resticStaleMs - 60_000 ||
  (lock.host === facts.thisHost && facts.runningProcess(lock.pid) === undefined);

/** Whose lock it is that has to be told: waiting helps with one that lives, and those of the dead go with one command. */
export const findHolder = <Lock extends { readonly holder: LockHolder }>(locks: readonly Lock[]): Lock | undefined =>
  locks.find(({ holder }) => holder === 'alive') ?? locks.find(({ holder }) => holder === 'elsewhere') ?? locks[0];

/**
 * What whoever wanted the repository does about it. A lock is renewed every five minutes as long as its holder works.
 * @param program that has the number of the holder now, on this machine
 */
export function adviceOn(
  { holder, pid, host, createdAtMs }: Omit<RepositoryLock, 'id'>,
  nowMs: number,
  program?: string,
): string {
  switch (holder) {
    case 'alive':
      return program === undefined || program.startsWith('restic')
        ? 'That process is running: wait until it has finished and try again.'
        : `That number belongs to "${program}" now, so restic has probably died: if that does not use the repository, \`restic unlock\` removes the lock once it is 30 minutes old (docs/runbooks/repository-locked.md).`;
    case 'dead':
    case 'ours-dead':
      return 'No such process runs on this machine: unless another machine or container has this name, it is gone, and `ragwarden repo unlock` removes its lock.';
    case 'elsewhere':
      return nowMs - createdAtMs > resticStaleMs
        ? `It has not renewed its lock for ${Math.floor((nowMs - createdAtMs) / 60_000)} minutes, so it has probably died: see on ${host} whether process ${pid} runs, and if not, let \`restic unlock\` remove the lock (docs/runbooks/repository-locked.md).`
        : 'Wait until it has finished and try again.';
  }
}

export const describeHolder = (lock: RepositoryLock): string =>
  `process ${lock.pid} on ${lock.host} since ${new Date(lock.createdAtMs).toISOString()}${lock.exclusive ? ' (exclusive)' : ''}`;
