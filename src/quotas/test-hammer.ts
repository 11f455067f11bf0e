import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Database } from '../platform/database/index.ts';
import { writeDefinition } from './definition-store.ts';
import { auditHeld, type LedgerTables, reapLeases } from './ledger-store.ts';
import { quota } from './test-quotas.ts';

const fixture = join(import.meta.dirname, 'hammer.fixture.ts');
/** A process that was started, or asked to end, and says nothing for so long is stuck. */
const patienceMs = 120_000;

export type Hammered = {
  /** What processes were told they may use, as far as they came to say so. */
  readonly granted: number;
  /** What stands in the ledger in the end, and of it what nobody can tell. */
  readonly total: number;
  readonly forfeited: number;
  readonly killed: number;
  /** Where the ledger does not add up: what is still held, and what no lease covers. */
  readonly faults: readonly string[];
  /** Whoever ended without being told to, with what it printed. */
  readonly endedByThemselves: readonly string[];
  readonly ms: number;
};

type Hammering = { readonly child: ChildProcess; readonly said: () => string; readonly ended: Promise<void> };

/**
 * Test support: many processes use one hard quota as fast as they can, and some are killed in the midst of it and begin anew.
 * @param until told what was granted so far; the end when it says so
 * @param mayKill whether somebody is killed now; asked after each look
 */
export async function hammer(options: {
  place: string;
  db: Database;
  processes: number;
  limit: number;
  until(seen: {
    readonly granted: number;
    readonly standing: number;
    readonly killed: number;
    readonly ms: number;
  }): boolean;
  mayKill(seen: {
    readonly granted: number;
    readonly standing: number;
    readonly killed: number;
    readonly ms: number;
  }): boolean;
  /** Which of so many. */
  victim(of: number): number;
}): Promise<Hammered> {
  const { place, db, limit } = options;
  await db.unit((tx) => writeDefinition(tx, quota({ id: 'hammered', counts: 'tokens', limit, period: 'month' })));
  const beganMs = performance.now();
  let granted = 0;
  let started = 0;
  let killed = 0;
  const endedByThemselves: string[] = [];
  const begin = (): Hammering => {
    started += 1;
    const name = `hammer${started}`;
    const child = spawn(process.execPath, [fixture, place, name], { stdio: ['ignore', 'pipe', 'pipe'] });
    let words = '';
    child.stdout?.on('data', (dots: Buffer) => {
      granted += dots.length;
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      words = `${words}${chunk.toString()}`.slice(-2_000);
    });
    // Listened to from the start: it may end before anybody asks.
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const said = (): string => `${name} (${child.exitCode ?? child.signalCode}): ${words}`;
    return { child, said, ended };
  };
  const isOver = ({ child }: Hammering): boolean => child.exitCode !== null || child.signalCode !== null;
  const within = async (what: Promise<unknown>, name: string): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing came of ${name} in ${patienceMs} ms`)), patienceMs);
    });
    await Promise.race([what, late]).finally(() => clearTimeout(timer));
  };
  const rows = () => db.reader<LedgerTables>().selectFrom('quota_usage').selectAll().execute();
  const sum = (all: Awaited<ReturnType<typeof rows>>): number =>
    all.reduce((total, row) => total + Number(row.used) + Number(row.held) + Number(row.forfeited), 0);

  let running = Array.from({ length: options.processes }, begin);
  try {
    for (;;) {
      const seen = { granted, standing: sum(await rows()), killed, ms: performance.now() - beganMs };
      if (options.until(seen)) break;
      if (seen.ms > patienceMs) throw new Error(`it does not end: ${JSON.stringify(seen)}`);
      const [fallen, alive] = [running.filter(isOver), running.filter((one) => !isOver(one))];
      for (const one of fallen) {
        await one.ended;
        endedByThemselves.push(one.said());
      }
      running = [...alive, ...fallen.map(begin)];
      if (options.mayKill(seen)) {
        const [victim] = running.splice(options.victim(running.length), 1);
        victim?.child.kill('SIGKILL');
        if (victim) await within(victim.ended, 'a kill');
        killed += 1;
        running.push(begin());
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    endedByThemselves.push(...running.filter(isOver).map((one) => one.said()));
    for (const { child } of running) child.kill('SIGTERM');
    for (const one of running) await within(one.ended, 'asking to end');
  } finally {
    for (const { child } of running) child.kill('SIGKILL');
  }
  await db.unit((tx) => reapLeases(tx, { expiredMs: Number.MAX_SAFE_INTEGER }));
  const left = await rows();
  const stillHeld = left.filter((row) => Number(row.held) !== 0).map((row) => `${row.slot_ms}: ${row.held} still held`);
  return {
    ...{ granted, killed, endedByThemselves, total: sum(left), ms: performance.now() - beganMs },
    forfeited: left.reduce((total, row) => total + Number(row.forfeited), 0),
    faults: [...stillHeld, ...(await auditHeld(db.reader<LedgerTables>(), new Map()))],
  };
}
