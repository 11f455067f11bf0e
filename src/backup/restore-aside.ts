import { mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { OperationContext } from '../operations/index.ts';
import { AppError, systemCode } from '../platform/errors.ts';
import type { BackupDeps } from './backup-deps.ts';
import { bringFiles } from './bring-component.ts';
import type { RecoveryPoint } from './point.ts';
import type { PreparedRestore } from './prepare-restore.ts';
import { ownerOf } from './restore/index.ts';
import type { RestoreOptions } from './restore-options.ts';
import type { FilesPart, RestorePart } from './restore-parts.ts';
import { eachStore, removeStoreScratch, undoStores } from './restore-stores.ts';

/** Where what is on its way lies until it is whole; inside the folder, so that the last step is a rename. */
export const arrivingName = (operationId: string): string => `.ragwarden-arriving-${operationId}`;

/**
 * Restores beside the live data: whole components appear in the folder at once, checked; databases under the name that was
 * given. Nothing live is touched and nothing is stopped. What fails leaves nothing behind.
 */
export async function restoreAside(
  deps: BackupDeps,
  work: {
    point: RecoveryPoint;
    parts: readonly RestorePart[];
    prepared: PreparedRestore;
    options: RestoreOptions;
  },
  context: OperationContext,
): Promise<void> {
  const files = work.parts.filter((part) => part.kind === 'files');
  const stores = work.parts.filter((part) => part.kind === 'store');
  const { to } = work.options;
  const arriving = to?.folder === undefined ? undefined : join(to.folder, arrivingName(context.id));
  const placed: string[] = [];
  try {
    await context.phase('filling');
    await eachStore(deps, stores, context, (part, call) => part.restorer.prepare(part.request, call));
    await context.phase('staging');
    if (arriving !== undefined && files.length > 0) await mkdir(arriving, { recursive: true, mode: 0o700 });
    for (const part of files) await arrive(deps, part, arriving ?? part.folder, work, context);
    await deps.step('restore:staged');
    await context.phase('moving');
    for (const part of files) {
      await placePart(part, join(arriving ?? '', part.component.name));
      placed.push(part.folder);
    }
    await eachStore(deps, stores, context, async (part, call) => {
      await part.restorer.commit(part.request, call);
      await part.restorer.verify(part.request, call);
      await part.restorer.finish(part.request, call);
    });
  } catch (err) {
    const stuck = await undoStores(deps, stores, { ...context, signal: AbortSignal.timeout(60_000) });
    if (stuck.length > 0) context.log.error({ stuck }, 'what was begun beside the live data could not be removed');
    for (const folder of placed) await rm(folder, { recursive: true, force: true });
    throw err;
  } finally {
    if (arriving !== undefined) await rm(arriving, { recursive: true, force: true });
    await removeStoreScratch(deps, context.id);
  }
  const { id, targetId } = work.point;
  const where = [
    ...(files.length > 0 && to?.folder !== undefined ? [`in ${to.folder}`] : []),
    ...(stores.length > 0 && to?.name !== undefined ? [`under the name ${to.name}`] : []),
  ];
  await deps.db.unit((tx) =>
    deps.events.record(tx, {
      type: 'restore.finished',
      severity: 'info',
      targetId,
      operationId: context.id,
      message: `What ${id} holds stands beside ${targetId}, ${where.join(' and ')}; ${targetId} itself is as it was.`,
      data: { id, state: 'beside', safety_point: null },
    }),
  );
}

async function arrive(
  deps: BackupDeps,
  part: FilesPart,
  arriving: string,
  { point, prepared: { snapshotId } }: { point: RecoveryPoint; prepared: PreparedRestore },
  context: OperationContext,
): Promise<void> {
  await bringFiles(
    deps,
    {
      pointId: point.id,
      snapshotId,
      component: part.component,
      below: part.below,
      entries: part.entries,
      whole: part.whole,
    },
    {
      into: join(arriving, part.component.name),
      incoming: join(arriving, `${part.component.name}.incoming`),
      owner: await ownerOf(dirname(arriving)),
    },
    { signal: context.signal, operationId: context.id, onProgress: (progress) => context.progress(progress) },
  );
}

/** Only an empty folder is given up for what comes. */
async function placePart(part: FilesPart, arrived: string): Promise<void> {
  await mkdir(dirname(part.folder), { recursive: true, mode: 0o700 });
  try {
    await rmdir(part.folder);
  } catch (err) {
    if (systemCode(err) !== 'ENOENT')
      throw new AppError('restore/blocked', `${part.folder} is not empty; name a folder that is.`, { cause: err });
  }
  await rename(arrived, part.folder);
}
