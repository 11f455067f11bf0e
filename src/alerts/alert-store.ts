import type { Kysely } from 'kysely';
import type { Severity } from '../events/index.ts';
import { type Database, olderThan, type Tx } from '../platform/database/index.ts';
import type { ActionOutcome } from './action.ts';
import type { Alert, Remembered, RuleState } from './alert.ts';
import type { FiredAlert, HistoryFilter } from './alert-history.ts';
import type { Condition } from './alert-rule.ts';

/** PostgreSQL tells large whole numbers as text. */
type Whole = number | string;
type RuleRow = {
  name: string;
  body: string;
  revision: number;
  created_ms: Whole;
  updated_ms: Whole;
  updated_by: string;
};
type StateRow = {
  id: string;
  rule: string;
  fingerprint: string;
  labels: string;
  phase: string;
  since_ms: Whole;
  fired_ms: Whole | null;
  held_ms: Whole;
  calm_ms: Whole | null;
  value: number | null;
  worst: number | null;
  last_data_ms: Whole | null;
  flapping: number;
};
type HistoryRow = {
  id: string;
  rule: string;
  fingerprint: string;
  labels: string;
  metric_name: string;
  condition: string;
  threshold: number | null;
  severity: string;
  tags: string;
  since_ms: Whole;
  fired_ms: Whole;
  resolved_ms: Whole | null;
  message: string;
  resolved_reason: string | null;
  value: number | null;
  worst: number | null;
  flapping: number;
  acknowledged_ms: Whole | null;
  acknowledged_by: string | null;
  acknowledged_note: string | null;
  action: string | null;
};
type AlertTables = {
  alert_rule: RuleRow;
  alert_rule_state: { rule: string; selection: string; remembered: string; capped: number };
  alert_state: StateRow;
  alert_history: HistoryRow;
};

export type StoredRule = {
  readonly name: string;
  /** As it was written; JSON. */
  readonly body: string;
  readonly revision: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly updatedBy: string;
};
export type StoredRuleState = RuleState & { readonly rule: string; readonly selection: string };

export type AlertStore = {
  rules(): Promise<StoredRule[]>;
  /** Another text whenever a rule was put or deleted. */
  rulesVersion(): Promise<string>;
  /** Another one of this name is replaced, and its revision grows. */
  putRule(tx: Tx, rule: { name: string; body: string; nowMs: number; by: string }): Promise<StoredRule>;
  deleteRule(tx: Tx, name: string): Promise<boolean>;
  states(): Promise<StoredRuleState[]>;
  /** Puts the state of a rule in place of the one before. */
  putState(tx: Tx, rule: string, selection: string, state: RuleState): Promise<void>;
  deleteState(tx: Tx, rule: string): Promise<void>;
  fire(tx: Tx, fired: FiredAlert): Promise<void>;
  resolve(
    tx: Tx,
    id: string,
    end: { atMs: number; reason: string; value: number | null; worst: number | null },
  ): Promise<void>;
  /** False: it does not fire, or there is none. */
  acknowledge(tx: Tx, id: string, by: { atMs: number; by: string; note: string | null }): Promise<boolean>;
  setAction(tx: Tx, id: string, outcome: ActionOutcome): Promise<void>;
  find(id: string): Promise<FiredAlert | undefined>;
  /** The newest first. */
  history(filter: HistoryFilter): Promise<FiredAlert[]>;
  countHistory(filter: Omit<HistoryFilter, 'limit' | 'before' | 'offset'>): Promise<number>;
  /** Actions that were to be done, or were being done. */
  unfinishedActions(): Promise<FiredAlert[]>;
  /** When an action of this rule was last begun; undefined when never. */
  lastActionMs(rule: string, beforeId: string): Promise<number | undefined>;
  countEnded(): Promise<number>;
  /** Of those that are over. @returns how many went */
  deleteOldest(tx: Tx, limit: number): Promise<number>;
};

const numberOrNull = (value: Whole | null): number | null => (value === null ? null : Number(value));

export function createAlertStore(db: Database): AlertStore {
  const read = (): Kysely<AlertTables> => db.reader<AlertTables>();
  const filtered = (filter: Omit<HistoryFilter, 'limit'>) => {
    let query = read().selectFrom('alert_history');
    if (filter.rule !== undefined) query = query.where('rule', '=', filter.rule);
    if (filter.severity !== undefined) query = query.where('severity', '=', filter.severity);
    if (filter.sinceMs !== undefined) query = query.where('fired_ms', '>=', filter.sinceMs);
    if (filter.untilMs !== undefined) query = query.where('fired_ms', '<', filter.untilMs);
    if (filter.open === true) query = query.where('resolved_ms', 'is', null);
    if (filter.open === false) query = query.where('resolved_ms', 'is not', null);
    return query;
  };
  return {
    async rules() {
      const rows = await read().selectFrom('alert_rule').selectAll().orderBy('name').execute();
      return rows.map(storedRule);
    },
    async rulesVersion() {
      const rows = await read()
        .selectFrom('alert_rule')
        .select(['name', 'revision', 'updated_ms'])
        .orderBy('name')
        .execute();
      return rows.map((row) => `${row.name} ${row.revision} ${row.updated_ms}`).join('\n');
    },
    async putRule(tx, { name, body, nowMs, by }) {
      const row = await tx
        .as<AlertTables>()
        .insertInto('alert_rule')
        .values({ name, body, revision: 1, created_ms: nowMs, updated_ms: nowMs, updated_by: by })
        .onConflict((conflict) =>
          conflict.column('name').doUpdateSet((eb) => ({
            ...{ body, updated_ms: nowMs, updated_by: by },
            revision: eb('alert_rule.revision', '+', 1),
          })),
        )
        .returningAll()
        .executeTakeFirstOrThrow();
      return storedRule(row);
    },
    async deleteRule(tx, name) {
      const { numDeletedRows } = await tx
        .as<AlertTables>()
        .deleteFrom('alert_rule')
        .where('name', '=', name)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
    async states() {
      const rules = await read().selectFrom('alert_rule_state').selectAll().execute();
      const rows = await read().selectFrom('alert_state').selectAll().orderBy('since_ms').orderBy('id').execute();
      const byRule = Map.groupBy(rows, ({ rule }) => rule);
      return rules.map(({ rule, selection, remembered, capped }) => ({
        ...{ rule, selection, capped: capped === 1 },
        // Written by `putState`, so it is of this shape.
        remembered: JSON.parse(remembered) as readonly Remembered[],
        alerts: (byRule.get(rule) ?? []).map(alertOf),
      }));
    },
    async putState(tx, rule, selection, state) {
      const to = tx.as<AlertTables>();
      const facts = { selection, remembered: JSON.stringify(state.remembered), capped: state.capped ? 1 : 0 };
      await to
        .insertInto('alert_rule_state')
        .values({ rule, ...facts })
        .onConflict((conflict) => conflict.column('rule').doUpdateSet(facts))
        .execute();
      await to.deleteFrom('alert_state').where('rule', '=', rule).execute();
      for (let at = 0; at < state.alerts.length; at += 50)
        await to
          .insertInto('alert_state')
          .values(state.alerts.slice(at, at + 50).map((alert) => stateRow(rule, alert)))
          .execute();
    },
    async deleteState(tx, rule) {
      await tx.as<AlertTables>().deleteFrom('alert_state').where('rule', '=', rule).execute();
      await tx.as<AlertTables>().deleteFrom('alert_rule_state').where('rule', '=', rule).execute();
    },
    async fire(tx, fired) {
      await tx
        .as<AlertTables>()
        .insertInto('alert_history')
        .values(historyRow(fired))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute();
    },
    async resolve(tx, id, { atMs, reason, value, worst }) {
      await tx
        .as<AlertTables>()
        .updateTable('alert_history')
        .set({ resolved_ms: atMs, resolved_reason: reason, value, worst })
        .where('id', '=', id)
        .where('resolved_ms', 'is', null)
        .execute();
    },
    async acknowledge(tx, id, { atMs, by, note }) {
      const { numUpdatedRows } = await tx
        .as<AlertTables>()
        .updateTable('alert_history')
        .set({ acknowledged_ms: atMs, acknowledged_by: by, acknowledged_note: note })
        .where('id', '=', id)
        .where('resolved_ms', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
    async setAction(tx, id, outcome) {
      await tx
        .as<AlertTables>()
        .updateTable('alert_history')
        .set({ action: JSON.stringify(outcome) })
        .where('id', '=', id)
        .execute();
    },
    async find(id) {
      const row = await read().selectFrom('alert_history').selectAll().where('id', '=', id).executeTakeFirst();
      return row && firedOf(row);
    },
    async history({ before, offset, limit, ...filter }) {
      let query = filtered(filter).selectAll();
      if (before !== undefined) query = query.where(olderThan('fired_ms', before));
      if (offset !== undefined) query = query.offset(offset);
      const rows = await query.orderBy('fired_ms', 'desc').orderBy('id', 'desc').limit(limit).execute();
      return rows.map(firedOf);
    },
    async countHistory(filter) {
      const { count } = await filtered(filter)
        .select((eb) => eb.fn.countAll<Whole>().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    async unfinishedActions() {
      const rows = await read()
        .selectFrom('alert_history')
        .selectAll()
        .where((eb) => eb.or([eb('action', 'like', '%"state":"due"%'), eb('action', 'like', '%"state":"running"%')]))
        .orderBy('fired_ms')
        .limit(1_000)
        .execute();
      // What a detail says may look the same.
      return rows.map(firedOf).filter(({ action }) => action?.state === 'due' || action?.state === 'running');
    },
    async lastActionMs(rule, beforeId) {
      const rows = await read()
        .selectFrom('alert_history')
        .select('action')
        .where('rule', '=', rule)
        .where('id', '!=', beforeId)
        .where('action', 'is not', null)
        .orderBy('fired_ms', 'desc')
        .limit(200)
        .execute();
      // Written by `setAction`.
      const outcomes = rows.map(({ action }) => JSON.parse(action ?? 'null') as ActionOutcome);
      return outcomes.find(
        ({ state }) => state === 'begun' || state === 'running' || state === 'unknown' || state === 'failed',
      )?.atMs;
    },
    async countEnded() {
      const { count } = await read()
        .selectFrom('alert_history')
        .select((eb) => eb.fn.countAll<Whole>().as('count'))
        .where('resolved_ms', 'is not', null)
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    async deleteOldest(tx, limit) {
      const to = tx.as<AlertTables>();
      const { numDeletedRows } = await to
        .deleteFrom('alert_history')
        .where(
          'id',
          'in',
          to
            .selectFrom('alert_history')
            .select('id')
            .where('resolved_ms', 'is not', null)
            .orderBy('fired_ms')
            .orderBy('id')
            .limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

const storedRule = (row: RuleRow): StoredRule => ({
  ...{ name: row.name, body: row.body, revision: row.revision, updatedBy: row.updated_by },
  ...{ createdMs: Number(row.created_ms), updatedMs: Number(row.updated_ms) },
});

// What stands in these columns was written by the functions beside them; words and JSON are of their shapes.
const alertOf = (row: StateRow): Alert => ({
  ...{ id: row.id, fingerprint: row.fingerprint, labels: JSON.parse(row.labels) as Alert['labels'] },
  phase: row.phase as Alert['phase'],
  ...{ sinceMs: Number(row.since_ms), firedAtMs: numberOrNull(row.fired_ms) },
  ...{ heldMs: Number(row.held_ms), calmMs: numberOrNull(row.calm_ms) },
  ...{ value: row.value, worst: row.worst, lastDataMs: numberOrNull(row.last_data_ms), flapping: row.flapping === 1 },
});

const stateRow = (rule: string, alert: Alert): StateRow => ({
  ...{ id: alert.id, rule, fingerprint: alert.fingerprint, labels: JSON.stringify(alert.labels), phase: alert.phase },
  ...{ since_ms: alert.sinceMs, fired_ms: alert.firedAtMs, held_ms: alert.heldMs, calm_ms: alert.calmMs },
  ...{ value: alert.value, worst: alert.worst, last_data_ms: alert.lastDataMs, flapping: alert.flapping ? 1 : 0 },
});

const historyRow = (one: FiredAlert): HistoryRow => ({
  ...{ id: one.id, rule: one.rule, fingerprint: one.fingerprint, labels: JSON.stringify(one.labels) },
  ...{ metric_name: one.metricName, condition: one.condition, threshold: one.threshold, severity: one.severity },
  ...{ tags: JSON.stringify(one.tags), since_ms: one.sinceMs, fired_ms: one.firedAtMs, resolved_ms: one.resolvedAtMs },
  ...{ message: one.message, resolved_reason: one.resolvedReason, value: one.value, worst: one.worst },
  ...{ flapping: one.flapping ? 1 : 0, action: one.action && JSON.stringify(one.action) },
  ...{ acknowledged_ms: one.acknowledged?.atMs ?? null, acknowledged_by: one.acknowledged?.by ?? null },
  acknowledged_note: one.acknowledged?.note ?? null,
});

const firedOf = (row: HistoryRow): FiredAlert => ({
  ...{ id: row.id, rule: row.rule, fingerprint: row.fingerprint, metricName: row.metric_name },
  labels: JSON.parse(row.labels) as FiredAlert['labels'],
  condition: row.condition as Condition,
  ...{ threshold: row.threshold, severity: row.severity as Severity },
  tags: JSON.parse(row.tags) as FiredAlert['tags'],
  ...{ sinceMs: Number(row.since_ms), firedAtMs: Number(row.fired_ms), resolvedAtMs: numberOrNull(row.resolved_ms) },
  ...{ message: row.message, resolvedReason: row.resolved_reason, value: row.value, worst: row.worst },
  flapping: row.flapping === 1,
  acknowledged:
    row.acknowledged_ms === null || row.acknowledged_by === null
      ? null
      : { by: row.acknowledged_by, atMs: Number(row.acknowledged_ms), note: row.acknowledged_note },
  action: row.action === null ? null : (JSON.parse(row.action) as ActionOutcome),
});
