/** SQLITE_BUSY in any of its forms. */
const isLocked = (err: unknown): boolean =>
  typeof err === 'object' &&
  err !== null &&
  'errcode' in err &&
  typeof err.errcode === 'number' &&
  (err.errcode & 0xff) === 5;

const pauseMs = 20;

/**
 * SQLite waits by itself for a lock, except where waiting could be a deadlock: when a new file is switched to WAL, and when a
 * reader becomes a writer, as in `create table if not exists`. There the whole step is tried again until the time is over.
 */
export function tryWhileLocked<T>(timeoutMs: number, step: () => T): T {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return step();
    } catch (err) {
      if (!isLocked(err) || performance.now() > deadline) throw err;
      // Opening happens once, before anything is served, so the thread may stand still.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}

/** The same for steps that are awaited. */
export async function tryWhileLockedAsync<T>(timeoutMs: number, step: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await step();
    } catch (err) {
      if (!isLocked(err) || performance.now() > deadline) throw err;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
