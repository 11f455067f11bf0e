import type { EventRecorder } from '../../events/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import { findOvertaken, noteMisdated } from '../misdated.ts';
import type { KnownRepository } from '../open-repository.ts';
import { isRestorable, type RecoveryPoint } from '../point.ts';
import type { PointStore } from '../point-store.ts';
import type { Repository } from '../repository/index.ts';
import { type CatalogueAction, type CatalogueItem, planCatalogue } from './plan-catalogue.ts';
import { type Leftover, readRepository } from './read-repository.ts';

export type CatalogueDeps = {
  readonly db: Database;
  readonly points: PointStore;
  readonly events: EventRecorder;
  readonly repository: Repository;
  readonly knownRepository: KnownRepository;
  readonly clock: Clock;
  readonly log: Logger;
  /** Named boundaries of the work, so that tests can end the process at each of them. */
  step(name: string): Promise<void>;
};

/** The part of an operation that a rebuild needs; offline there is none. */
export type CatalogueWork = {
  readonly signal: AbortSignal;
  readonly id?: string;
  phase(name: string): Promise<void>;
  progress(update: { filesDone: number; filesTotal: number }): void;
};

export type CataloguePlan = {
  readonly repositoryId: string;
  readonly items: readonly CatalogueItem[];
  readonly leftovers: readonly Leftover[];
  /** Snapshots in the repository that are not ours. */
  readonly foreign: number;
};

export type CatalogueOutcome = CataloguePlan & {
  readonly dryRun: boolean;
  readonly counts: Record<CatalogueAction, number>;
};

const everyRow = 1_000_000;

/**
 * What a rebuild would do, point by point.
 * @throws AppError `repository/missing`, `repository/wrong-password`, `repository/replaced`: nothing is concluded from a place
 *   that does not hold the repository, least of all that points are lost
 */
export async function planRebuild(deps: CatalogueDeps, work: CatalogueWork): Promise<CataloguePlan> {
  const { repository, points } = deps;
  await work.phase('listing');
  const repositoryId = await requireRepository(deps, work);
  const rows = await points.list({ withForgotten: true, limit: everyRow });
  await work.phase('reading');
  const { found, leftovers, foreign } = await readRepository(repository, rows, {
    signal: work.signal,
    operationId: work.id,
    manifests: true,
    onRead: (done, total) => work.progress({ filesDone: done, filesTotal: total }),
  });
  return { repositoryId, items: planCatalogue(rows, found, repositoryId), leftovers, foreign };
}

/**
 * Brings catalogue and repository to the same knowledge. Each point is one unit, so a kill leaves whole rows and the next run does
 * the rest; a second run finds nothing to do.
 */
export async function rebuildCatalogue(
  deps: CatalogueDeps,
  request: { readonly dryRun: boolean },
  work: CatalogueWork,
): Promise<CatalogueOutcome> {
  const plan = await planRebuild(deps, work);
  const counts = countActions(plan.items);
  if (request.dryRun) return { ...plan, dryRun: true, counts };
  await work.phase('writing');
  await deps.knownRepository.remember({ id: plan.repositoryId, location: deps.repository.location.display });
  let done = 0;
  for (const item of plan.items) {
    work.signal.throwIfAborted();
    await carryOut(deps, item, work);
    await deps.step('catalogue:item');
    done += 1;
    work.progress({ filesDone: done, filesTotal: plan.items.length });
  }
  // Nothing else says it of a date that has come: the notes went with the catalogue. Also for a run before that was interrupted.
  await noteOvertaken(deps);
  if (counts.add > 0)
    await deps.db.unit((tx) =>
      deps.events.record(tx, {
        type: 'backup.catalogue-rebuilt',
        severity: counts.lost + counts.mismatch + counts.refuse > 0 ? 'warning' : 'info',
        operationId: work.id,
        message: `${counts.add} recovery point(s) of the repository were added to the catalogue.`,
        data: { ...counts, leftovers: plan.leftovers.length },
      }),
    );
  return { ...plan, dryRun: false, counts };
}

/** What was there before something that bears an earlier date; see `misdated.ts`. */
async function noteOvertaken(deps: CatalogueDeps): Promise<void> {
  const rows = await deps.points.list({ statuses: ['success', 'partial'], limit: everyRow });
  const overtaken = findOvertaken(rows.flatMap(({ manifest }) => manifest ?? []));
  await noteMisdated(
    deps,
    rows.filter(({ id }) => overtaken.has(id)).map(({ id }) => id),
  );
}

/** One unit for one point, made again from what the catalogue says at that moment. */
async function carryOut(deps: CatalogueDeps, item: CatalogueItem, work: CatalogueWork): Promise<void> {
  const { db, points, events, repository } = deps;
  const { pointId, row, change, tags } = item;
  if (row) {
    // Somebody may have begun it, or another rebuild may have added it, since the catalogue was read.
    if (await points.find(pointId)) return;
    await db.unit((tx) => points.insert(tx, row));
  } else if (change) {
    const now = await points.find(pointId);
    if (!now || !(item.action === 'add' ? now.status === 'lost' : isRestorable(now))) return;
    await db.unit(async (tx) => {
      await points.update(tx, pointId, change);
      if (item.action === 'lost')
        await events.record(tx, {
          type: 'backup.point-lost',
          severity: 'error',
          targetId: now.targetId,
          operationId: work.id,
          message: `Recovery point ${pointId} is lost: ${item.reason}.`,
          data: { id: pointId },
        });
    });
  }
  if (item.action === 'mismatch' || item.action === 'refuse')
    deps.log.warn({ point: pointId, action: item.action, reason: item.reason }, 'a point was left as it is');
  for (const snapshotId of tags?.snapshotIds ?? [])
    await repository
      .tag({ snapshotId, add: tags?.add ?? [], remove: tags?.remove ?? [], signal: work.signal })
      .catch((err: unknown) => {
        if (work.signal.aborted) throw err;
        deps.log.warn(
          { point: pointId, reason: describeError(err) },
          'the repository did not take what is known of a point',
        );
      });
}

/**
 * The repository that is used, opened; never made.
 * @returns its id
 */
export async function requireRepository(
  deps: Pick<CatalogueDeps, 'repository' | 'knownRepository'>,
  work: Pick<CatalogueWork, 'signal' | 'id'>,
): Promise<string> {
  const { repository } = deps;
  const location = repository.location.display;
  const known = await deps.knownRepository.read();
  const opened = await repository.open({ signal: work.signal, ...(work.id ? { operationId: work.id } : {}) });
  switch (opened.state) {
    case 'ok':
      if (known && known.location === location && known.id !== opened.id)
        throw new AppError(
          'repository/replaced',
          `The repository at ${location} is not the one that was used before. Check what is mounted there; \`ragwarden backup adopt-repository\` accepts it.`,
        );
      return opened.id;
    case 'missing':
      throw new AppError(
        'repository/missing',
        `There is no repository at ${location}. Check BACKUP_DIR, and that its place is mounted.`,
      );
    case 'wrong-password':
      throw new AppError(
        'repository/wrong-password',
        `The password file does not open the repository at ${location}. Put the file back from the recovery kit.`,
      );
  }
}

/**
 * A quick look without reading any manifest: does either side know points that the other does not?
 * @returns undefined when there is no repository to compare with
 */
export async function compareCatalogue(
  deps: CatalogueDeps,
  signal: AbortSignal,
): Promise<
  | {
      readonly unknown: number;
      readonly lost: number;
      readonly rows: readonly RecoveryPoint[];
      readonly behind: readonly CatalogueItem[];
    }
  | undefined
> {
  const opened = await deps.repository.open({ signal });
  if (opened.state !== 'ok') return undefined;
  const known = await deps.knownRepository.read();
  if (known && known.location === deps.repository.location.display && known.id !== opened.id) return undefined;
  const rows = await deps.points.list({ withForgotten: true, limit: everyRow });
  const { found } = await readRepository(deps.repository, rows, { signal, manifests: false });
  const knownIds = new Set(rows.map((row) => row.id));
  const items = planCatalogue(rows, found, opened.id);
  return {
    unknown: found.filter((one) => !knownIds.has(one.id)).length,
    lost: items.filter((item) => item.action === 'lost').length,
    rows,
    behind: items.filter((item) => item.tags !== undefined),
  };
}

export function countActions(items: readonly CatalogueItem[]): Record<CatalogueAction, number> {
  const counts: Record<CatalogueAction, number> = {
    add: 0,
    complete: 0,
    keep: 0,
    lost: 0,
    mismatch: 0,
    refuse: 0,
    leave: 0,
  };
  for (const item of items) counts[item.action] += 1;
  return counts;
}
