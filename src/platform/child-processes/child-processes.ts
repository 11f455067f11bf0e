import type { Clock } from '../clock.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../logging.ts';
import {
  type ChildContext,
  type ChildResult,
  type ChildSpec,
  findGuard,
  killSession,
  requireProgram,
  type SpawnedChild,
  spawnChild,
} from './child.ts';
import { type ChildRecord, createChildRecords } from './child-record.ts';
import { systemSearchPath } from './find-program.ts';
import { openKernelPipe } from './kernel-pipe.ts';
import { readBootId, runningProcess, sendSignal } from './proc.ts';

export type RunningChild = {
  readonly pid: number;
  /** Never rejects: it says how the child ended, however that came about. */
  readonly exited: Promise<ChildResult>;
  /** Asks (`stopSignal`), after `graceMs` kills, and resolves when the whole session is gone. May be called again and after the end. */
  stop(graceMs?: number): Promise<ChildResult>;
};

export type PipeResult = {
  readonly producer: ChildResult;
  readonly consumer: ChildResult;
  /** Both ended by themselves with exit code 0. */
  readonly succeeded: boolean;
};

export type ChildProcesses = {
  readonly name: string;
  /**
   * Runs a program to its end. Any exit code is a result; only the caller knows what it means.
   * @throws the signal's reason when aborted (after the whole session is gone; before the start, nothing is started),
   *   what a line callback threw, AppError `child/missing-program`, `child/failed` (not startable, timeout), `internal/stopping`
   */
  run(spec: ChildSpec): Promise<ChildResult>;
  /** Starts a program that goes on; an aborted signal ends it. Same errors as `run`, at the start only. */
  start(spec: ChildSpec): Promise<RunningChild>;
  /**
   * Joins two programs by a pipe of the kernel. The consumer sees the end of its input only after the producer has ended
   * with exit code 0: after any other end the consumer is stopped first, so it cannot take half a stream for the whole.
   * A consumer that ends first ends the producer.
   */
  pipe(
    producer: Omit<ChildSpec, 'onStdoutLine' | 'signal' | 'timeoutMs'>,
    consumer: Omit<ChildSpec, 'input' | 'signal' | 'timeoutMs'>,
    options?: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
  ): Promise<PipeResult>;
  /** At start: ends and awaits children of an earlier life that still run, and says which. A pid alone proves nothing; start ticks and boot do. */
  endSurvivors(graceMs?: number): Promise<ChildRecord[]>;
  /** Children of this and earlier lives that did not end by themselves, as far as remembered. */
  endedBySignal(): ChildRecord[];
  /** Ends every child; afterwards nothing can be started. */
  stop(): Promise<void>;
};

/**
 * The only place that starts processes. Belongs on the main thread: the kernel's parent-death signal follows the thread
 * that started the child, so a child started by a worker would die with that worker.
 */
export function createChildProcesses(options: {
  log: Logger;
  clock: Clock;
  /** One file per living child; private to one instance. */
  recordDir: string;
  /** Where setpriv, sh and mkfifo are looked for, and programs whose environment has no PATH. */
  searchPath?: string;
}): ChildProcesses {
  const { log, clock } = options;
  const records = createChildRecords(options.recordDir);
  const context: ChildContext = { clock, records, searchPath: options.searchPath ?? systemSearchPath };
  const living = new Set<SpawnedChild>();
  let stopped = false;
  let warned = false;

  const launch = async (spec: ChildSpec, streams?: { stdin?: number; stdout?: number }): Promise<SpawnedChild> => {
    spec.signal?.throwIfAborted();
    if (stopped) throw new AppError('internal/stopping', `ragwarden is stopping; ${spec.purpose} was not started.`);
    if (!warned && !findGuard(context.searchPath)) {
      warned = true;
      log.warn('setpriv with --pdeathsig was not found: children outlive a killed ragwarden until its next start');
    }
    const child = await spawnChild(spec, context, streams);
    living.add(child);
    log.debug(
      { child: child.pid, program: spec.program, purpose: spec.purpose, operationId: spec.operationId },
      'child started',
    );
    void child.outcome.then(({ result }) => {
      living.delete(child);
      const { exitCode, signal, durationMs } = result;
      log.debug(
        { child: child.pid, program: spec.program, purpose: spec.purpose, exitCode, signal, ms: durationMs },
        'child ended',
      );
    });
    if (stopped) void child.stop();
    return child;
  };

  return {
    name: 'child processes',

    async run(spec) {
      const child = await launch(spec);
      const outcome = await child.outcome;
      if ('stopReason' in outcome) throw outcome.stopReason;
      return outcome.result;
    },

    async start(spec) {
      const child = await launch(spec);
      return {
        pid: child.pid,
        exited: child.outcome.then(({ result }) => result),
        stop: async (graceMs) => (await child.stop({ graceMs })).result,
      };
    },

    async pipe(producerSpec, consumerSpec, { signal: outer, timeoutMs } = {}) {
      outer?.throwIfAborted();
      requireProgram(producerSpec, context.searchPath);
      requireProgram(consumerSpec, context.searchPath);
      const pipe = openKernelPipe(context.searchPath);
      const late = new AbortController();
      const over = new AbortController();
      const signal = outer ? AbortSignal.any([outer, late.signal]) : late.signal;
      if (timeoutMs !== undefined)
        clock.sleep(timeoutMs, over.signal).then(
          () =>
            late.abort(
              new AppError(
                'child/failed',
                `${consumerSpec.purpose} did not finish within ${timeoutMs} ms and was ended.`,
              ),
            ),
          () => undefined,
        );
      try {
        const consumer = await launch({ ...consumerSpec, signal }, { stdin: pipe.readEnd });
        // Only the consumer may hold this end: when it dies, the producer must feel a broken pipe.
        pipe.closeRead();
        let producer: SpawnedChild;
        try {
          producer = await launch({ ...producerSpec, signal }, { stdout: pipe.writeEnd });
        } catch (err) {
          await consumer.stop();
          throw err;
        }
        const consumerEnded = consumer.outcome.then(async (ended) => {
          await producer.stop();
          return ended;
        });
        const fromProducer = await producer.outcome;
        const complete = !('stopReason' in fromProducer) && fromProducer.result.exitCode === 0;
        if (!complete) await consumer.stop();
        pipe.closeWrite();
        const fromConsumer = await consumerEnded;
        const succeeded = complete && !('stopReason' in fromConsumer) && fromConsumer.result.exitCode === 0;
        if (!succeeded) signal.throwIfAborted();
        return { producer: fromProducer.result, consumer: fromConsumer.result, succeeded };
      } finally {
        over.abort();
        pipe.closeRead();
        pipe.closeWrite();
      }
    },

    async endSurvivors(graceMs = 2_000) {
      const bootId = readBootId();
      const ours = new Set([...living].map(({ pid }) => pid));
      const ended: ChildRecord[] = [];
      for (const record of records.left()) {
        if (ours.has(record.pid)) continue;
        const alive = runningProcess(record.pid);
        if (alive !== undefined && alive === record.startTicks && bootId === record.bootId) {
          log.warn(
            { child: record.pid, program: record.program, purpose: record.purpose },
            'a child of an earlier life still runs: ending it',
          );
          await endSurvivor(record, alive, graceMs, clock);
          ended.push(record);
        }
        records.keepAsPast(record);
      }
      return ended;
    },

    endedBySignal: () => records.past(),

    async stop() {
      stopped = true;
      await Promise.all([...living].map((child) => child.stop()));
    },
  };
}

async function endSurvivor(record: ChildRecord, startTicks: number, graceMs: number, clock: Clock): Promise<void> {
  const gone = (): boolean => runningProcess(record.pid) !== startTicks;
  sendSignal(-record.pid, 'SIGTERM');
  for (let waitedMs = 0; waitedMs < graceMs && !gone(); waitedMs += 20) await clock.sleep(20);
  if (await killSession(record.pid, clock)) return;
  throw new AppError(
    'child/failed',
    `Process ${record.pid} (${record.purpose}) of an earlier run cannot be ended. End it by hand and start again.`,
  );
}
