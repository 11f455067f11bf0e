import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, describeError, systemCode } from '../../platform/errors.ts';
import { factsOfTags, readRepository } from '../catalogue/index.ts';
import type { Manifest, ManifestComponent } from '../manifest.ts';
import { findOvertaken } from '../misdated.ts';
import { isMisdated, isPointId, newestFirstAt } from '../point.ts';
import type { Repository } from '../repository/index.ts';
import { requireSafeEntries, verifyRestored } from '../restore/index.ts';
import type { ComponentPlan, Restorer, RestorerRequest } from '../restore/restorer.ts';
import { restoreSnapshot } from '../restore-snapshot.ts';
import { type FileEntry, ownFolder, type TreeEntry } from '../sources/tree.ts';
import { readEntries } from '../staging.ts';
import { findMark } from './mark.ts';

/** A point as the repository alone tells it. */
export type RecoverablePoint = {
  readonly id: string;
  readonly targetId: string;
  readonly takenAt: string;
  readonly takenMs: number;
  readonly snapshotId: string;
  readonly verified: boolean;
  /** Another says that it was taken after this one, and bears an earlier date. */
  readonly misdated?: boolean;
  readonly manifest: Manifest;
};

/** Points of the repository that can be read, newest first; no catalogue is needed. */
export async function listRecoverable(
  repository: Repository,
  nowMs: number,
  signal: AbortSignal,
): Promise<RecoverablePoint[]> {
  const opened = await repository.open({ signal });
  if (opened.state === 'missing')
    throw new AppError('repository/missing', `There is no repository at ${repository.location.display}.`);
  if (opened.state === 'wrong-password')
    throw new AppError('repository/wrong-password', `The password does not open ${repository.location.display}.`);
  const { found } = await readRepository(repository, [], { signal, manifests: true });
  const overtaken = findOvertaken(found.flatMap(({ manifest }) => manifest ?? []));
  return found
    .flatMap(({ id, manifest, snapshotIds: [snapshotId], tags }): RecoverablePoint[] =>
      manifest && snapshotId !== undefined
        ? [
            {
              id,
              targetId: manifest.target.id,
              takenAt: manifest.taken_at,
              takenMs: Date.parse(manifest.taken_at),
              snapshotId,
              verified: factsOfTags(tags).facts.verifiedMs !== null,
              misdated: overtaken.has(id),
              manifest,
            },
          ]
        : [],
    )
    .sort(newestFirstAt(nowMs));
}

/**
 * The point that is named, or the newest one of the whole target that is complete and was verified, else the newest one.
 * @throws AppError `backup/unknown-point`, `backup/invalid-id`, `target/unknown` when there are several targets and none is named
 */
export function chooseRecoverable(
  points: readonly RecoverablePoint[],
  wanted: { readonly pointId?: string | undefined; readonly targetId?: string | undefined },
): RecoverablePoint {
  if (wanted.pointId !== undefined) {
    if (!isPointId(wanted.pointId))
      throw new AppError('backup/invalid-id', 'Ids of recovery points look like backup_20261122_093000_x7k2.');
    const named = points.find((one) => one.id === wanted.pointId);
    if (!named) throw new AppError('backup/unknown-point', `The repository holds no readable point ${wanted.pointId}.`);
    return named;
  }
  const targets = [...new Set(points.map((one) => one.targetId))];
  if (wanted.targetId === undefined && targets.length > 1)
    throw new AppError(
      'target/unknown',
      `The repository holds points of ${targets.join(', ')}. Name one with --target, or a point with --point.`,
    );
  const whole = points.filter(
    (one) => one.manifest.scope === 'target' && (wanted.targetId === undefined || one.targetId === wanted.targetId),
  );
  const chosen = whole.find((one) => !one.manifest.partial && one.verified) ?? whole[0];
  if (!chosen)
    throw new AppError(
      'backup/unknown-point',
      wanted.targetId === undefined
        ? 'The repository holds no point of a whole target.'
        : `The repository holds no point of the target "${wanted.targetId}".`,
    );
  return chosen;
}

/** Of points of its target that bear a later date than the chosen one, and are not newer: whoever knows better names one. */
export function describeMisdated(
  points: readonly RecoverablePoint[],
  chosen: RecoverablePoint,
  nowMs: number,
): readonly string[] {
  const later = points.filter(
    (one) => one.targetId === chosen.targetId && one.takenMs > chosen.takenMs && isMisdated(one, nowMs),
  );
  if (later.length === 0) return [];
  const named = later.slice(0, 3).map(({ id }) => id);
  return [
    `${named.join(', ')}${later.length > named.length ? ` and ${later.length - named.length} more` : ''} ${later.length === 1 ? 'bears' : 'bear'} a later date and ${later.length === 1 ? 'counts' : 'count'} as older: the date lies in the future, or a point with an earlier date was taken after it. Name one with --point where you know better.`,
  ];
}

export type RecoveryPart =
  | {
      readonly kind: 'files';
      readonly component: ManifestComponent;
      readonly folder: string;
      readonly entries: readonly TreeEntry[];
      /** `bring`: nothing is there. `go-on`: an earlier run was ended while it moved. `there`: all of it is there already. */
      readonly action: 'bring' | 'go-on' | 'there';
      /** Only to be taken from by hand. */
      readonly beside: boolean;
    }
  | {
      readonly kind: 'store';
      readonly component: ManifestComponent;
      readonly restorer: Restorer;
      readonly request: RestorerRequest;
      readonly place: string;
      readonly action: 'bring' | 'go-on';
      /** An earlier run was ended while it moved in: what it brought is taken away first. */
      readonly redo: boolean;
    }
  /** ragwarden's own state: one SQLite file, brought only where there is none. */
  | {
      readonly kind: 'state';
      readonly component: ManifestComponent;
      readonly file: string;
      /** Within the component. */
      readonly entry: FileEntry;
      readonly action: 'bring';
    };

export type RecoveryPlan = {
  readonly point: RecoverablePoint;
  readonly parts: readonly RecoveryPart[];
  readonly leftAlone: readonly { readonly name: string; readonly reason: string }[];
  readonly warnings: readonly string[];
  readonly blockers: readonly string[];
};

export type RecoveryPlaces = {
  /** Where a component goes instead of where it was captured. */
  readonly folders: ReadonlyMap<string, string>;
  /** What is only kept to be taken from by hand goes below this folder. */
  readonly besideDir: string;
  /** Where ragwarden's own state goes when the point holds it; undefined: the data folder has one already. */
  readonly stateFile: string | undefined;
  /** Components that are not wanted. */
  readonly without: ReadonlySet<string>;
  restorerOf(component: ManifestComponent): Restorer | undefined;
  readonly scratchDir: string;
};

/** The component with ragwarden's own state. */
export const stateComponent = 'ragwarden-state';

/** One recovery of one point has one id, so that a second run finds what the first one left in databases. */
export const recoveryIdOf = (pointId: string): string => `recover_${pointId}`;

/**
 * What a recovery onto an empty machine would do. Nothing is changed, but that lists of entries are read into the scratch folder.
 * @throws AppError `restore/unsafe-entry`, `restore/digest-mismatch`, `target/unknown` for a folder of no component; whatever the repository throws
 */
export async function planRecovery(
  deps: { readonly repository: Repository },
  point: RecoverablePoint,
  places: RecoveryPlaces,
  signal: AbortSignal,
): Promise<RecoveryPlan> {
  const { manifest } = point;
  for (const name of [...places.folders.keys(), ...places.without])
    if (!manifest.components.some((one) => one.name === name))
      throw new AppError(
        'restore/invalid-options',
        `The point has no component "${name}". It has: ${manifest.components.map((one) => one.name).join(', ')}.`,
      );
  const entriesOf = await readAllEntries(deps.repository, point, places.scratchDir, signal);
  const parts: RecoveryPart[] = [];
  const leftAlone: { name: string; reason: string }[] = [];
  const warnings: string[] = [];
  const blockers: string[] = [];
  for (const component of manifest.components) {
    const { name } = component;
    if (places.without.has(name)) {
      leftAlone.push({ name, reason: 'left out as asked' });
      continue;
    }
    if (name === stateComponent) {
      const found = planState(component, entriesOf.get(name) ?? [], places.stateFile);
      if ('reason' in found) leftAlone.push({ name, reason: found.reason });
      else parts.push(found);
      continue;
    }
    if (component.restore.by === 'restorer') {
      await planStore(point, component, places, signal, { parts, leftAlone, blockers, warnings });
      continue;
    }
    const entries = entriesOf.get(name) ?? [];
    const { restore } = component;
    const beside = restore.by === 'by-hand';
    const captured = restore.by === 'folder-swap' ? restore.folder : join(places.besideDir, name);
    const folder = places.folders.get(name) ?? captured;
    const action = await decideFolder(folder, entries, point.id, signal);
    if ('blocked' in action) blockers.push(`${name}: ${action.blocked}`);
    else parts.push({ kind: 'files', component, folder, entries, action: action.action, beside });
  }
  if (manifest.partial)
    warnings.push(
      `The point is partial: ${manifest.missing.map((one) => `${one.name} (${one.reason})`).join(', ') || 'some files are not in it'}.`,
    );
  if (!point.verified) warnings.push('The point was never verified.');
  for (const component of manifest.components)
    for (const file of component.damaged)
      warnings.push(`${component.name}: ${file.path} was damaged when it was captured (${file.reason}).`);
  return { point, parts, leftAlone, warnings, blockers };
}

function planState(
  component: ManifestComponent,
  entries: readonly TreeEntry[],
  file: string | undefined,
): Extract<RecoveryPart, { kind: 'state' }> | { reason: string } {
  if (file === undefined) return { reason: 'the data folder holds a state already, which is kept' };
  const [entry, ...others] = entries;
  if (entry?.kind !== 'file' || others.length > 0)
    return { reason: 'it was written in a way that this version does not know' };
  return { kind: 'state', component, file, entry, action: 'bring' };
}

async function readAllEntries(
  repository: Repository,
  { id, manifest, snapshotId }: RecoverablePoint,
  scratchDir: string,
  signal: AbortSignal,
): Promise<Map<string, readonly TreeEntry[]>> {
  const folder = join(scratchDir, 'entries');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const withFiles = manifest.components.filter((one) => one.files > 0 || one.restore.by === 'folder-swap');
  const found = new Map<string, readonly TreeEntry[]>();
  if (withFiles.length === 0) return found;
  const include = withFiles.map((one) => `/${one.entries_file}`);
  await restoreSnapshot(repository, id, { snapshotId, target: folder, include, signal });
  for (const component of withFiles) {
    const entries = await readEntries(join(folder, component.entries_file), component.entries_sha256);
    requireSafeEntries(entries);
    found.set(component.name, entries);
  }
  await rm(folder, { recursive: true, force: true });
  return found;
}

/** Nothing is ever written into a folder that holds something which is not this very point. */
async function decideFolder(
  folder: string,
  entries: readonly TreeEntry[],
  pointId: string,
  signal: AbortSignal,
): Promise<{ action: 'bring' | 'go-on' | 'there' } | { blocked: string }> {
  const names = await readdir(folder).catch((err: unknown) => {
    if (systemCode(err) === 'ENOENT') return [];
    return systemCode(err) ?? 'unknown';
  });
  if (typeof names === 'string') return { blocked: `${folder} cannot be read (${names})` };
  const mark = await findMark(folder);
  if (mark !== undefined && mark !== pointId)
    return {
      blocked: `a recovery of ${mark} into ${folder} was interrupted: go on with --point ${mark}, or empty the folder`,
    };
  if (mark === pointId) return { action: 'go-on' };
  if (names.every((name) => name === ownFolder)) return { action: 'bring' };
  try {
    await verifyRestored(folder, entries, { signal });
    return { action: 'there' };
  } catch {
    signal.throwIfAborted();
    return { blocked: `${folder} is not empty, and what lies there is not this point` };
  }
}

/** What says where a component of a kind goes. */
const placeSettings: Partial<Record<ManifestComponent['kind'], string>> = {
  postgres: 'DATABASE_URL',
  redis: 'REDIS_URI',
  qdrant: 'QDRANT_URL',
  sqlite: '--folder',
};

function describeRedo({ place, lost }: ComponentPlan): string {
  const newer = (lost.rows ?? 0) > 0 ? `; ${lost.rows} documents there are newer than the point` : '';
  return `an earlier run was ended while it moved into ${place}: what lies there in its place is removed first, also what a backend that was started on it wrote since${newer}`;
}

/** What a database holds already, which a recovery never replaces; undefined where it is empty. */
export function describeFull({ items, place }: ComponentPlan): string | undefined {
  const full = items.filter(
    (item) => item.action !== 'add' && item.action !== 'keep' && ((item.oldBytes ?? 0) > 0 || (item.oldRows ?? 0) > 0),
  );
  if (full.length === 0) return undefined;
  const names = full.slice(0, 3).map((item) => item.name);
  return `${place} is not empty (it holds ${names.join(', ')})`;
}

/**
 * What an earlier run had moved in is never more than the point holds: what is more was written since. Undefined where there is no more,
 * or where the point counted nothing. Rows that took the place of others are not seen so.
 */
export function describeForeign({ items, place }: ComponentPlan): string | undefined {
  if (!items.some(({ newRows }) => (newRows ?? 0) > 0)) return undefined;
  const more = items.filter(
    ({ action, oldRows, newRows }) => action !== 'keep' && (oldRows ?? 0) > (newRows ?? Number.POSITIVE_INFINITY),
  );
  if (more.length === 0) return undefined;
  const names = more.slice(0, 3).map((item) => item.name);
  return `${place} holds more of ${names.join(', ')} than the point: somebody wrote there since an earlier run was ended, and to go on would remove it. Keep what you need of it, empty the place, and recover again`;
}

async function planStore(
  point: RecoverablePoint,
  component: ManifestComponent,
  places: RecoveryPlaces,
  signal: AbortSignal,
  into: {
    parts: RecoveryPart[];
    leftAlone: { name: string; reason: string }[];
    blockers: string[];
    warnings: string[];
  },
): Promise<void> {
  const { name, kind } = component;
  const restorer = places.restorerOf(component);
  if (!restorer) {
    into.blockers.push(
      `${name}: nobody says where the ${kind} of the target is (${placeSettings[kind] ?? 'the settings file'}); --without ${name} leaves it out`,
    );
    return;
  }
  const request: RestorerRequest = {
    pointId: point.id,
    operationId: recoveryIdOf(point.id),
    component,
    scope: {},
    takenMs: point.takenMs,
  };
  try {
    const state = await restorer.state(request, signal);
    const plan = await restorer.plan(request, signal);
    const full = describeFull(plan);
    const redo = state === 'prepared' && full !== undefined;
    const foreign = redo ? describeForeign(plan) : undefined;
    if (foreign !== undefined) into.blockers.push(`${name}: ${foreign}`);
    else if (redo) into.warnings.push(`${name}: ${describeRedo(plan)}`);
    if (state === 'none' && full !== undefined) into.blockers.push(`${name}: ${full}`);
    into.blockers.push(...plan.blockers.map((blocker) => `${name}: ${blocker}`));
    into.warnings.push(...plan.warnings.map((warning) => `${name}: ${warning}`));
    into.parts.push({
      kind: 'store',
      component,
      restorer,
      request,
      place: plan.place,
      action: state === 'none' ? 'bring' : 'go-on',
      redo,
    });
  } catch (err) {
    signal.throwIfAborted();
    into.blockers.push(`${name}: ${describeError(err)}`);
  }
}
