import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createEventLog, type NewEvent } from '../src/events/index.ts';
import { stateMigrations } from '../src/migrations/index.ts';
import { systemClock } from '../src/platform/clock.ts';
import { migrate, openSqlite } from '../src/platform/database/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { temporaryFolder } from './processes.ts';
import { type Bench, median } from './report.ts';

/** About 250 bytes, as they are in daily use. */
const event = (n: number): NewEvent => ({
  type: 'target.status-changed',
  severity: 'info',
  targetId: 'default',
  workspace: `workspace_${n % 20}`,
  message: `The backend answers again after ${n} ms, and its documents and pipeline can be read.`,
  data: { before: 'OFFLINE', after: 'HEALTHY', attempt: n, reasons: ['probe passed', 'documents read'] },
});

type Case = { readonly name: string; readonly count: number; run(count: number): Promise<void> };

export const events: Bench = {
  name: 'events',
  async run(size) {
    const [rounds, many, single] = size === 'full' ? [7, 10_000, 300] : [1, 200, 5];
    const db = openSqlite({
      name: 'state',
      path: join(temporaryFolder(), 'state.sqlite'),
      synchronous: 'FULL',
      log: silentLogger,
    });
    await migrate(db, stateMigrations);
    const log = createEventLog({ db, clock: systemClock, instance: 'main' });
    const record = (n: number) => db.unit((tx) => log.record(tx, event(n)));

    const memory = new DatabaseSync(':memory:');
    memory.exec(
      `create table event (seq integer primary key, at_ms integer, type text, severity text, target_id text, workspace text,
         operation_id text, instance text, message text, data text, correlation_id text, actor text);
       create index event_type on event (type, seq); create index event_target on event (target_id, seq);
       create index event_correlation on event (correlation_id, seq); create index event_at on event (at_ms)`,
    );
    const insert = memory.prepare(
      `insert into event (at_ms, type, severity, target_id, workspace, operation_id, instance, message, data)
       values (?, ?, ?, ?, ?, null, 'main', ?, ?)`,
    );
    const cases: readonly Case[] = [
      {
        name: 'SQLite in memory, prepared rows in one transaction (reference)',
        count: many,
        async run(count) {
          memory.exec('begin');
          for (let i = 0; i < count; i += 1) {
            const { type, severity, targetId, workspace, message, data } = event(i);
            insert.run(Date.now(), type, severity, targetId ?? null, workspace ?? null, message, JSON.stringify(data));
          }
          memory.exec('commit');
        },
      },
      {
        name: 'ragwarden, durable, 100 writers at once',
        count: many,
        async run(count) {
          let next = 0;
          const write = async (): Promise<void> => {
            while (next < count) {
              next += 1;
              await record(next);
            }
          };
          await Promise.all(Array.from({ length: 100 }, write));
        },
      },
      {
        name: 'ragwarden, durable, one writer: a commit per row',
        count: single,
        async run(count) {
          for (let i = 0; i < count; i += 1) await record(i);
        },
      },
    ];
    const measured = cases.map(() => ({ rate: [] as number[], cpu: [] as number[] }));
    for (let round = -1; round < rounds; round += 1)
      for (const [at, one] of cases.entries()) {
        const cpu = process.cpuUsage();
        const began = performance.now();
        await one.run(one.count);
        const tookMs = performance.now() - began;
        const used = process.cpuUsage(cpu);
        // The first round warms up.
        if (round < 0) continue;
        measured[at]?.rate.push((1_000 * one.count) / tookMs);
        measured[at]?.cpu.push((used.user + used.system) / one.count);
      }
    await db.close();
    memory.close();
    const rate = measured.map((one) => median(one.rate));
    const [reference = Number.NaN, grouped = Number.NaN, alone = Number.NaN] = rate;
    return {
      row: 'P15, durable events',
      target: 'with 100 writers at least 0.6 times the rate of rows into memory.',
      method: `Median of ${rounds} rounds in turn; events of about 250 bytes through the event log into a new state database that syncs each commit; the reference has the same columns and indexes.`,
      columns: ['path', 'events/s', 'CPU µs per event'],
      lines: cases.map((one, at) => [one.name, rate[at] ?? Number.NaN, median(measured[at]?.cpu ?? [])]),
      figures: [
        {
          what: 'rate, 100 writers, against rows into memory',
          value: grouped / reference,
          limit: 0.6,
          atLeast: true,
          unit: 'times',
        },
        { what: 'rate, 100 writers, against a commit per row', value: grouped / alone, unit: 'times' },
      ],
    };
  },
};
