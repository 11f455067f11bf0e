import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { EventRecorder } from '../../events/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { AppError, systemCode } from '../../platform/errors.ts';
import { newId, type RandomSource } from '../../platform/ids.ts';
import type { ReplicationStore } from '../replication-store.ts';
import type { Received, ReceivedStore } from './received-store.ts';

export type UploadPart = {
  readonly sender: string;
  readonly graphId: string;
  readonly pointId: string;
  /** SHA-256 of the whole, as its sender has it. */
  readonly dataHash: string;
  readonly treeId: string | null;
  readonly takenMs: number | null;
  readonly totalBytes: number;
  readonly offset: number;
  readonly bytes: Buffer;
};

export type UploadState =
  | { readonly state: 'absent' }
  | { readonly state: 'receiving'; readonly receivedBytes: number }
  | { readonly state: 'validated'; readonly received: Received };

export type Receiver = {
  /** @throws AppError `replication/conflict`, `replication/digest-mismatch`, `request/too-large`, `storage/full`, `conflict/state`, `feature/disabled` */
  take(part: UploadPart): Promise<Exclude<UploadState, { state: 'absent' }>>;
  find(key: Pick<UploadPart, 'sender' | 'graphId' | 'pointId' | 'dataHash'>): Promise<UploadState>;
  list(sender: string | undefined): Promise<Received[]>;
  /**
   * Up to `most` bytes of what a sender sent, from `offset` on.
   * @throws AppError `backup/unknown-point`, `conflict/state` beyond its end
   */
  read(key: Pick<UploadPart, 'sender' | 'graphId' | 'pointId' | 'dataHash' | 'offset'>, most: number): Promise<Buffer>;
  /** The file of a point that was received. Only to be read. */
  pathOf(one: Received): string;
  /** How many points of one graph of one sender are kept, the newest; nobody need send others. */
  keep(): number;
  /** Reads a share of what a sender has here, or one point of it, against its digests; those first that were not read for longest. */
  verify(
    sender: string | undefined,
    percent: number,
    only?: { readonly graphId?: string | undefined; readonly pointId?: string | undefined },
  ): Promise<{ readonly read: number; readonly findings: readonly string[] }>;
};

const staleMs = 86_400_000;
/** Of one sender at a time. */
const mostUnfinished = 4;
const idleAfterMs = 3_600_000;
const mostQuarantined = 5;

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
  limits(): {
    readonly enabled: boolean;
    readonly maxBytes: number;
    readonly totalBytes: number;
    readonly keep: number;
  };
}): Receiver {
  const { db, store, events, clock, folder } = deps;
  const partial = join(folder, 'partial');
  const quarantine = join(folder, 'quarantine');
  /** Parts of one point come one after another, whoever sends them. */
  const lines = new Map<string, Promise<unknown>>();
  /** By file of an unfinished upload: how many bytes its sender announced; after a restart again with its next part. */
  const announced = new Map<string, number>();
  /** By file: when it was last read whole. */
  const lastRead = new Map<string, number>();

  const nameOf = ({ sender, graphId, pointId }: Pick<UploadPart, 'sender' | 'graphId' | 'pointId'>): string =>
    createHash('sha256')
      .update(JSON.stringify([sender, graphId, pointId]))
      .digest('hex');
  const begun = (sender: string): string => createHash('sha256').update(sender).digest('hex').slice(0, 16);
  const partOf = (part: Pick<UploadPart, 'sender' | 'graphId' | 'pointId' | 'dataHash'>): string =>
    join(partial, `${begun(part.sender)}-${nameOf(part).slice(0, 40)}-${part.dataHash.slice(0, 24)}`);

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

  /** What unfinished uploads but this one will take, and what is set aside. */
  const unlistedBytes = async (own: string): Promise<number> => {
    let bytes = 0;
    for (const place of [partial, quarantine])
      for (const name of await readdir(place).catch((): string[] => [])) {
        const path = join(place, name);
        if (path === own) continue;
        const { size = 0 } = (await stat(path).catch(() => undefined)) ?? {};
        bytes += Math.max(size, announced.get(path) ?? 0);
      }
    return bytes;
  };
  const dropPart = async (path: string): Promise<void> => {
    announced.delete(path);
    await rm(path, { force: true });
  };

  const requireRoom = async (part: UploadPart): Promise<void> => {
    const { totalBytes, sender, graphId, takenMs } = part;
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
        .filter(
          (one, index) => index >= limits.keep - 1 && (one.takenMs ?? one.receivedMs) <= (takenMs ?? clock.now()),
        ),
    );
    const kept = all.reduce((sum, one) => sum + (going.has(one) ? 0 : one.bytes), await unlistedBytes(partOf(part)));
    if (kept + totalBytes > limits.totalBytes)
      throw new AppError(
        'storage/full',
        `What others sent takes ${kept} bytes already; ${limits.totalBytes} are allowed (replication.receive_total_bytes).`,
      );
    announced.set(partOf(part), totalBytes);
  };

  const requireDisk = async ({ totalBytes, offset }: UploadPart): Promise<void> => {
    const { bavail, bsize, blocks } = await statfs(folder);
    // The last twentieth is for what lives here.
    if (bavail * bsize - (totalBytes - offset) < (blocks * bsize) / 20)
      throw new AppError('storage/full', 'The disk has no room for this point.');
  };

  /** What would go at once is not sent at all. */
  const requireNew = async ({ sender, graphId, takenMs }: UploadPart): Promise<void> => {
    const { keep } = deps.limits();
    const newer = (await store.list(sender, graphId)).filter(
      (one) => (one.takenMs ?? one.receivedMs) > (takenMs ?? clock.now()),
    );
    if (newer.length >= keep)
      throw new AppError(
        'conflict/state',
        `${newer.length} newer points of ${graphId} are here, and ${keep} are kept (replication.receive_keep).`,
      );
  };

  const removeStale = async (): Promise<void> => {
    for (const name of await readdir(partial).catch((): string[] => [])) {
      const seen = await stat(join(partial, name)).catch(() => undefined);
      if (seen && clock.now() - seen.mtimeMs > staleMs) await dropPart(join(partial, name));
    }
    // What lies here and is not listed was left by an end in the middle. Its line is taken only while nobody is in it: whoever
    // waits here for another one may be waited for. The list is read inside, or what was listed meanwhile would go.
    const names = (await readdir(folder).catch((): string[] => [])).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const listed = new Set((await store.list(undefined)).map(({ file }) => file));
    for (const name of names)
      if (!listed.has(name) && !lines.has(name))
        await inLine(name, async () => {
          const now = await store.list(undefined);
          if (!now.some(({ file }) => file === name)) await rm(join(folder, name), { force: true });
        });
  };

  /** What nobody added to for a while goes for what begins now, the oldest first; what is under way does not. */
  const requireFew = async (part: UploadPart): Promise<void> => {
    const others: { path: string; idleMs: number }[] = [];
    for (const name of await readdir(partial).catch((): string[] => [])) {
      const path = join(partial, name);
      const seen =
        name.startsWith(`${begun(part.sender)}-`) && path !== partOf(part) && (await stat(path).catch(() => undefined));
      if (seen) others.push({ path, idleMs: clock.now() - seen.mtimeMs });
    }
    const tooMany = others
      .sort((one, other) => other.idleMs - one.idleMs)
      .slice(0, Math.max(0, others.length + 1 - mostUnfinished));
    if (tooMany.some(({ idleMs }) => idleMs < idleAfterMs))
      throw new AppError(
        'conflict/state',
        `${others.length} uploads of yours are not finished here, and ${mostUnfinished} may be. Finish one of them; one that nothing is added to for ${idleAfterMs / 60_000} minutes goes for the next.`,
      );
    for (const { path } of tooMany) await dropPart(path);
  };

  const quarantineFile = (path: string, name: string): Promise<void> =>
    inLine(quarantine, async () => {
      await mkdir(quarantine, { recursive: true, mode: 0o700 });
      announced.delete(path);
      try {
        await rename(path, join(quarantine, `${clock.now()}-${name}`));
      } catch (err) {
        if (systemCode(err) !== 'ENOENT') throw err;
      }
      const names = (await readdir(quarantine)).sort();
      for (const one of names.slice(0, Math.max(0, names.length - mostQuarantined)))
        await rm(join(quarantine, one), { force: true });
    });

  /** What is damaged is not listed any more, so that its sender brings it again; it is off the list before it is moved. */
  const dropDamaged = async (one: Received, found: string): Promise<void> => {
    await db.unit(async (tx) => {
      await store.delete(tx, one);
      await events.record(tx, {
        type: 'replication.received',
        severity: 'error',
        message: `${one.pointId} of ${one.graphId}, received from ${one.sender}, is damaged. It was set aside; its sender brings it again.`,
        data: { point: one.pointId, outcome: 'quarantined' },
      });
    });
    await quarantineFile(join(folder, one.file), `${one.pointId}-${found.slice(0, 12)}`);
  };

  /** Looks again where nothing else happens to it: it may have gone, or been sent again, while it was read. @returns what is wrong */
  const settleDamage = async (one: Received): Promise<string | undefined> => {
    const now = await store.find(one.sender, one.graphId, one.pointId);
    if (now?.dataHash !== one.dataHash || now.receivedMs !== one.receivedMs) return undefined;
    let found: string;
    try {
      found = await digestOf(join(folder, one.file));
    } catch (err) {
      // What cannot be read now stays: the next look may be able to.
      if (systemCode(err) !== 'ENOENT') return `${one.pointId} of ${one.graphId} cannot be read`;
      found = 'nothing';
    }
    // A newer point of its sender lets it go without standing in this line.
    if (found === one.dataHash || !(await store.find(one.sender, one.graphId, one.pointId))) return undefined;
    await dropDamaged(one, found);
    return `${one.pointId} of ${one.graphId} has the digest ${found.slice(0, 12)} instead of ${one.dataHash.slice(0, 12)}`;
  };

  const setAside = async (part: UploadPart, found: string): Promise<never> => {
    await quarantineFile(partOf(part), `${part.pointId}-${found.slice(0, 12)}`);
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
    });

  const conclude = async (part: UploadPart): Promise<UploadState & { state: 'validated' }> => {
    const found = await digestOf(partOf(part));
    if (found !== part.dataHash) await setAside(part, found);
    const file = nameOf(part);
    await rename(partOf(part), join(folder, file));
    announced.delete(partOf(part));
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
    const received: Received = {
      ...{ sender: part.sender, graphId: part.graphId, pointId: part.pointId, dataHash: part.dataHash },
      ...{ treeId: part.treeId, takenMs: part.takenMs, bytes: part.totalBytes, file, receivedMs: clock.now() },
    };
    const doomed = [received, ...(await store.list(part.sender, part.graphId))]
      .sort(newestFirst)
      .slice(deps.limits().keep)
      .filter((one) => one !== received);
    await db.unit(async (tx) => {
      await store.insert(tx, received);
      for (const one of doomed) await store.delete(tx, one);
      await writeLog(tx, part, { status: 'validated', error: null });
      await events.record(tx, {
        type: 'replication.received',
        severity: 'info',
        message: `${part.pointId} of ${part.graphId} was received from ${part.sender}.`,
        data: { point: part.pointId, bytes: part.totalBytes, outcome: 'validated' },
      });
    });
    for (const one of doomed) await rm(join(folder, one.file), { force: true });
    return { state: 'validated', received };
  };

  const find: Receiver['find'] = async (key) => {
    const received = await store.find(key.sender, key.graphId, key.pointId);
    if (received) return { state: 'validated', received };
    const seen = await stat(partOf(key)).catch(() => undefined);
    return seen ? { state: 'receiving', receivedBytes: seen.size } : { state: 'absent' };
  };

  return {
    find,
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
    take: (part) =>
      inLine(nameOf(part), async () => {
        if (!deps.limits().enabled)
          throw new AppError(
            'feature/disabled',
            'Points of others are not taken here: RAGWARDEN_REPLICATION_RECEIVE (replication.receive_enabled) is off.',
          );
        const known = await find(part);
        if (known.state === 'validated') {
          if (known.received.dataHash === part.dataHash) return known;
          throw new AppError(
            'replication/conflict',
            `${part.pointId} of ${part.graphId} is here with the digest ${known.received.dataHash.slice(0, 12)}, and was sent with ${part.dataHash.slice(0, 12)}. Nothing was changed.`,
          );
        }
        const there = known.state === 'receiving' ? known.receivedBytes : 0;
        // A part that came already is told as such; one that leaves a gap is not taken.
        if (part.offset !== there)
          throw new AppError('conflict/state', `The next part begins at ${there}, not at ${part.offset}.`);
        if (part.offset + part.bytes.length > part.totalBytes)
          throw new AppError('conflict/state', `More came than the ${part.totalBytes} bytes that were announced.`);
        await mkdir(partial, { recursive: true, mode: 0o700 });
        const total = announced.get(partOf(part)) ?? part.totalBytes;
        if (there > 0 && total !== part.totalBytes)
          throw new AppError('conflict/state', `${total} bytes were announced before, and ${part.totalBytes} now.`);
        await requireDisk(part);
        if (there === 0)
          // Two that begin at once are counted one after the other.
          await inLine('admission', async () => {
            await removeStale();
            await requireNew(part);
            await requireRoom(part);
            if (part.bytes.length === part.totalBytes) return;
            await requireFew(part);
            await appendTo(partOf(part), Buffer.alloc(0));
          });
        // What was admitted goes on: its bytes are counted from its first part on.
        else if (!announced.has(partOf(part))) await requireRoom(part);
        await appendTo(partOf(part), part.bytes);
        const receivedBytes = there + part.bytes.length;
        return receivedBytes === part.totalBytes ? conclude(part) : { state: 'receiving', receivedBytes };
      }),

    async verify(sender, percent, only = {}) {
      const all = (await store.list(sender))
        .filter(
          (one) =>
            (only.graphId === undefined || one.graphId === only.graphId) &&
            (only.pointId === undefined || one.pointId === only.pointId),
        )
        .sort((one, other) => (lastRead.get(one.file) ?? 0) - (lastRead.get(other.file) ?? 0));
      const chosen = all.slice(0, Math.ceil((all.length * percent) / 100));
      const findings: string[] = [];
      for (const one of chosen) {
        const found = await digestOf(join(folder, one.file)).catch(() => undefined);
        const wrong = found === one.dataHash ? undefined : await inLine(nameOf(one), () => settleDamage(one));
        if (wrong === undefined) lastRead.set(one.file, clock.now());
        else findings.push(wrong);
      }
      return { read: chosen.length, findings };
    },
  };
}

/** On disk when it resolves. */
async function appendTo(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

const newestFirst = (one: Received, other: Received): number =>
  (other.takenMs ?? other.receivedMs) - (one.takenMs ?? one.receivedMs);

/** SHA-256 of a file. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
