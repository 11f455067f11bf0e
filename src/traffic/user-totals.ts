import { type Exchange, resultOf } from './exchange.ts';

/** What somebody asked for since ragwarden started. */
export type UserTotal = {
  readonly requests: number;
  readonly errors: number;
  readonly llmCalls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly costUsd: number;
  readonly firstMs: number;
  readonly lastMs: number;
};

export type UserTotals = {
  count(exchange: Exchange): void;
  find(userId: string): UserTotal | undefined;
};

const mostUsers = 10_000;
const longestName = 200;

/** Those who were heard of longest ago make place for new ones. */
export function createUserTotals(): UserTotals {
  const users = new Map<string, UserTotal>();
  return {
    count({ subject: name, door, outcome, atMs, totalMs, llm, costUsd }) {
      if (name === null || resultOf(outcome) === 'refused') return;
      const subject = name.slice(0, longestName);
      const endMs = atMs + totalMs;
      const none = { requests: 0, errors: 0, llmCalls: 0, promptTokens: 0, completionTokens: 0, costUsd: 0 };
      const before = users.get(subject) ?? { ...none, firstMs: atMs, lastMs: endMs };
      // Behind all others, so that the first of the map is the one to go.
      users.delete(subject);
      if (users.size >= mostUsers) users.delete(users.keys().next().value ?? '');
      users.set(subject, {
        requests: before.requests + (door === 'backend' ? 1 : 0),
        errors: before.errors + (resultOf(outcome) === 'failed' ? 1 : 0),
        llmCalls: before.llmCalls + (door === 'llm' ? 1 : 0),
        promptTokens: before.promptTokens + (llm?.promptTokens ?? 0),
        completionTokens: before.completionTokens + (llm?.completionTokens ?? 0),
        costUsd: before.costUsd + (costUsd ?? 0),
        firstMs: before.firstMs,
        lastMs: Math.max(before.lastMs, endMs),
      });
    },
    find: (userId) => users.get(userId.slice(0, longestName)),
  };
}
