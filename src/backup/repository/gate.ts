/**
 * Work of this process on one repository: any number of backups at once, or one piece of work that removes something, in the
 * order in which they came. restic's own locks say the same by failing; among ourselves nobody needs to fail.
 */
export type Gate = {
  /** @throws the reason of the signal when it is aborted while waiting */
  shared<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T>;
  exclusive<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T>;
};

export function createGate(): Gate {
  const waiting: { readonly alone: boolean; readonly enter: () => void }[] = [];
  let inside = 0;
  let takenAlone = false;

  const admit = (): void => {
    for (let next = waiting[0]; next; next = waiting[0]) {
      if (takenAlone || (next.alone && inside > 0)) return;
      waiting.shift();
      inside += 1;
      takenAlone = next.alone;
      next.enter();
    }
  };

  const pass = async <T>(alone: boolean, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    await new Promise<void>((resolve, reject) => {
      signal?.throwIfAborted();
      const giveUp = (): void => {
        const at = waiting.indexOf(entry);
        if (at >= 0) waiting.splice(at, 1);
        admit();
        reject(signal?.reason);
      };
      const entry = {
        alone,
        enter: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      waiting.push(entry);
      admit();
    });
    try {
      return await work();
    } finally {
      inside -= 1;
      takenAlone = false;
      admit();
    }
  };

  return {
    shared: (signal, work) => pass(false, signal, work),
    exclusive: (signal, work) => pass(true, signal, work),
  };
}
