import type { Kysely, Selectable } from 'kysely';
import { createUnchanged, type Database, olderThan, type Tx } from '../platform/database/index.ts';
import type { PagePlace } from '../platform/paging.ts';
import { type Manifest, manifestSchema } from './manifest.ts';
import { misdatedKey, type Noted, readMisdated } from './misdated.ts';
import { clockLeewayMs, isOutOfOrder, type PointId, type PointStatus, type RecoveryPoint } from './point.ts';
import type { PointCause } from './point-cause.ts';
import type { ProofGrade } from './sources/source.ts';

type PointTable = {
  id: string;
  target_id: string;
  scope: string;
  workspace: string | null;
  cause: string;
  status: string;
  grade: string | null;
  taken_ms: number;
  started_ms: number;
  finished_ms: number | null;
  verified_ms: number | null;
  forgotten_ms: number | null;
  repository_id: string;
  tree_id: string | null;
  logical_bytes: number;
  stored_bytes: number | null;
  manifest: string | null;
  error: string | null;
  pinned: number;
  operation_id: string | null;
};
type BackupTables = { recovery_point: PointTable; backup_setting: { key: string; value: string } };

export type TimelineRow = Pick<
  RecoveryPoint,
  'id' | 'takenMs' | 'status' | 'grade' | 'cause' | 'workspace' | 'pinned' | 'verifiedMs' | 'forgottenMs'
>;

/** A longer one is not kept for the next to ask. */
const shortList = 20;

/** The catalogue of recovery points. The repository is the truth; this is what answers quickly. */
/**
 * `good`: complete and verified. `wanted`: of these, one that was taken to be kept; a safety point holds what a restore or a change
 * gave up, and nobody takes that for the state to go back to who does not name it.
 */
export type NewestKind = 'any' | 'good' | 'wanted';

export type PointStore = {
  insert(tx: Tx, point: RecoveryPoint): Promise<void>;
  update(tx: Tx, id: PointId, change: Partial<Omit<RecoveryPoint, 'id' | 'targetId'>>): Promise<void>;
  find(id: PointId): Promise<RecoveryPoint | undefined>;
  list(filter: {
    targetId?: string | undefined;
    /** Points that can hold this workspace: of the whole target, and of it alone. */
    workspace?: string | undefined;
    /** Points of this workspace alone; null: of the whole target alone. */
    series?: string | null | undefined;
    statuses?: readonly PointStatus[] | undefined;
    withForgotten?: boolean | undefined;
    before?: PagePlace | undefined;
    limit: number;
  }): Promise<RecoveryPoint[]>;
  /** Every run since then, newest first, without what its manifest tells. */
  timeline(filter: { targetId: string; fromMs: number; limit: number }): Promise<TimelineRow[]>;
  /** How many rows there are at all, forgotten and failed ones too. */
  countRows(): Promise<number>;
  /** Rows of runs that failed and of points that are gone: history, nothing that could be restored. */
  countHistory(): Promise<number>;
  /** The oldest of them. @returns how many went */
  deleteOldestHistory(tx: Tx, limit: number): Promise<number>;
  /** Ids of those that were begun in a second, which is told as ids tell it (`backup_20261122_093000`); a few of them. */
  idsBegunIn(second: string): Promise<readonly string[]>;
  /**
   * Newest point of the whole target that exists, or of one workspace alone. One that is out of order only where there is no other.
   */
  newest(targetId: string, kind?: NewestKind, workspace?: string): Promise<RecoveryPoint | undefined>;
  /** When the oldest point of the target that exists was taken. */
  oldestTakenMs(targetId: string): Promise<number | undefined>;
  /** Workspaces that have points of their own. */
  workspaces(targetId: string): Promise<string[]>;
  count(targetId: string): Promise<number>;
  readSetting(key: string): Promise<string | undefined>;
  /** Those whose key begins so (a plain word), in the order of their keys. */
  readSettings(prefix: string): Promise<{ key: string; value: string }[]>;
  writeSetting(tx: Tx, key: string, value: string): Promise<void>;
  deleteSetting(tx: Tx, key: string): Promise<void>;
};

/** @param now by whose clock a date lies in the future; left out: no date does */
export function createPointStore(db: Database, now: () => number = () => Number.POSITIVE_INFINITY): PointStore {
  const store = createStore(db);
  // The schedule and the metrics ask for the same every few seconds, manifests to be parsed included.
  const unchanged = createUnchanged(db);
  const misdated = async (): Promise<Noted> =>
    readMisdated(await unchanged(`setting ${misdatedKey}`, () => store.readSetting(misdatedKey)));
  const mark = async (rows: readonly RecoveryPoint[]): Promise<RecoveryPoint[]> => {
    const noted = await misdated();
    return noted.size === 0
      ? [...rows]
      : rows.map((row) => {
          const inOrder = noted.get(row.id);
          return inOrder === undefined ? row : { ...row, misdated: true, inOrder };
        });
  };
  return {
    ...store,
    async find(id) {
      const row = await store.find(id);
      return row && (await mark([row]))[0];
    },
    async list(filter) {
      if (filter.before || filter.limit > shortList) return mark(await store.list(filter));
      return mark(await unchanged(`list ${JSON.stringify(filter)}`, () => store.list(filter)));
    },
    async newest(targetId, kind = 'any', workspace) {
      const found = await unchanged(`newest ${JSON.stringify([targetId, kind, workspace])}`, () =>
        store.newest(targetId, kind, workspace),
      );
      const [newest] = found ? await mark([found]) : [];
      const nowMs = now();
      if (newest === undefined || !isOutOfOrder(newest, nowMs)) return newest;
      const notAfterMs = Math.min(nowMs + clockLeewayMs, Number.MAX_SAFE_INTEGER);
      const without = [...(await misdated())].flatMap(([id, inOrder]) => (inOrder ? [] : [id]));
      const inOrder = await store.newest(targetId, kind, workspace, { notAfterMs, without });
      return inOrder ? (await mark([inOrder]))[0] : newest;
    },
    count: (targetId) => unchanged(`count ${targetId}`, () => store.count(targetId)),
    countRows: () => unchanged('rows', () => store.countRows()),
    readSetting: (key) => unchanged(`setting ${key}`, () => store.readSetting(key)),
    readSettings: async (prefix) => [...(await unchanged(`settings ${prefix}`, () => store.readSettings(prefix)))],
    oldestTakenMs: (targetId) => unchanged(`oldest ${targetId}`, () => store.oldestTakenMs(targetId)),
    workspaces: async (targetId) => [...(await unchanged(`workspaces ${targetId}`, () => store.workspaces(targetId)))],
  };
}

type Store = Omit<PointStore, 'newest'> & {
  newest(
    targetId: string,
    kind: NewestKind,
    workspace: string | undefined,
    among?: { readonly notAfterMs: number; readonly without: readonly PointId[] },
  ): Promise<RecoveryPoint | undefined>;
};

function createStore(db: Database): Store {
  const read = (): Kysely<BackupTables> => db.reader<BackupTables>();
  const existing = ['success', 'partial'];
  return {
    async insert(tx, point) {
      await tx.as<BackupTables>().insertInto('recovery_point').values(toRow(point)).execute();
    },
    async update(tx, id, change) {
      const row = toPartialRow(change);
      if (Object.keys(row).length > 0)
        await tx.as<BackupTables>().updateTable('recovery_point').set(row).where('id', '=', id).execute();
    },
    async find(id) {
      const row = await read().selectFrom('recovery_point').selectAll().where('id', '=', id).executeTakeFirst();
      return row && fromRow(row);
    },
    async list(filter) {
      let query = read().selectFrom('recovery_point').selectAll();
      if (filter.targetId !== undefined) query = query.where('target_id', '=', filter.targetId);
      const { workspace, series } = filter;
      if (workspace !== undefined)
        query = query.where((eb) => eb.or([eb('workspace', 'is', null), eb('workspace', '=', workspace)]));
      if (series !== undefined) query = query.where('workspace', series === null ? 'is' : '=', series);
      if (filter.statuses) query = query.where('status', 'in', [...filter.statuses]);
      if (!filter.withForgotten) query = query.where('forgotten_ms', 'is', null);
      const { before } = filter;
      if (before) query = query.where(olderThan('taken_ms', before));
      const rows = await query.orderBy('taken_ms', 'desc').orderBy('id', 'desc').limit(filter.limit).execute();
      return rows.map(fromRow);
    },
    async timeline({ targetId, fromMs, limit }) {
      const rows = await read()
        .selectFrom('recovery_point')
        .select(['id', 'taken_ms', 'status', 'grade', 'cause', 'workspace', 'pinned', 'verified_ms', 'forgotten_ms'])
        .where('target_id', '=', targetId)
        .where('taken_ms', '>=', fromMs)
        .orderBy('taken_ms', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      // The words below are what `toRow` wrote.
      return rows.map((row) => ({
        id: row.id,
        takenMs: row.taken_ms,
        status: row.status as PointStatus,
        grade: row.grade as ProofGrade | null,
        cause: row.cause as PointCause,
        workspace: row.workspace,
        pinned: row.pinned === 1,
        verifiedMs: row.verified_ms,
        forgottenMs: row.forgotten_ms,
      }));
    },
    async idsBegunIn(second) {
      const rows = await read()
        .selectFrom('recovery_point')
        .select('id')
        .where('id', 'like', `${second}_%`)
        .orderBy('id')
        .limit(10)
        .execute();
      return rows.map(({ id }) => id);
    },
    async newest(targetId, kind, workspace, among) {
      let query = read()
        .selectFrom('recovery_point')
        .selectAll()
        .where('target_id', '=', targetId)
        .where('status', 'in', existing)
        .where('forgotten_ms', 'is', null);
      query = query.where('workspace', workspace === undefined ? 'is' : '=', workspace ?? null);
      if (among) query = query.where('taken_ms', '<=', among.notAfterMs);
      if (among && among.without.length > 0) query = query.where('id', 'not in', among.without);
      if (kind !== 'any') query = query.where('status', '=', 'success').where('verified_ms', 'is not', null);
      if (kind === 'wanted') query = query.where('cause', '!=', 'safety' satisfies PointCause);
      const row = await query.orderBy('taken_ms', 'desc').orderBy('id', 'desc').limit(1).executeTakeFirst();
      return row && fromRow(row);
    },
    async oldestTakenMs(targetId) {
      const row = await read()
        .selectFrom('recovery_point')
        .select((eb) => eb.fn.min('taken_ms').as('at'))
        .where('target_id', '=', targetId)
        .where('status', 'in', existing)
        .where('forgotten_ms', 'is', null)
        .executeTakeFirst();
      return row?.at === null || row?.at === undefined ? undefined : Number(row.at);
    },
    async workspaces(targetId) {
      const rows = await read()
        .selectFrom('recovery_point')
        .select('workspace')
        .distinct()
        .where('target_id', '=', targetId)
        .where('status', 'in', existing)
        .where('forgotten_ms', 'is', null)
        .where('workspace', 'is not', null)
        .orderBy('workspace')
        .execute();
      return rows.flatMap(({ workspace }) => (workspace === null ? [] : [workspace]));
    },
    async count(targetId) {
      const row = await read()
        .selectFrom('recovery_point')
        .select((eb) => eb.fn.countAll<number>().as('points'))
        .where('target_id', '=', targetId)
        .where('status', 'in', existing)
        .where('forgotten_ms', 'is', null)
        .executeTakeFirstOrThrow();
      return Number(row.points);
    },
    async countRows() {
      const row = await read()
        .selectFrom('recovery_point')
        .select((eb) => eb.fn.countAll<number>().as('rows'))
        .executeTakeFirstOrThrow();
      return Number(row.rows);
    },
    async countHistory() {
      const row = await read()
        .selectFrom('recovery_point')
        .select((eb) => eb.fn.countAll<number>().as('rows'))
        .where((eb) => eb.or([eb('status', '=', 'error'), eb('forgotten_ms', 'is not', null)]))
        .executeTakeFirstOrThrow();
      return Number(row.rows);
    },
    async deleteOldestHistory(tx, limit) {
      const { numDeletedRows } = await tx
        .as<BackupTables>()
        .deleteFrom('recovery_point')
        .where('id', 'in', (eb) =>
          eb
            .selectFrom('recovery_point')
            .select('id')
            .where((or) => or.or([or('status', '=', 'error'), or('forgotten_ms', 'is not', null)]))
            .orderBy('started_ms')
            .orderBy('id')
            .limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
    async readSetting(key) {
      const row = await read().selectFrom('backup_setting').select('value').where('key', '=', key).executeTakeFirst();
      return row?.value;
    },
    readSettings: (prefix) =>
      read()
        .selectFrom('backup_setting')
        .select(['key', 'value'])
        .where('key', 'like', `${prefix}%`)
        .orderBy('key')
        .execute(),
    async deleteSetting(tx, key) {
      await tx.as<BackupTables>().deleteFrom('backup_setting').where('key', '=', key).execute();
    },
    async writeSetting(tx, key, value) {
      await tx
        .as<BackupTables>()
        .insertInto('backup_setting')
        .values({ key, value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute();
    },
  };
}

const columnOf = {
  scope: 'scope',
  workspace: 'workspace',
  cause: 'cause',
  status: 'status',
  grade: 'grade',
  takenMs: 'taken_ms',
  startedMs: 'started_ms',
  finishedMs: 'finished_ms',
  verifiedMs: 'verified_ms',
  forgottenMs: 'forgotten_ms',
  repositoryId: 'repository_id',
  treeId: 'tree_id',
  logicalBytes: 'logical_bytes',
  storedBytes: 'stored_bytes',
  error: 'error',
  operationId: 'operation_id',
} as const;

function toPartialRow(change: Partial<Omit<RecoveryPoint, 'id' | 'targetId'>>): Partial<PointTable> {
  const row: Record<string, unknown> = {};
  for (const [name, column] of Object.entries(columnOf) as [keyof typeof columnOf, string][])
    if (name in change) row[column] = change[name];
  if (change.manifest !== undefined) row.manifest = manifestText(change.manifest);
  if (change.pinned !== undefined) row.pinned = change.pinned ? 1 : 0;
  return row;
}

function toRow(point: RecoveryPoint): PointTable {
  const { id, targetId, manifest, pinned } = point;
  return {
    id,
    target_id: targetId,
    scope: point.scope,
    workspace: point.workspace,
    cause: point.cause,
    status: point.status,
    grade: point.grade,
    taken_ms: point.takenMs,
    started_ms: point.startedMs,
    finished_ms: point.finishedMs,
    verified_ms: point.verifiedMs,
    forgotten_ms: point.forgottenMs,
    repository_id: point.repositoryId,
    tree_id: point.treeId,
    logical_bytes: point.logicalBytes,
    stored_bytes: point.storedBytes,
    manifest: manifestText(manifest),
    error: point.error,
    pinned: pinned ? 1 : 0,
    operation_id: point.operationId,
  };
}

function fromRow(row: Selectable<PointTable>): RecoveryPoint {
  return {
    id: row.id,
    targetId: row.target_id,
    // The words below are written by this store alone, from the types they are read back as.
    scope: row.scope as RecoveryPoint['scope'],
    workspace: row.workspace,
    cause: row.cause as PointCause,
    status: row.status as PointStatus,
    grade: row.grade as ProofGrade | null,
    takenMs: row.taken_ms,
    startedMs: row.started_ms,
    finishedMs: row.finished_ms,
    verifiedMs: row.verified_ms,
    forgottenMs: row.forgotten_ms,
    repositoryId: row.repository_id,
    treeId: row.tree_id,
    logicalBytes: row.logical_bytes,
    storedBytes: row.stored_bytes,
    manifest: readManifest(row.manifest),
    error: row.error,
    pinned: row.pinned === 1,
    operationId: row.operation_id,
  };
}

/** One order of fields, whoever wrote it: what is read back from a repository gives the same text. */
const manifestText = (manifest: Manifest | null): string | null =>
  manifest === null ? null : JSON.stringify(manifestSchema.parse(manifest));

function readManifest(text: string | null): Manifest | null {
  if (text === null) return null;
  const parsed = manifestSchema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : null;
}
