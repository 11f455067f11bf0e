import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { type AgentTotals, addToAgent, countAgents, deleteAgents, findAgents } from './agent-store.ts';
import type { Recording } from './recorder.ts';

/** Names under which it is recorded what agents do; all have the label `agent_id`, and `workspace_id` where there is one. */
export const agentMetrics = {
  /** Counter; `status` is `success` or says what went wrong. */
  executions: 'agent_executions',
  duration: 'agent_execution_duration_ms',
  tokens: 'agent_tokens',
  cost: 'agent_llm_cost_usd',
  toolDuration: 'agent_tool_duration_ms',
  errors: 'agent_errors',
} as const;

type Growing = { -readonly [Field in keyof AgentTotals]: AgentTotals[Field] };

/** Totals per agent, kept for good and written with the samples. */
export type Agents = {
  /** Counts what was recorded about an agent; everything else is not its business. */
  count(recording: Recording, atMs: number): void;
  flush(): Promise<void>;
  find(agentId: string): Promise<readonly AgentTotals[]>;
  /** Agents that were heard of since then. */
  active(sinceMs: number): Promise<number>;
  reset(agentId?: string): Promise<number>;
};

const mostWaiting = 10_000;
const mostRunsAtOnce = 1e9;
/** PostgreSQL has no text with these, and one that it refuses would keep all others from being written. */
const storable = (text: string): string => text.toWellFormed().replaceAll('\0', '\ufffd');

export function createAgents(options: { db: Database; clock: Clock }): Agents {
  const { db, clock } = options;
  let waiting = new Map<string, Growing>();

  const growing = (agentId: string, workspaceId: string): Growing | undefined => {
    const key = JSON.stringify([agentId, workspaceId]);
    let found = waiting.get(key);
    if (found === undefined) {
      // Its series are bounded too; the rest is counted there, in the overflow series.
      if (waiting.size >= mostWaiting) return undefined;
      const nowMs = clock.now();
      const none = { executions: 0, successes: 0, executionMs: 0, tokens: 0, costUsd: 0, lastExecutionMs: null };
      found = { agentId, workspaceId, ...none, createdMs: nowMs, updatedMs: nowMs };
      waiting.set(key, found);
    }
    return found;
  };

  const flush = async (): Promise<void> => {
    const taken = waiting;
    if (taken.size === 0) return;
    waiting = new Map();
    try {
      await db.unit(async (tx) => {
        for (const more of taken.values()) await addToAgent(tx, more);
      });
    } catch (err) {
      // Counted again with what came meanwhile.
      for (const [key, more] of taken) {
        const newer = waiting.get(key);
        waiting.set(key, newer === undefined ? more : sumOf(more, newer));
      }
      throw err;
    }
  };

  return {
    count({ name, labels, value }, atMs) {
      const agentId = storable(labels?.agent_id ?? '');
      if (agentId === '') return;
      const agent = growing(agentId, storable(labels?.workspace_id ?? ''));
      if (agent === undefined) return;
      agent.updatedMs = clock.now();
      if (name === agentMetrics.executions) {
        // Half a run is none, and more than these is no count.
        const runs = Math.min(Math.floor(value), mostRunsAtOnce);
        agent.executions += runs;
        if (labels?.status === 'success') agent.successes += runs;
        agent.lastExecutionMs = Math.max(agent.lastExecutionMs ?? 0, atMs);
      } else if (name === agentMetrics.duration) agent.executionMs += value;
      else if (name === agentMetrics.tokens) agent.tokens += value;
      else if (name === agentMetrics.cost) agent.costUsd += value;
    },
    flush,
    async find(agentId) {
      await flush();
      return findAgents(db, agentId);
    },
    async active(sinceMs) {
      await flush();
      return countAgents(db, sinceMs);
    },
    async reset(agentId) {
      for (const [key, agent] of waiting) if (agentId === undefined || agent.agentId === agentId) waiting.delete(key);
      return db.unit((tx) => deleteAgents(tx, agentId));
    },
  };
}

const sumOf = (a: Growing, b: Growing): Growing => ({
  agentId: a.agentId,
  workspaceId: a.workspaceId,
  executions: a.executions + b.executions,
  successes: a.successes + b.successes,
  executionMs: a.executionMs + b.executionMs,
  tokens: a.tokens + b.tokens,
  costUsd: a.costUsd + b.costUsd,
  lastExecutionMs: Math.max(a.lastExecutionMs ?? 0, b.lastExecutionMs ?? 0) || null,
  createdMs: a.createdMs,
  updatedMs: b.updatedMs,
});
