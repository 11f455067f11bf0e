import type { OperationContext } from '../operations/index.ts';
import { isIdle } from '../targets/index.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import type { CaptureContext, CaptureResult, PendingCapture, Source, StreamProducer } from './sources/source.ts';
import type { Staging } from './staging.ts';
import { storePointStream } from './streams.ts';
import type { BarrierFacts } from './write-barrier.ts';

export type CapturedPoint = {
  /** The moment: when the first source was asked. Epoch milliseconds UTC. */
  readonly takenMs: number;
  readonly captured: readonly CaptureResult[];
  /** Milliseconds by component: fixing its moment, and reading what was fixed. */
  readonly tookMs: ReadonlyMap<string, number>;
  readonly barrier: BarrierFacts;
  /** Whether the pipeline rested before the first capture and after the last; undefined when that cannot be known. */
  readonly rested: boolean | undefined;
};

/**
 * Pipeline idle, as long as one cares to wait → inserts held → every source fixes its moment → inserts released → what was
 * fixed is read and stored. Whatever is held is let go of, however this ends.
 */
export async function capturePoint(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  request: {
    pointId: string;
    sources: readonly Source[];
    staging: Staging;
    /** How long to wait for the pipeline to rest. */
    idleWaitMs: number;
    tags: readonly string[];
  },
  context: OperationContext,
): Promise<CapturedPoint> {
  const { clock } = deps;
  const idle = async (): Promise<boolean | undefined> => {
    const seen = await guarded.observe();
    return seen && isIdle(seen);
  };
  await context.phase('waiting');
  await awaitIdle(deps, idle, request.idleWaitMs, context.signal);
  const hold = await deps.barrier.hold({
    targetId: guarded.target.id,
    maxMs: deps.quiet.holdMs,
    reason: `recovery point ${request.pointId}`,
    signal: context.signal,
  });
  const tookMs = new Map<string, number>();
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const begun = clock.monotonic();
    const done = await work();
    tookMs.set(name, Math.round((tookMs.get(name) ?? 0) + clock.monotonic() - begun));
    return done;
  };
  const pending: { source: Source; capture: CaptureResult | PendingCapture }[] = [];
  const shared = (): CaptureContext => ({
    signal: context.signal,
    clock,
    idle,
    onProgress: (progress) =>
      context.progress({
        bytesDone: progress.bytes,
        bytesTotal: progress.totalBytes,
        filesDone: progress.files,
        filesTotal: progress.totalFiles,
      }),
  });
  try {
    let barrier: BarrierFacts;
    let takenMs: number;
    let rested: boolean | undefined;
    try {
      // What was let in before the hold is still being worked on.
      if (hold.held) await awaitIdle(deps, idle, deps.quiet.holdMs / 2, context.signal);
      await context.phase('capturing');
      const restedBefore = await idle();
      takenMs = clock.now();
      for (const source of request.sources) {
        const capture = await timed(source.name, () =>
          source.capture(request.staging.componentFolder(source.name), shared()),
        );
        pending.push({ source, capture });
        await deps.step(`backup:captured-${source.name}`);
      }
      const restedAfter = await idle();
      rested = restedBefore === undefined || restedAfter === undefined ? undefined : restedBefore && restedAfter;
    } finally {
      const released = hold.held ? await hold.release() : undefined;
      barrier = released
        ? {
            held: !released.endedByItself,
            held_ms: released.heldMs,
            reason: released.endedByItself ? `the hold ended by itself after ${released.heldMs} ms` : null,
          }
        : { held: false, held_ms: null, reason: hold.held ? null : hold.reason };
    }
    await context.phase('reading');
    const captured: CaptureResult[] = [];
    for (const { source, capture } of pending) {
      const result =
        'complete' in capture
          ? await timed(source.name, () =>
              capture.complete({
                ...shared(),
                operationId: context.id,
                auditDir: request.staging.auditFolder,
                storeStream: (name: string, producer: StreamProducer) =>
                  storePointStream(deps, { ...request, component: source.name, name, producer }, context),
              }),
            )
          : capture;
      captured.push(result);
      await deps.step(`backup:completed-${source.name}`);
    }
    return { takenMs, captured, tookMs, barrier, rested };
  } finally {
    for (const { capture } of pending) if ('complete' in capture) await capture.release();
  }
}

const idlePollMs = 500;

/** A backend that does not say whether it rests is not waited for. */
async function awaitIdle(
  { clock }: BackupDeps,
  idle: () => Promise<boolean | undefined>,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const untilMs = clock.now() + waitMs;
  while (clock.now() < untilMs && (await idle()) === false)
    await clock.sleep(Math.max(1, Math.min(idlePollMs, untilMs - clock.now())), signal);
}
