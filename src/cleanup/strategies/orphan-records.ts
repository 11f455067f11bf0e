import { dirname, join, relative } from 'node:path';
import { describeError } from '../../platform/errors.ts';
import { storeFiles } from '../../targets/index.ts';
import { findReal } from '../folder-walk.ts';
import { type JsonRecord, scanRecords } from '../json-records.ts';
import type { OfflineTarget } from '../offline.ts';
import type { ContainedInNewestPoint, PlanItem } from '../plan.ts';
import type { OpenQuarantine } from '../quarantine.ts';
import { takeRecords } from '../record-quarantine.ts';
import { look, lstatOf, type Seen } from '../safe-path.ts';
import type { Outcome } from '../strategy.ts';
import { cacheFile } from './llm-cache.ts';

/** Records of one file that name a record of another, and that nothing else names: whoever takes them leaves no hole. */
type Leaf = {
  readonly kind: 'text-without-document' | 'stale-cache';
  readonly file: string;
  /** Where what they belong to stands, by its key. */
  readonly owners: string;
  readonly fields: ReadonlySet<string>;
  /** Undefined: it belongs to nothing that could be looked up, and stays. */
  ownerOf(record: JsonRecord): string | undefined;
  readonly why: string;
  /** What it belongs to is written after it: where that is much older, it is kept elsewhere by now. */
  readonly ownersAreNewer: boolean;
  /** Of a document that failed the chunks were never written; taken up again it asks for exactly what was extracted of them. */
  readonly onlyAllProcessed: boolean;
};

/** Between the two writes of one document lie its extraction and its queue. */
const ownersMayBeOlderMs = 3_600_000;

const leaves: readonly Leaf[] = [
  {
    ...{ kind: 'text-without-document', file: storeFiles.full_docs, owners: storeFiles.doc_status, fields: new Set() },
    ownerOf: ({ key }) => key,
    why: 'no document has this text any more',
    ownersAreNewer: true,
    onlyAllProcessed: false,
  },
  {
    ...{ kind: 'stale-cache', file: cacheFile, owners: storeFiles.text_chunks },
    fields: new Set(['cache_type', 'chunk_id']),
    ownerOf: ({ fields }) =>
      fields.cache_type === 'extract' && fields.chunk_id !== 'null' ? fields.chunk_id : undefined,
    why: 'it was extracted from a chunk that is gone, so nobody asks for it again',
    ownersAreNewer: false,
    onlyAllProcessed: true,
  },
];

/** Kinds in files that this can take; the others hang together with vectors and the graph. */
export const leafKinds: ReadonlySet<string> = new Set(leaves.map(({ kind }) => kind));

const none: ReadonlySet<string> = new Set();
const ofStatus: ReadonlySet<string> = new Set(['status']);

async function keysOf(path: string, signal: AbortSignal): Promise<Set<string>> {
  const keys = new Set<string>();
  await scanRecords(path, none, ({ key }) => keys.add(key), signal);
  return keys;
}

/** Why nothing of this kind may go from a workspace yet. */
async function findWaiting(leaf: Leaf, root: string, folder: string, signal: AbortSignal): Promise<string | undefined> {
  if (!leaf.onlyAllProcessed) return undefined;
  const place = await placeOf(root, join(folder, storeFiles.doc_status), signal);
  if (!place) return `${storeFiles.doc_status} was lost or is kept elsewhere: it cannot be told which documents failed`;
  let waiting = 0;
  await scanRecords(
    place.path,
    ofStatus,
    ({ fields }) => {
      if (fields.status !== 'processed') waiting += 1;
    },
    signal,
  );
  if (waiting === 0) return undefined;
  return `${waiting} documents are not processed, and taking one up again asks for what was extracted of it. Retry them or delete them first`;
}

type Place = { readonly path: string; readonly seen: Seen };

async function placeOf(root: string, path: string, signal: AbortSignal): Promise<Place | undefined> {
  const real = await findReal(path);
  if (real === undefined || !real.startsWith(`${root}/`)) return undefined;
  const seen = await look(real, (await lstatOf(root))?.dev ?? 0n, signal);
  return seen && { path: real, seen };
}

/** What would go from the files of a target, and what stays with its reason. */
export async function findOrphanRecords(options: {
  target: OfflineTarget;
  /** One kind alone; undefined: all. */
  kind: string | undefined;
  mayGo: boolean;
  contained: ContainedInNewestPoint;
  keep(what: string, why: string): void;
  signal: AbortSignal;
}): Promise<readonly PlanItem[]> {
  const { target, kind, keep, signal } = options;
  const root = target.workspaceRoot === undefined ? undefined : await findReal(target.workspaceRoot);
  if (root === undefined) return [];
  const items: PlanItem[] = [];
  for (const workspace of target.workspaces())
    for (const leaf of leaves) {
      if (kind !== undefined && kind !== leaf.kind) continue;
      const folder = target.folderOf(workspace);
      const [place, owners] = [
        await placeOf(root, join(folder, leaf.file), signal),
        await placeOf(root, join(folder, leaf.owners), signal),
      ];
      if (!place) continue;
      const what = `${target.id}:${workspace === '' ? '(unnamed)' : workspace} ${leaf.file}`;
      const found = { all: 0, count: 0, bytes: 0 };
      let waits: string | undefined;
      try {
        // Without the file that says what belongs to what, everything would look left over.
        const keys = owners ? await keysOf(owners.path, signal) : new Set<string>();
        await scanRecords(
          place.path,
          leaf.fields,
          (record) => {
            const owner = leaf.ownerOf(record);
            if (owner === undefined) return;
            found.all += 1;
            if (keys.has(owner)) return;
            found.count += 1;
            found.bytes += record.end - record.start;
          },
          signal,
        );
        waits = found.count === 0 ? undefined : await findWaiting(leaf, root, folder, signal);
      } catch (err) {
        signal.throwIfAborted();
        keep(what, describeError(err));
        continue;
      }
      if (found.count === 0) continue;
      const counted = `${what}: ${found.count} records, ${leaf.kind}`;
      const isStale =
        leaf.ownersAreNewer && owners && place.seen.changedMs - owners.seen.changedMs > ownersMayBeOlderMs;
      if (!owners || isStale || found.count === found.all)
        keep(
          counted,
          `${leaf.owners} was lost, is out of date or is kept elsewhere: it names none of them, or was written long before. Look at it by hand`,
        );
      else if (waits !== undefined) keep(counted, waits);
      else if (!options.mayGo)
        keep(
          counted,
          'the backend runs, or may run, holds them in memory and would write them back. Stop it, or let it be stopped with `stop_backend`',
        );
      else
        items.push({
          ...{ key: `${target.id} ${workspace} ${leaf.kind} file`, what: counted, why: leaf.why, bytes: found.bytes },
          risk: 'medium',
          contained: await options.contained({ kind: 'path', path: place.path, changedMs: place.seen.changedMs }),
          seen: {
            ...{ in: 'file', target: target.id, orphan: leaf.kind, records: found.count },
            ...{ path: relative(root, place.path), kind: place.seen.kind, device: place.seen.device },
            ...{ inode: place.seen.inode, stamp: place.seen.stamp, owners: relative(root, owners.path) },
            ...{ owners_inode: owners.seen.inode, owners_stamp: owners.seen.stamp },
          },
        });
    }
  return items;
}

/** Takes what was planned out of its file, while nobody holds that. */
export async function takeOrphanRecords(options: {
  target: OfflineTarget;
  item: PlanItem;
  quarantine: OpenQuarantine;
  number: number;
  signal: AbortSignal;
}): Promise<Outcome> {
  const { target, item, quarantine, number, signal } = options;
  const { seen } = item;
  const leaf = leaves.find(({ kind }) => kind === seen.orphan);
  const root = target.workspaceRoot === undefined ? undefined : await findReal(target.workspaceRoot);
  if (!leaf || root === undefined) return { done: false, why: 'its folder is not there any more' };
  const owners = await placeOf(root, join(root, String(seen.owners)), signal);
  if (!owners || owners.seen.inode !== seen.owners_inode || owners.seen.stamp !== seen.owners_stamp)
    return { done: false, why: 'what they could belong to changed since it was planned' };
  const waits = await findWaiting(leaf, root, dirname(owners.path), signal);
  if (waits !== undefined) return { done: false, why: waits };
  const keys = await keysOf(owners.path, signal);
  return takeRecords({
    ...{ root, item, fields: leaf.fields, quarantine, targetId: target.id, signal, number },
    goes(record) {
      const owner = leaf.ownerOf(record);
      return owner !== undefined && !keys.has(owner);
    },
  });
}

/** Whether records that went are gone from their file. */
export async function countOrphanRecords(target: OfflineTarget, item: PlanItem, signal: AbortSignal): Promise<number> {
  const leaf = leaves.find(({ kind }) => kind === item.seen.orphan);
  if (!leaf || target.workspaceRoot === undefined) return 0;
  const keys = await keysOf(join(target.workspaceRoot, String(item.seen.owners)), signal);
  let left = 0;
  await scanRecords(
    join(target.workspaceRoot, String(item.seen.path)),
    leaf.fields,
    (record) => {
      const owner = leaf.ownerOf(record);
      if (owner !== undefined && !keys.has(owner)) left += 1;
    },
    signal,
  );
  return left;
}
