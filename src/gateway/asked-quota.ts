import type { Observation } from './observation.ts';
import type { QuotaAnswer, QuotaAsk } from './ports.ts';

/** The quota as the proxy sees it: an answer that came too late may still have reserved something. */
export type AskedQuota = {
  decide(ask: QuotaAsk, late?: (reservation: string) => void): Promise<QuotaAnswer>;
  settle(reservation: string, observation: Observation): void;
};

/** While nobody answers, so many questions are left standing and no more are asked. */
const mostStanding = 1_000;
const granted: QuotaAnswer = { granted: true, reservation: null };

/**
 * Asks the other thread and waits for `waitMs` at most: without an answer the request goes on, and is counted. A quota that
 * is slow or dead must not stop traffic.
 */
export function createAskedQuota(options: {
  send(
    message:
      | { kind: 'ask'; id: number; ask: QuotaAsk }
      | { kind: 'settle'; reservation: string; observation: Observation },
  ): void;
  waitMs: number;
}): AskedQuota & { answer(id: number, answer: QuotaAnswer): void; unanswered(): number } {
  const standing = new Map<number, (answer: QuotaAnswer) => void>();
  let asked = 0;
  let unanswered = 0;
  return {
    decide(ask, late) {
      if (standing.size >= mostStanding) {
        unanswered += 1;
        return Promise.resolve(granted);
      }
      asked += 1;
      const id = asked;
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          unanswered += 1;
          standing.set(id, (answer) => {
            if (answer.granted && answer.reservation !== null) late?.(answer.reservation);
          });
          resolve(granted);
        }, options.waitMs);
        standing.set(id, (answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
        options.send({ kind: 'ask', id, ask });
      });
    },
    settle: (reservation, observation) => options.send({ kind: 'settle', reservation, observation }),
    answer(id, answer) {
      const tell = standing.get(id);
      standing.delete(id);
      tell?.(answer);
    },
    unanswered: () => unanswered,
  };
}
