import { statfs } from 'node:fs/promises';
import { isAheadOfClock } from '../../backup/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import type { createQuarantine } from './quarantine.ts';
import type { Received, ReceivedStore } from './received-store.ts';
import type { UploadPart } from './receiver.ts';
import type { Unfinished } from './unfinished.ts';

/** Bytes that may be taken, and what of them is for what lives there. */
export type Disk = { readonly freeBytes: number; readonly reserveBytes: number };

/** The last twentieth is for what lives here. */
export async function diskOf(folder: string): Promise<Disk> {
  const { bavail, bsize, blocks } = await statfs(folder);
  return { freeBytes: bavail * bsize, reserveBytes: (blocks * bsize) / 20 };
}

export const idleAfterMs = 3_600_000;

type Sized = { readonly path: string; readonly bytes: number };
const sum = (list: readonly { readonly bytes: number }[]): number => list.reduce((all, { bytes }) => all + bytes, 0);

type Dates = Pick<Received, 'takenMs' | 'receivedMs'>;

/**
 * No point is older than it says that it is when it comes: one that is dated later than that was dated by a wrong clock. Nor is one
 * dated later than its sender says that it is now.
 */
const isMisdated = ({ takenMs, receivedMs }: Dates, senderMs: number): boolean =>
  takenMs !== null && isAheadOfClock({ takenMs }, Math.min(receivedMs, senderMs));

/**
 * By when they were taken; what is misdated is the last, as its sender has it.
 * @param senderMs the clock that dates them; null: nobody told
 */
export const newestFirstBy =
  (senderMs: number | null = null) =>
  (one: Dates, other: Dates): number => {
    const nowMs = senderMs ?? Number.POSITIVE_INFINITY;
    return (
      Number(isMisdated(one, nowMs)) - Number(isMisdated(other, nowMs)) ||
      (other.takenMs ?? other.receivedMs) - (one.takenMs ?? one.receivedMs)
    );
  };

/** When it came. Where the clock of its sender knows its date, and the one here does not yet, the one here is behind. */
export const arrivalOf = (
  { takenMs, sentMs = null }: Pick<UploadPart, 'takenMs' | 'sentMs'>,
  nowMs: number,
): Dates => ({
  takenMs,
  receivedMs:
    takenMs !== null && sentMs !== null && isAheadOfClock({ takenMs }, nowMs) && !isAheadOfClock({ takenMs }, sentMs)
      ? sentMs
      : nowMs,
});

/**
 * Room for what is sent here, within what is allowed and what the disk has. What was set aside and what nobody goes on with makes
 * room for what comes; nothing of it goes for what has no room even so.
 */
export function createRoom(deps: {
  readonly store: ReceivedStore;
  readonly unfinished: Unfinished;
  readonly quarantine: Pick<ReturnType<typeof createQuarantine>, 'list'>;
  readonly unlisted: Pick<ReturnType<typeof createQuarantine>, 'list'>;
  readonly clock: Clock;
  disk(): Promise<Disk>;
  limits(): { readonly maxBytes: number; readonly totalBytes: number; readonly keep: number };
}) {
  const { store, unfinished, quarantine, unlisted, clock } = deps;
  const setAside = async (): Promise<Sized[]> => [...(await quarantine.list()), ...(await unlisted.list())];

  /** Drops as many of these, in this order, as are needed. */
  const drop = async (from: readonly Sized[], lackingBytes: number): Promise<void> => {
    let lacking = lackingBytes;
    for (const { path, bytes } of from) {
      if (lacking <= 0) return;
      await unfinished.drop(path);
      lacking -= bytes;
    }
  };

  return {
    /**
     * For all of an upload that is not admitted yet.
     * @throws AppError `request/too-large`, `storage/full`
     */
    async require(part: UploadPart): Promise<void> {
      const { totalBytes, offset, sender, graphId } = part;
      const newestFirst = newestFirstBy(part.sentMs);
      const arrival = arrivalOf(part, clock.now());
      const limits = deps.limits();
      if (totalBytes > limits.maxBytes)
        throw new AppError(
          'request/too-large',
          `Points of up to ${limits.maxBytes} bytes are taken (replication.receive_max_bytes).`,
        );
      const all = await store.list(undefined);
      // What goes for this one makes room for it: a full store takes the newest still.
      const going = new Set(
        all
          .filter((one) => one.sender === sender && one.graphId === graphId)
          .sort(newestFirst)
          .filter((one, index) => index >= limits.keep - 1 && newestFirst(one, arrival) >= 0),
      );
      const own = unfinished.pathOf(part);
      const others = (await unfinished.list()).filter(({ path }) => path !== own);
      const aside = await setAside();
      // What nobody can use, and then what nobody goes on with: it takes nothing from who behaves.
      const idle = others.filter(({ idleMs }) => idleMs >= idleAfterMs).sort((one, other) => other.idleMs - one.idleMs);
      const mayGo = [...aside, ...idle];
      const taken = sum(all.filter((one) => !going.has(one))) + sum(others) + sum(aside);
      const lacking = taken + totalBytes - limits.totalBytes;
      if (lacking > sum(mayGo))
        throw new AppError(
          'storage/full',
          `What others sent takes ${taken} bytes already; ${limits.totalBytes} are allowed (replication.receive_total_bytes).`,
        );
      const { freeBytes, reserveBytes } = await deps.disk();
      // What was admitted before gets the rest of what it announced.
      const promised = others.reduce((rest, { restBytes }) => rest + restBytes, 0);
      const lackingOnDisk = reserveBytes + promised + (totalBytes - offset) - freeBytes;
      if (lackingOnDisk > sum(mayGo)) throw new AppError('storage/full', 'The disk has no room for this point.');
      await drop(mayGo, Math.max(lacking, lackingOnDisk));
    },

    /**
     * For a part of what was admitted: its room is its own, except for what lives here.
     * @throws AppError `storage/full`
     */
    async requireReserve({ bytes }: UploadPart): Promise<void> {
      if (bytes.length === 0) return;
      const { freeBytes, reserveBytes } = await deps.disk();
      const lacking = reserveBytes + bytes.length - freeBytes;
      if (lacking <= 0) return;
      const aside = await setAside();
      if (lacking > sum(aside)) throw new AppError('storage/full', 'The disk has no room for this part.');
      await drop(aside, lacking);
    },
  };
}
