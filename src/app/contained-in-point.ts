import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { isMisdated, type PointStore, type RecoveryPoint } from '../backup/index.ts';
import type { ContainedInNewestPoint } from '../cleanup/index.ts';
import { type Clock, isoInstant } from '../platform/clock.ts';
import type { Target } from '../targets/index.ts';

const entry = z.object({ path: z.string(), mtimeMs: z.number(), bytes: z.number().optional() });
type Entries = ReadonlyMap<string, number>;

/**
 * Whether the newest verified recovery point holds something: by its manifest, and for files by the list of its entries, which the
 * staging tree keeps until the next point. Where that is of another point nobody can tell without reading the repository.
 */
export function createContainedInPoint(deps: {
  points: PointStore;
  targets: readonly { readonly target: Target }[];
  stagingDir: string;
  clock: Pick<Clock, 'now'>;
}): ContainedInNewestPoint {
  let known: { readonly key: string; readonly entries: Promise<Entries | undefined> } | undefined;

  const entriesOf = (point: RecoveryPoint, component: string): Promise<Entries | undefined> => {
    const key = `${point.id} ${component}`;
    if (known?.key !== key)
      known = { key, entries: readEntries(join(deps.stagingDir, point.targetId, 'tree'), point.id, component) };
    return known.entries;
  };

  return async (place) => {
    const target =
      place.kind === 'path'
        ? deps.targets.find((one) => one.target.stores.some(({ path }) => isBelow(path, place.path)))?.target
        : deps.targets.find((one) => one.target.id === place.targetId)?.target;
    if (!target) return { state: 'not-data', reason: 'It lies in no folder of a target.' };
    const point = await deps.points.newest(target.id, 'good');
    if (!point?.manifest) return { state: 'missing', reason: 'There is no verified recovery point.' };
    // Whatever changed since would lie before its date.
    if (isMisdated(point, deps.clock.now()))
      return { state: 'unknown', reason: `${point.id} was dated in the future, by a clock that was wrong then.` };
    const ofPoint = `${point.id} of ${isoInstant(point.takenMs)}`;
    const { components } = point.manifest;
    if (place.kind !== 'path') {
      const kind = place.kind === 'database' ? 'postgres' : 'redis';
      if (!components.some((one) => one.kind === kind && !one.partial))
        return { state: 'missing', reason: `${ofPoint} holds no whole ${kind}.` };
      return place.changedMs !== null && place.changedMs <= point.takenMs
        ? { state: 'contained', reason: `${ofPoint} holds it.` }
        : { state: 'missing', reason: `It was written after ${ofPoint}.` };
    }
    const store = target.stores.find(({ path }) => isBelow(path, place.path));
    const component = store && components.find(({ name }) => name === store.name);
    if (!store || !component) return { state: 'missing', reason: `${ofPoint} does not hold this folder.` };
    const entries = await entriesOf(point, component.name);
    if (!entries) return { state: 'unknown', reason: `The list of files of ${ofPoint} is not at hand.` };
    const path = relative(store.path, place.path).split('\\').join('/');
    const mtimeMs = entries.get(path);
    const inside = mtimeMs === undefined && [...entries.keys()].some((one) => one.startsWith(`${path}/`));
    if (mtimeMs === undefined && !inside) return { state: 'missing', reason: `${ofPoint} does not hold it.` };
    // Of a folder: nothing in it is younger than the point.
    const same = inside ? place.changedMs <= point.takenMs : Math.floor(place.changedMs) <= Math.max(mtimeMs ?? 0, 0);
    return same
      ? { state: 'contained', reason: `${ofPoint} holds it.` }
      : { state: 'missing', reason: `It changed after ${ofPoint}.` };
  };
}

const isBelow = (folder: string, path: string): boolean => path === folder || path.startsWith(`${folder}/`);

async function readEntries(tree: string, pointId: string, component: string): Promise<Entries | undefined> {
  try {
    const manifest = z
      .object({ id: z.string() })
      .parse(JSON.parse(await readFile(join(tree, 'manifest.json'), 'utf8')));
    if (manifest.id !== pointId) return undefined;
    const entries = new Map<string, number>();
    const { createInterface } = await import('node:readline');
    const lines = createInterface({ input: createReadStream(join(tree, 'entries', `${component}.jsonl`)) });
    for await (const line of lines) {
      if (line === '') continue;
      const { path, mtimeMs } = entry.parse(JSON.parse(line));
      entries.set(path, mtimeMs);
    }
    return entries;
  } catch {
    // Staging was given up at low disk, or a point is just being taken.
    return undefined;
  }
}
