import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { type Budget, type CleanupPlan, decideBatch, type PlanItem } from './plan.ts';
import type { OpenQuarantine } from './quarantine.ts';
import { type AnyStrategy, notItsTurn, type Outcome, type RunContext } from './strategy.ts';

export type Tally = {
  cleaned: number;
  skipped: number;
  failed: number;
  leftOver: number;
  bytesFreed: number;
  /** The first hundred of those that stayed or failed. */
  readonly notes: { readonly what: string; readonly why: string }[];
  /** Why the rest was handed back; null: there is none. */
  stoppedBy: string | null;
};

export const newTally = (): Tally => ({
  ...{ cleaned: 0, skipped: 0, failed: 0, leftOver: 0, bytesFreed: 0, notes: [], stoppedBy: null },
});

const mostNotes = 100;
const pressurePollMs = 1_000;
/** Whoever waits longer gives the rest back; the next run takes it. */
const longestPauseMs = 60_000;

/**
 * Carries a plan out, batch by batch, and counts in `tally` what became of each item, as it goes. Ends early when the budget is spent or the signal
 * aborts: the batch under way is finished, the rest is handed back.
 * @throws whatever the strategy throws for the run as a whole
 */
export async function carryOutPlan(options: {
  plan: CleanupPlan;
  strategy: AnyStrategy;
  tally: Tally;
  quarantine: OpenQuarantine;
  context: RunContext;
  clock: Clock;
  batchSize: number;
  budget: Budget;
  /** Leaves alone what the newest verified recovery point does not hold. */
  onlyContained: boolean;
  /** Why to wait a moment: the backend is under pressure. */
  findPressure?(): string | undefined;
  onProgress(tally: Tally): void;
}): Promise<void> {
  const { plan, strategy, tally, quarantine, context, clock, budget } = options;
  const { signal } = context;
  const note = (what: string, why: string): void => {
    if (tally.notes.length < mostNotes) tally.notes.push({ what, why });
  };
  const wanted: PlanItem[] = [];
  for (const item of plan.items) {
    if (!options.onlyContained || ['contained', 'not-data'].includes(item.contained.state)) wanted.push(item);
    else {
      tally.skipped += 1;
      note(item.what, `not in the newest verified recovery point: ${item.contained.reason}`);
    }
  }
  if (wanted.length === 0) return;
  tally.leftOver = wanted.length;
  const startedMs = clock.monotonic();
  const gone: PlanItem[] = [];
  const work = await strategy.begin(plan.params, context);
  try {
    let at = 0;
    while (at < wanted.length) {
      if (signal.aborted) {
        tally.stoppedBy = 'it was stopped';
        break;
      }
      const busy = await waitOutPressure(options);
      if (busy !== undefined) {
        tally.stoppedBy = busy;
        break;
      }
      const spent = { items: at, bytes: tally.bytesFreed, ms: clock.monotonic() - startedMs };
      const fits = decideBatch(wanted.slice(at, at + options.batchSize), options.batchSize, budget, spent);
      if (fits === 0) {
        tally.stoppedBy = 'its budget is spent';
        break;
      }
      const batch = wanted.slice(at, at + fits);
      const outcomes = await work.carryOut(batch, quarantine);
      for (const [i, item] of batch.entries()) {
        const outcome: Outcome | undefined = outcomes[i];
        if (outcome === undefined) throw new TypeError(`${strategy.name} did not say what became of ${item.what}`);
        if (outcome === notItsTurn) continue;
        tally.leftOver -= 1;
        if ('failed' in outcome) {
          tally.failed += 1;
          note(item.what, outcome.failed);
        } else if (outcome.done) {
          tally.cleaned += 1;
          tally.bytesFreed += outcome.bytes;
          gone.push(item);
        } else {
          tally.skipped += 1;
          note(item.what, outcome.why);
        }
      }
      if (signal.aborted && tally.leftOver > 0) tally.stoppedBy = 'it was stopped';
      at += fits;
      options.onProgress(tally);
      await keepRate(options, tally, startedMs);
    }
    context.phase('verifying');
    const left = await work.findLeft?.(gone);
    if (left !== undefined)
      throw new AppError('cleanup/not-verified', `${left} was cleaned up and is still there. Look at it by hand.`);
  } finally {
    await work.end();
  }
}

/** @returns why it is still not the moment, after a minute; undefined: it may go on */
async function waitOutPressure({
  findPressure,
  context,
  clock,
}: Parameters<typeof carryOutPlan>[0]): Promise<string | undefined> {
  const untilMs = clock.monotonic() + longestPauseMs;
  for (let paused = false; ; paused = true) {
    const why = findPressure?.();
    if (why === undefined || context.signal.aborted) {
      if (paused) context.phase('carrying out');
      return undefined;
    }
    if (clock.monotonic() >= untilMs) return why;
    if (!paused) context.phase('paused');
    await clock.sleep(pressurePollMs, context.signal).catch(() => undefined);
  }
}

/** The bytes that were freed so far spread over the time they may take. */
async function keepRate(
  { budget, clock, context }: Parameters<typeof carryOutPlan>[0],
  tally: Tally,
  startedMs: number,
): Promise<void> {
  if (budget.bytesPerSecond === null) return;
  const dueMs = startedMs + (tally.bytesFreed / budget.bytesPerSecond) * 1_000;
  const restMs = dueMs - clock.monotonic();
  if (restMs > 0) await clock.sleep(restMs, context.signal).catch(() => undefined);
}

/** One sentence for people. */
export function describeTally(tally: Tally, plan: Pick<CleanupPlan, 'items' | 'kept'>): string {
  if (plan.items.length === 0)
    return plan.kept.length === 0
      ? 'There was nothing to clean up.'
      : `Nothing may go; ${plan.kept.length} were looked at and stay.`;
  const parts = [`${tally.cleaned} of ${plan.items.length} cleaned up`];
  if (tally.skipped > 0) parts.push(`${tally.skipped} stay`);
  if (tally.failed > 0) parts.push(`${tally.failed} could not go`);
  if (tally.leftOver > 0) parts.push(`${tally.leftOver} handed back because ${tally.stoppedBy ?? 'it ended early'}`);
  const [first] = tally.notes;
  return `${parts.join(', ')}.${first ? ` ${first.what}: ${first.why}.` : ''}`;
}
