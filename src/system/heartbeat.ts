import type { MetricRegistry } from '../metrics/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { describeError } from '../platform/errors.ts';
import type { HttpRequester } from '../platform/http-client.ts';
import type { Jobs } from '../platform/jobs.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { createFactStore } from './fact-store.ts';

export type HeartbeatStatus = {
  /** Of the last round, whether or not anybody was called: undefined before the first. */
  readonly complete: boolean | undefined;
  /** Why the last round was not complete. */
  readonly reason: string | null;
  readonly lastSuccessMs: number | null;
  readonly callFailures: number;
  readonly callError: string | null;
};

export type Heartbeat = Reconciler & { status(): HeartbeatStatus };

const callTimeoutMs = 10_000;
const stateTimeoutMs = 10_000;
const mostAnswerBytes = 64 * 1024;

/**
 * Calls a URL after each completed round of the background work, so that somebody elsewhere can watch the warden. A round is
 * complete when every job has run when it was due and the state took a write. Otherwise nobody is called: silence is the alarm.
 * @param url             a secret: such URLs carry a key
 * @param unhealthySuffix appended to the path and called instead of silence, for services that want to be told
 */
export function createHeartbeat(options: {
  url: string;
  unhealthySuffix: string | undefined;
  intervalMs: number;
  http: HttpRequester;
  jobs: Jobs;
  db: Database;
  registry: MetricRegistry;
  clock: Clock;
  log: Logger;
  stateTimeoutMs?: number;
}): Heartbeat {
  const { http, jobs, db, clock, log, registry } = options;
  const name = 'heartbeat';
  const facts = createFactStore(db);
  let writing: Promise<void> | undefined;
  let status: HeartbeatStatus = {
    complete: undefined,
    reason: null,
    lastSuccessMs: null,
    callFailures: 0,
    callError: null,
  };
  const calls = registry.counter({
    name: 'ragwarden_heartbeat_calls_total',
    help: 'Calls of the heartbeat URL by outcome: ok, failed, or silent for a round that was not complete.',
    labels: ['outcome'],
  });
  const lastSuccess = registry.gauge({
    name: 'ragwarden_heartbeat_last_success_timestamp_seconds',
    help: 'When the heartbeat URL was last called with success; 0 before the first time.',
  });
  lastSuccess.set(0);

  /** One write at a time: one that hangs must not be joined by another each round. */
  const writeState = async (): Promise<void> => {
    writing ??= db
      .unit((tx) => facts.write(tx, 'round', 'complete', clock.now()))
      .finally(() => {
        writing = undefined;
      });
    const late = new AbortController();
    try {
      await Promise.race([
        writing,
        clock.sleep(options.stateTimeoutMs ?? stateTimeoutMs, late.signal).then(() => {
          throw new Error('the state did not take a write in time');
        }),
      ]);
    } finally {
      late.abort();
    }
  };

  const findFault = async (): Promise<string | null> => {
    const late = jobs.states(clock.now()).find((state) => state.late !== null && state.name !== name);
    if (late) return `${late.name}: ${late.late}`;
    return writeState().then(
      () => null,
      (err: unknown) => `the state cannot be written: ${describeError(err)}`,
    );
  };

  const call = async (url: string, signal: AbortSignal): Promise<string | null> => {
    try {
      const answer = await http.request({ url, timeoutMs: callTimeoutMs, maxBytes: mostAnswerBytes, signal });
      return answer.status >= 200 && answer.status < 300 ? null : `it answered ${answer.status}`;
    } catch (err) {
      if (signal.aborted) throw err;
      return describeError(err);
    }
  };

  const noteRound = (reason: string | null): void => {
    if (reason !== null && status.reason === null)
      log.error({ reason }, 'a round of the background work is not complete');
    if (reason === null && status.reason !== null) log.info('the background work keeps its time again');
    status = { ...status, complete: reason === null, reason };
  };

  /** Said once when it begins to fail and once when it works again. */
  const noteCall = (error: string | null, complete: boolean): void => {
    calls.labels(error === null ? 'ok' : 'failed').inc();
    if (error !== null && status.callError === null) log.warn({ reason: error }, 'the heartbeat URL was not reached');
    if (error === null && status.callError !== null) log.info('the heartbeat URL is reached again');
    const succeeded = error === null && complete;
    if (succeeded) lastSuccess.set(clock.now() / 1000);
    status = {
      ...status,
      callError: error,
      callFailures: error === null ? 0 : status.callFailures + 1,
      lastSuccessMs: succeeded ? clock.now() : status.lastSuccessMs,
    };
  };

  const reconciler = createReconciler({
    name,
    intervalMs: options.intervalMs,
    // The first round ends when everything had one interval to run.
    runAtStart: false,
    clock,
    log,
    async run(signal) {
      const reason = await findFault();
      noteRound(reason);
      if (reason === null) return noteCall(await call(options.url, signal), true);
      if (options.unhealthySuffix === undefined) return calls.labels('silent').inc();
      noteCall(await call(withSuffix(options.url, options.unhealthySuffix), signal), false);
    },
  });
  return { ...reconciler, status: () => status };
}

/** Appended to the path, before a query. */
export function withSuffix(url: string, suffix: string): string {
  const parsed = new URL(url);
  parsed.pathname = `${parsed.pathname.replace(/\/$/, '')}${suffix}`;
  return parsed.href;
}
