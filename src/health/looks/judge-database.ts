import type { CheckFacts, CheckResult, HealthWord } from '../health-check.ts';
import { rankOf } from '../health-check.ts';
import type { ServerFacts, TableFacts } from './database-look-store.ts';

export type DatabaseSeen = {
  readonly server: ServerFacts;
  readonly tables: readonly TableFacts[];
  readonly connectSeconds: number;
  /** Of the query on the backend's tables, or of the simplest one where there are none. */
  readonly querySeconds: number;
  /** Of the disk that it lies on; undefined where that cannot be seen from here. */
  readonly disk: { readonly freeBytes: number; readonly usedPercent: number } | undefined;
};

export type DatabaseRules = {
  /** Whether the backend keeps stores there, as it says itself: then its tables must be there. */
  readonly expectsTables: boolean;
  readonly expectsVector: boolean;
  readonly expectsGraph: boolean;
  /** Percent of its disk. */
  readonly diskWarningPercent: number;
  readonly diskCriticalPercent: number;
};

const slowSeconds = 1;
const fullShare = 0.9;
const longSeconds = 3_600;
/** A table of fewer dead rows is soon swept, whatever their share is. */
const deadRows = 10_000;
const deadShare = 0.5;
const gibibyte = 2 ** 30;
const retainedBytes = 5 * gibibyte;
const lagBytes = gibibyte;
const lagSeconds = 300;
const warnAge = 1_000_000_000;
const criticalAge = 1_900_000_000;

type Finding = { readonly word: HealthWord; readonly text: string; readonly blocks?: CheckResult['blocks'] };

/** The state of a PostgreSQL that answers. What does not is judged where it is asked. */
export function judgeDatabase(seen: DatabaseSeen, rules: DatabaseRules): Omit<CheckResult, 'atMs'> {
  const { server, querySeconds } = seen;
  const findings = [
    ...judgeUse(seen),
    ...judgeWrites(server),
    ...judgeTables(seen.tables, server, rules),
    ...judgeDisk(seen, rules),
  ];
  const status = findings.reduce<HealthWord>(
    (worst, { word }) => (rankOf(word) > rankOf(worst) ? word : worst),
    'healthy',
  );
  const blocks = [...new Set(findings.flatMap((finding) => finding.blocks ?? []))];
  const ms = Math.round(querySeconds * 10_000) / 10;
  return {
    status,
    message:
      findings.map(({ text }) => text).join(' ') ||
      `PostgreSQL ${server.version} answers in ${ms} ms${seen.tables.length === 0 ? '' : ` on ${seen.tables.length} ${seen.tables.length === 1 ? 'table' : 'tables'} of the backend`}.`,
    observedValue: ms,
    observedUnit: 'ms',
    ...(blocks.length > 0 ? { blocks } : {}),
    ...figuresOf(seen),
  };
}

function judgeUse({ server, querySeconds }: DatabaseSeen): Finding[] {
  const { connections, longestTransactionSeconds } = server;
  const findings: Finding[] = [];
  if (querySeconds >= slowSeconds)
    findings.push({ word: 'degraded', text: `A query for one row takes ${querySeconds.toFixed(1)} s.` });
  if (connections.total > connections.limit * fullShare)
    findings.push({
      word: 'degraded',
      text: `${connections.total} of ${connections.limit} connections are taken.`,
    });
  if ((longestTransactionSeconds ?? 0) > longSeconds)
    findings.push({
      word: 'degraded',
      text: `A transaction has been open for ${Math.round((longestTransactionSeconds ?? 0) / 60)} minutes; what was deleted since cannot be swept.`,
    });
  return findings;
}

function judgeWrites(server: ServerFacts): Finding[] {
  const findings: Finding[] = [];
  if (server.transactionAge > criticalAge)
    findings.push({
      word: 'critical',
      text: 'It will soon refuse all writes, since old rows were not frozen: VACUUM it.',
    });
  else if (server.transactionAge > warnAge)
    findings.push({ word: 'degraded', text: 'Old rows were not frozen for long: see that autovacuum runs.' });
  if (server.replica)
    findings.push({ word: 'unhealthy', text: 'It is a standby, which takes no writes.', blocks: ['ingest'] });
  else if (server.readOnly)
    findings.push({
      word: 'unhealthy',
      text: 'It takes no writes (default_transaction_read_only).',
      blocks: ['ingest'],
    });
  if (server.replica && (server.replayDelaySeconds ?? 0) > lagSeconds)
    findings.push({
      word: 'degraded',
      text: `It is ${Math.round(server.replayDelaySeconds ?? 0)} s behind its primary.`,
    });
  if ((server.standbyLagBytes ?? 0) > lagBytes)
    findings.push({ word: 'degraded', text: `A standby is ${inGibibytes(server.standbyLagBytes)} GiB behind.` });
  if (server.idleSlots > 0 && (server.retainedBytes ?? 0) > retainedBytes)
    findings.push({
      word: 'degraded',
      text: `A replication slot that nobody reads keeps ${inGibibytes(server.retainedBytes)} GiB of log on its disk.`,
    });
  return findings;
}

function judgeTables(tables: readonly TableFacts[], server: ServerFacts, rules: DatabaseRules): Finding[] {
  const findings: Finding[] = [];
  const missing = [
    ...(rules.expectsVector && server.extensions.vector === undefined ? ['vector, which stores the embeddings'] : []),
    ...(rules.expectsGraph && server.extensions.age === undefined ? ['age, which stores the graph'] : []),
  ];
  for (const one of missing)
    findings.push({
      word: 'unhealthy',
      text: `The extension ${one}, is not in the database.`,
      blocks: ['answer', 'ingest'],
    });
  if (rules.expectsTables && tables.length === 0)
    findings.push({
      word: 'unhealthy',
      text: 'The tables of the backend are not there.',
      blocks: ['answer', 'ingest'],
    });
  for (const { name, deadRows: dead, liveRows, brokenIndexes } of tables) {
    if (dead > deadRows && dead > (dead + liveRows) * deadShare)
      findings.push({
        word: 'degraded',
        text: `${name} is bloated: ${Math.round((100 * dead) / (dead + liveRows))} % of its rows are dead.`,
      });
    if (brokenIndexes > 0)
      findings.push({ word: 'degraded', text: `${name} has an index that is not valid: REINDEX it.` });
  }
  return findings;
}

function judgeDisk({ disk }: DatabaseSeen, rules: DatabaseRules): Finding[] {
  if (disk === undefined || disk.usedPercent <= rules.diskWarningPercent) return [];
  return [
    {
      word: disk.usedPercent > rules.diskCriticalPercent ? 'critical' : 'degraded',
      text: `The disk that it lies on is ${disk.usedPercent.toFixed(0)} % full.`,
      // A full disk is the end of its writes; it may even stop.
      ...(disk.freeBytes === 0 ? { blocks: ['ingest'] as const } : {}),
    },
  ];
}

const inGibibytes = (bytes: number | null): string => ((bytes ?? 0) / gibibyte).toFixed(1);
const mebibytes = (bytes: number): number => Math.round((bytes / 2 ** 20) * 100) / 100;
const rounded = (seconds: number): number => Math.round(seconds * 1e5) / 1e5;

/** The fields of the documents, and what else was seen. */
function figuresOf({
  server,
  tables,
  connectSeconds,
  querySeconds,
  disk,
}: DatabaseSeen): Pick<CheckResult, 'checks' | 'metrics' | 'details'> {
  const { connections } = server;
  const vectors = tables.filter(({ name }) => name.startsWith('lightrag_vdb_'));
  const details: CheckFacts = {
    version: server.version,
    vector: server.extensions.vector ?? null,
    age: server.extensions.age ?? null,
    tables: tables.length,
    vector_dimension: vectors.find(({ dimension }) => dimension !== null)?.dimension ?? null,
  };
  return {
    checks: {
      connection: { status: 'healthy', response_time: rounded(connectSeconds) },
      query_performance: {
        status: querySeconds >= slowSeconds ? 'degraded' : 'healthy',
        response_time: rounded(querySeconds),
      },
    },
    metrics: {
      pool: {
        active_connections: connections.active,
        idle_connections: connections.idle,
        idle_in_transaction: connections.idleInTransaction,
        total_connections: connections.total,
        max_connections: connections.limit,
        pool_utilization: connections.limit > 0 ? rounded(connections.total / connections.limit) : null,
      },
      storage: {
        database_size_mb: mebibytes(server.bytes),
        free_space_mb: disk === undefined ? null : mebibytes(disk.freeBytes),
        tables_size_mb: mebibytes(tables.reduce((sum, { bytes }) => sum + bytes, 0)),
        vector_tables_size_mb: mebibytes(vectors.reduce((sum, { bytes }) => sum + bytes, 0)),
        dead_rows: tables.reduce((sum, table) => sum + table.deadRows, 0),
      },
      transactions: {
        longest_seconds: server.longestTransactionSeconds === null ? null : rounded(server.longestTransactionSeconds),
        waiting_for_locks: server.waitingForLocks,
        age: server.transactionAge,
      },
      replication: {
        replica: server.replica,
        standbys: server.standbys,
        standby_lag_bytes: server.standbyLagBytes,
        replay_delay_seconds: server.replayDelaySeconds,
        idle_slots: server.idleSlots,
        retained_bytes: server.retainedBytes,
      },
    },
    details,
  };
}
