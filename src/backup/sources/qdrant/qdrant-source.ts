import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { AppError } from '../../../platform/errors.ts';
import type { HttpClient } from '../../../platform/http-client.ts';
import type { CaptureResult, CompleteContext, PendingCapture, Proof, Source } from '../source.ts';
import { treeDigest } from '../tree.ts';
import { countCollection, findCollections, type LivingCollection, vanished } from './find-collections.ts';
import type { OwnSnapshots } from './own-snapshots.ts';
import type { CapturedCollection, QdrantDetails } from './qdrant-details.ts';
import { createQdrantServer, type QdrantPlace, type QdrantServer, type QdrantSnapshot } from './qdrant-server.ts';

export type QdrantSourceOptions = {
  readonly name: string;
  readonly http: Pick<HttpClient, 'stream'>;
  readonly place: QdrantPlace;
  /** Collections that are the target's although LightRAG would not call them so; each goes back whole. */
  readonly named: readonly string[];
  /** The target's, as the payload names them; asked at each capture. */
  workspaces(): readonly string[];
  /** One workspace is asked for, which need not have vectors. */
  readonly only?: boolean;
  readonly own: OwnSnapshots;
};

type OwnNote = Awaited<ReturnType<OwnSnapshots['asked']>>;
type Made = {
  readonly collection: LivingCollection;
  readonly snapshot: QdrantSnapshot;
  readonly note: OwnNote;
  /** Points that came or went while the server made it. */
  readonly moved: boolean;
};

/**
 * The collections of a Qdrant: a snapshot of each is made at the server while inserts are held, read from there into the
 * repository afterwards, and removed there. It comes after the store with the documents' status, so every document that is called
 * processed has its vectors in it.
 */
export function createQdrantSource(options: QdrantSourceOptions): Source {
  const { name, own } = options;
  const serverOf = (signal: AbortSignal): QdrantServer =>
    createQdrantServer(options.http, options.place, { code: 'backup/capture-failed', signal });
  return {
    name,
    kind: 'qdrant',
    describe: () => ({
      name,
      kind: 'qdrant',
      online: true,
      consistent: 'when-still',
      restorableElsewhere: true,
      notes: [
        'a snapshot of each collection, made by the server and removed there once it is stored',
        'a snapshot is of the whole collection, other workspaces included; a restore brings back those of the target alone',
      ],
    }),
    async settle(signal) {
      await own.removeLeft(serverOf(signal));
    },
    async capture(into, context) {
      await rm(into, { recursive: true, force: true });
      await mkdir(into, { recursive: true, mode: 0o700 });
      const server = serverOf(context.signal);
      const left = await own.removeLeft(server);
      const peers = await server.peers();
      const version = await server.version();
      if (peers > 1) return manyServers(name, peers);
      const found = await findCollections(server, {
        named: options.named,
        workspaces: options.workspaces(),
        expected: options.only !== true,
      });
      const before = await context.idle?.();
      // What is asked of a server goes on there when nobody waits any more, and is to be cleaned up all the same.
      const patient = serverOf(new AbortController().signal);
      const made = await makeAll({ server, patient, own, signal: context.signal }, found.ours, options.workspaces());
      const after = await context.idle?.();
      const rested = before === undefined || after === undefined ? undefined : before && after;
      const facts = { version, notes: [...left, ...found.notes], missing: found.missing, proof: judge(made, rested) };
      const there = new Set(made);
      const remove = async (one: Made): Promise<void> => {
        there.delete(one);
        await removeQuietly(patient, own, one);
      };
      return {
        complete: (context) => complete(name, { server, made, remove, facts }, context),
        async release() {
          for (const one of there) await remove(one);
        },
      } satisfies PendingCapture;
    },
  };
}

type Making = {
  readonly server: QdrantServer;
  readonly patient: QdrantServer;
  readonly own: OwnSnapshots;
  readonly signal: AbortSignal;
};

/** All at once: the less time lies between them, the fewer documents are in some of them only. */
async function makeAll(
  making: Making,
  collections: readonly LivingCollection[],
  workspaces: readonly string[],
): Promise<Made[]> {
  const outcomes = await Promise.allSettled(collections.map((one) => makeOne(making, one, workspaces)));
  const made = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = outcomes.find((one) => one.status === 'rejected');
  if (!failed) return made;
  for (const one of made) await removeQuietly(making.patient, making.own, one);
  throw failed.reason;
}

async function makeOne(
  { server, patient, own, signal }: Making,
  collection: LivingCollection,
  workspaces: readonly string[],
): Promise<Made> {
  const { name } = collection;
  const before = await server.snapshots(name);
  if (!before) throw vanished(server, name);
  const note = await own.asked(
    name,
    before.map((one) => one.name),
  );
  const asked = patient.makeSnapshot(name).then(async (snapshot) => {
    if (snapshot) await own.named(note, snapshot.name);
    else await own.over(note);
    return snapshot;
  });
  const snapshot = await orAborted(asked, signal).catch((err: unknown) => {
    if (signal.aborted)
      asked.then(
        (late) => late && removeQuietly(patient, own, { collection, snapshot: late, note }),
        // Written down.
        () => undefined,
      );
    throw err;
  });
  if (!snapshot) throw vanished(server, name);
  try {
    const now = await countCollection(server, collection, workspaces);
    return {
      collection,
      snapshot,
      note,
      moved: JSON.stringify(countsOf(now)) !== JSON.stringify(countsOf(collection)),
    };
  } catch (err) {
    await removeQuietly(patient, own, { collection, snapshot, note });
    throw err;
  }
}

/** Does not wait any longer than the signal lets it. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

const countsOf = ({ points, workspaces }: LivingCollection) => ({ points, workspaces });

/** What cannot be removed now stands in the notes, and goes before the next capture. */
async function removeQuietly(
  server: QdrantServer,
  own: OwnSnapshots,
  { collection, snapshot, note }: Pick<Made, 'collection' | 'snapshot' | 'note'>,
): Promise<void> {
  try {
    await server.removeSnapshot(collection.name, snapshot.name);
    await own.over(note);
  } catch {
    // Written down.
  }
}

/**
 * Each collection is of one moment, and they are of different ones: what says that they belong together, and to the rest of the
 * target, is the backend's rest. Without it the order does: the documents' status was taken before.
 */
function judge(made: readonly Made[], rested: boolean | undefined): Proof {
  const moved = made.filter((one) => one.moved).map((one) => one.collection.name);
  const whole = made.some((one) => one.collection.store === null);
  if (rested === true && moved.length === 0)
    return { grade: 'consistent', reasons: ['the backend rested, and no collection gained or lost points meanwhile'] };
  if (rested === true)
    return {
      grade: 'fuzzy',
      reasons: [`${moved.join(', ')} gained or lost points while the backend rested: something else writes to it`],
    };
  const why = rested === false ? 'the backend was at work' : 'the backend does not say whether it rested';
  if (whole)
    return { grade: 'fuzzy', reasons: [`${why}, and what its collections have to do with each other is not known`] };
  return {
    grade: 'crash-consistent',
    reasons: [`${why}: each collection is of one moment after that of the documents’ status`],
  };
}

type Facts = {
  readonly version: string;
  readonly notes: readonly string[];
  readonly missing: readonly string[];
  readonly proof: Proof;
};

async function complete(
  name: string,
  taken: {
    readonly server: QdrantServer;
    readonly made: readonly Made[];
    remove(one: Made): Promise<void>;
    readonly facts: Facts;
  },
  context: CompleteContext,
): Promise<CaptureResult> {
  const { server, made, facts } = taken;
  const streams: CaptureResult['streams'][number][] = [];
  const collections: CapturedCollection[] = [];
  for (const [index, one] of made.entries()) {
    const { collection, snapshot } = one;
    const arrived = createHash('sha256');
    const chunks = hashed(server.download(collection.name, snapshot.name), arrived);
    const stream = `collection-${index + 1}.snapshot`;
    const stored = await context.storeStream(stream, { by: 'bytes', chunks });
    const sha256 = arrived.digest('hex');
    requireWhole(name, one, { ...stored, sha256: stored.sha256 ?? sha256 });
    streams.push({ ...stored, sha256 });
    collections.push({ ...collection, stream, sha256, bytes: stored.bytes });
    await taken.remove(one);
  }
  const details: QdrantDetails = { version: 1, qdrant_version: facts.version, collections };
  return {
    ...nothing(name),
    streams,
    bytes: streams.reduce((sum, one) => sum + one.bytes, 0),
    skipped: facts.missing.map((reason) => ({ path: name, reason, loss: true })),
    partial: facts.missing.length > 0,
    notes: [...facts.notes, ...collections.map(inWords)],
    proof: facts.proof,
    restore: { by: 'restorer', details },
  };
}

function requireWhole(
  name: string,
  { collection, snapshot }: Made,
  stored: { readonly bytes: number; readonly sha256: string },
): void {
  const differs =
    stored.bytes !== snapshot.size
      ? `${stored.bytes} bytes of ${snapshot.size} came`
      : snapshot.checksum !== undefined && stored.sha256 !== snapshot.checksum.toLowerCase()
        ? 'its digest is not the one that the server told'
        : undefined;
  if (differs !== undefined)
    throw new AppError(
      'backup/capture-failed',
      `${name}: the snapshot of ${collection.name} did not come whole: ${differs}.`,
    );
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

function inWords({ name, points, workspaces, store }: CapturedCollection): string {
  const ours = Object.values(workspaces).reduce((sum, count) => sum + count, 0);
  const others = store === null ? 0 : points - ours;
  return `${name}: ${points} points${others === 0 ? '' : `, ${others} of them of other workspaces: in the point, and left alone by a restore`}`;
}

const nothing = (name: string) => ({
  name,
  kind: 'qdrant' as const,
  entries: [],
  treeSha256: treeDigest([]),
  streams: [],
  files: 0,
  bytes: 0,
  renewedFiles: 0,
  skipped: [],
  damaged: [],
  partial: false,
  notes: [],
});

/** A snapshot holds what one server has: a point would look whole and lack the rest, so it says that it has nothing. */
function manyServers(name: string, peers: number): CaptureResult {
  const reason = `the collections are spread over ${peers} servers, and a snapshot holds the part of one of them`;
  return {
    ...nothing(name),
    skipped: [{ path: name, reason, loss: true }],
    partial: true,
    proof: { grade: 'consistent', reasons: [`nothing was captured: ${reason}`] },
    restore: { by: 'by-hand', reason },
  };
}
