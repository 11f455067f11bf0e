import type { Clock } from '../platform/clock.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { InspectionReport, InspectOptions, Inspector } from './inspector/index.ts';
import { type FolderFingerprint, findChange, fingerprintFolder } from './lifecycle/folder-fingerprint.ts';
import { isIdle, type Observation } from './observation.ts';
import type { WatchedTarget } from './watched-target.ts';

/** An inspection reads every byte, so an unchanged folder is not read again. */
const intervalMs = 300_000;

export type Inspections = Reconciler & {
  /** Of one workspace of a target; undefined before the first, and when the files are not visible here. */
  last(targetId: string): InspectionReport | undefined;
  inspectNow(targetId: string, signal: AbortSignal): Promise<InspectionReport | undefined>;
};

/** Looks into the files of every target in the background and tells the target what it found. */
export function createInspections(options: {
  targets: readonly WatchedTarget[];
  inspector: Inspector;
  clock: Clock;
  log: Logger;
}): Inspections {
  const { inspector, log } = options;
  const reports = new Map<string, { report: InspectionReport; fingerprint: FolderFingerprint }>();

  const inspect = async (
    watched: WatchedTarget,
    signal: AbortSignal,
    onlyIfChanged: boolean,
  ): Promise<InspectionReport | undefined> => {
    const { target } = watched;
    const store = target.stores.find((one) => one.kind === 'workspace-folder');
    if (!store) return undefined;
    const fingerprint = await fingerprintFolder(store.path);
    const known = reports.get(target.id);
    if (onlyIfChanged && known && findChange(known.fingerprint, fingerprint) === undefined) return known.report;
    const seen = watched.observation();
    const report = await inspector.inspect({
      folder: store.path,
      workspace: target.workspaces[0] ?? '',
      signal,
      elsewhere: storesElsewhere(seen),
      ...(seen && isIdle(seen) !== undefined ? { idle: isIdle(seen) } : {}),
    });
    reports.set(target.id, { report, fingerprint });
    watched.noteFiles({
      atMs: report.atMs,
      // Stuck documents are told by the target itself, from what the backend says.
      faults: report.faults
        .filter((fault) => fault.severity !== 'info' && fault.code !== 'stuck-documents')
        .map((fault) => ({ code: fault.code, message: fault.message })),
    });
    return report;
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
    last: (targetId) => reports.get(targetId)?.report,
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
