import { expect, test } from 'vitest';
import type { CheckResult } from '../health-check.ts';
import type { ServerFacts, TableFacts } from './database-look-store.ts';
import { type DatabaseRules, type DatabaseSeen, judgeDatabase } from './judge-database.ts';

const server: ServerFacts = {
  ...{ version: '16.4', replica: false, readOnly: false, bytes: 2 ** 30 },
  connections: { total: 10, active: 2, idle: 8, idleInTransaction: 0, limit: 100 },
  ...{ longestTransactionSeconds: 1, waitingForLocks: 0, transactionAge: 1_000, dataDirectory: '/data' },
  ...{ standbys: 0, standbyLagBytes: null, replayDelaySeconds: null, idleSlots: 0, retainedBytes: null },
  extensions: { vector: '0.8.0', age: '1.5.0' },
};
const table: TableFacts = {
  ...{ schema: 'public', name: 'lightrag_vdb_chunks', bytes: 1, liveRows: 10_000, deadRows: 0 },
  ...{ brokenIndexes: 0, dimension: 1_024 },
};
const rules: DatabaseRules = {
  ...{ expectsTables: true, expectsVector: true, expectsGraph: true },
  ...{ diskWarningPercent: 80, diskCriticalPercent: 90 },
};

type Change = {
  readonly server?: Partial<ServerFacts>;
  readonly table?: Partial<TableFacts>;
  readonly seen?: Partial<DatabaseSeen>;
};
const judge = (change: Change = {}) =>
  judgeDatabase(
    {
      server: { ...server, ...change.server },
      tables: [{ ...table, ...change.table }],
      ...{ connectSeconds: 0.01, querySeconds: 0.001, disk: { freeBytes: 2 ** 33, usedPercent: 50 } },
      ...change.seen,
    },
    rules,
  );

const at = (total: number) => ({ server: { connections: { ...server.connections, total } } });
const gib = 2 ** 30;

test.each<[string, Change, CheckResult['status'], readonly string[]]>([
  ['all is well', {}, 'healthy', []],
  ['a query just below a second', { seen: { querySeconds: 0.999 } }, 'healthy', []],
  ['a query of a second', { seen: { querySeconds: 1 } }, 'degraded', []],
  ['nine tenths of the connections', at(90), 'healthy', []],
  ['more than that', at(91), 'degraded', []],
  ['a transaction of an hour', { server: { longestTransactionSeconds: 3_600 } }, 'healthy', []],
  ['a longer one', { server: { longestTransactionSeconds: 3_601 } }, 'degraded', []],
  ['one that may not be seen', { server: { longestTransactionSeconds: null } }, 'healthy', []],
  ['a disk at the warning', { seen: { disk: { freeBytes: 1, usedPercent: 80 } } }, 'healthy', []],
  ['above it', { seen: { disk: { freeBytes: 1, usedPercent: 80.1 } } }, 'degraded', []],
  ['at the critical threshold', { seen: { disk: { freeBytes: 1, usedPercent: 90 } } }, 'degraded', []],
  ['above that', { seen: { disk: { freeBytes: 1, usedPercent: 90.1 } } }, 'critical', []],
  ['with nothing left', { seen: { disk: { freeBytes: 0, usedPercent: 100 } } }, 'critical', ['ingest']],
  ['a disk that cannot be seen', { seen: { disk: undefined } }, 'healthy', []],
  ['many dead rows among more', { table: { deadRows: 10_000 } }, 'healthy', []],
  ['more dead than living', { table: { deadRows: 10_001 } }, 'degraded', []],
  ['few rows, most of them dead', { table: { liveRows: 1, deadRows: 9_999 } }, 'healthy', []],
  ['an index that broke', { table: { brokenIndexes: 1 } }, 'degraded', []],
  ['a standby', { server: { replica: true, readOnly: true } }, 'unhealthy', ['ingest']],
  ['a read-only database', { server: { readOnly: true } }, 'unhealthy', ['ingest']],
  ['a standby of ours that is a little behind', { server: { standbyLagBytes: gib } }, 'healthy', []],
  ['one that is far behind', { server: { standbyLagBytes: gib + 1 } }, 'degraded', []],
  ['a slot that keeps little', { server: { idleSlots: 1, retainedBytes: 5 * gib } }, 'healthy', []],
  ['a slot that keeps much', { server: { idleSlots: 1, retainedBytes: 5 * gib + 1 } }, 'degraded', []],
  ['rows that were not frozen', { server: { transactionAge: 1_000_000_001 } }, 'degraded', []],
  ['for too long', { server: { transactionAge: 1_900_000_001 } }, 'critical', []],
  ['no extension for vectors', { server: { extensions: { age: '1' } } }, 'unhealthy', ['answer', 'ingest']],
  ['no tables', { seen: { tables: [] } }, 'unhealthy', ['answer', 'ingest']],
])('what is seen is judged: %s', (_, change, status, blocks) => {
  const found = judge(change);
  expect([found.status, found.blocks ?? []]).toEqual([status, blocks]);
  expect(found.message).not.toBe('');
});

test('says everything that it found, and the dimension of the vectors', () => {
  const found = judge({ seen: { querySeconds: 2 }, server: { readOnly: true } });
  expect(found.message).toBe('A query for one row takes 2.0 s. It takes no writes (default_transaction_read_only).');
  expect(found.details?.vector_dimension).toBe(1_024);
});
