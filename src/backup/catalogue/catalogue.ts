import type { Operation, Operations, SettledOutcome } from '../../operations/index.ts';
import { AppError } from '../../platform/errors.ts';
import { createTrouble } from '../../platform/trouble.ts';
import type { BackupDeps } from '../backup-deps.ts';
import { isRestorable, type RecoveryPoint } from '../point.ts';
import { type CatalogueReport, catalogueReport } from './catalogue-report.ts';
import { noteFacts } from './note-facts.ts';
import { type CatalogueDeps, compareCatalogue, rebuildCatalogue } from './rebuild-catalogue.ts';

type Started = {
  readonly requestedBy: string;
  readonly idempotency?: Parameters<Operations['start']>[0]['idempotency'];
};

export type Catalogue = {
  /** @throws AppError `backup/unavailable` */
  rebuild(request: Started & { dryRun: boolean }): Promise<Operation>;
  /** A pinned point is never forgotten by retention. @throws AppError `backup/unknown-point`, `conflict/state` */
  pin(request: {
    point: RecoveryPoint;
    pinned: boolean;
    requestedBy: string;
    forCheckpoint?: boolean | undefined;
  }): Promise<RecoveryPoint>;
  /**
   * Compares catalogue and repository, at most once a day and once when the catalogue is empty. An empty one is rebuilt from the
   * repository at once, since that only adds rows. What else differs becomes a warning.
   */
  look(signal: AbortSignal): Promise<void>;
  /** What the last look found that somebody should do something about. */
  warnings(): readonly string[];
  readonly settler: () => Promise<SettledOutcome>;
};

const dayMs = 86_400_000;
/** The first look of a catalogue that is not empty waits until the start is over. */
const firstLookMs = 600_000;
const retryMs = 60_000;
/** Each costs a start of restic; the rest follows with the next look. */
const notedPerLook = 50;

export function createCatalogue(
  deps: CatalogueDeps &
    Pick<BackupDeps, 'onPinned'> & { readonly operations: Operations; requireAvailable(): Promise<void> },
): Catalogue {
  const { operations, points, db, events, clock, log } = deps;
  let nextLookMs = Number.NEGATIVE_INFINITY;
  let looked = false;
  let interrupted = false;
  let warnings: readonly string[] = [];
  const trouble = createTrouble({ clock, log, fields: {}, what: 'comparing the list of points with the repository' });

  const rebuild: Catalogue['rebuild'] = async ({ dryRun, requestedBy, idempotency }) => {
    await deps.requireAvailable();
    const operation = await operations.start<unknown, CatalogueReport>({
      kind: 'backup.rebuild-catalogue',
      input: { dryRun },
      requestedBy,
      idempotency,
      async run(context) {
        const outcome = await rebuildCatalogue(deps, { dryRun }, context);
        if (!dryRun) warnings = [];
        return catalogueReport(outcome);
      },
    });
    if (!dryRun)
      await db.unit((tx) =>
        events.audit(tx, {
          actor: requestedBy,
          action: 'backup.rebuild-catalogue',
          object: operation.id,
          outcome: 'done',
        }),
      );
    return operation;
  };

  const compare = async (signal: AbortSignal): Promise<void> => {
    const compared = await compareCatalogue(deps, signal);
    if (!compared) return;
    if (interrupted || (compared.rows.length === 0 && compared.unknown > 0)) {
      log.info({ points: compared.unknown }, 'the catalogue is made from the repository');
      const started = await rebuild({ dryRun: false, requestedBy: 'ragwarden' });
      const ended = await operations.wait(started.id, { signal });
      if (ended.state === 'failed') throw new Error(ended.error?.detail ?? 'the rebuild failed');
      interrupted = false;
      return;
    }
    const found = [
      ...(compared.unknown > 0
        ? [`The repository holds ${compared.unknown} recovery point(s) that the catalogue does not know`]
        : []),
      ...(compared.lost > 0
        ? [`The catalogue lists ${compared.lost} recovery point(s) that the repository does not hold`]
        : []),
    ].map((text) => `${text}: run \`ragwarden backup rebuild-catalogue\`.`);
    const news = found.filter((text) => !warnings.includes(text));
    warnings = found;
    for (const message of news)
      await db.unit((tx) => events.record(tx, { type: 'backup.catalogue-differs', severity: 'warning', message }));
    for (const { pointId } of compared.behind.slice(0, notedPerLook)) {
      signal.throwIfAborted();
      const row = await points.find(pointId);
      if (row && isRestorable(row)) await noteFacts(deps, row, { signal });
    }
  };

  return {
    rebuild,
    warnings: () => warnings,
    async pin({ point, pinned, requestedBy, forCheckpoint }) {
      if (!isRestorable(point))
        throw new AppError(
          'conflict/state',
          `${point.id} does not exist any more; there is nothing to ${pinned ? 'pin' : 'unpin'}.`,
        );
      await db.unit(async (tx) => {
        await points.update(tx, point.id, { pinned });
        if (pinned && !forCheckpoint) await deps.onPinned?.(tx, point.id);
        await events.audit(tx, {
          actor: requestedBy,
          action: pinned ? 'backup.pin' : 'backup.unpin',
          object: point.id,
          outcome: 'done',
        });
      });
      const now = { ...point, pinned };
      await noteFacts(deps, now);
      return now;
    },
    async look(signal) {
      const nowMs = clock.now();
      if (nowMs < nextLookMs) return;
      if (!looked) {
        looked = true;
        if (!interrupted && (await points.countRows()) > 0) {
          nextLookMs = nowMs + firstLookMs;
          return;
        }
      }
      nextLookMs = nowMs + retryMs;
      try {
        await compare(signal);
        nextLookMs = nowMs + dayMs;
        trouble.ended();
      } catch (err) {
        if (!signal.aborted) trouble.failed(err);
      }
    },
    async settler() {
      interrupted = true;
      return {
        message: 'The rebuild of the catalogue ended with the process. What it wrote stands; the rest follows now.',
        severity: 'info',
      };
    },
  };
}
