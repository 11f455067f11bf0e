import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { EventRecorder } from '../../events/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { AppError, storageError } from '../../platform/errors.ts';
import { newId, type RandomSource } from '../../platform/ids.ts';
import type { ReplicationStore } from '../replication-store.ts';
import { createQuarantine } from './quarantine.ts';
import { createReadings, type Patience } from './readings.ts';
import type { Received, ReceivedStore } from './received-store.ts';
import { arrivalOf, createRoom, type Disk, diskOf, idleAfterMs, newestFirstBy } from './room.ts';
import { createUnfinished, nameOfPoint, type UploadKey } from './unfinished.ts';
import { createVerification, isThere, type VerifyReceived } from './verify-received.ts';

export type UploadPart = UploadKey & {
  readonly treeId: string | null;
  readonly takenMs: number | null;
  /** By the clock of its sender, which dated it; null or left out: an older one does not tell. */
  readonly sentMs?: number | null;
  readonly totalBytes: number;
  readonly offset: number;
  readonly bytes: Buffer;
};

export type UploadState =
  | { readonly state: 'absent' }
  /** `readBytes`: all of it came, and so much of it was read back while its sender waited. */
  | { readonly state: 'receiving'; readonly receivedBytes: number; readonly readBytes?: number }
  | { readonly state: 'validated'; readonly received: Received };

export type Receiver = {
  /**
   * What an end in the middle left, and what nobody goes on with, goes. Done at start and with every upload that begins.
   */
  sweep(): Promise<void>;
  /** @throws AppError `replication/conflict`, `replication/digest-mismatch`, `request/too-large`, `storage/full`, `conflict/state`, `replication/not-kept`, `feature/disabled` */
  take(part: UploadPart, patience?: Patience): Promise<Exclude<UploadState, { state: 'absent' }>>;
  find(key: UploadKey): Promise<UploadState>;
  list(sender: string | undefined): Promise<Received[]>;
  /**
   * Up to `most` bytes of what a sender sent, from `offset` on.
   * @throws AppError `backup/unknown-point`, `conflict/state` beyond its end
   */
  read(key: UploadKey & { readonly offset: number }, most: number): Promise<Buffer>;
  /** The file of a point that was received. Only to be read. */
  pathOf(one: Received): string;
  /** How many points of one graph of one sender are kept, the newest; nobody need send others. */
  keep(): number;
  verify: VerifyReceived;
};

const staleMs = 86_400_000;
/** Of one sender at a time. */
const mostUnfinished = 4;
const mostQuarantined = 5;
/** Of one sender, so that many small ones do not fill what is not counted in bytes. */
const mostPoints = 10_000;

/**
 * Takes points of other installations, in parts so that a transfer goes on where it stopped. Nothing is listed before all of it is
 * on disk and has the digest that its sender named; what has not is set aside.
 */
export function createReceiver(deps: {
  readonly db: Database;
  readonly store: ReceivedStore;
  readonly log: ReplicationStore;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly folder: string;
  /** Whose folder that is: several instances may share the list. */
  readonly instance: string;
  /** What the disk of that folder has; left out: as it tells. */
  disk?(): Promise<Disk>;
  limits(): {
    readonly enabled: boolean;
    readonly maxBytes: number;
    readonly totalBytes: number;
    readonly keep: number;
  };
}): Receiver {
  const { db, store, events, clock, folder } = deps;
  const unfinished = createUnfinished({ folder: join(folder, 'partial'), clock });
  const quarantine = createQuarantine({ folder: join(folder, 'quarantine'), most: mostQuarantined });
  /**
   * What lies here and is on no list: left by an end in the middle, or all there is when the state was lost or is an older one. Kept
   * until its room is needed, since nobody can tell the two apart.
   */
  const unlisted = createQuarantine({ folder: join(folder, 'unlisted'), most: Number.POSITIVE_INFINITY });
  const disk = deps.disk ?? (() => diskOf(folder));
  const room = createRoom({ ...{ store, unfinished, quarantine, unlisted, clock, disk }, limits: deps.limits });
  const readings = createReadings({ clock });
  /** Files that are off the list and about to go. */
  const going = new Set<string>();
  /** Parts of one point come one after another, whoever sends them. */
  const lines = new Map<string, Promise<unknown>>();

  const inLine = async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const before = lines.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => undefined);
    lines.set(key, settled);
    try {
      return await mine;
    } finally {
      if (lines.get(key) === settled) lines.delete(key);
    }
  };

  /** What would go at once is not sent at all. */
  const requireNew = async (part: UploadPart): Promise<void> => {
    const { sender, graphId } = part;
    const { keep } = deps.limits();
    if ((await store.list(sender)).length >= mostPoints)
      throw new AppError('storage/full', `${mostPoints} points of yours are here, and no more are taken.`);
    const newestFirst = newestFirstBy(part.sentMs);
    const arrival = arrivalOf(part, clock.now());
    const newer = (await store.list(sender, graphId)).filter((one) => newestFirst(one, arrival) < 0);
    if (newer.length >= keep)
      throw new AppError(
        'replication/not-kept',
        `${newer.length} newer points of ${graphId} are here, and ${keep} are kept (replication.receive_keep).`,
      );
  };

  const removeStale = async (): Promise<void> => {
    await unfinished.dropIdle(staleMs);
    // What lies here and is not listed was left by an end in the middle. Its line is taken only while nobody is in it: whoever
    // waits here for another one may be waited for. The list is read inside, or what was listed meanwhile would go.
    const names = (await readdir(folder).catch((): string[] => [])).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const listed = new Set((await store.list(undefined)).map(({ file }) => file));
    let found = 0;
    for (const name of names)
      if (!listed.has(name) && !lines.has(name) && !going.has(name))
        await inLine(name, async () => {
          if (going.has(name) || (await store.list(undefined)).some(({ file }) => file === name)) return;
          if (!(await isThere(join(folder, name)))) return;
          await unlisted.put(join(folder, name), clock.now(), name);
          found += 1;
        });
    if (found > 0)
      await db.unit((tx) =>
        events.record(tx, {
          type: 'replication.received',
          severity: 'warning',
          message: `${found} ${found === 1 ? 'file' : 'files'} of what others sent ${found === 1 ? 'is' : 'are'} on no list here. They lie in ${join(folder, 'unlisted')} until their room is needed.`,
          data: { files: found, outcome: 'unlisted' },
        }),
      );
  };

  /** What was listed before it was written down where it lies: where its file is. */
  const claimOwn = async (): Promise<void> => {
    const own: Received[] = [];
    for (const one of await store.list(undefined))
      if (one.instance === null && (await isThere(join(folder, one.file)))) own.push(one);
    if (own.length === 0) return;
    await db.unit(async (tx) => {
      for (const one of own) await store.claim(tx, one, deps.instance);
    });
  };

  /** @returns what goes for what begins now: what nobody added to for a while, the oldest first; what is under way does not */
  const requireFew = async (part: UploadPart): Promise<readonly string[]> => {
    const own = unfinished.pathOf(part);
    const others = (await unfinished.listOf(part.sender)).filter(({ path }) => path !== own);
    const tooMany = others
      .sort((one, other) => other.idleMs - one.idleMs)
      .slice(0, Math.max(0, others.length + 1 - mostUnfinished));
    if (tooMany.some(({ idleMs }) => idleMs < idleAfterMs))
      throw new AppError(
        'conflict/state',
        `${others.length} uploads of yours are not finished here, and ${mostUnfinished} may be. Finish one of them; one that nothing is added to for ${idleAfterMs / 60_000} minutes goes for the next.`,
      );
    return tooMany.map(({ path }) => path);
  };

  /**
   * All that is asked of an upload before its first byte is kept; two that begin at once are counted one after the other. For one
   * that is refused nothing goes.
   */
  const admit = (part: UploadPart): Promise<void> =>
    inLine('admission', async () => {
      await removeStale();
      await unfinished.dropOthersOf(part);
      await requireNew(part);
      const inParts = part.bytes.length < part.totalBytes;
      const tooMany = inParts ? await requireFew(part) : [];
      await room.require(part);
      for (const path of tooMany) await unfinished.drop(path);
      await unfinished.announce(part, part.totalBytes, inParts);
      if (inParts) await unfinished.append(part, Buffer.alloc(0));
    });

  const setApart = (path: string, name: string): Promise<void> =>
    inLine('quarantine', () => quarantine.put(path, clock.now(), name));
  const verification = createVerification({ ...deps, inLine, setApart });

  const setAside = async (part: UploadPart, found: string): Promise<never> => {
    await setApart(unfinished.pathOf(part), `${part.pointId}-${found.slice(0, 12)}`);
    await unfinished.settle(unfinished.pathOf(part));
    const message = `${part.pointId} of ${part.graphId}, sent by ${part.sender}, has the digest ${found.slice(0, 12)} instead of ${part.dataHash.slice(0, 12)}. It was set aside.`;
    await db.unit(async (tx) => {
      await events.record(tx, {
        type: 'replication.received',
        severity: 'error',
        message,
        data: { point: part.pointId, outcome: 'quarantined' },
      });
      await writeLog(tx, part, { status: 'failed', error: message });
    });
    throw new AppError('replication/digest-mismatch', message);
  };

  const writeLog = (
    tx: Parameters<ReplicationStore['writeLog']>[0],
    part: UploadPart,
    end: { status: 'validated' | 'failed'; error: string | null },
  ): Promise<void> =>
    deps.log.writeLog(tx, {
      ...{ id: newId('repl', clock.now(), deps.random), operationId: null, replicaId: part.sender.slice(0, 100) },
      ...{ targetId: part.graphId, pointId: part.pointId, type: 'receive', ...end },
      ...{ startedMs: clock.now(), completedMs: clock.now(), bytes: part.totalBytes, dataHash: part.dataHash },
      metadata: { sender: part.sender, tree_id: part.treeId },
    });

  /** All of it came: it is read back from the disk, and listed when it is what its sender named. */
  const conclude = async (
    part: UploadPart,
    patience: Patience,
  ): Promise<Exclude<UploadState, { readonly state: 'absent' }>> => {
    const path = unfinished.pathOf(part);
    const reading = await readings.digest(path, patience);
    if (reading.state === 'reading')
      return { state: 'receiving', receivedBytes: part.totalBytes, readBytes: reading.readBytes };
    readings.forget(path);
    if (reading.digest !== part.dataHash) return setAside(part, reading.digest);
    const file = nameOfPoint(part);
    await rename(path, join(folder, file));
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
    const received: Received = {
      ...{ sender: part.sender, graphId: part.graphId, pointId: part.pointId, dataHash: part.dataHash },
      ...{ treeId: part.treeId, bytes: part.totalBytes, file, ...arrivalOf(part, clock.now()) },
      instance: deps.instance,
    };
    const doomed = [received, ...(await store.list(part.sender, part.graphId))]
      .sort(newestFirstBy(part.sentMs))
      .slice(deps.limits().keep)
      .filter((one) => one !== received);
    for (const one of doomed) going.add(one.file);
    let first = true;
    try {
      await db
        .unit(async (tx) => {
          first = await store.insert(tx, received);
          if (!first) return;
          for (const one of doomed) await store.delete(tx, one);
          await writeLog(tx, part, { status: 'validated', error: null });
          await events.record(tx, {
            type: 'replication.received',
            severity: 'info',
            message: `${part.pointId} of ${part.graphId} was received from ${part.sender}.`,
            data: { point: part.pointId, bytes: part.totalBytes, outcome: 'validated' },
          });
        })
        .catch(async (err: unknown) => {
          // Its sender need not bring all of it again because the list could not be written.
          await rename(join(folder, file), path).catch(() => undefined);
          throw err;
        });
      await unfinished.settle(path);
      if (!first) {
        // Sent to another instance as well, which was quicker.
        await rm(join(folder, file), { force: true });
        const listed = await store.find(part.sender, part.graphId, part.pointId);
        if (listed) return requireSame(part, listed);
        throw new AppError('conflict/state', `${part.pointId} is being taken elsewhere as well. Send it again.`);
      }
      for (const one of doomed) {
        verification.forget(one);
        await rm(join(folder, one.file), { force: true });
      }
    } finally {
      for (const one of doomed) going.delete(one.file);
    }
    return { state: 'validated', received };
  };

  const find: Receiver['find'] = async (key) => {
    const received = await store.find(key.sender, key.graphId, key.pointId);
    if (received) return { state: 'validated', received };
    const receivedBytes = await unfinished.receivedBytes(key);
    return receivedBytes === undefined ? { state: 'absent' } : { state: 'receiving', receivedBytes };
  };

  return {
    find,
    sweep: () =>
      inLine('admission', async () => {
        await removeStale();
        await claimOwn();
      }),
    list: (sender) => store.list(sender),
    keep: () => deps.limits().keep,
    pathOf: (one) => join(folder, one.file),
    async read({ offset, ...key }, most) {
      const { sender, graphId, pointId, dataHash } = key;
      const one = await store.find(sender, graphId, pointId);
      if (one?.dataHash !== dataHash)
        throw new AppError('backup/unknown-point', `${pointId} of ${graphId} is not here with this digest.`);
      if (offset >= one.bytes)
        throw new AppError('conflict/state', `${pointId} ends at ${one.bytes}; there is nothing at ${offset}.`);
      const handle = await open(join(folder, one.file), 'r').catch((cause: unknown) => {
        throw new AppError('backup/unknown-point', `${pointId} of ${graphId} is listed here and cannot be read.`, {
          cause,
        });
      });
      try {
        const bytes = Buffer.alloc(Math.min(most, one.bytes - offset));
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
        return bytes.subarray(0, bytesRead);
      } finally {
        await handle.close();
      }
    },
    take: (part, patience = {}) =>
      inLine(nameOfPoint(part), async () => {
        // Whoever waited in the line may have gone.
        patience.signal?.throwIfAborted();
        if (!deps.limits().enabled)
          throw new AppError(
            'feature/disabled',
            'Points of others are not taken here: RAGWARDEN_REPLICATION_RECEIVE (replication.receive_enabled) is off.',
          );
        const known = await find(part);
        if (known.state === 'validated') return requireSame(part, known.received);
        const there = known.state === 'receiving' ? known.receivedBytes : 0;
        // A part that came already is told as such; one that leaves a gap is not taken.
        if (part.offset !== there)
          throw new AppError('conflict/state', `The next part begins at ${there}, not at ${part.offset}.`);
        if (part.totalBytes < 1) throw new AppError('conflict/state', 'A point has at least one byte.');
        if (part.offset + part.bytes.length > part.totalBytes)
          throw new AppError('conflict/state', `More came than the ${part.totalBytes} bytes that were announced.`);
        const total = (await unfinished.announcedBytes(part)) ?? part.totalBytes;
        if (there > 0 && total !== part.totalBytes)
          throw new AppError('conflict/state', `${total} bytes were announced before, and ${part.totalBytes} now.`);
        try {
          await unfinished.prepare();
          // What was admitted goes on: its bytes are counted from its first part on.
          if (there === 0) await admit(part);
          else if ((await unfinished.announcedBytes(part)) === undefined) {
            await room.require(part);
            await unfinished.announce(part, part.totalBytes, true);
          } else await room.requireReserve(part);
          if (part.bytes.length > 0) await unfinished.append(part, part.bytes);
        } catch (err) {
          throw storageError(err, 'keeping a part of a point that is sent here');
        }
        const receivedBytes = there + part.bytes.length;
        return receivedBytes === part.totalBytes ? conclude(part, patience) : { state: 'receiving', receivedBytes };
      }),

    verify: verification.verify,
  };
}

/** @throws AppError `replication/conflict` when it is another point under the same id */
function requireSame(
  { pointId, graphId, dataHash }: UploadPart,
  received: Received,
): { readonly state: 'validated'; readonly received: Received } {
  if (received.dataHash === dataHash) return { state: 'validated', received };
  throw new AppError(
    'replication/conflict',
    `${pointId} of ${graphId} is here with the digest ${received.dataHash.slice(0, 12)}, and was sent with ${dataHash.slice(0, 12)}. Nothing was changed.`,
  );
}

/** SHA-256 of a file. @throws the reason of the signal */
export async function digestOf(path: string, signal: AbortSignal | undefined = undefined): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  signal?.throwIfAborted();
  return hash.digest('hex');
}
