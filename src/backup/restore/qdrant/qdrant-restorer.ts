import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../platform/errors.ts';
import type { HttpClient } from '../../../platform/http-client.ts';
import { digestFile } from '../../sources/file-digest.ts';
import { ofWorkspaces } from '../../sources/qdrant/lightrag-collections.ts';
import type { OwnSnapshots } from '../../sources/qdrant/own-snapshots.ts';
import { type QdrantDetails, qdrantDetails } from '../../sources/qdrant/qdrant-details.ts';
import { createQdrantServer, type QdrantPlace, type QdrantServer } from '../../sources/qdrant/qdrant-server.ts';
import { spoolTo } from '../../sources/redis/spool.ts';
import type { Restorer, RestorerContext, RestorerRequest } from '../restorer.ts';
import { dropOthers, exchangePoints, holdsOthers } from './exchange-points.ts';
import { comingPoints, type LookedMove, lookAtMoves, planQdrant } from './plan-qdrant.ts';
import { earlierRestores, type NotedMove, type RestoreFolder, restoreFolder } from './restore-folder.ts';

export type QdrantRestorerOptions = {
  /** Of the component. */
  readonly name: string;
  readonly http: Pick<HttpClient, 'stream'>;
  readonly place: QdrantPlace;
  /** A workspace of the target as its backend names it. */
  named(workspace: string): string;
  readonly own: OwnSnapshots;
  /** Ours, on disk, kept from one restore to the next. */
  readonly folder: string;
};

/** Is left free on our own disk, where the state lies as well. */
const leastFreeBytes = 256 * 1024 ** 2;

/**
 * Brings collections back. Each snapshot is taken in under a name of its own first, which shows that this server reads it, and
 * counted; of the living collection a snapshot is kept here, which undoes the restore. Then the one takes the place of the other:
 * as a whole where it holds nothing but what goes back, point by point where it is shared.
 */
export function createQdrantRestorer(options: QdrantRestorerOptions): Restorer {
  const root = join(options.folder, options.name);
  const folderOf = ({ operationId }: RestorerRequest): RestoreFolder => restoreFolder(root, operationId);
  const serverOf = (signal: AbortSignal): QdrantServer =>
    createQdrantServer(options.http, options.place, { code: 'restore/blocked', signal });

  return {
    kind: 'qdrant',

    plan: (request, signal) => planQdrant(serverOf(signal), requireDetails(request), request, options),

    async prepare(request, context) {
      const details = requireDetails(request);
      const server = serverOf(context.signal);
      for (const earlier of await earlierRestores(root, request.operationId)) await forget(server, earlier);
      const folder = folderOf(request);
      await forget(server, folder);
      const looked = await lookAtMoves(server, details, request.scope, options.named);
      requireFree(request, looked);
      await folder.make();
      const noted = looked.map((move, index) => noteOf(request, move, index));
      await folder.noteMoves(noted);
      let coming = 0;
      for (const [index, move] of looked.entries()) {
        const note = noted[index] as NotedMove;
        coming += await stage({ server, own: options.own, folder }, { move, note }, context);
        await context.step('qdrant:staged');
        if (move.living !== undefined && move.method !== 'beside') {
          note.before = await keepBefore(server, options.own, folder, { collection: move.collection, index });
          await folder.noteMoves(noted);
        }
        if (note.method === 'beside' || (note.method === 'points' && note.before !== null))
          await rm(folder.file(note.fresh.file), { force: true });
      }
      // To empty what lives because the point never had it would be the opposite of a restore.
      if (request.scope.workspace !== undefined && coming === 0)
        throw new AppError(
          'restore/blocked',
          `The point holds no vectors of the workspace "${request.scope.workspace}".`,
        );
      await folder.mark('prepared');
      await context.step('qdrant:prepared');
    },

    async commit(request, context) {
      const folder = folderOf(request);
      const state = await folder.state();
      if (state === 'committed') return;
      if (state === 'none')
        throw new AppError('restore/blocked', 'The snapshots are not staged in the Qdrant, so nothing was exchanged.');
      const server = serverOf(context.signal);
      await folder.mark('begun');
      await context.step('qdrant:begun');
      const moves = await folder.moves();
      for (const note of moves) {
        const made = async (how: NotedMove['made']): Promise<void> => {
          note.made = how;
          await folder.noteMoves(moves);
        };
        await moveIn({ server, own: options.own, folder }, note, {
          made,
          step: () => context.step('qdrant:exchanged'),
        });
        await context.step('qdrant:moving');
      }
      await keepAliases(server, requireDetails(request), request);
      await folder.mark('done');
      await context.step('qdrant:committed');
    },

    async verify(request, context) {
      const server = serverOf(context.signal);
      const details = requireDetails(request);
      const wrong: string[] = [];
      for (const move of await lookAtMoves(server, details, request.scope, options.named)) {
        const expected = comingPoints(move);
        if (move.living === undefined) wrong.push(`${move.collection} is not there`);
        else if (expected !== undefined && move.living.replaced !== expected)
          wrong.push(`${move.collection} has ${move.living.replaced} points instead of ${expected}`);
      }
      if (wrong.length > 0) throw new AppError('restore/digest-mismatch', `${server.place}: ${wrong.join('; ')}.`);
    },

    async undo(request, context) {
      const folder = folderOf(request);
      const server = serverOf(context.signal);
      if (await folder.has('begun')) {
        await folder.unmark('done');
        for (const note of await folder.moves()) {
          await moveBack({ server, own: options.own, folder }, note, context);
          await context.step('qdrant:undoing');
        }
      }
      await forget(server, folder);
    },

    async finish(request, context) {
      const folder = folderOf(request);
      const server = serverOf(context.signal);
      let kept = false;
      for (const note of await folder.moves()) {
        if (note.method !== 'beside') await server.removeCollection(note.staged);
        await rm(folder.file(note.fresh.file), { force: true });
        kept ||= note.before !== null;
      }
      if (kept) return folder.path;
      await folder.remove();
      return undefined;
    },

    state: (request) => folderOf(request).state(),

    async rehearse(request, context) {
      const details = requireDetails(request);
      const problems: string[] = [];
      for (const { name, stream, sha256, bytes } of details.collections) {
        const file = join(context.scratchDir, stream);
        await context.fetchStream(stream, file);
        const found = await digestFile(file, { signal: context.signal });
        if (found.bytes !== bytes || found.sha256 !== sha256)
          problems.push(`the snapshot of ${name} is not the one that the manifest names`);
        await rm(file, { force: true });
        await context.step('qdrant:fetched');
      }
      return {
        phases: [],
        bytes: details.collections.reduce((sum, one) => sum + one.bytes, 0),
        counts: {},
        facts: {
          rehearsed: 'fetched, every digest compared; only a Qdrant reads its snapshots, and none of our own is there',
          qdrant_version: details.qdrant_version,
        },
        problems,
        remove: async () => undefined,
      };
    },
  };
}

function requireDetails({ component }: RestorerRequest): QdrantDetails {
  const parsed = qdrantDetails.safeParse(component.restore.by === 'restorer' ? component.restore.details : undefined);
  if (parsed.success && component.kind === 'qdrant') return parsed.data;
  throw new AppError(
    'restore/blocked',
    `The manifest does not say how ${component.name} goes back, or a newer version wrote it.`,
  );
}

function requireFree({ component }: RestorerRequest, moves: readonly LookedMove[]): void {
  const taken = moves.find(({ method, living }) => method === 'beside' && living !== undefined);
  if (taken)
    throw new AppError('restore/blocked', `${component.name}: there is a collection ${taken.collection} already.`);
}

function noteOf({ operationId }: RestorerRequest, move: LookedMove, index: number): NotedMove {
  const { captured, collection, method, workspaces } = move;
  return {
    collection,
    method,
    ...(workspaces === undefined ? {} : { workspaces: [...workspaces] }),
    staged: method === 'beside' ? collection : `ragwarden_${operationId}_${index}`,
    fresh: { file: `fresh-${index}.snapshot`, sha256: captured.sha256 },
    before: null,
  };
}

type Work = { readonly server: QdrantServer; readonly own: OwnSnapshots; readonly folder: RestoreFolder };

/** The server keeps what it takes in under the name that it is given; it goes at once. */
async function takeIn(
  { server, own, folder }: Work,
  collection: string,
  { file, sha256 }: { readonly file: string; readonly sha256: string },
): Promise<void> {
  const name = `ragwarden-${file}`;
  const note = await own.asked(collection, [], name);
  await server.upload(collection, folder.file(file), { name, sha256 });
  await server.removeSnapshot(collection, name);
  await own.over(note);
}

/** @returns how many points of it go back */
async function stage(
  work: Work,
  { move, note }: { readonly move: LookedMove; readonly note: NotedMove },
  context: RestorerContext,
): Promise<number> {
  const { server, folder } = work;
  const { captured, workspaces } = move;
  const file = folder.file(note.fresh.file);
  await context.fetchStream(captured.stream, file);
  const { sha256, bytes } = await digestFile(file, { signal: context.signal });
  if (sha256 !== captured.sha256)
    throw new AppError('restore/digest-mismatch', `The snapshot of ${captured.name} is not the one that was captured.`);
  context.onProgress?.({ bytesDone: bytes });
  await takeIn(work, note.staged, note.fresh);
  const found = await server.count(note.staged);
  if (found !== captured.points)
    throw new AppError(
      'restore/digest-mismatch',
      `${server.place} made ${found ?? 'no'} points of the snapshot of ${captured.name}, which holds ${captured.points}.`,
    );
  if (workspaces === undefined) return found;
  const kept = [...workspaces.keys()];
  const coming = (await server.count(note.staged, ofWorkspaces(kept))) ?? 0;
  // Of a new place only what was asked for.
  if (note.method === 'beside') await dropOthers(server, note.staged, kept);
  return coming;
}

async function keepBefore(
  server: QdrantServer,
  own: OwnSnapshots,
  folder: RestoreFolder,
  { collection, index }: { readonly collection: string; readonly index: number },
): Promise<{ file: string; sha256: string }> {
  const file = `before-${index}.snapshot`;
  const there = (await server.snapshots(collection)) ?? [];
  const note = await own.asked(
    collection,
    there.map(({ name }) => name),
  );
  const snapshot = await server.makeSnapshot(collection);
  if (!snapshot) throw new AppError('restore/blocked', `The collection ${collection} vanished in the middle.`);
  await own.named(note, snapshot.name);
  try {
    const disk = await statfs(folder.path);
    if (snapshot.size + leastFreeBytes > disk.bavail * disk.bsize)
      throw new AppError(
        'storage/full',
        `What ${collection} holds now takes ${snapshot.size} bytes, and there is no room to keep them for the way back in ${folder.path}.`,
      );
    const { bytes, sha256 } = await spoolTo(folder.file(file), buffers(server.download(collection, snapshot.name)));
    if (bytes !== snapshot.size || sha256 !== (snapshot.checksum?.toLowerCase() ?? sha256))
      throw new AppError('restore/blocked', `The snapshot of what ${collection} holds now did not come whole.`);
    return { file, sha256 };
  } finally {
    await server.removeSnapshot(collection, snapshot.name).then(
      () => own.over(note),
      // Written down: it goes before the next capture.
      () => undefined,
    );
  }
}

async function* buffers(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

type Moving = { made(how: NotedMove['made']): Promise<void>; step(): Promise<void> };

/** What was found when it was planned may have changed: others may use by now what was the target's alone, or was not there. */
async function moveIn(work: Work, note: NotedMove, { made, step }: Moving): Promise<void> {
  const { server } = work;
  const { collection, method, fresh, staged } = note;
  const workspaces = note.workspaces && new Map(note.workspaces);
  const places = [...(workspaces?.values() ?? [])];
  if (method === 'beside') return;
  if (note.before === null) {
    if (note.made === undefined && (await server.count(collection)) !== undefined) {
      if (workspaces) return exchangePoints(server, staged, collection, workspaces, step);
      throw new AppError('restore/blocked', `Somebody made a collection ${collection} since it was looked at.`);
    }
    await made('begun');
    // By the snapshot, which knows how.
    await takeIn(work, collection, fresh);
    if (workspaces && method === 'points') await exchangePoints(server, staged, collection, workspaces, step);
    if (workspaces) await dropOthers(server, collection, places);
    return made('done');
  }
  if (workspaces && (method === 'points' || (await holdsOthers(server, collection, places))))
    return exchangePoints(server, staged, collection, workspaces, step);
  return takeIn(work, collection, fresh);
}

async function moveBack(work: Work, note: NotedMove, context: RestorerContext): Promise<void> {
  const { server } = work;
  const { collection, method, staged, before } = note;
  const workspaces = note.workspaces && new Map(note.workspaces.map(([, place]) => [place, place]));
  const places = [...(workspaces?.values() ?? [])];
  if (method === 'beside') return;
  const shared = workspaces !== undefined && (method === 'points' || (await holdsOthers(server, collection, places)));
  if (before === null) {
    // What we made goes, and with it only what came by us.
    if (
      note.made === 'begun' ||
      (note.made === 'done' && !(workspaces && (await holdsOthers(server, collection, places))))
    )
      return server.removeCollection(collection);
    if (workspaces && (await server.count(collection)) !== undefined)
      await server.removePoints(collection, ofWorkspaces(places));
    return;
  }
  if (!shared) return takeIn(work, collection, before);
  await server.removeCollection(staged);
  await takeIn(work, staged, before);
  await exchangePoints(server, staged, collection, workspaces, () => context.step('qdrant:exchanged'));
}

/** An alias is no part of a snapshot; one that leads elsewhere by now stays. */
async function keepAliases(server: QdrantServer, details: QdrantDetails, { scope }: RestorerRequest): Promise<void> {
  if (scope.aside !== undefined || scope.workspace !== undefined) return;
  const there = new Set((await server.aliases()).map(({ alias }) => alias));
  for (const { name, aliases } of details.collections)
    for (const alias of aliases) if (!there.has(alias)) await server.addAlias(alias, name);
}

/** Takes away what a restore staged, and its folder. */
async function forget(server: QdrantServer, folder: RestoreFolder): Promise<void> {
  const finished = await folder.has('done');
  for (const { staged, method } of await folder.moves())
    if (method !== 'beside' || !finished) await server.removeCollection(staged);
  await folder.remove();
}
