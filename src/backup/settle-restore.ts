import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Operation, SettledOutcome } from '../operations/index.ts';
import { describeError } from '../platform/errors.ts';
import { findWorkspaceFolders } from '../targets/index.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import { prepareRestore } from './prepare-restore.ts';
import { listUndo, settleJournals } from './restore/index.ts';
import { arrivingName } from './restore-aside.ts';
import { isAside, type RestoreOptions, settleOptions } from './restore-options.ts';
import { decideParts, type FilesPart, type StorePart } from './restore-parts.ts';
import { verifyParts } from './restore-point.ts';
import { eachStore, removeStoreScratch, statesOf, undoStores } from './restore-stores.ts';

const inputSchema = z.object({
  pointId: z.string(),
  options: z
    .object({
      components: z.array(z.string()).optional(),
      workspace: z.string().optional(),
      asWorkspace: z.string().optional(),
      to: z.object({ folder: z.string().optional(), name: z.string().optional() }).optional(),
    })
    .default({}),
});

/** Until the backend was stopped. */
const beforeTheStop: ReadonlySet<string> = new Set([
  '',
  'queued',
  'planning',
  'preparing',
  'waiting',
  'capturing',
  'reading',
  'unfolding',
  'inspecting',
  'uploading',
  'verifying',
  'noting',
  'filling',
]);

/**
 * After a kill in the middle: the old or the new state, complete, in every folder and every store. The journal of the
 * folders decides where there are folders; where there are none, a store that was exchanged does. Then the backend starts.
 * @throws when a store cannot be reached: the operation stays open, and the next round tries again
 */
export async function settleRestore(deps: BackupDeps, operation: Operation): Promise<SettledOutcome> {
  const guarded = deps.requireTarget(operation.targetId ?? '');
  const { pointId, options } = inputSchema.parse(operation.input);
  const call = { id: operation.id, signal: AbortSignal.timeout(guarded.target.startTimeoutMs), log: deps.log };
  if (isAside(options)) return settleAside(deps, guarded, { pointId, options }, call);
  const stores = await storesOf(deps, guarded, operation.id, pointId, options);
  const folders = foldersOf(guarded);
  const unfinished = ['moving', 'checking', 'undoing'].includes(operation.phase);
  if (unfinished && (await guarded.lifecycle.findSignOfLife()) !== undefined)
    await guarded.lifecycle.stop(AbortSignal.timeout(guarded.target.stopTimeoutMs + 5_000));

  // It had failed: a store that could not be brought back any more says nothing about where all of it was to go.
  const wasUndoing = operation.phase === 'undoing';
  const { settled } = await settleJournals(folders, {
    onMoved: async () => (wasUndoing ? 'undo' : decideMoved(deps, guarded, { pointId, options, stores }, call)),
  });
  const own = settled.find((one) => one.operationId === operation.id);
  const finished = (await listUndo(folders)).some((one) => one.operationId === operation.id);
  const state =
    own?.outcome ??
    (finished || (!wasUndoing && (await standsInStores(deps, operation, stores, call))) ? 'new' : 'old');
  if (state === 'new')
    await eachStore(
      deps,
      stores,
      call,
      async (part, context) => void (await part.restorer.finish(part.request, context)),
    );
  else await requireUndone(await undoStores(deps, stores, call));
  await removeStoreScratch(deps, operation.id);

  let backend = '';
  if (!beforeTheStop.has(operation.phase) && guarded.lifecycle.automatic)
    backend = await guarded.lifecycle
      .start(AbortSignal.timeout(guarded.target.startTimeoutMs))
      .then(() => ' The backend was started again.')
      .catch((err: unknown) => ` The backend did not start: ${describeError(err)}`);
  return {
    message:
      state === 'new'
        ? `The restore was interrupted after the decisive record: ${guarded.target.id} stands as in the recovery point.${backend}`
        : `The restore was interrupted before the decisive record: ${guarded.target.id} stands as before it.${backend}`,
    severity: 'warning',
    data: { state, point: pointId },
  };
}

/**
 * Without folders no journal speaks. Then a store that was exchanged says that all of them were to be, unless all were checked
 * already: from there on one that kept nothing of its former state does not tell any more that it was exchanged.
 */
async function standsInStores(
  deps: BackupDeps,
  operation: Operation,
  stores: readonly StorePart[],
  call: Call,
): Promise<boolean> {
  if (operation.phase === 'finishing') return true;
  if (!(await statesOf(stores, call.signal)).includes('committed')) return false;
  return operation.phase === 'starting' || rollForward(deps, [], stores, call);
}

/** All had moved, but nobody had compared the digests yet: that is done now, and decides. */
async function decideMoved(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  facts: { pointId: string; options: RestoreOptions; stores: readonly StorePart[] },
  call: Call,
): Promise<'finish' | 'undo'> {
  const prepared = await prepareRestore(deps, { id: facts.pointId });
  const { parts } = decideParts({
    guarded,
    manifest: prepared.manifest,
    options: settleOptions(facts.options, prepared.manifest),
    entries: prepared.entries,
    operationId: call.id,
    takenMs: Date.parse(prepared.manifest.taken_at),
  });
  const files = parts.filter((part) => part.kind === 'files');
  return (await rollForward(deps, files, facts.stores, call)) ? 'finish' : 'undo';
}

type Call = { readonly id: string; readonly signal: AbortSignal; readonly log: BackupDeps['log'] };

/** @returns whether the new state stands and is right, in all folders and stores */
async function rollForward(
  deps: BackupDeps,
  files: readonly FilesPart[],
  stores: readonly StorePart[],
  call: Call,
): Promise<boolean> {
  try {
    await eachStore(deps, stores, call, async (part, context) => {
      // One that was not even filled has nothing to be exchanged for; its commit says so.
      if ((await part.restorer.state(part.request, call.signal)) !== 'committed')
        await part.restorer.commit(part.request, context);
    });
    await verifyParts(deps, files, stores, call);
    return true;
  } catch (err) {
    deps.log.error({ err, operation: call.id }, 'what was restored does not verify and is undone');
    return false;
  }
}

async function settleAside(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  facts: { pointId: string; options: RestoreOptions },
  call: Call,
): Promise<SettledOutcome> {
  const { folder } = facts.options.to ?? {};
  if (folder !== undefined) await rm(join(folder, arrivingName(call.id)), { recursive: true, force: true });
  const stores = await storesOf(deps, guarded, call.id, facts.pointId, facts.options);
  await requireUndone(await undoStores(deps, stores, call));
  await removeStoreScratch(deps, call.id);
  return {
    message: `The restore beside the live data was interrupted; nothing that lives was touched. What had arrived whole${folder === undefined ? '' : ` lies in ${folder}`}; ask for it again.`,
    severity: 'warning',
    data: { point: facts.pointId },
  };
}

async function requireUndone(failed: readonly string[]): Promise<void> {
  if (failed.length > 0) throw new Error(`the old state could not be brought back yet: ${failed.join('; ')}`);
}

/** The catalogue knows the manifest: a repository out of reach must not keep a database between two states. */
async function storesOf(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  operationId: string,
  pointId: string,
  wanted: RestoreOptions,
): Promise<StorePart[]> {
  const point = await deps.points.find(pointId);
  const manifest = point?.manifest;
  if (!manifest?.components.some((one) => one.restore.by === 'restorer')) return [];
  const options = settleOptions(wanted, manifest);
  // Whatever else the point holds has no say here, so none of it may refuse: a place of it may be gone by now.
  const components = manifest.components.filter(
    (one) => one.restore.by === 'restorer' && (options.components?.includes(one.name) ?? true),
  );
  const { parts } = decideParts({
    guarded,
    manifest: { ...manifest, components },
    options: { ...options, components: undefined },
    entries: new Map(),
    operationId,
    takenMs: point?.takenMs ?? 0,
  });
  return parts.filter((part) => part.kind === 'store');
}

/** A workspace that was restored alone has its journal in its own folder. */
const foldersOf = (guarded: ProtectedTarget): string[] =>
  guarded.target.stores.flatMap((store) => [
    store.path,
    ...findWorkspaceFolders(store.path, { withJournals: true }).map((name) => join(store.path, name)),
  ]);
