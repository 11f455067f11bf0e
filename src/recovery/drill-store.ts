import type { Kysely } from 'kysely';
import { z } from 'zod';
import { type Database, olderThan, type Tx } from '../platform/database/index.ts';
import type { PagePlace } from '../platform/paging.ts';
import { type Drill, type DrillChoice, type DrillKind, drillChoices, drillKinds } from './drill.ts';
import type { DrillHistory } from './drill-due.ts';
import { type Evidence, evidenceSchema } from './evidence.ts';

type DrillTable = {
  id: string;
  target_id: string;
  point_id: string;
  kind: string;
  choice: string | null;
  requested_by: string;
  started_ms: number;
  finished_ms: number | null;
  verdict: string | null;
  reasons: string;
  phases: string;
  rto_ms: number | null;
  bytes: number | null;
  files: number | null;
  evidence: string | null;
  evidence_sha256: string | null;
};
type RecoveryTables = { recovery_drill: DrillTable; recovery_setting: { key: string; value: string } };

export type DrillStore = {
  insert(tx: Tx, drill: Drill): Promise<void>;
  finish(tx: Tx, drill: Drill, evidence: Evidence | null): Promise<void>;
  find(id: string): Promise<Drill | undefined>;
  findEvidence(id: string): Promise<Evidence | undefined>;
  list(filter: {
    targetId?: string | undefined;
    kind?: DrillKind | undefined;
    before?: PagePlace | undefined;
    limit: number;
  }): Promise<Drill[]>;
  /** Restore drills of the target; without when drills could have begun, which is not known here. */
  history(targetId: string): Promise<Omit<DrillHistory, 'possibleSinceMs'>>;
  /** The last evidence of any drill, for the chain. */
  lastEvidence(): Promise<{ drillId: string; sha256: string } | undefined>;
  countByVerdict(): Promise<{ targetId: string; kind: string; verdict: string; drills: number }[]>;
  countFinished(): Promise<number>;
  /** The oldest ended drills; the last that passed of each target stays. @returns how many went */
  deleteOldest(tx: Tx, limit: number): Promise<number>;
  readSetting(key: string): Promise<string | undefined>;
  writeSetting(tx: Tx, key: string, value: string | null): Promise<void>;
};

export function createDrillStore(db: Database): DrillStore {
  const read = (): Kysely<RecoveryTables> => db.reader<RecoveryTables>();
  return {
    async insert(tx, drill) {
      await tx
        .as<RecoveryTables>()
        .insertInto('recovery_drill')
        .values({ ...toRow(drill), evidence: null })
        .execute();
    },
    async finish(tx, drill, evidence) {
      const { id: _, ...row } = toRow(drill);
      await tx
        .as<RecoveryTables>()
        .updateTable('recovery_drill')
        .set({ ...row, evidence: evidence && JSON.stringify(evidence) })
        .where('id', '=', drill.id)
        .execute();
    },
    async find(id) {
      const row = await read().selectFrom('recovery_drill').select(columns).where('id', '=', id).executeTakeFirst();
      return row && fromRow(row);
    },
    async findEvidence(id) {
      const row = await read().selectFrom('recovery_drill').select('evidence').where('id', '=', id).executeTakeFirst();
      return row?.evidence ? evidenceSchema.parse(JSON.parse(row.evidence)) : undefined;
    },
    async list(filter) {
      let query = read().selectFrom('recovery_drill').select(columns);
      if (filter.targetId !== undefined) query = query.where('target_id', '=', filter.targetId);
      if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
      const { before } = filter;
      if (before) query = query.where(olderThan('started_ms', before));
      const rows = await query.orderBy('started_ms', 'desc').orderBy('id', 'desc').limit(filter.limit).execute();
      return rows.map(fromRow);
    },
    async history(targetId) {
      const ended = read()
        .selectFrom('recovery_drill')
        .where('target_id', '=', targetId)
        .where('kind', '=', 'restore')
        .where('verdict', 'is not', null);
      const passed = await ended
        .where('verdict', '=', 'passed')
        .select((eb) => eb.fn.max('finished_ms').as('at'))
        .executeTakeFirst();
      const lastPassedMs = numberOrNull(passed?.at);
      const others = await (lastPassedMs === null ? ended : ended.where('finished_ms', '>', lastPassedMs))
        .where('verdict', '!=', 'passed')
        .select((eb) => [eb.fn.max('finished_ms').as('at'), eb.fn.countAll<number>().as('drills')])
        .executeTakeFirst();
      const lastOtherMs = numberOrNull(others?.at);
      return {
        lastPassedMs,
        lastFinishedMs: lastOtherMs ?? lastPassedMs,
        failuresInRow: Number(others?.drills ?? 0),
      };
    },
    async lastEvidence() {
      const row = await read()
        .selectFrom('recovery_drill')
        .select(['id', 'evidence_sha256'])
        .where('evidence_sha256', 'is not', null)
        .orderBy('finished_ms', 'desc')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && row.evidence_sha256 !== null ? { drillId: row.id, sha256: row.evidence_sha256 } : undefined;
    },
    async countByVerdict() {
      const rows = await read()
        .selectFrom('recovery_drill')
        .select((eb) => ['target_id', 'kind', 'verdict', eb.fn.countAll<number>().as('drills')])
        .where('verdict', 'is not', null)
        .groupBy(['target_id', 'kind', 'verdict'])
        .execute();
      return rows.map((row) => ({
        targetId: row.target_id,
        kind: row.kind,
        verdict: row.verdict ?? '',
        drills: Number(row.drills),
      }));
    },
    async countFinished() {
      const row = await read()
        .selectFrom('recovery_drill')
        .select((eb) => eb.fn.countAll<number>().as('drills'))
        .where('verdict', 'is not', null)
        .executeTakeFirstOrThrow();
      return Number(row.drills);
    },
    async deleteOldest(tx, limit) {
      const { numDeletedRows } = await tx
        .as<RecoveryTables>()
        .deleteFrom('recovery_drill')
        .where('id', 'in', (eb) =>
          eb
            .selectFrom('recovery_drill as old')
            .select('old.id')
            .where('old.verdict', 'is not', null)
            .where('old.id', 'not in', (inner) =>
              // Ids grow with time.
              inner
                .selectFrom('recovery_drill as passed')
                .select((max) => max.fn.max('passed.id').as('id'))
                .where('passed.verdict', '=', 'passed')
                .where('passed.kind', '=', 'restore')
                .groupBy('passed.target_id'),
            )
            .orderBy('old.started_ms')
            .orderBy('old.id')
            .limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
    async readSetting(key) {
      const row = await read().selectFrom('recovery_setting').select('value').where('key', '=', key).executeTakeFirst();
      return row?.value;
    },
    async writeSetting(tx, key, value) {
      const table = tx.as<RecoveryTables>();
      if (value === null) await table.deleteFrom('recovery_setting').where('key', '=', key).execute();
      else
        await table
          .insertInto('recovery_setting')
          .values({ key, value })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
          .execute();
    },
  };
}

/** Without the evidence, which is large and asked for by itself. */
const columns = [
  'id',
  'target_id',
  'point_id',
  'kind',
  'choice',
  'requested_by',
  'started_ms',
  'finished_ms',
  'verdict',
  'reasons',
  'phases',
  'rto_ms',
  'bytes',
  'files',
  'evidence_sha256',
] as const;

const numberOrNull = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value));

const toRow = (drill: Drill): Omit<DrillTable, 'evidence'> => ({
  id: drill.id,
  target_id: drill.targetId,
  point_id: drill.pointId,
  kind: drill.kind,
  choice: drill.choice,
  requested_by: drill.requestedBy,
  started_ms: drill.startedMs,
  finished_ms: drill.finishedMs,
  verdict: drill.verdict,
  reasons: JSON.stringify(drill.reasons),
  phases: JSON.stringify(drill.phases),
  rto_ms: drill.rtoMs === null ? null : Math.round(drill.rtoMs),
  bytes: drill.bytes,
  files: drill.files,
  evidence_sha256: drill.evidenceSha256,
});

const phaseSchema = z.object({
  name: z.string(),
  component: z.string().nullable(),
  ms: z.number(),
  inRestore: z.number(),
  growsWithBytes: z.boolean(),
});

/** Words come from our own writing; another one, of a newer version, reads as the cautious one. */
const fromRow = (row: Omit<DrillTable, 'evidence'>): Drill => ({
  id: row.id,
  targetId: row.target_id,
  pointId: row.point_id,
  kind: drillKinds.find((kind): kind is DrillKind => kind === row.kind) ?? 'chaos',
  choice: drillChoices.find((choice): choice is DrillChoice => choice === row.choice) ?? null,
  requestedBy: row.requested_by,
  startedMs: Number(row.started_ms),
  finishedMs: numberOrNull(row.finished_ms),
  verdict: row.verdict === 'passed' || row.verdict === 'failed' ? row.verdict : row.verdict === null ? null : 'error',
  reasons: z.array(z.string()).parse(JSON.parse(row.reasons)),
  phases: z.array(phaseSchema).parse(JSON.parse(row.phases)),
  rtoMs: numberOrNull(row.rto_ms),
  bytes: numberOrNull(row.bytes),
  files: numberOrNull(row.files),
  evidenceSha256: row.evidence_sha256,
});
