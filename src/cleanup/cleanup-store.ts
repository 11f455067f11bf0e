import type { Kysely } from 'kysely';
import { z } from 'zod';
import { createUnchanged, type Database, olderThan, type Tx } from '../platform/database/index.ts';
import type { PagePlace } from '../platform/paging.ts';
import type { CleanupPlan, KeptItem, PlanItem } from './plan.ts';
import type { QuarantineEntry } from './quarantine.ts';
import type { CleanupRun, RunOutcome } from './run.ts';

type Tables = {
  cleanup_plan: {
    id: string;
    strategy: string;
    params: string;
    undo: string;
    items: string;
    kept: string;
    complete: number;
    created_ms: number;
    requested_by: string;
    run_id: string | null;
  };
  cleanup_run: {
    id: string;
    task_id: string | null;
    strategy: string;
    plan_id: string | null;
    cause: string;
    started_by: string;
    started_ms: number;
    finished_ms: number | null;
    outcome: string | null;
    message: string;
    cleaned: number;
    skipped: number;
    failed: number;
    left_over: number;
    bytes_freed: number;
    attempt: number;
    error: string | null;
  };
  cleanup_quarantine: {
    id: string;
    run_id: string;
    strategy: string;
    kind: string;
    what: string;
    bytes: number | null;
    held_ms: number;
    expires_ms: number;
    state: string;
    ended_ms: number | null;
    note: string | null;
    data: string;
  };
  cleanup_fact: { key: string; value: string };
};

export type RunFilter = {
  readonly taskId?: string | undefined;
  readonly strategy?: string | undefined;
  readonly before?: PagePlace | undefined;
  readonly limit: number;
};

export type CleanupStore = {
  insertPlan(tx: Tx, plan: CleanupPlan): Promise<void>;
  findPlan(id: string): Promise<CleanupPlan | undefined>;
  /** Newest first, without their items. */
  listPlans(limit: number): Promise<readonly PlanSummary[]>;
  /** @returns false when another run took it already */
  claimPlan(tx: Tx, id: string, runId: string): Promise<boolean>;
  insertRun(tx: Tx, run: CleanupRun): Promise<void>;
  finishRun(tx: Tx, run: CleanupRun): Promise<void>;
  findRun(id: string): Promise<CleanupRun | undefined>;
  /** Newest first. */
  listRuns(filter: RunFilter): Promise<readonly CleanupRun[]>;
  countRuns(filter: Pick<RunFilter, 'taskId' | 'strategy'>): Promise<number>;
  totals(): Promise<{
    runs: number;
    successful: number;
    failed: number;
    cleaned: number;
    bytesFreed: number;
    averageMs: number | null;
  }>;
  insertEntries(tx: Tx, entries: readonly QuarantineEntry[]): Promise<void>;
  endEntry(tx: Tx, id: string, state: 'undone' | 'expired', nowMs: number): Promise<void>;
  noteEntry(tx: Tx, id: string, note: string): Promise<void>;
  findEntry(id: string): Promise<QuarantineEntry | undefined>;
  listEntries(filter: {
    runId?: string | undefined;
    state?: QuarantineEntry['state'] | undefined;
    expiredAtMs?: number | undefined;
    after?: { readonly heldMs: number; readonly id: string } | undefined;
    limit: number;
  }): Promise<readonly QuarantineEntry[]>;
  oldestHeld(limit: number): Promise<readonly QuarantineEntry[]>;
  listedIds(runId: string): Promise<ReadonlySet<string>>;
  countHeld(runId?: string): Promise<number>;
  heldTotals(): Promise<{ entries: number; bytes: number }>;
  countHistory(): Promise<number>;
  /** Ended runs, plans and entries that are over; the oldest first. @returns how many went */
  deleteHistory(tx: Tx, limit: number): Promise<number>;
  readFact(key: string): Promise<string | undefined>;
  writeFact(tx: Tx, key: string, value: string): Promise<void>;
};

export type PlanSummary = Omit<CleanupPlan, 'items' | 'kept'> & { readonly itemCount: number; readonly bytes: number };

const facts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));
const rowsAtOnce = 100;

export function createCleanupStore(db: Database): CleanupStore {
  const read = (): Kysely<Tables> => db.reader<Tables>();
  const unchanged = createUnchanged(db);
  return {
    async insertPlan(tx, plan) {
      await tx
        .as<Tables>()
        .insertInto('cleanup_plan')
        .values({
          ...{ id: plan.id, strategy: plan.strategy, params: JSON.stringify(plan.params), undo: plan.undo },
          ...{ items: JSON.stringify(plan.items), kept: JSON.stringify(plan.kept), complete: plan.complete ? 1 : 0 },
          ...{ created_ms: plan.createdMs, requested_by: plan.requestedBy, run_id: plan.runId },
        })
        .execute();
    },
    async findPlan(id) {
      const row = await read().selectFrom('cleanup_plan').selectAll().where('id', '=', id).executeTakeFirst();
      return row && planOf(row);
    },
    async listPlans(limit) {
      const rows = await read()
        .selectFrom('cleanup_plan')
        .selectAll()
        .orderBy('created_ms', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => {
        const { items, kept: _, ...plan } = planOf(row);
        return { ...plan, itemCount: items.length, bytes: items.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0) };
      });
    },
    async claimPlan(tx, id, runId) {
      const { numUpdatedRows } = await tx
        .as<Tables>()
        .updateTable('cleanup_plan')
        .set({ run_id: runId })
        .where('id', '=', id)
        .where('run_id', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
    async insertRun(tx, run) {
      await tx.as<Tables>().insertInto('cleanup_run').values(runRow(run)).execute();
    },
    async finishRun(tx, run) {
      const { id: _, ...row } = runRow(run);
      await tx.as<Tables>().updateTable('cleanup_run').set(row).where('id', '=', run.id).execute();
    },
    async findRun(id) {
      const row = await read().selectFrom('cleanup_run').selectAll().where('id', '=', id).executeTakeFirst();
      return row && runOf(row);
    },
    async listRuns({ taskId, strategy, before, limit }) {
      let query = read().selectFrom('cleanup_run').selectAll();
      if (taskId !== undefined) query = query.where('task_id', '=', taskId);
      if (strategy !== undefined) query = query.where('strategy', '=', strategy);
      if (before) query = query.where(olderThan('started_ms', before));
      const rows = await query.orderBy('started_ms', 'desc').orderBy('id', 'desc').limit(limit).execute();
      return rows.map(runOf);
    },
    async countRuns({ taskId, strategy }) {
      let query = read()
        .selectFrom('cleanup_run')
        .select((eb) => eb.fn.countAll<number>().as('runs'));
      if (taskId !== undefined) query = query.where('task_id', '=', taskId);
      if (strategy !== undefined) query = query.where('strategy', '=', strategy);
      return Number((await query.executeTakeFirstOrThrow()).runs);
    },
    async totals() {
      const rows = await read()
        .selectFrom('cleanup_run')
        .select((eb) => [
          'outcome',
          eb.fn.countAll<number>().as('runs'),
          eb.fn.sum<number>('cleaned').as('cleaned'),
          eb.fn.sum<number>('bytes_freed').as('bytes'),
          eb.fn.sum<number>('started_ms').as('started'),
          eb.fn.sum<number>('finished_ms').as('finished'),
        ])
        .where('outcome', 'is not', null)
        .groupBy('outcome')
        .execute();
      const sum = (pick: (row: (typeof rows)[number]) => unknown, only?: (outcome: string) => boolean): number =>
        rows.reduce((all, row) => (only && !only(row.outcome ?? '') ? all : all + Number(pick(row) ?? 0)), 0);
      const runs = sum((row) => row.runs);
      return {
        runs,
        successful: sum(
          (row) => row.runs,
          (outcome) => outcome === 'success',
        ),
        failed: sum(
          (row) => row.runs,
          (outcome) => outcome !== 'success',
        ),
        cleaned: sum((row) => row.cleaned),
        bytesFreed: sum((row) => row.bytes),
        averageMs: runs === 0 ? null : (sum((row) => row.finished) - sum((row) => row.started)) / runs,
      };
    },
    async insertEntries(tx, entries) {
      for (let at = 0; at < entries.length; at += rowsAtOnce)
        await tx
          .as<Tables>()
          .insertInto('cleanup_quarantine')
          .values(
            entries.slice(at, at + rowsAtOnce).map((entry) => ({
              ...{ id: entry.id, run_id: entry.runId, strategy: entry.strategy, kind: entry.kind, what: entry.what },
              ...{ bytes: entry.bytes, held_ms: entry.heldMs, expires_ms: entry.expiresMs, state: entry.state },
              ...{ ended_ms: entry.endedMs, note: entry.note, data: JSON.stringify(entry.data) },
            })),
          )
          .execute();
    },
    async endEntry(tx, id, state, nowMs) {
      await tx
        .as<Tables>()
        .updateTable('cleanup_quarantine')
        .set({ state, ended_ms: nowMs, note: null })
        .where('id', '=', id)
        .where('state', '=', 'held')
        .execute();
    },
    async noteEntry(tx, id, note) {
      await tx.as<Tables>().updateTable('cleanup_quarantine').set({ note }).where('id', '=', id).execute();
    },
    async findEntry(id) {
      const row = await read().selectFrom('cleanup_quarantine').selectAll().where('id', '=', id).executeTakeFirst();
      return row && entryOf(row);
    },
    async listEntries({ runId, state, expiredAtMs, after, limit }) {
      let query = read().selectFrom('cleanup_quarantine').selectAll();
      if (runId !== undefined) query = query.where('run_id', '=', runId);
      if (state !== undefined) query = query.where('state', '=', state);
      if (expiredAtMs !== undefined) query = query.where('expires_ms', '<=', expiredAtMs);
      if (after)
        query = query.where((eb) =>
          eb.or([
            eb('held_ms', '<', after.heldMs),
            eb.and([eb('held_ms', '=', after.heldMs), eb('id', '<', after.id)]),
          ]),
        );
      const rows = await query.orderBy('held_ms', 'desc').orderBy('id', 'desc').limit(limit).execute();
      return rows.map(entryOf);
    },
    async oldestHeld(limit) {
      const rows = await read()
        .selectFrom('cleanup_quarantine')
        .selectAll()
        .where('state', '=', 'held')
        .orderBy('held_ms')
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(entryOf);
    },
    async listedIds(runId) {
      const rows = await read().selectFrom('cleanup_quarantine').select('id').where('run_id', '=', runId).execute();
      return new Set(rows.map(({ id }) => id));
    },
    async countHeld(runId) {
      let query = read()
        .selectFrom('cleanup_quarantine')
        .select((eb) => eb.fn.countAll<number>().as('entries'))
        .where('state', '=', 'held');
      if (runId !== undefined) query = query.where('run_id', '=', runId);
      return Number((await query.executeTakeFirstOrThrow()).entries);
    },
    // Asked with each sampling of the metrics.
    heldTotals: () =>
      unchanged('held', async () => {
        const row = await read()
          .selectFrom('cleanup_quarantine')
          .select((eb) => [eb.fn.countAll<number>().as('entries'), eb.fn.sum<number>('bytes').as('bytes')])
          .where('state', '=', 'held')
          .executeTakeFirstOrThrow();
        return { entries: Number(row.entries), bytes: Number(row.bytes ?? 0) };
      }),
    async countHistory() {
      const counts = await Promise.all([
        read()
          .selectFrom('cleanup_run')
          .select((eb) => eb.fn.countAll<number>().as('n'))
          .where('outcome', 'is not', null)
          .executeTakeFirstOrThrow(),
        read()
          .selectFrom('cleanup_plan')
          .select((eb) => eb.fn.countAll<number>().as('n'))
          .executeTakeFirstOrThrow(),
        read()
          .selectFrom('cleanup_quarantine')
          .select((eb) => eb.fn.countAll<number>().as('n'))
          .where('state', '!=', 'held')
          .executeTakeFirstOrThrow(),
      ]);
      return counts.reduce((sum, { n }) => sum + Number(n), 0);
    },
    async deleteHistory(tx, limit) {
      const tables = tx.as<Tables>();
      const entries = await tables
        .selectFrom('cleanup_quarantine')
        .select(['id', 'ended_ms as at'])
        .where('state', '!=', 'held')
        .orderBy('ended_ms')
        .limit(limit)
        .execute();
      const plans = await tables
        .selectFrom('cleanup_plan')
        .select(['id', 'created_ms as at'])
        .orderBy('created_ms')
        .limit(limit)
        .execute();
      const runs = await tables
        .selectFrom('cleanup_run')
        .select(['id', 'started_ms as at'])
        .where('outcome', 'is not', null)
        .orderBy('started_ms')
        .limit(limit)
        .execute();
      const oldest = [
        ...entries.map((row) => ({ ...row, table: 'cleanup_quarantine' as const })),
        ...plans.map((row) => ({ ...row, table: 'cleanup_plan' as const })),
        ...runs.map((row) => ({ ...row, table: 'cleanup_run' as const })),
      ]
        .sort((one, other) => Number(one.at) - Number(other.at))
        .slice(0, limit);
      for (const table of ['cleanup_quarantine', 'cleanup_plan', 'cleanup_run'] as const) {
        const ids = oldest.filter((one) => one.table === table).map(({ id }) => id);
        for (let at = 0; at < ids.length; at += rowsAtOnce)
          await tables
            .deleteFrom(table)
            .where('id', 'in', ids.slice(at, at + rowsAtOnce))
            .execute();
      }
      return oldest.length;
    },
    async readFact(key) {
      return (await read().selectFrom('cleanup_fact').select('value').where('key', '=', key).executeTakeFirst())?.value;
    },
    async writeFact(tx, key, value) {
      await tx
        .as<Tables>()
        .insertInto('cleanup_fact')
        .values({ key, value })
        .onConflict((oc) => oc.column('key').doUpdateSet({ value }))
        .execute();
    },
  };
}

const planOf = (row: Tables['cleanup_plan']): CleanupPlan => ({
  ...{ id: row.id, strategy: row.strategy, params: facts.parse(JSON.parse(row.params)) },
  undo: row.undo === 'quarantine' ? 'quarantine' : 'none',
  // Written by insertPlan above.
  items: JSON.parse(row.items) as PlanItem[],
  kept: JSON.parse(row.kept) as KeptItem[],
  ...{ complete: Number(row.complete) === 1, createdMs: Number(row.created_ms) },
  ...{ requestedBy: row.requested_by, runId: row.run_id },
});

const runRow = (run: CleanupRun): Tables['cleanup_run'] => ({
  ...{ id: run.id, task_id: run.taskId, strategy: run.strategy, plan_id: run.planId, cause: run.cause },
  ...{ started_by: run.startedBy, started_ms: run.startedMs, finished_ms: run.finishedMs, outcome: run.outcome },
  ...{ message: run.message.slice(0, 2_000), cleaned: run.cleaned, skipped: run.skipped, failed: run.failed },
  ...{ left_over: run.leftOver, bytes_freed: run.bytesFreed, attempt: run.attempt, error: run.error },
});

const runOf = (row: Tables['cleanup_run']): CleanupRun => ({
  ...{ id: row.id, taskId: row.task_id, strategy: row.strategy, planId: row.plan_id },
  // Written by runRow above.
  cause: row.cause as CleanupRun['cause'],
  outcome: row.outcome as RunOutcome | null,
  ...{ startedBy: row.started_by, startedMs: Number(row.started_ms), message: row.message, error: row.error },
  finishedMs: row.finished_ms === null ? null : Number(row.finished_ms),
  ...{ cleaned: Number(row.cleaned), skipped: Number(row.skipped), failed: Number(row.failed) },
  ...{ leftOver: Number(row.left_over), bytesFreed: Number(row.bytes_freed), attempt: Number(row.attempt) },
});

const entryOf = (row: Tables['cleanup_quarantine']): QuarantineEntry => ({
  ...{ id: row.id, runId: row.run_id, strategy: row.strategy, kind: row.kind, what: row.what, note: row.note },
  bytes: row.bytes === null ? null : Number(row.bytes),
  ...{ heldMs: Number(row.held_ms), expiresMs: Number(row.expires_ms) },
  state: row.state as QuarantineEntry['state'], // written by insertEntries and endEntry
  endedMs: row.ended_ms === null ? null : Number(row.ended_ms),
  data: facts.parse(JSON.parse(row.data)),
});
