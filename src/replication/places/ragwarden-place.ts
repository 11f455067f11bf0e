import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import type { Repository } from '../../backup/index.ts';
import type { ChildProcesses } from '../../platform/child-processes/index.ts';
import { type Clock, isoInstant } from '../../platform/clock.ts';
import { AppError, type ErrorCode, isAppError } from '../../platform/errors.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import type { RandomSource } from '../../platform/ids.ts';
import { isManifest, type PointCopy, type SyncPlan } from '../plan-sync.ts';
import { mostPartBytes, type receivedBody, uploadBody } from '../receive/receive-routes.ts';
import { digestOf } from '../receive/receiver.ts';
import { packFolder, requireOpen, requireRoomFor, unpackFolder, whileRoom } from './packed-point.ts';
import type { Place, PlaceCall } from './place.ts';
import { createRagwardenCalls, listAnswer, verifyAnswer } from './ragwarden-calls.ts';
import { watchReading } from './reading-watch.ts';

/** Less is not asked at once, however slow the line. */
const leastPartBytes = 64 * 1024;
/** How long one question may take the other side to read a large point; the next one goes on. */
const patienceSeconds = 30;
/** An older one reads all of it before it answers. */
const readingMs = 600_000;
/** A part comes over a slow line as long as bytes flow; a few KiB a second is the least, so that nobody is kept waiting for ever. */
const slowly = { silenceMs: 55_000, timeoutMs: 3_600_000 };
/** What is kept of what the other side finds, and of each finding. */
const mostFindings = 50;
const mostFindingLength = 1_000;

/** A point as it was packed. */
export type Packed = { readonly dataHash: string; readonly bytes: number };
/** Of one place; what is not remembered is packed again to be asked for. */
const mostRefused = 1_000;

/**
 * Another ragwarden. It gets a whole point as a repository of its own, packed into one file and as sealed as it is here: the
 * receiver can look at its digest and not into it. Each point is sent whole, since nothing is shared between two of them there.
 */
export function createRagwardenPlace(options: {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly http: HttpRequester;
  readonly source: Repository;
  /** Where a point is packed; what lies there is used again after a kill, so that the bytes stay the same. */
  readonly spool: string;
  readonly children: ChildProcesses;
  readonly random: RandomSource;
  readonly clock: Pick<Clock, 'now'>;
  /** A repository in a folder, with the password of the source. */
  repositoryAt(folder: string): Repository;
  /** Which of these points are known here; left out: all. Several installations may send with one key. */
  readonly ours?: (pointIds: readonly string[]) => Promise<ReadonlySet<string>>;
  /** How much goes in one request. */
  readonly partBytes?: number;
  /** Points that were packed and refused as too large, kept from one opening to the next by who opens it. */
  readonly tooLarge?: Map<string, Packed>;
}): Place {
  const { baseUrl, source, spool, partBytes = mostPartBytes } = options;
  const { send, ask } = createRagwardenCalls(options);
  const oursOf = async (items: readonly { readonly backup_id: string }[]): Promise<ReadonlySet<string>> => {
    const ids = items.map((one) => one.backup_id);
    return (await options.ours?.(ids)) ?? new Set(ids);
  };

  const datesOf = ({ takenMs }: PointCopy['point']) => ({
    taken_at: isoInstant(takenMs),
    sent_at: isoInstant(options.clock.now()),
  });

  /** What came of an earlier attempt is gone on with. */
  const fetchFile = async (listed: z.infer<typeof receivedBody>, file: string, call: PlaceCall): Promise<void> => {
    const { backup_id: pointId, size_bytes: bytes } = listed;
    const about = { graph_id: listed.graph_id, backup_id: pointId, data_hash: listed.data_hash };
    const handle = await open(file, 'a', 0o600);
    try {
      for (let offset = (await handle.stat()).size; offset < bytes; ) {
        const asked = { ...about, offset: String(offset) };
        const { bytes: part } = await send('/received/content', asked, call, slowly);
        if (part.length === 0 || offset + part.length > bytes)
          throw new AppError(
            'replication/digest-mismatch',
            `${baseUrl} gives another number of bytes of ${pointId} than it lists.`,
          );
        await handle.writeFile(part);
        offset += part.length;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    const found = await digestOf(file, call.signal);
    if (found === listed.data_hash) return;
    await rm(file);
    throw new AppError(
      'replication/digest-mismatch',
      `${baseUrl} lists ${pointId} with the digest ${listed.data_hash.slice(0, 12)} and gives ${found.slice(0, 12)}.`,
    );
  };

  /** One repository below `folder` with these points; what it says of itself is believed only as far as our password opens it. */
  const bringBack = async (pointIds: readonly string[], folder: string, call: PlaceCall): Promise<Repository> => {
    const { items } = await ask(listAnswer, '/received', { mine: 'true' }, call);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    let all: Repository | undefined;
    for (const pointId of pointIds) {
      const listed = items.find((one) => one.backup_id === pointId);
      if (!listed) throw new AppError('backup/unknown-point', `${baseUrl} does not hold ${pointId}.`);
      await requireRoomFor(folder, listed.size_bytes);
      const file = join(folder, `${listed.data_hash.slice(0, 24)}.tar`);
      await fetchFile(listed, file, call);
      const into = join(folder, listed.data_hash.slice(0, 24));
      await unpackFolder(options.children, { folder: into, file }, call.signal);
      await rm(file);
      const one = options.repositoryAt(into);
      await requireOpen(one, `what ${baseUrl} gives for ${pointId}`, call);
      const snapshots = await one.snapshots({ ...call, tags: [`rp:${pointId}`] });
      const manifest = snapshots.find(isManifest);
      if (!manifest || (listed.tree_id !== null && manifest.tree !== listed.tree_id))
        throw new AppError('replication/digest-mismatch', `What ${baseUrl} gives for ${pointId} is another point.`);
      if (all) {
        await all.copyFrom({ ...call, from: one, snapshotIds: snapshots.map(({ id }) => id) });
        await rm(into, { recursive: true, force: true });
      } else all = one;
    }
    if (!all) throw new AppError('backup/unknown-point', `${baseUrl} holds none of the points that are wanted.`);
    return all;
  };

  /** That it has what it lists it can only prove by giving it back. @returns what is wrong */
  const proveShare = async (pointIds: readonly string[], call: PlaceCall): Promise<string[]> => {
    const findings: string[] = [];
    for (const pointId of pointIds) {
      const folder = join(spool, 'back');
      await rm(folder, { recursive: true, force: true });
      try {
        const { ok, findings: found } = await (await bringBack([pointId], folder, call)).check({
          ...call,
          readData: 'all',
        });
        if (!ok) findings.push(`${pointId}: ${found[0] ?? 'its data are damaged'}`);
      } catch (err) {
        call.signal.throwIfAborted();
        if (!isAppError(err) || !notThere.has(err.code)) throw err;
        findings.push(`${pointId} is listed and not there: ${err.detail}`);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
    return findings;
  };

  /** What was too large is asked for before it is packed again: its size hardly changes, what is taken may. */
  const requireWanted = async ({ point, treeId }: PointCopy, call: PlaceCall): Promise<void> => {
    const before = options.tooLarge?.get(point.id);
    if (!before) return;
    const about = { graph_id: point.targetId, backup_id: point.id, data_hash: before.dataHash, tree_id: treeId };
    const query = { ...about, total_bytes: String(before.bytes), offset: '0', ...datesOf(point) };
    await ask(uploadBody, '/upload', query, call, { body: Buffer.alloc(0) });
    options.tooLarge?.delete(point.id);
  };
  const noteTooLarge = async (pointId: string, { file, ...packed }: Packed & { file: string }, err: unknown) => {
    const { tooLarge } = options;
    if (!tooLarge || !isAppError(err) || err.code !== 'request/too-large') return;
    tooLarge.set(pointId, packed);
    await rm(file, { force: true });
    for (const oldest of [...tooLarge.keys()].slice(0, Math.max(0, tooLarge.size - mostRefused)))
      tooLarge.delete(oldest);
  };

  /** Packed once; a second time only when it is not there any more. */
  const pack = async (
    { point, streams, manifest }: PointCopy,
    call: PlaceCall,
  ): Promise<{ file: string; dataHash: string; bytes: number }> => {
    const file = join(spool, `${point.id}.tar`);
    if (!(await stat(file).catch(() => undefined))) {
      const folder = join(spool, `${point.id}.repository`);
      await rm(folder, { recursive: true, force: true });
      await mkdir(spool, { recursive: true, mode: 0o700 });
      const packed = options.repositoryAt(folder);
      try {
        await whileRoom(spool, call.signal, async (signal) => {
          await packed.init({ ...call, signal, like: source });
          // In no order: nobody sees it before all of it is packed.
          const snapshotIds = [...streams, ...(manifest === undefined ? [] : [manifest])];
          await packed.copyFrom({ ...call, signal, from: source, snapshotIds });
          await packFolder(options.children, { folder, file }, signal);
        });
      } finally {
        // On a full disk above all.
        await rm(folder, { recursive: true, force: true });
        await rm(`${file}.new`, { force: true });
      }
    }
    return { file, dataHash: await digestOf(file, call.signal), bytes: (await stat(file)).size };
  };

  return {
    repository: undefined,
    async look(_known, call) {
      const { items, keep = null } = await ask(listAnswer, '/received', { mine: 'true' }, call);
      const ours = await oursOf(items);
      const bytesOf = (own: boolean): number =>
        items.reduce((sum, one) => sum + (ours.has(one.backup_id) === own ? one.size_bytes : 0), 0);
      return { repositoryId: null, storedBytes: bytesOf(true), otherBytes: bytesOf(false), keep };
    },

    async plan(points, call) {
      const { items, keep } = await ask(listAnswer, '/received', { mine: 'true' }, call);
      const there = new Map(items.map((one) => [`${one.graph_id} ${one.backup_id}`, one]));
      // Who only asks what lies there may have no source any more.
      const here = points.length === 0 ? [] : await source.snapshots(call);
      const copy: PointCopy[] = [];
      const held: SyncPlan['held'][number][] = [];
      const conflicts: SyncPlan['conflicts'][number][] = [];
      const seen = new Map<string, number>();
      for (const point of points) {
        const newer = seen.get(point.targetId) ?? 0;
        seen.set(point.targetId, newer + 1);
        // It would go there at once.
        if (keep !== undefined && newer >= keep) continue;
        const mine = here.filter((one) => one.tags.includes(`rp:${point.id}`));
        const manifest = mine.find((one) => one.tags.includes('manifest') && !one.tags.includes('rejected'));
        if (!manifest) continue;
        const found = there.get(`${point.targetId} ${point.id}`);
        if (!found) {
          const streams = mine.filter((one) => !one.tags.includes('manifest')).map(({ id }) => id);
          copy.push({ point, streams, manifest: manifest.id, treeId: manifest.tree });
        } else if (found.tree_id === manifest.tree) {
          held.push({ point, treeId: manifest.tree });
          // Its last answer was lost.
          await rm(join(spool, `${point.id}.tar`), { force: true });
        } else conflicts.push({ pointId: point.id, here: manifest.tree, there: found.tree_id ?? found.data_hash });
      }
      return { copy, held, conflicts, listed: await oursOf(items) };
    },

    async bring(item, limitKiB, call) {
      await requireWanted(item, call);
      // One is packed at a time: whatever else lies there was left by a point that is there by now, or is not wanted any more.
      for (const name of await readdir(spool).catch((): string[] => []))
        if (!name.startsWith(`${item.point.id}.`)) await rm(join(spool, name), { recursive: true, force: true });
      const { file, dataHash, bytes } = await pack(item, call);
      const { point, treeId } = item;
      const about = { graph_id: point.targetId, backup_id: point.id, data_hash: dataHash };
      const known = await ask(listAnswer, '/received', { ...about, mine: 'true' }, call);
      const begunAt = known.received_bytes ?? 0;
      let offset = begunAt;
      const tell = () => call.onProgress?.({ bytesDone: offset - begunAt, bytesTotal: bytes - begunAt });
      tell();
      const handle = await open(file, 'r');
      let mostBytes = partBytes;
      const watch = watchReading(bytes);
      try {
        for (;;) {
          if (offset > bytes)
            throw new AppError('outgoing/failed', `${baseUrl} says that it has more of ${point.id} than there is.`);
          const part = Buffer.alloc(Math.min(mostBytes, bytes - offset));
          await handle.read(part, 0, part.length, offset);
          const beganMs = performance.now();
          const query = {
            ...about,
            total_bytes: String(bytes),
            offset: String(offset),
            tree_id: treeId,
            ...datesOf(point),
            patience_seconds: String(patienceSeconds),
          };
          // The other side reads all of it before it lists it.
          const last = offset + part.length >= bytes;
          const more = { body: part, ...(last ? { timeoutMs: readingMs } : {}) };
          const answer = await ask(uploadBody, '/upload', query, call, more).catch(async (err: unknown) => {
            await noteTooLarge(point.id, { file, dataHash, bytes }, err);
            if (!isAppError(err) || err.code !== 'outgoing/timeout' || part.length <= leastPartBytes) throw err;
            return undefined;
          });
          if (!answer) {
            // The line is too slow for such a part: a smaller one, from where the other side is.
            mostBytes = Math.max(leastPartBytes, Math.floor(part.length / 4));
            offset = (await ask(listAnswer, '/received', { ...about, mine: 'true' }, call)).received_bytes ?? 0;
            continue;
          }
          const listed = answer.status === 'validated';
          offset = listed ? bytes : offset + part.length;
          if (answer.data_hash !== dataHash || answer.received_bytes !== offset)
            throw new AppError('outgoing/failed', `${baseUrl} says that it has something else than was sent.`);
          tell();
          if (listed) break;
          if (offset >= bytes) {
            const seen = watch(answer.read_bytes ?? 0);
            if (seen === 'not believed')
              throw new AppError('outgoing/failed', `${baseUrl} says that it read more of ${point.id} than there is.`);
            if (answer.read_bytes === undefined || seen === 'stuck')
              throw new AppError('outgoing/failed', `${baseUrl} took all of ${point.id} and does not list it.`);
          }
          await slowDown(part.length, limitKiB, performance.now() - beganMs, call.signal);
        }
      } finally {
        await handle.close();
      }
      await rm(file, { force: true });
      return { treeId, bytes, dataHash };
    },

    // It keeps as many as it was told to.
    forget: async () => [],
    async verify(percent, call, known) {
      const { items } = await ask(listAnswer, '/received', { mine: 'true' }, call);
      // Another installation may send with the same key.
      const ours = items.filter((one) => known === undefined || known.has(one.backup_id));
      const chosen = new Set(
        chooseShare(
          ours.map((one) => one.backup_id),
          percent,
          options.random,
        ),
      );
      const findings: string[] = [];
      // One after the other, and as often as it takes: what counts is that each question gets further.
      for (const { graph_id, backup_id, size_bytes } of ours.filter((one) => chosen.has(one.backup_id))) {
        const asked = { mine: 'true', graph_id, backup_id, patience_seconds: String(patienceSeconds) };
        // What is damaged is read twice.
        const watch = watchReading(2 * size_bytes);
        for (let complete = false; !complete; ) {
          const told = await ask(verifyAnswer, '/received/verify', asked, call, {
            body: Buffer.from(JSON.stringify({ percent: 100 })),
            type: 'application/json',
            timeoutMs: readingMs,
          });
          for (const one of told.findings.slice(0, mostFindings - findings.length))
            findings.push(one.slice(0, mostFindingLength));
          complete = told.complete;
          const seen = complete ? 'goes on' : watch(told.read_bytes);
          if (seen === 'not believed')
            throw new AppError('outgoing/failed', `${baseUrl} says that it read more of ${backup_id} than there is.`);
          if (seen === 'stuck')
            throw new AppError('outgoing/timeout', `${baseUrl} gets no further with reading ${backup_id}.`);
        }
      }
      if (findings.length === 0) findings.push(...(await proveShare([...chosen], call)));
      return { ok: findings.length === 0, findings };
    },
    bringBack,
  };
}

const notThere: ReadonlySet<string> = new Set([
  'backup/unknown-point',
  'replication/digest-mismatch',
  'repository/missing',
  'repository/wrong-password',
  'repository/damaged',
  'restore/unsafe-entry',
  'child/failed',
] satisfies ErrorCode[]);

/** As many as the share comes to, by chance, so that over time it is neither more nor less, and all come round. */
export function chooseShare(ids: readonly string[], percent: number, random: RandomSource): string[] {
  const chance = (): number => random(4).readUInt32BE() / 2 ** 32;
  const count = Math.floor((ids.length * percent) / 100 + (percent < 100 ? chance() : 0));
  const order = ids.map((id) => ({ id, at: chance() })).sort((one, other) => one.at - other.at);
  return order.slice(0, count).map(({ id }) => id);
}

async function slowDown(bytes: number, limitKiB: number, tookMs: number, signal: AbortSignal): Promise<void> {
  const dueMs = limitKiB > 0 ? (bytes / (limitKiB * 1_024)) * 1_000 - tookMs : 0;
  if (dueMs > 0) await sleep(dueMs, undefined, { signal });
}
