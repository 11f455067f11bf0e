import type { Kysely } from 'kysely';
import type { Database, Tx } from '../platform/database/index.ts';
import { type CleanupTask, freshState, type TaskState } from './task.ts';

type Tables = {
  cleanup_task: {
    id: string;
    definition: string;
    origin: string;
    enabled: number;
    created_ms: number;
    updated_ms: number;
    due_ms: number | null;
    armed: number;
    last_run_ms: number | null;
    runs: number;
    successes: number;
    failures: number;
    total_ms: number;
  };
};

export type StoredTask = { readonly task: CleanupTask; readonly state: TaskState; readonly createdMs: number };

export type TaskStore = {
  list(): Promise<readonly StoredTask[]>;
  find(id: string): Promise<StoredTask | undefined>;
  /** @returns false when there is one of that id */
  insert(tx: Tx, task: CleanupTask, nowMs: number): Promise<boolean>;
  /** Its counters stay. */
  replace(tx: Tx, task: CleanupTask, nowMs: number): Promise<void>;
  delete(tx: Tx, id: string): Promise<boolean>;
  /** One conditional UPDATE: of several instances one gets to begin what was due. */
  claimDue(tx: Tx, id: string, dueMs: number | null, nextMs: number | null): Promise<boolean>;
  setArmed(tx: Tx, id: string, armed: boolean): Promise<boolean>;
  addRun(tx: Tx, id: string, run: { endedMs: number; tookMs: number; success: boolean }): Promise<void>;
};

export function createTaskStore(db: Database): TaskStore {
  const read = (): Kysely<Tables> => db.reader<Tables>();
  return {
    async list() {
      return (await read().selectFrom('cleanup_task').selectAll().orderBy('id').execute()).map(taskOf);
    },
    async find(id) {
      const row = await read().selectFrom('cleanup_task').selectAll().where('id', '=', id).executeTakeFirst();
      return row && taskOf(row);
    },
    async insert(tx, task, nowMs) {
      const { numInsertedOrUpdatedRows } = await tx
        .as<Tables>()
        .insertInto('cleanup_task')
        .values({
          ...{ id: task.id, definition: JSON.stringify(task), origin: task.origin, enabled: task.enabled ? 1 : 0 },
          ...{ created_ms: nowMs, updated_ms: nowMs, due_ms: null, armed: 1, last_run_ms: null },
          ...{ runs: 0, successes: 0, failures: 0, total_ms: 0 },
        })
        .onConflict((oc) => oc.column('id').doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },
    async replace(tx, task, nowMs) {
      await tx
        .as<Tables>()
        .updateTable('cleanup_task')
        .set({
          ...{ definition: JSON.stringify(task), origin: task.origin, enabled: task.enabled ? 1 : 0 },
          // Another schedule, or switched on after a while: what was due before is due no more.
          ...{ updated_ms: nowMs, due_ms: null, armed: 1 },
        })
        .where('id', '=', task.id)
        .execute();
    },
    async delete(tx, id) {
      const { numDeletedRows } = await tx
        .as<Tables>()
        .deleteFrom('cleanup_task')
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },
    async claimDue(tx, id, dueMs, nextMs) {
      const { numUpdatedRows } = await tx
        .as<Tables>()
        .updateTable('cleanup_task')
        .set({ due_ms: nextMs })
        .where('id', '=', id)
        .where('due_ms', dueMs === null ? 'is' : '=', dueMs)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
    async setArmed(tx, id, armed) {
      const { numUpdatedRows } = await tx
        .as<Tables>()
        .updateTable('cleanup_task')
        .set({ armed: armed ? 1 : 0 })
        .where('id', '=', id)
        .where('armed', '=', armed ? 0 : 1)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
    async addRun(tx, id, { endedMs, tookMs, success }) {
      await tx
        .as<Tables>()
        .updateTable('cleanup_task')
        .set((eb) => ({
          last_run_ms: endedMs,
          runs: eb('runs', '+', 1),
          successes: eb('successes', '+', success ? 1 : 0),
          failures: eb('failures', '+', success ? 0 : 1),
          total_ms: eb('total_ms', '+', Math.round(tookMs)),
        }))
        .where('id', '=', id)
        .execute();
    },
  };
}

const taskOf = (row: Tables['cleanup_task']): StoredTask => ({
  // Written by insert and replace above.
  task: { ...(JSON.parse(row.definition) as CleanupTask), enabled: Number(row.enabled) === 1 },
  createdMs: Number(row.created_ms),
  state: {
    ...freshState,
    dueMs: row.due_ms === null ? null : Number(row.due_ms),
    armed: Number(row.armed) === 1,
    lastRunMs: row.last_run_ms === null ? null : Number(row.last_run_ms),
    ...{ runs: Number(row.runs), successes: Number(row.successes), failures: Number(row.failures) },
    totalMs: Number(row.total_ms),
  },
});
