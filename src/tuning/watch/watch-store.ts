import type { Kysely } from 'kysely';
import type { Database, Tx } from '../../platform/database/index.ts';
import type { Figures } from './decide-watch.ts';

/**
 * `unwatched`: nobody wanted it watched. `watching` ends as `kept`, `unjudged`, `worse`, or `superseded` by another change; where
 * the way back goes by itself, `worse` is `rolling-back`, then `rolled-back` or `rollback-failed`, or `superseded` as well.
 */
export const watchStates = [
  ...(['unwatched', 'watching', 'kept', 'unjudged', 'worse', 'superseded'] as const),
  ...(['rolling-back', 'rolled-back', 'rollback-failed'] as const),
] as const;
export type WatchState = (typeof watchStates)[number];

/** One change that the backend was restarted with. */
export type Watch = {
  readonly operationId: string;
  readonly targetId: string;
  readonly revision: number;
  /** What was applied before it; 0: nothing. */
  readonly previousRevision: number;
  /** And the variables of keys that were written along. */
  readonly parameters: readonly string[];
  readonly fromMs: number;
  readonly untilMs: number;
  readonly before: Figures;
  readonly after: Figures | null;
  readonly state: WatchState;
  readonly reasons: readonly string[];
  readonly decidedMs: number | null;
  readonly backOperation: string | null;
};

type Row = {
  operation_id: string;
  target_id: string;
  revision: number | string;
  previous_revision: number | string;
  parameters: string;
  from_ms: number | string;
  until_ms: number | string;
  before: string;
  after: string | null;
  state: string;
  reasons: string;
  decided_ms: number | string | null;
  back_operation: string | null;
};
export type WatchTables = {
  tuning_watch: Row;
  tuning_written: { target_id: string; variable: string; original: string | null; written: string };
  tuning_drift: { target_id: string; since_ms: number | string; parameters: string };
};

const watchOf = (row: Row): Watch => ({
  operationId: row.operation_id,
  targetId: row.target_id,
  revision: Number(row.revision),
  previousRevision: Number(row.previous_revision),
  parameters: JSON.parse(row.parameters) as string[],
  fromMs: Number(row.from_ms),
  untilMs: Number(row.until_ms),
  before: JSON.parse(row.before) as Figures,
  after: row.after === null ? null : (JSON.parse(row.after) as Figures),
  state: row.state as WatchState,
  reasons: JSON.parse(row.reasons) as string[],
  decidedMs: row.decided_ms === null ? null : Number(row.decided_ms),
  backOperation: row.back_operation,
});

const reader = (db: Database): Kysely<WatchTables> => db.reader<WatchTables>();
const mostKept = 1_000;

/** Ends what is watched of the same target, and by a change of somebody's also what goes back there; forgets the oldest beyond a thousand. */
export async function insertWatch(tx: Tx, watch: Watch, nowMs: number): Promise<void> {
  const db = tx.as<WatchTables>();
  await db
    .updateTable('tuning_watch')
    .set({ state: 'superseded', decided_ms: nowMs })
    .where('target_id', '=', watch.targetId)
    // The way back is itself a change, and not watched.
    .where('state', 'in', watch.state === 'watching' ? ['watching', 'rolling-back'] : ['watching'])
    .execute();
  await db
    .insertInto('tuning_watch')
    .values({
      operation_id: watch.operationId,
      target_id: watch.targetId,
      revision: watch.revision,
      previous_revision: watch.previousRevision,
      parameters: JSON.stringify(watch.parameters),
      from_ms: watch.fromMs,
      until_ms: watch.untilMs,
      before: JSON.stringify(watch.before),
      after: null,
      state: watch.state,
      reasons: '[]',
      decided_ms: null,
      back_operation: null,
    })
    .execute();
  const last = await db
    .selectFrom('tuning_watch')
    .select('from_ms')
    .orderBy('from_ms', 'desc')
    .offset(mostKept)
    .limit(1)
    .executeTakeFirst();
  if (last) await db.deleteFrom('tuning_watch').where('from_ms', '<=', last.from_ms).execute();
}

/** @returns false when it is not in that state any more */
export async function moveWatch(
  tx: Tx,
  operationId: string,
  from: WatchState,
  to: {
    readonly state: WatchState;
    readonly after?: Figures;
    readonly reasons?: readonly string[];
    readonly decidedMs?: number;
    readonly backOperation?: string;
  },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .as<WatchTables>()
    .updateTable('tuning_watch')
    .set({
      state: to.state,
      ...(to.after === undefined ? {} : { after: JSON.stringify(to.after) }),
      ...(to.reasons === undefined ? {} : { reasons: JSON.stringify(to.reasons) }),
      ...(to.decidedMs === undefined ? {} : { decided_ms: to.decidedMs }),
      ...(to.backOperation === undefined ? {} : { back_operation: to.backOperation }),
    })
    .where('operation_id', '=', operationId)
    .where('state', '=', from)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** What is not decided yet, the oldest first. */
export async function selectOpenWatches(db: Database): Promise<Watch[]> {
  const rows = await reader(db)
    .selectFrom('tuning_watch')
    .selectAll()
    .where('state', 'in', ['watching', 'rolling-back'])
    .orderBy('from_ms')
    .execute();
  return rows.map(watchOf);
}

export async function isGoingBack(db: Database, operationId: string): Promise<boolean> {
  const row = await reader(db)
    .selectFrom('tuning_watch')
    .select('state')
    .where('operation_id', '=', operationId)
    .executeTakeFirst();
  return row?.state === 'rolling-back';
}

/** The newest of each of these revisions. */
export async function selectWatches(db: Database, revisions: readonly number[]): Promise<ReadonlyMap<number, Watch>> {
  if (revisions.length === 0) return new Map();
  const rows = await reader(db)
    .selectFrom('tuning_watch')
    .selectAll()
    .where('revision', 'in', [...revisions])
    .orderBy('from_ms')
    .execute();
  return new Map(rows.map((row) => [Number(row.revision), watchOf(row)]));
}

/** The revision that a target was last left with; 0 before the first. */
export async function selectAppliedRevision(db: Database, targetId: string): Promise<number> {
  const row = await reader(db)
    .selectFrom('tuning_watch')
    .select(['revision', 'previous_revision', 'state'])
    .where('target_id', '=', targetId)
    .orderBy('from_ms', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (!row) return 0;
  return Number(row.state === 'rolled-back' ? row.previous_revision : row.revision);
}

/** A variable of the environment file that was written here. */
export type Written = {
  readonly variable: string;
  /** What stood there before the first time; null: nothing. */
  readonly original: string | null;
  readonly written: string;
};

export const selectWritten = (db: Database, targetId: string): Promise<Written[]> =>
  reader(db)
    .selectFrom('tuning_written')
    .select(['variable', 'original', 'written'])
    .where('target_id', '=', targetId)
    .execute();

export async function writeWritten(tx: Tx, targetId: string, now: Written): Promise<void> {
  const { variable, original, written } = now;
  await tx
    .as<WatchTables>()
    .insertInto('tuning_written')
    .values({ target_id: targetId, variable, original, written })
    .onConflict((conflict) => conflict.columns(['target_id', 'variable']).doUpdateSet({ original, written }))
    .execute();
}

export async function forgetWritten(tx: Tx, targetId: string, variable: string): Promise<void> {
  await tx
    .as<WatchTables>()
    .deleteFrom('tuning_written')
    .where('target_id', '=', targetId)
    .where('variable', '=', variable)
    .execute();
}

/** A target that runs with something else than was set. */
export type DriftEpisode = {
  readonly targetId: string;
  readonly sinceMs: number;
  readonly parameters: readonly string[];
};

export async function selectDriftEpisodes(db: Database): Promise<DriftEpisode[]> {
  const rows = await reader(db).selectFrom('tuning_drift').selectAll().execute();
  return rows.map((row) => ({
    targetId: row.target_id,
    sinceMs: Number(row.since_ms),
    parameters: JSON.parse(row.parameters) as string[],
  }));
}

export async function writeDriftEpisode(tx: Tx, { targetId, sinceMs, parameters }: DriftEpisode): Promise<void> {
  const named = JSON.stringify(parameters);
  await tx
    .as<WatchTables>()
    .insertInto('tuning_drift')
    .values({ target_id: targetId, since_ms: sinceMs, parameters: named })
    .onConflict((conflict) => conflict.column('target_id').doUpdateSet({ since_ms: sinceMs, parameters: named }))
    .execute();
}

export async function endDriftEpisode(tx: Tx, targetId: string): Promise<void> {
  await tx.as<WatchTables>().deleteFrom('tuning_drift').where('target_id', '=', targetId).execute();
}
