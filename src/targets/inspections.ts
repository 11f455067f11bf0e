import type { Clock } from '../platform/clock.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { inspectFolders } from './custom/inspect-folders.ts';
import type { FolderInspection } from './folder-inspection.ts';
import { inspectProject } from './graphrag/inspect-project.ts';
import type { InspectionReport, InspectOptions, Inspector } from './inspector/index.ts';
import { type FolderFingerprint, findChange, fingerprintFolder } from './lifecycle/folder-fingerprint.ts';
import { isIdle, type Observation } from './observation.ts';
import type { Store } from './target.ts';
import type { WatchedTarget } from './watched-target.ts';

/** An inspection reads every byte, so an unchanged folder is not read again. */
const intervalMs = 300_000;

export type TargetInspection =
  | { readonly kind: 'lightrag'; readonly report: InspectionReport }
  | { readonly kind: 'graphrag' | 'custom'; readonly report: FolderInspection };

export type Inspections = Reconciler & {
  /** Of one workspace of a LightRAG target; undefined before the first, when the files are not visible here, and for other kinds. */
  last(targetId: string): InspectionReport | undefined;
  /** Of a target of any kind. */
  lastOf(targetId: string): TargetInspection | undefined;
  inspectNow(targetId: string, signal: AbortSignal): Promise<TargetInspection | undefined>;
};

/** Looks into the files of every target in the background and tells the target what it found. */
export function createInspections(options: {
  targets: readonly WatchedTarget[];
  inspector: Inspector;
  clock: Clock;
  log: Logger;
}): Inspections {
  const { inspector, log } = options;
  const { clock } = options;
  const known = new Map<string, { found: TargetInspection; fingerprints: readonly FolderFingerprint[] }>();

  const look = async (
    { target, observation }: WatchedTarget,
    stores: readonly Store[],
    signal: AbortSignal,
  ): Promise<TargetInspection | undefined> => {
    const [first] = stores;
    if (!first) return undefined;
    const seen = observation();
    switch (target.kind) {
      case 'graphrag': {
        const isUpdating = seen?.run?.state === 'running' && seen.run.kind === 'update';
        return { kind: 'graphrag', report: await inspectProject(first.path, { clock, signal, isUpdating }) };
      }
      case 'custom':
        return { kind: 'custom', report: await inspectFolders(stores, { clock, signal }) };
      case 'lightrag':
        return {
          kind: 'lightrag',
          report: await inspector.inspect({
            folder: first.path,
            workspace: target.workspaces[0] ?? '',
            signal,
            elsewhere: storesElsewhere(seen),
            ...(seen && isIdle(seen) !== undefined ? { idle: isIdle(seen) } : {}),
          }),
        };
    }
  };

  const inspect = async (
    watched: WatchedTarget,
    signal: AbortSignal,
    onlyIfChanged: boolean,
  ): Promise<TargetInspection | undefined> => {
    const { target } = watched;
    const stores = target.stores.filter((one) => one.kind !== 'input-folder');
    const fingerprints = await Promise.all(stores.map((one) => fingerprintFolder(one.path)));
    const before = known.get(target.id);
    if (
      onlyIfChanged &&
      before &&
      !before.fingerprints.some((one, at) => findChange(one, fingerprints[at]) !== undefined)
    )
      return before.found;
    const found = await look(watched, stores, signal);
    if (!found) return undefined;
    known.set(target.id, { found, fingerprints });
    const { atMs, faults } = found.report;
    watched.noteFiles({
      atMs,
      // Stuck documents are told by the target itself, from what the backend says.
      faults: faults
        .filter((fault) => fault.severity !== 'info' && fault.code !== 'stuck-documents')
        .map((fault) => ({ code: fault.code, message: fault.message })),
    });
    return found;
  };

  const reconciler = createReconciler({
    name: 'inspections',
    intervalMs,
    clock: options.clock,
    log,
    async run(signal) {
      for (const watched of options.targets)
        await inspect(watched, signal, true).catch((err: unknown) => {
          if (!signal.aborted)
            log.warn({ target: watched.target.id }, `the files could not be inspected: ${describeError(err)}`);
        });
    },
  });

  return {
    ...reconciler,
    last: (targetId) => {
      const found = known.get(targetId)?.found;
      return found?.kind === 'lightrag' ? found.report : undefined;
    },
    lastOf: (targetId) => known.get(targetId)?.found,
    async inspectNow(targetId, signal) {
      const watched = options.targets.find((one) => one.target.id === targetId);
      return watched && inspect(watched, signal, false);
    },
  };
}

const fileClasses: Readonly<
  Record<string, { store: NonNullable<InspectOptions['elsewhere']>[number]; inFiles: string }>
> = {
  doc_status_storage: { store: 'docStatus', inFiles: 'JsonDocStatusStorage' },
  kv_storage: { store: 'kv', inFiles: 'JsonKVStorage' },
  vector_storage: { store: 'vectors', inFiles: 'NanoVectorDBStorage' },
  graph_storage: { store: 'graph', inFiles: 'NetworkXStorage' },
};

/** Stores that the backend keeps in a database: their files are not missed. */
export const storesElsewhere = (seen: Observation | undefined): NonNullable<InspectOptions['elsewhere']> =>
  Object.entries(seen?.storageClasses ?? {}).flatMap(([role, storage]) => {
    const known = fileClasses[role];
    return known && storage !== known.inFiles ? [known.store] : [];
  });
