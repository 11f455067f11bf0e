import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CopyProgress, Repository } from '../backup/index.ts';
import type { OperationContext } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import { noteHeld } from './copy-point.ts';
import { statusByFindings } from './place-status.ts';
import type { Place, PlaceCall } from './places/place.ts';
import { isManifest, type ListedSnapshot, pointOf } from './plan-sync.ts';
import { freshState, type LogEntry, type Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { wantedPoints } from './wanted-points.ts';

export type HealResult = {
  readonly target_id: string;
  readonly healed: 'target' | 'source';
  /** What was wrong at first. */
  readonly findings: readonly string[];
  readonly damaged_packs: readonly string[];
  /** Points whose snapshots were dropped and brought back. */
  readonly backup_ids: readonly string[];
  readonly rounds: number;
  /** What was brought back; null where the tool does not tell. */
  readonly bytes: number | null;
};

/** Each round mends what the one before made visible: a check that misses a pack does not read the others. */
const mostRounds = 4;

/** Ids of packs that a check found missing, or with other bytes than their name promises. */
export function damagedPacks(findings: readonly string[]): string[] {
  const found = new Set<string>();
  for (const line of findings) {
    for (const [, id] of line.matchAll(/\bpack ([0-9a-f]{64})\b/gi)) if (id !== undefined) found.add(id);
    const wanted = /Pack ID does not match, want ([0-9a-f]{64})/.exec(line)?.[1];
    if (wanted !== undefined) found.add(wanted);
  }
  return [...found];
}

/**
 * What has to be dropped in the damaged repository so that it is copied anew: a snapshot that is still there is passed over by a
 * copy, whatever its data look like. Only what the good one holds, with the same point and tree, is ever dropped.
 * @param users snapshots that need a damaged pack; undefined: nobody can tell
 */
export function planHeal(
  damaged: readonly ListedSnapshot[],
  good: readonly ListedSnapshot[],
  users: ReadonlySet<string> | undefined,
): {
  readonly drop: readonly ListedSnapshot[];
  readonly bring: readonly ListedSnapshot[];
  readonly lost: readonly ListedSnapshot[];
} {
  const affected = damaged.filter((one) => users?.has(one.id) ?? true);
  const twinOf = (one: ListedSnapshot): ListedSnapshot | undefined =>
    good.find((other) => other.tree === one.tree && pointOf(other) !== undefined && pointOf(other) === pointOf(one));
  const drop = affected.filter((one) => twinOf(one) !== undefined);
  return {
    drop,
    bring: [...new Map(drop.flatMap((one) => twinOf(one) ?? []).map((one) => [one.tree, one])).values()],
    // Without a reason to think that it is touched it is left alone.
    lost: users === undefined ? [] : affected.filter((one) => twinOf(one) === undefined),
  };
}

/**
 * Mends a damaged repository from a good one: finds the packs, takes them out of the index, forgets the snapshots that need them,
 * copies those back and reads everything again. After a kill the next heal goes on. Before anything is dropped the good one is read
 * as well.
 * @throws AppError `replication/source-unsound` when that is damaged too; nothing was changed
 * @throws AppError `repository/damaged` when it still is, with what is left
 */
export async function heal(
  deps: ReplicationDeps,
  replica: Replica,
  { damaged: which }: { readonly damaged: 'target' | 'source' },
  context: OperationContext,
): Promise<HealResult> {
  const { db, store, clock } = deps;
  const call = { signal: context.signal, operationId: context.id };
  const entry: LogEntry = {
    id: newId('repl', clock.now(), deps.random),
    operationId: context.id,
    ...{ replicaId: replica.id, targetId: null, pointId: null, type: 'heal', status: 'in_progress' },
    ...{ startedMs: clock.now(), completedMs: null, bytes: null, dataHash: null, error: null },
    metadata: { damaged: which },
  };
  await db.unit((tx) => store.writeLog(tx, entry));
  const brought = join(deps.broughtDir, replica.id);
  try {
    const place = await deps.openPlace(replica);
    if (!place.repository && which === 'target')
      throw new AppError(
        'conflict/state',
        `${replica.id} is another ragwarden, which keeps points as they came and sets aside what is damaged: the next copy brings it again.`,
      );
    const state = (await store.states()).get(replica.id) ?? freshState;
    // The one that is known, and not the repository here by another way.
    await place.look(state.repositoryId, call);
    const unsound = which === 'target' ? await deps.sourceUnsound() : state.findings[0];
    if (unsound !== undefined)
      throw new AppError(
        'replication/source-unsound',
        `${which === 'target' ? 'The repository here' : replica.id} is damaged itself: ${unsound} Nothing was changed. Heal from a copy that is sound.`,
      );
    await context.phase('opening');
    const there = place.repository ?? (await bringAll(deps, place, brought, call));
    const [damaged, good] = which === 'target' ? [there, deps.source] : [deps.source, there];
    await damaged.removeOwnStaleLocks(call);
    const result = await healRepository(
      deps,
      {
        ...{ damaged, good, replica, which },
        // On disk before anything is dropped: a heal that is killed half-way leaves no copy that is taken for a sound one.
        async onFound(findings) {
          if (which === 'source') return;
          const told = { findings: findings.slice(0, 50) };
          await db.unit((tx) =>
            store.changeState(tx, replica.id, { ...told, ...statusByFindings({ ...freshState, ...told }) }),
          );
        },
        async onDrop(pointIds) {
          if (which === 'target') await db.unit((tx) => store.deleteCopies(tx, replica.id, pointIds));
        },
      },
      context,
    );
    if (which === 'target') await noteHeld(deps, replica, await place.plan((await wantedPoints(deps)).wanted, call));
    const nowMs = clock.now();
    const healed = { findings: [], failuresInRow: 0 };
    await db.unit(async (tx) => {
      if (which === 'target')
        await store.changeState(tx, replica.id, {
          // Two points of one id are no damage: no reading and no copying back decides between them.
          ...{ ...healed, ...statusByFindings({ ...state, ...healed, status: 'healthy', error: null }) },
          ...{ damageReadMs: null, litteredMs: nowMs, verifiedMs: nowMs, verifiedPercent: 100 },
          ...{ checkedMs: nowMs, reachedMs: nowMs },
        });
      await store.writeLog(tx, { ...entry, status: 'validated', completedMs: nowMs, bytes: result.bytes });
      await deps.events.record(tx, {
        type: 'replication.healed',
        severity: 'warning',
        operationId: context.id,
        message: `${damaged.location.display} was healed from ${good.location.display}: ${result.backup_ids.length} points were brought back.`,
        data: {
          replica: replica.id,
          healed: which,
          packs: result.damaged_packs.slice(0, 50),
          points: result.backup_ids.slice(0, 50),
          bytes: result.bytes,
        },
      });
    });
    if (which === 'source') await deps.onSourceHealed();
    return result;
  } catch (err) {
    const error = err instanceof AppError ? err.detail : 'It ended with an error of another kind.';
    await db.unit((tx) => store.writeLog(tx, { ...entry, status: 'failed', completedMs: clock.now(), error }));
    throw err;
  } finally {
    await rm(brought, { recursive: true, force: true });
  }
}

/** All that a place has of what exists by the catalogue, in one repository; what a killed heal left there is of no use. */
async function bringAll(
  { points }: Pick<ReplicationDeps, 'points'>,
  place: Place,
  folder: string,
  call: PlaceCall,
): Promise<Repository> {
  await rm(folder, { recursive: true, force: true });
  const wanted: string[] = [];
  for (const id of (await place.plan([], call)).listed ?? [])
    if ((await points.find(id))?.forgottenMs === null) wanted.push(id);
  if (!place.bringBack) throw new AppError('conflict/state', 'This place gives nothing back.');
  return place.bringBack(wanted, folder, call);
}

async function healRepository(
  deps: Pick<ReplicationDeps, 'asideDir' | 'step' | 'log' | 'points'>,
  facts: {
    damaged: Repository;
    good: Repository;
    replica: Replica;
    which: 'target' | 'source';
    onFound(findings: readonly string[]): Promise<void>;
    /** Before it: what is dropped counts as no copy until it is seen there again. */
    onDrop(pointIds: readonly string[]): Promise<void>;
  },
  context: OperationContext,
): Promise<HealResult> {
  const { damaged, good, replica, which } = facts;
  const call = { signal: context.signal, operationId: context.id };
  const firstFindings: string[] = [];
  const packs = new Set<string>();
  const points = new Set<string>();
  const brought: Brought = { bytes: 0, onProgress: (update) => context.progress(update) };
  for (let round = 1; round <= mostRounds; round += 1) {
    await context.phase(`reading ${round}`);
    const found = await damaged.check({ ...call, readData: 'all' });
    if (found.ok) {
      await context.phase('comparing');
      for (const id of await bringBack(deps, facts, brought, call)) points.add(id);
      return {
        ...{ target_id: replica.id, healed: which, findings: firstFindings.slice(0, 50), rounds: round },
        ...{ damaged_packs: [...packs], backup_ids: [...points], bytes: brought.bytes },
      };
    }
    if (round === 1) {
      firstFindings.push(...found.findings);
      await facts.onFound(found.findings);
      await context.phase('reading the other side');
      await requireSound(good, call);
    }
    const doomed = damagedPacks(found.findings);
    for (const pack of doomed) packs.add(pack);

    await context.phase(`dropping ${round}`);
    const users = await damaged
      .usersOfPacks({ ...call, packs: doomed })
      .then((ids) => (ids.length === 0 && doomed.length === 0 ? undefined : new Set(ids)))
      .catch((err: unknown) => {
        context.signal.throwIfAborted();
        deps.log.warn(
          { err },
          'what needs a damaged pack cannot be read: everything that the other side holds is copied anew',
        );
        return undefined;
      });
    const [bad, whole] = await Promise.all([damaged.snapshots(call), good.snapshots(call)]);
    const plan = planHeal(bad, whole, users);
    const [lost] = plan.lost;
    if (lost && plan.drop.length === 0)
      throw new AppError(
        'repository/damaged',
        `${damaged.location.display} is damaged, and ${good.location.display} does not hold what is (${pointOf(lost) ?? 'a snapshot of somebody else'}). Heal it from another copy.`,
      );
    for (const one of plan.drop) points.add(pointOf(one) ?? '');
    await deps.step('heal:planned');
    await context.checkHeld();
    await facts.onDrop(plan.drop.flatMap((one) => pointOf(one) ?? []));
    // Manifests first: nobody takes what is left for a point.
    for (const list of [plan.drop.filter(isManifest), plan.drop.filter((one) => !isManifest(one))])
      if (list.length > 0) await damaged.forget({ ...call, snapshotIds: list.map(({ id }) => id) });
    await deps.step('heal:forgotten');
    const { moved } = await damaged.mendIndex({ ...call, packs: doomed, setAside: join(deps.asideDir, context.id) });
    // Elsewhere than in a folder a pack goes only when nothing needs it any more.
    if (moved.length < doomed.length) await damaged.prune({ ...call, withoutRepacking: true });
    await deps.step('heal:mended');

    await context.phase(`copying ${round}`);
    await copyBack(facts, plan.bring, brought, call);
    await deps.step('heal:copied');
  }
  const last = await damaged.check({ ...call, readData: 'all' });
  throw new AppError(
    'repository/damaged',
    `${damaged.location.display} is still damaged after ${mostRounds} rounds: ${last.findings[0] ?? 'no finding was named'}.`,
  );
}

/** Whatever is dropped at one side has to come back whole from the other. */
async function requireSound(good: Repository, call: { signal: AbortSignal; operationId: string }): Promise<void> {
  const { ok, findings } = await good.check({ ...call, readData: 'all' });
  if (!ok)
    throw new AppError(
      'replication/source-unsound',
      `${good.location.display} is damaged as well: ${findings[0] ?? 'no finding was named'}. Nothing was changed. Heal from a copy that is sound.`,
    );
}

/**
 * What a heal that was killed had dropped and not brought yet, or what was lost: points that exist by the catalogue, that the good
 * side has and this one not. At a target the next copy brings them anyway; here nobody else does. Of one id with two contents only
 * ours is brought: nothing decides here between them, and two manifests of one point could not be told apart afterwards.
 */
async function bringBack(
  { points }: Pick<ReplicationDeps, 'points'>,
  { damaged, good, which }: { damaged: Repository; good: Repository; which: 'target' | 'source' },
  brought: Brought,
  call: { signal: AbortSignal; operationId: string },
): Promise<string[]> {
  if (which === 'target') return [];
  const [mine, theirs] = await Promise.all([damaged.snapshots(call), good.snapshots(call)]);
  const missing: ListedSnapshot[] = [];
  for (const one of theirs) {
    const id = pointOf(one);
    if (id === undefined || mine.some((own) => own.tree === one.tree && pointOf(own) === id)) continue;
    const row = await points.find(id);
    if (row?.forgottenMs !== null) continue;
    const manifestsOf = (list: readonly ListedSnapshot[]): string[] =>
      list.filter((other) => isManifest(other) && pointOf(other) === id).map(({ tree }) => tree);
    const ours = [...manifestsOf(mine), ...(row.treeId === null ? [] : [row.treeId])];
    const isOurs = (tree: string): boolean => ours.every((own) => own === tree);
    const there = manifestsOf(theirs);
    // Streams go with the manifest that names them.
    if (isManifest(one) ? isOurs(one.tree) : there.length === 0 || there.some(isOurs)) missing.push(one);
  }
  await copyBack({ damaged, good }, missing, brought, call);
  return [...new Set(missing.flatMap((one) => pointOf(one) ?? []))];
}

/** What came back so far. */
type Brought = { bytes: number | null; onProgress(update: { readonly bytesDone: number }): void };

/** Manifests last: a point exists where its manifest does. */
async function copyBack(
  { damaged, good }: { damaged: Repository; good: Repository },
  list: readonly ListedSnapshot[],
  brought: Brought,
  call: { signal: AbortSignal; operationId: string },
): Promise<void> {
  for (const part of [list.filter((one) => !isManifest(one)), list.filter(isManifest)]) {
    if (part.length === 0) continue;
    const before = brought.bytes ?? 0;
    const onProgress = ({ bytesDone }: CopyProgress): void => brought.onProgress({ bytesDone: before + bytesDone });
    const snapshotIds = part.map(({ id }) => id);
    const { bytes } = await damaged.copyFrom({ ...call, from: good, snapshotIds, onProgress });
    brought.bytes = brought.bytes === null || bytes === null ? null : brought.bytes + bytes;
    if (brought.bytes !== null) brought.onProgress({ bytesDone: brought.bytes });
  }
}
