import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CopyProgress, Repository } from '../../backup/index.ts';
import { factTagChanges } from '../../backup/index.ts';
import { AppError, isAppError } from '../../platform/errors.ts';
import { isManifest, planSync, pointOf } from '../plan-sync.ts';
import type { Place, PlaceCall } from './place.ts';

/** A repository that takes copies of snapshots: a folder, a mount, S3, Azure, GCS, SFTP or a REST server. */
export function createRepositoryPlace(options: {
  readonly repository: Repository;
  readonly source: Repository;
  /** Where packs that are damaged are put, so that nobody takes them for data. */
  readonly folder: string | undefined;
}): Place {
  const { repository, source, folder } = options;

  /** Of a folder what lies in it; elsewhere restic has to read every tree, which is done only when it is verified. */
  const storedBytes = async (): Promise<number | null> => (folder === undefined ? null : sizeOf(join(folder, 'data')));

  /** Through a link, another name of this host or a server before the same folder it may be the repository here: no path tells. */
  const requireOther = async (id: string, call: PlaceCall): Promise<void> => {
    // While that cannot be opened nothing is copied or healed, and the copy is what counts.
    const own = await source.open(call).catch(() => undefined);
    if (own?.state === 'ok' && own.id === id)
      throw new AppError(
        'repository/invalid-location',
        `${repository.location.display} is the repository itself, no copy of it. Name another place.`,
      );
  };

  const open = async (known: string | null, call: PlaceCall): Promise<string> => {
    const opened = await repository.open(call);
    const { display } = repository.location;
    switch (opened.state) {
      case 'ok':
        if (known !== null && opened.id !== known)
          throw new AppError(
            'repository/replaced',
            `The repository at ${display} is not the one that was copied to before (${known.slice(0, 10)}, now ${opened.id.slice(0, 10)}). Check what is mounted there, or register the place anew.`,
          );
        await requireOther(opened.id, call);
        return opened.id;
      case 'missing': {
        if (known !== null)
          throw new AppError(
            'repository/missing',
            `The repository at ${display} is gone. Check that its place is mounted; register the place anew to begin again.`,
          );
        if (folder !== undefined) await requireEmpty(folder);
        const { id } = await repository.init({ ...call, like: source });
        return id;
      }
      case 'wrong-password':
        throw new AppError(
          'repository/wrong-password',
          `The repository at ${display} has another password. Name its file in password_file, or take another place.`,
        );
    }
  };

  return {
    repository,
    async look(known, call) {
      return { repositoryId: await open(known, call), storedBytes: await storedBytes() };
    },
    async plan(points, call) {
      const [here, there] = await Promise.all([source.snapshots(call), repository.snapshots(call)]);
      const plan = planSync(points, here, there);
      // What became known of a point since it was copied, such as that it is pinned, goes after it.
      for (const { point } of plan.held) {
        const [mine, copy] = [here, there].map((list) =>
          list.find((one) => isManifest(one) && pointOf(one) === point.id),
        );
        const changes = mine && copy && factTagChanges(copy.tags, mine.tags);
        if (copy && changes && changes.add.length + changes.remove.length > 0)
          await repository.tag({ ...call, snapshotId: copy.id, ...changes });
      }
      return plan;
    },
    async bring(item, limitKiB, call) {
      const before = await storedBytes();
      const { onProgress, ...asked } = call;
      const facts = { ...asked, from: source, limitKiB };
      const over = new AbortController();
      if (before !== null && onProgress)
        void watchGrowth(storedBytes, over.signal, (now) => onProgress({ bytesDone: now - before, bytesTotal: null }));
      let earlier = 0;
      let latest = 0;
      const isElsewhere = folder === undefined;
      /** Of a store elsewhere. */
      let went: number | null = 0;
      const copy = async (snapshotIds: readonly string[], isLast: boolean): Promise<void> => {
        const follow = ({ bytesDone, bytesTotal }: CopyProgress): void => {
          latest = earlier + bytesDone;
          onProgress?.({ bytesDone: latest, bytesTotal: isLast && bytesTotal !== null ? earlier + bytesTotal : null });
        };
        const asked = { ...facts, snapshotIds, ...(isElsewhere ? { onProgress: follow } : {}) };
        const { bytes } = await repository.copyFrom(asked);
        went = went === null || bytes === null ? null : went + bytes;
        earlier = went ?? latest;
      };
      try {
        // A point exists where its manifest does, so that comes last.
        await copy(item.streams, item.manifest === undefined);
        if (item.manifest !== undefined) await copy([item.manifest], true);
      } finally {
        over.abort();
      }
      const after = await storedBytes();
      const grew = before === null || after === null ? null : Math.max(0, after - before);
      const bytes = isElsewhere ? went : grew;
      if (bytes !== null) onProgress?.({ bytesDone: bytes, bytesTotal: null });
      return { treeId: item.treeId, bytes, dataHash: null };
    },
    async forget(pointIds, call) {
      const doomed = new Set(pointIds);
      const there = (await repository.snapshots(call)).filter((one) => doomed.has(pointOf(one) ?? ''));
      // The manifest first: without it nobody takes the rest for a point.
      for (const list of [there.filter(isManifest), there.filter((one) => !isManifest(one))])
        if (list.length > 0) await repository.forget({ ...call, snapshotIds: list.map(({ id }) => id) });
      return [...new Set(there.flatMap((one) => pointOf(one) ?? []))];
    },
    async prune(call) {
      await repository.removeOwnStaleLocks(call);
      const { freedBytes } = await repository.prune(call).catch((err: unknown) => {
        if (!isAppError(err) || err.code !== 'storage/full') throw err;
        // Without repacking nothing is written before something was freed.
        return repository.prune({ ...call, withoutRepacking: true });
      });
      return { freedBytes };
    },
    async verify(percent, call) {
      return repository.check(
        percent >= 100 ? { ...call, readData: 'all' } : { ...call, readData: 'subset', subset: `${percent}%` },
      );
    },
  };
}

/** Once a second, as long as that is cheap: what takes long to measure is read from the disk that is being written to. */
export async function watchGrowth(
  measure: () => Promise<number | null>,
  over: AbortSignal,
  tell: (bytes: number) => void,
  { everyMs, dearMs } = { everyMs: 1_000, dearMs: 100 },
): Promise<void> {
  for (let tookMs = dearMs; tookMs <= dearMs; ) {
    const isOver = await sleep(everyMs, undefined, { signal: over }).then(
      () => false,
      () => true,
    );
    if (isOver) return;
    const beganMs = performance.now();
    const bytes = await measure();
    if (bytes !== null && !over.aborted) tell(bytes);
    tookMs = performance.now() - beganMs;
  }
}

/** Somebody's files are never mixed with ours. */
async function requireEmpty(folder: string): Promise<void> {
  const names: string[] = await readdir(folder).catch(() => []);
  const foreign = names.filter((name) => !repositoryNames.has(name));
  if (foreign.length > 0)
    throw new AppError(
      'repository/invalid-location',
      `${folder} holds other things than a repository (${foreign.slice(0, 3).join(', ')}). Name an empty folder.`,
    );
}
/** An init that was killed leaves some of them. */
const repositoryNames = new Set(['config', 'data', 'index', 'keys', 'locks', 'snapshots', 'lost+found']);

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries)
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  return bytes;
}
