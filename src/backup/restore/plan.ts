import { ownFolder, type TreeEntry } from '../sources/tree.ts';

/** A top-level name of the live folder or of the recovery point, with what lies below it. */
export type TopEntry = { readonly name: string; readonly files: number; readonly bytes: number };
export type KeptName = { readonly name: string; readonly reason: string };

/** One name that is moved: out when it was there before (`old`), in when the point has it (`new`). */
export type SwapUnit = { readonly name: string; readonly old: boolean; readonly new: boolean };

/** What a look at the live folder found; see `surveyFolder`. */
export type FolderSurvey = {
  readonly root: string;
  readonly exists: boolean;
  readonly entries: readonly TopEntry[];
  /** Files written after the point was taken; examples are capped, the sums are not. */
  readonly newer: {
    readonly files: number;
    readonly bytes: number;
    readonly examples: readonly { readonly path: string; readonly bytes: number; readonly mtimeMs: number }[];
  };
  /** Mount points below the root, relative to it. */
  readonly mountPoints: readonly string[];
  /** Why the folder or an entry of it cannot be moved, as far as it can be seen without trying. */
  readonly obstacles: readonly string[];
  readonly freeBytes: number;
};

export type PlanItem = {
  readonly name: string;
  readonly action: 'replace' | 'add' | 'remove' | 'keep';
  readonly reason: string;
  readonly oldBytes: number;
  readonly newBytes: number;
};

/** What a restore of one folder would do. It must not be carried out while `blockers` is not empty. */
export type SwapPlan = {
  readonly root: string;
  readonly items: readonly PlanItem[];
  readonly units: readonly SwapUnit[];
  readonly lost: FolderSurvey['newer'];
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly freeNeededBytes: number;
  readonly freeAvailableBytes: number;
  readonly blockers: readonly string[];
};

const blockBytes = 4096;

/** The top-level names of a point and the space its files take in whole blocks. */
export function incomingOf(entries: readonly TreeEntry[]): { top: TopEntry[]; spaceBytes: number } {
  const top = new Map<string, { name: string; files: number; bytes: number }>();
  let spaceBytes = 0;
  for (const entry of entries) {
    const [name = ''] = entry.path.split('/', 1);
    const sum = top.get(name) ?? { name, files: 0, bytes: 0 };
    const bytes = entry.kind === 'file' ? entry.bytes : 0;
    if (entry.kind === 'file') sum.files += 1;
    sum.bytes += bytes;
    spaceBytes += Math.max(1, Math.ceil(bytes / blockBytes)) * blockBytes;
    top.set(name, sum);
  }
  return { top: [...top.values()], spaceBytes };
}

/** Which names move: all that the live folder or the point has, but those that are kept. Sorted by name. */
export function decideUnits(live: Iterable<string>, incoming: Iterable<string>, keep: Iterable<string>): SwapUnit[] {
  const kept = new Set([ownFolder, ...keep]);
  const olds = new Set([...live].filter((name) => !kept.has(name)));
  const news = new Set([...incoming].filter((name) => !kept.has(name)));
  return [...new Set([...olds, ...news])].sort().map((name) => ({ name, old: olds.has(name), new: news.has(name) }));
}

/**
 * Compares a live folder with a point, name by name. Exact: what the point does not have leaves the folder. Nothing is
 * deleted: what leaves goes to the undo folder and takes no further space.
 */
export function planSwap(
  survey: FolderSurvey,
  incoming: { readonly top: readonly TopEntry[]; readonly spaceBytes: number },
  keep: readonly KeptName[],
): SwapPlan {
  const olds = new Map(survey.entries.map((entry) => [entry.name, entry]));
  const news = new Map(incoming.top.map((entry) => [entry.name, entry]));
  const units = decideUnits(
    olds.keys(),
    news.keys(),
    keep.map((kept) => kept.name),
  );
  const moved = units.map((unit): PlanItem => {
    const sizes = {
      name: unit.name,
      oldBytes: olds.get(unit.name)?.bytes ?? 0,
      newBytes: news.get(unit.name)?.bytes ?? 0,
    };
    if (unit.old && unit.new)
      return {
        ...sizes,
        action: 'replace',
        reason: 'replaced by the state of the point; the present one can be undone',
      };
    if (unit.new) return { ...sizes, action: 'add', reason: 'it is in the point and not in the folder' };
    return { ...sizes, action: 'remove', reason: 'it is not in the point, and a restore is exact; it can be undone' };
  });
  const kept = keep
    .filter(({ name }) => olds.has(name))
    .map(({ name, reason }): PlanItem => {
      const bytes = olds.get(name)?.bytes ?? 0;
      return { name, action: 'keep', reason, oldBytes: bytes, newBytes: bytes };
    });
  const freeNeededBytes = Math.ceil(incoming.spaceBytes * 1.02) + 1024 * 1024;
  return {
    root: survey.root,
    items: [...moved, ...kept].sort((a, b) => (a.name < b.name ? -1 : 1)),
    units,
    lost: survey.newer,
    bytesIn: moved.reduce((sum, item) => sum + item.newBytes, 0),
    bytesOut: moved.reduce((sum, item) => sum + item.oldBytes, 0),
    freeNeededBytes,
    freeAvailableBytes: survey.freeBytes,
    blockers: [
      ...survey.obstacles,
      ...mountBlockers(survey.mountPoints, keep),
      ...keep
        .filter(({ name }) => news.has(name))
        .map(({ name, reason }) => `the point holds "${name}", which must be left alone here: ${reason}`),
      ...(freeNeededBytes > survey.freeBytes
        ? [`${freeNeededBytes} bytes are needed on the file system of ${survey.root}, ${survey.freeBytes} are free`]
        : []),
    ],
  };
}

/** A mount point can neither be renamed nor left behind; only one below a name that is kept is out of the way. */
export function mountBlockers(mountPoints: readonly string[], keep: readonly { readonly name: string }[]): string[] {
  const kept = new Set(keep.map(({ name }) => name));
  return mountPoints
    .filter((path) => !kept.has(path.split('/', 1)[0] ?? ''))
    .map((path) => `"${path}" is a mount point and cannot be moved: name it as a folder of its own, or unmount it`);
}
