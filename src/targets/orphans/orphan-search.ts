import type { EventRecorder, NewEvent } from '../../events/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { describeError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import { createReconciler, type Reconciler } from '../../platform/reconciler.ts';
import type { Inspections } from '../inspections.ts';
import { isIdle } from '../observation.ts';
import type { WatchedTarget } from '../watched-target.ts';
import { orphansInFiles } from './file-orphans.ts';
import { type OrphanFinding, type OrphanSearch, orphanBytes } from './orphan.ts';
import { createOrphanStore } from './orphan-store.ts';
import { findUpdateFolders } from './update-folders.ts';

/** Looks for orphans in a store that is no folder. @throws when it cannot be read: the search is then not complete */
export type FindStoreOrphans = (signal: AbortSignal) => Promise<readonly OrphanFinding[]>;

export type OrphanSearches = Reconciler & {
  /** What the last search found, also one before a restart; undefined before the first. */
  last(targetId: string): Promise<OrphanSearch | undefined>;
  /** Searches now, reading the files anew. Undefined: there is no such target. */
  searchNow(targetId: string, signal: AbortSignal): Promise<OrphanSearch | undefined>;
  /** Of all targets, without a look at the disk; for metrics. */
  known(): readonly OrphanSearch[];
};

/**
 * Looks for what belongs to nothing any more. In the background it takes what the inspection of the files saw, so no byte is read for it
 * again; databases are asked by themselves.
 */
export function createOrphanSearches(options: {
  targets: readonly WatchedTarget[];
  inspections: Pick<Inspections, 'last' | 'inspectNow'>;
  /** Of one target, by the name of the store. */
  databases: (targetId: string) => ReadonlyMap<string, FindStoreOrphans>;
  intervalMs: number;
  db: Database;
  events: Pick<EventRecorder, 'record'>;
  clock: Clock;
  log: Logger;
}): OrphanSearches {
  const { targets, inspections, databases, db, events, clock, log } = options;
  const store = createOrphanStore(db);
  const latest = new Map<string, OrphanSearch>();

  const last = async (targetId: string): Promise<OrphanSearch | undefined> => {
    const known = latest.get(targetId) ?? (await store.read(targetId));
    if (known) latest.set(targetId, known);
    return known;
  };

  const search = async (watched: WatchedTarget, signal: AbortSignal, anew: boolean): Promise<OrphanSearch> => {
    const { target } = watched;
    const atMs = clock.now();
    const findings: OrphanFinding[] = [];
    const missing: string[] = [];
    const folders = target.stores.filter(({ kind }) => kind === 'workspace-folder');
    const projects = target.stores.filter(({ kind }) => kind === 'project-folder');
    for (const { path } of [...folders, ...projects])
      findings.push(...(await findUpdateFolders({ project: path, targetId: target.id, nowMs: atMs, signal })));
    if (folders.length > 0) {
      if (anew) await inspections.inspectNow(target.id, signal);
      const report = inspections.last(target.id);
      if (report) findings.push(...orphansInFiles(report, target.id));
      else missing.push('the files were not inspected yet');
      if (report && report.changedMeanwhile.length > 0) missing.push('files were replaced while they were read');
    }
    for (const [name, find] of databases(target.id))
      try {
        findings.push(...(await find(signal)));
      } catch (err) {
        signal.throwIfAborted();
        log.warn({ target: target.id, store: name }, `orphans could not be looked for: ${describeError(err)}`);
        missing.push(`the store "${name}" could not be read`);
      }
    const seen = watched.observation();
    // Between two writes of one document much looks left over.
    if (seen && isIdle(seen) === false) missing.push('documents were being worked on');
    const found: OrphanSearch = {
      ...{ targetId: target.id, atMs, findings },
      complete: missing.length === 0,
      why: missing.length === 0 ? null : `${missing.join('; ')}.`,
    };
    await keep(found, await last(target.id));
    return found;
  };

  const keep = async (found: OrphanSearch, before: OrphanSearch | undefined): Promise<void> => {
    await db.unit(async (tx) => {
      await store.write(tx, found);
      // What is seen while documents are worked on is told by the next search, if it is still there.
      if (found.complete) for (const event of newsOf(found, before)) await events.record(tx, event);
    });
    latest.set(found.targetId, found);
  };

  const job = createReconciler({
    name: 'orphan search',
    intervalMs: options.intervalMs,
    // The files are inspected first.
    runAtStart: false,
    clock,
    log,
    async run(signal) {
      for (const watched of targets) await search(watched, signal, false);
    },
  });
  return {
    ...job,
    last,
    known: () => [...latest.values()],
    async searchNow(targetId, signal) {
      const watched = targets.find((one) => one.target.id === targetId);
      return watched && search(watched, signal, true);
    },
  };
}

const nameOf = ({ workspace, store, kind, place }: OrphanFinding): string =>
  [workspace, store, kind, place].join('\u0000');

/** A kind in a place is told when it appears, and all together when the last is gone; not each time its number changes. */
function newsOf(found: OrphanSearch, before: OrphanSearch | undefined): NewEvent[] {
  const known = new Set(before?.findings.map(nameOf));
  const fresh = found.findings.filter((one) => !known.has(nameOf(one)));
  const { targetId } = found;
  if (found.findings.length === 0)
    return known.size === 0
      ? []
      : [
          {
            ...{ type: 'target.orphans-gone', severity: 'info', targetId, data: {} },
            message: `Nothing is left over in the stores of ${targetId} any more.`,
          },
        ];
  if (fresh.length === 0) return [];
  const count = fresh.reduce((sum, one) => sum + one.count, 0);
  const bytes = orphanBytes(fresh);
  const kinds = [...new Set(fresh.map(({ kind }) => kind))];
  return [
    {
      ...{ type: 'target.orphans-found', targetId, data: { kinds, count, bytes } },
      severity: fresh.some(({ removable }) => !removable) ? 'warning' : 'info',
      message: `In the stores of ${targetId} ${count} ${count === 1 ? 'thing belongs' : 'things belong'} to nothing any more (${kinds.join(', ')}), ${bytes} bytes.`,
    },
  ];
}
