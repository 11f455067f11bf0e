import type { Observation } from './observation.ts';
import type { QuotaAnswer, QuotaAsk, QuotaGuard } from './ports.ts';

/** The quota as the proxy sees it: an answer that came too late may still have reserved something. */
export type AskedQuota = {
  /** Whether any quota that can deny is a matter of this request; nobody is asked otherwise. */
  concerns(ask: QuotaAsk): boolean;
  decide(ask: QuotaAsk, late?: (reservation: string) => void): Promise<QuotaAnswer>;
  settle(reservation: string, observation: Observation): void;
};

/** While nobody answers, so many questions are left standing and no more are asked. */
const mostStanding = 1_000;
const granted: QuotaAnswer = { granted: true, reservation: null };

/**
 * Asks the other thread and waits for `waitMs` at most, or as long as that thread says that the request waits for its turn.
 * Without an answer each quota that applies has its say: one that is `closed` lets nothing pass, so that a slow or dead thread
 * opens no way around a limit; else the request goes on, and is counted.
 */
export function createAskedQuota(options: {
  send(
    message:
      | { kind: 'ask'; id: number; ask: QuotaAsk }
      | { kind: 'settle'; reservation: string; observation: Observation },
  ): void;
  waitMs: number;
  guards: readonly QuotaGuard[];
}): AskedQuota & {
  answer(id: number, answer: QuotaAnswer): void;
  /** The request waits for its turn, for so long at most. */
  hold(id: number, maxMs: number): void;
  setGuards(guards: readonly QuotaGuard[]): void;
  /** Questions whose time is not over: each of them may still count as one without an answer. */
  waiting(): number;
  unanswered(): number;
  refusedUnanswered(): number;
} {
  type Standing = { tell(answer: QuotaAnswer): void; timer: NodeJS.Timeout | undefined; late(): void };
  const standing = new Map<number, Standing>();
  let { guards } = options;
  let asked = 0;
  let unanswered = 0;
  let refusedUnanswered = 0;

  const fits = (guard: QuotaGuard, ask: QuotaAsk): boolean =>
    guard.doors.includes(ask.door) &&
    (!guard.writesOnly || ask.writes) &&
    (guard.targetId === null || guard.targetId === ask.targetId) &&
    (guard.workspace === null || guard.workspace === ask.workspace) &&
    (guard.subject === null || guard.subject === ask.subject) &&
    (guard.keyId === null || guard.keyId === ask.keyId);

  const withoutAnswer = (ask: QuotaAsk): QuotaAnswer => {
    unanswered += 1;
    const closed = guards.find((guard) => guard.whenSilent === 'closed' && fits(guard, ask));
    if (closed === undefined) return granted;
    refusedUnanswered += 1;
    return {
      granted: false,
      why: 'unavailable',
      retryAfterSeconds: 1,
      detail: `Nobody said in time whether the quota "${closed.id}" allows this, and it lets nothing pass then. Try again in a moment.`,
      limit: null,
      remaining: null,
      resetSeconds: null,
      policy: closed.id,
      windowSeconds: null,
    };
  };

  return {
    concerns(ask) {
      for (const guard of guards) if (fits(guard, ask)) return true;
      return false;
    },
    decide(ask, late) {
      if (standing.size >= mostStanding) return Promise.resolve(withoutAnswer(ask));
      asked += 1;
      const id = asked;
      return new Promise((resolve) => {
        const isLate = (): void => {
          standing.set(id, {
            timer: undefined,
            late: () => undefined,
            tell(answer) {
              if (answer.granted && answer.reservation !== null) late?.(answer.reservation);
            },
          });
          resolve(withoutAnswer(ask));
        };
        const one: Standing = {
          timer: setTimeout(isLate, options.waitMs),
          late: isLate,
          tell(answer) {
            clearTimeout(one.timer);
            resolve(answer);
          },
        };
        standing.set(id, one);
        options.send({ kind: 'ask', id, ask });
      });
    },
    settle: (reservation, observation) => options.send({ kind: 'settle', reservation, observation }),
    answer(id, answer) {
      const one = standing.get(id);
      standing.delete(id);
      one?.tell(answer);
    },
    hold(id, maxMs) {
      const one = standing.get(id);
      if (one?.timer === undefined) return;
      clearTimeout(one.timer);
      one.timer = setTimeout(one.late, maxMs + options.waitMs);
    },
    setGuards(next) {
      guards = next;
    },
    waiting: () => [...standing.values()].filter(({ timer }) => timer !== undefined).length,
    unanswered: () => unanswered,
    refusedUnanswered: () => refusedUnanswered,
  };
}
