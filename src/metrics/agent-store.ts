import type { Database, Tx } from '../platform/database/index.ts';

/** What an agent did since it was first heard of, or since it was reset. */
export type AgentTotals = {
  readonly agentId: string;
  /** Empty when none was told. */
  readonly workspaceId: string;
  readonly executions: number;
  readonly successes: number;
  readonly executionMs: number;
  readonly tokens: number;
  readonly costUsd: number;
  readonly lastExecutionMs: number | null;
  readonly createdMs: number;
  readonly updatedMs: number;
};

type Row = {
  agent_id: string;
  workspace_id: string;
  executions: number;
  successes: number;
  execution_ms: number;
  tokens: number;
  cost_usd: number;
  last_execution_ms: number | null;
  created_ms: number;
  updated_ms: number;
};
type Tables = { metric_agent: Row };

/** Adds to what is there, so that several instances may count the same agent. */
export async function addToAgent(tx: Tx, more: AgentTotals): Promise<void> {
  await tx
    .as<Tables>()
    .insertInto('metric_agent')
    .values({
      agent_id: more.agentId,
      workspace_id: more.workspaceId,
      executions: more.executions,
      successes: more.successes,
      execution_ms: more.executionMs,
      tokens: more.tokens,
      cost_usd: more.costUsd,
      last_execution_ms: more.lastExecutionMs,
      created_ms: more.createdMs,
      updated_ms: more.updatedMs,
    })
    .onConflict((oc) =>
      oc.columns(['agent_id', 'workspace_id']).doUpdateSet((eb) => ({
        executions: eb('metric_agent.executions', '+', more.executions),
        successes: eb('metric_agent.successes', '+', more.successes),
        execution_ms: eb('metric_agent.execution_ms', '+', more.executionMs),
        tokens: eb('metric_agent.tokens', '+', more.tokens),
        cost_usd: eb('metric_agent.cost_usd', '+', more.costUsd),
        last_execution_ms: eb.fn.coalesce(eb.val(more.lastExecutionMs), 'metric_agent.last_execution_ms'),
        updated_ms: more.updatedMs,
      })),
    )
    .execute();
}

export async function findAgents(db: Database, agentId?: string): Promise<AgentTotals[]> {
  let query = db.reader<Tables>().selectFrom('metric_agent').selectAll();
  if (agentId !== undefined) query = query.where('agent_id', '=', agentId);
  const rows = await query.orderBy('agent_id').orderBy('workspace_id').limit(10_000).execute();
  return rows.map((row) => ({
    agentId: row.agent_id,
    workspaceId: row.workspace_id,
    executions: Number(row.executions),
    successes: Number(row.successes),
    executionMs: Number(row.execution_ms),
    tokens: Number(row.tokens),
    costUsd: Number(row.cost_usd),
    lastExecutionMs: row.last_execution_ms === null ? null : Number(row.last_execution_ms),
    createdMs: Number(row.created_ms),
    updatedMs: Number(row.updated_ms),
  }));
}

export async function countAgents(db: Database, sinceMs: number): Promise<number> {
  const row = await db
    .reader<Tables>()
    .selectFrom('metric_agent')
    .select((eb) => eb.fn.count<number | string>('agent_id').distinct().as('agents'))
    .where('updated_ms', '>=', sinceMs)
    .executeTakeFirst();
  return Number(row?.agents ?? 0);
}

/** Forgets an agent, or all. @returns how many rows went */
export async function deleteAgents(tx: Tx, agentId?: string): Promise<number> {
  let query = tx.as<Tables>().deleteFrom('metric_agent');
  if (agentId !== undefined) query = query.where('agent_id', '=', agentId);
  return Number((await query.executeTakeFirst()).numDeletedRows);
}

export async function countAllAgents(db: Database): Promise<number> {
  const row = await db
    .reader<Tables>()
    .selectFrom('metric_agent')
    .select((eb) => eb.fn.countAll<number | string>().as('rows'))
    .executeTakeFirst();
  return Number(row?.rows ?? 0);
}

/** Forgets those that were not heard of for longest. @returns how many rows went */
export async function deleteQuietestAgents(tx: Tx, count: number): Promise<number> {
  const found = await tx
    .as<Tables>()
    .selectFrom('metric_agent')
    .select(['agent_id', 'workspace_id'])
    .orderBy('updated_ms')
    .limit(count)
    .execute();
  let gone = 0;
  for (const row of found) {
    const { numDeletedRows } = await tx
      .as<Tables>()
      .deleteFrom('metric_agent')
      .where('agent_id', '=', row.agent_id)
      .where('workspace_id', '=', row.workspace_id)
      .executeTakeFirst();
    gone += Number(numDeletedRows);
  }
  return gone;
}
