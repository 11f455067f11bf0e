import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Clock } from '../../platform/clock.ts';

export type Reading =
  | { readonly state: 'read'; readonly digest: string; readonly readBytes: number }
  /** The caller has no more patience; who asks again goes on from here. */
  | { readonly state: 'reading'; readonly readBytes: number };

/** How long who asks waits for an answer, and when nobody waits any more. */
export type Patience = { readonly patienceMs?: number | undefined; readonly signal?: AbortSignal | undefined };

export type Readings = {
  /**
   * The SHA-256 of a file, read for as long as the caller waits, and at least one piece of it. What was read so far is kept for an hour.
   * @throws what the disk says, or the reason of the signal
   */
  digest(path: string, patience?: Patience): Promise<Reading>;
  /** The next call reads all of it anew. */
  forget(path: string): void;
};

type Kept = { readonly hash: Hash; readBytes: number; digest: string | undefined; seen: string; touchedMs: number };

/** Each question is answered with at least so much more, or to the end. */
export const pieceBytes = 1024 * 1024;
const keptMs = 3_600_000;
/** Each is a few hundred bytes. */
const mostKept = 64;

/**
 * Large files are read over several questions: no answer takes longer than who asks waits, however large the file, and nothing is
 * read for who went away.
 */
export function createReadings({ clock }: { readonly clock: Clock }): Readings {
  const kept = new Map<string, Kept>();

  /** Taken out, so that two callers at once do not feed one digest. */
  const resume = (path: string, seen: string): Kept => {
    const before = kept.get(path);
    kept.delete(path);
    const fresh = before?.seen === seen && clock.monotonic() - before.touchedMs <= keptMs;
    return fresh
      ? before
      : { hash: createHash('sha256'), readBytes: 0, digest: undefined, seen, touchedMs: clock.monotonic() };
  };
  const keep = (path: string, one: Kept): void => {
    one.touchedMs = clock.monotonic();
    kept.set(path, one);
    for (const oldest of [...kept.keys()].slice(0, Math.max(0, kept.size - mostKept))) kept.delete(oldest);
  };

  return {
    async digest(path, { patienceMs, signal } = {}) {
      signal?.throwIfAborted();
      const handle = await open(path, 'r');
      try {
        const { ino, size, mtimeMs } = await handle.stat();
        // Another file, or one that was written to, begins anew.
        const one = resume(path, `${ino} ${size} ${mtimeMs}`);
        const untilMs = clock.monotonic() + (patienceMs ?? Number.POSITIVE_INFINITY);
        try {
          const buffer = Buffer.alloc(Math.max(1, Math.min(pieceBytes, size)));
          while (one.digest === undefined) {
            signal?.throwIfAborted();
            const { bytesRead } = await handle.read(buffer, 0, buffer.length, one.readBytes);
            if (bytesRead === 0) one.digest = one.hash.digest('hex');
            else one.hash.update(buffer.subarray(0, bytesRead));
            one.readBytes += bytesRead;
            if (one.digest === undefined && clock.monotonic() >= untilMs)
              return { state: 'reading', readBytes: one.readBytes };
          }
          return { state: 'read', digest: one.digest, readBytes: one.readBytes };
        } finally {
          keep(path, one);
        }
      } finally {
        await handle.close();
      }
    },
    forget: (path) => void kept.delete(path),
  };
}
