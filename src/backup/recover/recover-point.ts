import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, systemCode } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import { bringFiles } from '../bring-component.ts';
import type { Repository } from '../repository/index.ts';
import { flush, flushTree, givePermissions, ownerOf, verifyRestored } from '../restore/index.ts';
import type { RestorerContext } from '../restore/restorer.ts';
import { intoFile, restorerContext } from '../restore-stores.ts';
import { digestFile } from '../sources/file-digest.ts';
import { ownFolder } from '../sources/tree.ts';
import { componentPath } from '../staging.ts';
import { createUnfolder } from '../unfold/index.ts';
import { arrivingFolder, clearMark, findMark, setMark } from './mark.ts';
import { describeForeign, describeFull, type RecoveryPart, type RecoveryPlan, recoveryIdOf } from './plan-recovery.ts';

export type RecoverDeps = {
  readonly repository: Repository;
  readonly log: Logger;
  readonly scratchDir: string;
  /** Named boundaries of the work, so that tests can end the process at each of them. */
  step(name: string): Promise<void>;
  tell(message: string): void;
};

type FilesPart = Extract<RecoveryPart, { kind: 'files' }>;
type StorePart = Extract<RecoveryPart, { kind: 'store' }>;

/**
 * Carries a plan out. Each part is whole or not there: files are brought beside, checked, marked, moved and checked again;
 * databases go through their restorer. After a kill the same command plans anew, finds what is done and goes on.
 * @throws AppError `restore/blocked` when the plan has blockers; `restore/…`, whatever the repository throws; the signal's reason
 */
export async function recoverPoint(deps: RecoverDeps, plan: RecoveryPlan, signal: AbortSignal): Promise<void> {
  if (plan.blockers.length > 0)
    throw new AppError('restore/blocked', `Nothing was changed: ${plan.blockers.join('; ')}.`);
  // Files first: they are what most of a LightRAG is, and need nobody to answer.
  for (const part of plan.parts) if (part.kind === 'files') await recoverFiles(deps, plan, part, signal);
  for (const part of plan.parts) if (part.kind === 'state') await recoverState(deps, plan, part, signal);
  const stores = plan.parts.filter((part) => part.kind === 'store');
  for (const part of stores)
    await withContext(deps, plan, part, signal, (context) => recoverStore(deps, part, context));
  await deps.step('recover:stores-verified');
  // Last of all: as long as one is unfinished a second run finds what the first one did in each of them.
  for (const part of stores)
    await withContext(deps, plan, part, signal, async (context) => {
      await part.restorer.finish(part.request, context);
    });
}

async function recoverFiles(
  deps: RecoverDeps,
  plan: RecoveryPlan,
  part: FilesPart,
  signal: AbortSignal,
): Promise<void> {
  const { folder, entries, component } = part;
  const { name } = component;
  if (part.action === 'there') {
    deps.tell(`${name}: it is in ${folder} already, every digest is right`);
    const [first, ...others] = await givePermissions(folder, entries);
    if (first !== undefined)
      deps.tell(
        `${name}: the permissions of ${first}${others.length > 0 ? ` and ${others.length} more` : ''} cannot be set and stay as they are`,
      );
    return;
  }
  const arriving = arrivingFolder(folder);
  await mkdir(folder, { recursive: true, mode: 0o755 }).catch(refuse(folder));
  if (part.action === 'bring') {
    deps.tell(`${name}: ${entries.length} entries go into ${folder}`);
    await mkdir(join(folder, ownFolder), { recursive: true, mode: 0o700 }).catch(refuse(folder));
    await bringFiles(
      { repository: deps.repository, unfolder: createUnfolder() },
      { pointId: plan.point.id, snapshotId: plan.point.snapshotId, component, below: '', entries, whole: true },
      { into: arriving, incoming: `${arriving}.incoming`, owner: await ownerOf(folder) },
      { signal, operationId: recoveryIdOf(plan.point.id) },
    );
    await deps.step(`recover:${name}-arrived`);
    await flushTree(arriving, signal);
    await setMark(folder, plan.point.id);
  } else deps.tell(`${name}: an earlier run had begun to move it into ${folder}; this one goes on`);
  await deps.step(`recover:${name}-marked`);
  signal.throwIfAborted();
  for (const top of await readdir(arriving).catch(nothing)) {
    await rename(join(arriving, top), join(folder, top));
    await deps.step(`recover:${name}-moved`);
  }
  await verifyRestored(folder, entries, { signal });
  await deps.step(`recover:${name}-checked`);
  await clearMark(folder);
  if ((await findMark(folder)) !== undefined) throw new AppError('restore/blocked', `${folder} cannot be written.`);
}

async function withContext(
  deps: RecoverDeps,
  plan: RecoveryPlan,
  { component }: RecoveryPart,
  signal: AbortSignal,
  work: (context: RestorerContext) => Promise<void>,
): Promise<void> {
  const scratchDir = join(deps.scratchDir, `store-${component.name}`);
  await rm(scratchDir, { recursive: true, force: true });
  await mkdir(scratchDir, { recursive: true, mode: 0o700 });
  try {
    await work(
      restorerContext(
        { repository: deps.repository, stagingDir: deps.scratchDir, step: (step) => deps.step(step) },
        { pointId: plan.point.id, component, prefix: 'recover', scratchDir },
        { id: recoveryIdOf(plan.point.id), signal, log: deps.log },
      ),
    );
  } finally {
    await rm(scratchDir, { recursive: true, force: true });
  }
}

async function recoverState(
  deps: RecoverDeps,
  plan: RecoveryPlan,
  { component, file, entry }: Extract<RecoveryPart, { kind: 'state' }>,
  signal: AbortSignal,
): Promise<void> {
  deps.tell(`${component.name}: it goes into ${file}`);
  const arriving = `${file}.recovering`;
  await rm(arriving, { force: true });
  await deps.repository.pipeFile({
    snapshotId: plan.point.snapshotId,
    path: `/${componentPath(component.name)}/${entry.path}`,
    to: intoFile(arriving),
    signal,
  });
  const { sha256 } = await digestFile(arriving, { signal });
  if (sha256 !== entry.sha256) {
    await rm(arriving, { force: true });
    throw new AppError('restore/digest-mismatch', `${component.name} did not come as it was stored.`);
  }
  await flush(arriving);
  await rename(arriving, file);
  await deps.step(`recover:${component.name}-moved`);
}

async function recoverStore(
  deps: RecoverDeps,
  { component, restorer, request, place, redo }: StorePart,
  context: RestorerContext,
): Promise<void> {
  const { name } = component;
  if ((await restorer.state(request, context.signal)) === 'committed')
    deps.tell(`${name}: an earlier run had brought it into ${place}; this one checks it`);
  else {
    if (redo) {
      // It may have been a while until the plan was confirmed.
      const foreign = describeForeign(await restorer.plan(request, context.signal));
      if (foreign !== undefined) throw new AppError('restore/blocked', `${name}: ${foreign}.`);
      deps.tell(`${name}: what an earlier run had begun to move into ${place} is taken away first`);
      await restorer.undo(request, context);
      // What is there now is somebody else's.
      const full = describeFull(await restorer.plan(request, context.signal));
      if (full !== undefined) throw new AppError('restore/blocked', `${name}: ${full}.`);
    }
    deps.tell(`${name}: it goes into ${place}`);
    await restorer.prepare(request, context);
    await deps.step(`recover:${name}-prepared`);
    await restorer.commit(request, context);
    await deps.step(`recover:${name}-committed`);
  }
  try {
    await restorer.verify(request, context);
  } catch (err) {
    await restorer.undo(request, context);
    throw err;
  }
}

const refuse = (folder: string) => (err: unknown) => {
  throw new AppError('restore/blocked', `${folder} cannot be made (${systemCode(err) ?? 'unknown reason'}).`, {
    cause: err,
  });
};

const nothing = (err: unknown): string[] => {
  if (systemCode(err) === 'ENOENT') return [];
  throw err;
};
