import type { Clock } from '../platform/clock.ts';
import { describeError } from '../platform/errors.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import type { ReconcilerState } from '../platform/reconciler.ts';
import { createTrouble, type Trouble } from '../platform/trouble.ts';
import type { CheckResult, CheckView, HealthWord, LookingCheck } from './health-check.ts';
import { readLook } from './read-look.ts';
import { createSlots } from './slots.ts';
import { noteLook, type Steadiness, unseen } from './steady-word.ts';

export type CheckChange = {
  readonly name: string;
  readonly targetId: string | undefined;
  readonly before: HealthWord | undefined;
  readonly status: HealthWord;
  readonly message: string;
  readonly flapping: boolean;
  /**
   * The word that was handed on since `before` and could not be told: the same one comes again until it is; another came and went, also
   * back to `before`.
   */
  readonly untold: HealthWord | undefined;
};

export type LookDone = {
  readonly name: string;
  readonly targetId: string | undefined;
  readonly looked: HealthWord;
  readonly tookMs: number;
};

export type CheckRunner = Part & {
  /** From what was last seen; never waits. */
  views(): readonly CheckView[];
  /**
   * Looks at everything now, all at once; who asks meanwhile gets the same round. What is not there after the limit is unknown. The
   * words are those of this round alone.
   */
  lookNow(): Promise<readonly CheckView[]>;
  /** The intervals of the checks are others now: whoever waits goes by them. */
  reschedule(): void;
  /** Each check is a job of its own, that may be late. */
  jobs(): readonly ReconcilerState[];
};

/** So many looks at once, whoever asks for them. */
const mostAtOnce = 32;
/** A fresh round ends then at the latest. */
const roundLimitMs = 15_000;
/** After so long without a look, beside two intervals, nobody knows any more. */
const graceMs = 5_000;
/** A look that contradicts the word is repeated sooner, so that a change is known soon and is one. */
const soonerBy = 6;

type State = {
  readonly check: LookingCheck;
  steady: Steadiness;
  /** The word that was told last. */
  told: Steadiness['word'];
  /** The word that was handed on since, and could not be told. */
  untold: Steadiness['word'];
  readonly trouble: Trouble;
  last: CheckResult | undefined;
  /** The last look that said what the word says. */
  telling: CheckResult | undefined;
  tookMs: number;
  looks: number;
  failures: number;
  under: Promise<void> | undefined;
  /** A look that did not come back in time: until it does, no other is begun. */
  hanging: boolean;
  begunMs: number | null;
};

/**
 * Looks in the background, each check on its own time and within its own; whatever a check does, it costs the others nothing. A look
 * that hangs is given up, and never has a second one beside it.
 */
export function createCheckRunner(options: {
  checks: readonly LookingCheck[];
  clock: Clock;
  log: Logger;
  /** Called for each change of a word, the first one included. */
  onChange?(change: CheckChange): Promise<void>;
  onLook?(done: LookDone): void;
}): CheckRunner {
  const { clock, log } = options;
  const slots = createSlots(mostAtOnce);
  const abort = new AbortController();
  /** Ends the waits of now alone. */
  let waits = new AbortController();
  const states = options.checks.map(
    (check): State => ({
      check,
      ...{ steady: unseen, told: undefined, untold: undefined, trouble: troubleOf(check, clock, log) },
      ...{ last: undefined, telling: undefined, tookMs: 0, looks: 0, failures: 0 },
      ...{ under: undefined, hanging: false, begunMs: null },
    }),
  );
  let loops: Promise<unknown> | undefined;
  let startedAt: number | null = null;
  let round: Promise<readonly CheckView[]> | undefined;

  const take = async (state: State, result: CheckResult, tookMs: number): Promise<void> => {
    const { name, targetId } = state.check;
    const before = state.steady;
    state.steady = noteLook(before, result.status, result.atMs ?? clock.now());
    state.last = result;
    state.tookMs = tookMs;
    state.looks += 1;
    if (result.status !== 'healthy') state.failures += 1;
    if (result.status === state.steady.word) state.telling = result;
    const { word, flapping } = state.steady;
    try {
      options.onLook?.({ name, targetId, looked: result.status, tookMs });
      const { told, untold } = state;
      if (word !== undefined && (word !== told || untold !== undefined)) {
        state.untold = word;
        const { message } = viewOf(state).result;
        await options.onChange?.({ name, targetId, before: told, status: word, message, flapping, untold });
        state.told = word;
        state.untold = undefined;
      }
      state.trouble.ended();
    } catch (err) {
      // The word stands all the same; the next look tells it.
      if (!abort.signal.aborted) state.trouble.failed(err);
    }
  };

  const lookOnce = async (state: State): Promise<void> => {
    const { check } = state;
    const leave = await slots.enter();
    const startedMs = clock.monotonic();
    state.begunMs = clock.now();
    const done = new AbortController();
    const signal = AbortSignal.any([abort.signal, done.signal]);
    try {
      if (abort.signal.aborted) return;
      if (state.hanging) {
        await take(state, late(clock.now(), 'An earlier look has not come back yet.'), 0);
        return;
      }
      state.hanging = true;
      const looking = (async () => check.look(signal))().then(
        (found) => readLook(found, clock.now()),
        (err: unknown): CheckResult => ({ status: 'unhealthy', message: describeError(err), atMs: clock.now() }),
      );
      void looking.then(() => {
        state.hanging = false;
      });
      const timer = new AbortController();
      const limit = clock.sleep(check.timeoutMs, AbortSignal.any([abort.signal, timer.signal])).then(
        () => late(clock.now(), `It did not come back within ${check.timeoutMs / 1_000} s.`),
        () => undefined,
      );
      const result = await Promise.race([looking, limit]);
      timer.abort();
      if (result !== undefined && !abort.signal.aborted) await take(state, result, clock.monotonic() - startedMs);
    } finally {
      done.abort();
      leave();
    }
  };

  const lookJoined = (state: State): Promise<void> => {
    state.under ??= lookOnce(state).finally(() => {
      state.under = undefined;
    });
    return state.under;
  };

  const pauseAfter = ({ check: { intervalMs }, last, steady }: State): number =>
    last?.status === steady.word ? intervalMs : Math.max(1_000, intervalMs / soonerBy);

  const loop = async (state: State, firstMs: number): Promise<void> => {
    let sinceMs = clock.monotonic();
    let pauseMs = (): number => firstMs;
    for (;;) {
      const leftMs = Math.max(0, sinceMs + pauseMs() - clock.monotonic());
      const slept = await clock.sleep(leftMs, AbortSignal.any([abort.signal, waits.signal])).then(
        () => true,
        () => false,
      );
      if (abort.signal.aborted) return;
      // Woken: as much is left of the new interval as of the old one has not passed.
      if (!slept) continue;
      await lookJoined(state);
      sinceMs = clock.monotonic();
      pauseMs = () => pauseAfter(state);
    }
  };

  const viewOf = (state: State, fresh = false): CheckView => {
    const { check, steady, last } = state;
    const { name, kind, about, neededFor, targetId, intervalMs } = check;
    const nowMs = clock.now();
    const ageMs = last?.atMs === undefined ? 0 : nowMs - last.atMs;
    const stale = ageMs > 2 * intervalMs + check.timeoutMs + graceMs;
    const known = last !== undefined && !stale;
    return {
      ...{ name, kind, about, neededFor, targetId, intervalMs },
      result: fresh && known ? last : resultOf(state, nowMs, stale),
      looked: known ? last.status : 'unknown',
      tookMs: last === undefined ? undefined : state.tookMs,
      sinceMs: known ? steady.sinceMs : undefined,
      flapping: known && steady.flapping,
      ...{ failures: state.failures, looks: state.looks },
    };
  };

  const lookRound = async (): Promise<readonly CheckView[]> => {
    const begunMs = clock.now();
    const timer = new AbortController();
    const limit = clock.sleep(roundLimitMs, AbortSignal.any([abort.signal, timer.signal])).catch(() => undefined);
    await Promise.race([Promise.all(states.map(lookJoined)), limit]);
    timer.abort();
    return states.map((state) => {
      const view = viewOf(state, true);
      if ((view.result.atMs ?? 0) >= begunMs) return view;
      const message = `It was not looked at within ${roundLimitMs / 1_000} s.`;
      return { ...view, looked: 'unknown', result: { status: 'unknown', message, atMs: view.result.atMs } };
    });
  };

  return {
    name: 'health checks',
    views: () => states.map((state) => viewOf(state)),
    lookNow() {
      round ??= lookRound().finally(() => {
        round = undefined;
      });
      return round;
    },
    reschedule() {
      const before = waits;
      waits = new AbortController();
      before.abort();
    },
    jobs: () =>
      states.map((state) => ({
        name: `health ${state.check.name}`,
        intervalMs: state.check.intervalMs,
        ...{ runs: state.looks, failures: state.failures, running: state.under !== undefined },
        ...{ lastStartedAt: state.begunMs, lastFinishedAt: state.last?.atMs ?? null },
        lastError: state.last === undefined || state.last.status === 'healthy' ? null : state.last.message,
        ...{ active: startedAt !== null && !abort.signal.aborted, startedAt },
        runLimitMs: state.check.timeoutMs,
      })),
    start() {
      startedAt ??= clock.now();
      // Spread, so that they never all look in the same moment, and after the start, which has enough to do.
      loops ??= Promise.allSettled(
        states.map((state, at) => loop(state, Math.min(1_000 + at * 100, state.check.intervalMs))),
      );
    },
    async stop() {
      abort.abort();
      await loops;
      await Promise.allSettled(states.map((state) => state.under));
    },
  };
}

/** One of each check, so that the log says of which no change could be told. */
export const troubleOf = (check: Pick<LookingCheck, 'name' | 'targetId'>, clock: Clock, log: Logger): Trouble =>
  createTrouble({
    ...{ clock, log, fields: { check: check.name, target: check.targetId } },
    what: 'telling a change of health',
  });

const late = (atMs: number, message: string): CheckResult => ({ status: 'unknown', message, atMs });

/** The word of the check with what was seen: the last look where it says the same, else the last one that did. */
function resultOf(state: State, nowMs: number, stale: boolean): CheckResult {
  const { last, steady, telling } = state;
  if (last === undefined || steady.word === undefined)
    return { status: 'unknown', message: 'Not looked at yet.', atMs: undefined };
  if (stale) {
    const ageMs = nowMs - (last.atMs ?? nowMs);
    return { status: 'unknown', message: `The last look is ${Math.round(ageMs / 1_000)} s old.`, atMs: last.atMs };
  }
  const flaps = steady.flapping ? 'It comes and goes. ' : '';
  if (last.status === steady.word) return { ...last, message: `${flaps}${last.message}` };
  const latest = `The latest look says ${last.status}: ${last.message}`;
  return {
    ...(telling ?? last),
    ...{ status: steady.word, atMs: last.atMs },
    message: telling === undefined ? `${flaps}${latest}` : `${flaps}${telling.message} ${latest}`,
  };
}
