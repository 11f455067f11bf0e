import type { EventRecorder } from '../../events/index.ts';
import type { MetricRegistry } from '../../metrics/index.ts';
import type { Idempotency, Operation, OperationContext, Operations } from '../../operations/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import { createReconciler, type Reconciler } from '../../platform/reconciler.ts';
import { outcomeOf } from '../documents/document.ts';
import { type DocumentPlace, nameOfPlace } from '../documents/document-store.ts';
import type { LightragDocuments } from '../lightrag/lightrag-documents.ts';
import type { Retrieval, RetrievalMode } from '../lightrag/lightrag-retrieval.ts';
import type { Reason } from '../target-status.ts';
import { type CanaryVerdict, type Dimensions, decideVerdict, describeVerdict } from './canary-verdict.ts';

/** How the planted document is called in the backend. */
export const canaryFileName = 'ragwarden-canary.txt';
const plantedWithinMs = 600_000;

export type CanarySettings = {
  readonly question: string;
  readonly expected: string;
  readonly document: string | undefined;
  readonly mode: RetrievalMode;
  readonly timeoutMs: number;
};

export type CanaryRun = {
  readonly atMs: number;
  readonly verdict: CanaryVerdict;
  readonly latencyMs: number;
  /** One sentence about what went wrong; null when it passed. */
  readonly message: string | null;
  readonly dimensions: Dimensions;
};

type Requested = { readonly requestedBy: string; readonly idempotency?: Idempotency | undefined };

export type CanaryReport = DocumentPlace & {
  readonly settings: CanarySettings;
  readonly last: CanaryRun | null;
  /** Since when the verdict is what it is, of this life of ragwarden. */
  readonly sinceMs: number | null;
  readonly lastPassedMs: number | null;
};

/** Asks a question whose answer is known. What does not find it degrades the graph, whatever `/health` says. */
export type Canary = Reconciler & {
  readonly place: DocumentPlace;
  report(): CanaryReport;
  /** Asks now, and resolves with what came of it. @throws AppError `target/unreachable` when the backend does not answer at all */
  check(): Promise<CanaryRun>;
  /** Puts the document into the backend, waits until it is processed, and asks. An exclusive operation of the target. */
  plant(by: Requested): Promise<Operation>;
  /** Length of the vectors that the model was last seen to give for this target. */
  noteEmbeddingDimension(dimension: number): void;
};

export function createCanary(options: {
  place: DocumentPlace;
  settings(): CanarySettings;
  intervalMs: number;
  retrieve: Retrieval;
  documents: Pick<LightragDocuments, 'insert' | 'track'>;
  /** Whether the backend answered its last probe, and nobody has stopped it on purpose. */
  answers(): boolean;
  /** Of the vectors in the index, as last counted in its files. */
  indexDimension(): number | undefined;
  onFinding(finding: Reason | undefined): void;
  operations: Operations;
  events: EventRecorder;
  registry: MetricRegistry;
  db: Database;
  clock: Clock;
  log: Logger;
}): Canary {
  const { place, retrieve, documents, operations, clock } = options;
  const { targetId, workspace } = place;
  const labels = ['target', 'workspace'] as const;
  const runs = options.registry.counter({
    name: 'ragwarden_canary_runs_total',
    help: 'Questions whose answer is known that were asked, by what came of them.',
    labels: [...labels, 'verdict'],
  });
  const latency = options.registry.histogram({
    name: 'ragwarden_canary_latency_seconds',
    help: 'Time that the retrieval for the known question took.',
    unit: 'seconds',
    labels,
  });
  const up = options.registry.gauge({
    name: 'ragwarden_canary_passed',
    help: '1 when the known answer was found at the last question, else 0; absent before the first.',
    labels,
  });
  let last: CanaryRun | undefined;
  let sinceMs: number | undefined;
  let lastPassedMs: number | undefined;
  let embedding: number | undefined;

  const ask = async (signal: AbortSignal): Promise<CanaryRun> => {
    const { question, expected, mode, timeoutMs } = options.settings();
    const atMs = clock.now();
    const startedAt = clock.monotonic();
    const answer = await retrieve({ question, mode, timeoutMs }, signal).then(
      (texts) => ({ texts }),
      (err: unknown) => ({ error: describeError(err) }),
    );
    const latencyMs = clock.monotonic() - startedAt;
    const dimensions = { index: options.indexDimension(), embedding };
    const verdict = decideVerdict(answer, expected, dimensions);
    return { atMs, verdict, latencyMs, message: describeVerdict(verdict, answer, dimensions), dimensions };
  };

  const note = async (run: CanaryRun): Promise<void> => {
    const before = last;
    last = run;
    if (before?.verdict !== run.verdict) sinceMs = run.atMs;
    runs.labels(targetId, workspace, run.verdict).inc();
    up.labels(targetId, workspace).set(run.verdict === 'passed' ? 1 : 0);
    if (run.verdict !== 'error') latency.labels(targetId, workspace).observe(run.latencyMs / 1_000);
    if (run.verdict === 'passed') lastPassedMs = run.atMs;
    options.onFinding(run.message === null ? undefined : { code: 'canary-failed', message: run.message });
    const failed = run.verdict !== 'passed';
    if (before === undefined ? !failed : failed === (before.verdict !== 'passed')) return;
    await options.db.unit((tx) =>
      options.events.record(tx, {
        type: failed ? 'canary.failed' : 'canary.passed-again',
        severity: failed ? 'error' : 'info',
        targetId,
        workspace,
        message: run.message ?? `The known answer is found again in ${nameOfPlace(place)}.`,
        data: { verdict: run.verdict, latency_ms: Math.round(run.latencyMs) },
      }),
    );
  };

  const asking = createReconciler({
    name: `canary ${nameOfPlace(place)}`,
    intervalMs: options.intervalMs,
    runAtStart: false,
    clock,
    log: options.log,
    async run(signal) {
      // Down, it is OFFLINE, and nothing is learned from a question that nobody hears.
      if (!options.answers()) {
        options.onFinding(undefined);
        up.remove(targetId, workspace);
        return;
      }
      const run = await ask(signal);
      if (!signal.aborted) await note(run);
    },
  });

  const check = async (): Promise<CanaryRun> => {
    const before = last;
    await asking.runOnce();
    if (last === undefined || last === before)
      throw new AppError('target/unreachable', `${nameOfPlace(place)} does not answer, so the canary was not asked.`);
    return last;
  };

  const plantNow = async (
    requestedBy: string,
    context: OperationContext,
  ): Promise<{ planted: boolean; verdict: CanaryVerdict }> => {
    const { document } = options.settings();
    if (document === undefined)
      throw new AppError('conflict/state', 'There is no document to plant: set target.canary.document.');
    await context.phase('planting');
    await context.checkHeld();
    await options.db.unit((tx) =>
      options.events.audit(tx, {
        actor: requestedBy,
        action: 'canary.plant',
        object: targetId,
        outcome: 'done',
        data: { workspace, operation: context.id },
      }),
    );
    const trackId = await documents.insert(document, canaryFileName, context.signal);
    let planted = false;
    if (trackId !== null) {
      await context.phase('waiting');
      planted = await waitForEnd(trackId, context.signal);
    }
    await context.phase('asking');
    const { verdict, message } = await check();
    if (message !== null) throw new AppError('conflict/state', `The document is there, but: ${message}`);
    return { planted, verdict };
  };

  /** @returns false when its content was there already. */
  const waitForEnd = async (trackId: string, signal: AbortSignal): Promise<boolean> => {
    const untilMs = clock.monotonic() + plantedWithinMs;
    for (let pauseMs = 250; clock.monotonic() < untilMs; pauseMs = Math.min(10_000, pauseMs * 1.5)) {
      await clock.sleep(pauseMs, signal);
      const [found] = await documents.track(trackId, signal);
      const outcome = found && outcomeOf(found);
      if (outcome === 'failed')
        throw new AppError(
          'outgoing/failed',
          `The backend could not process the document: ${found?.error ?? 'it says no more'}`,
        );
      if (outcome !== undefined) return outcome === 'processed';
    }
    throw new AppError(
      'outgoing/timeout',
      `The document was not processed within ${plantedWithinMs / 60_000} minutes.`,
    );
  };

  return {
    ...asking,
    place,
    check,
    plant: (by) =>
      operations.start({
        kind: 'canary.plant',
        targetId,
        input: { workspace },
        ...by,
        run: (context) => plantNow(by.requestedBy, context),
      }),
    noteEmbeddingDimension(dimension) {
      embedding = dimension;
    },
    report: () => ({
      ...place,
      settings: options.settings(),
      last: last ?? null,
      sinceMs: sinceMs ?? null,
      lastPassedMs: lastPassedMs ?? null,
    }),
  };
}
