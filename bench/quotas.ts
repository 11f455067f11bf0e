import { createRequire } from 'node:module';
import { createEventLog } from '../src/events/index.ts';
import { openTestState, type TestState } from '../src/migrations/test-state.ts';
import { systemClock } from '../src/platform/clock.ts';
import { systemRandom } from '../src/platform/ids.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { createQuotas, type Place, type Quota, type Quotas } from '../src/quotas/index.ts';
import { quota } from '../src/quotas/test-quotas.ts';
import { type Bench, median, Skipped } from './report.ts';

const keys = 200;
const used = (): true => true;
const one = { requests: 1 };
const placeOf = (user: number, workspace: string | null = null): Place => ({
  ...{ targetId: null, workspace, userId: `user:${user}`, keyId: null },
});
const cpuNs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) * 1_000;
};
const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** The reference, as far as it is used; a tree that was installed before it was one lacks it. */
type Limiter = new (options: { points: number; duration: number }) => { consume(key: string): Promise<unknown> };
function requireLimiter(): Limiter {
  const require = createRequire(import.meta.url);
  try {
    return (require('rate-limiter-flexible') as { RateLimiterMemory: Limiter }).RateLimiterMemory; // its documented name
  } catch {
    throw new Skipped('rate-limiter-flexible is not installed: `npm ci` brings it');
  }
}

async function open(state: TestState, instance: string, fromFile: readonly Quota[]): Promise<Quotas> {
  const events = createEventLog({ db: state.db, clock: systemClock, instance });
  const shared = { clock: systemClock, random: systemRandom, log: silentLogger };
  const quotas = createQuotas({ ...shared, db: state.db, events, instance, fromFile });
  await quotas.open();
  return quotas;
}

/** Decisions from slabs of a real ledger, against a limiter that keeps its counts in memory alone. */
export const quotas: Bench = {
  name: 'quotas',
  async run(size) {
    const RateLimiterMemory = requireLimiter();
    const [checks, rounds, timed, held] =
      size === 'full' ? ([200_000, 7, 100_000, 2_000] as const) : ([400, 1, 400, 20] as const);
    const state = await openTestState({ on: 'sqlite', durable: true });
    // Which of them is next is the same for all: otherwise the caches would decide.
    const order = Int32Array.from({ length: 65_536 }, (_, index) => (index * 40_503) % keys);
    const huge = { limit: 2 ** 50, period: 'day' } as const;
    const admitting = await open(state, 'admits', [quota({ id: 'user', per: ['user'], ...huge })]);
    const levels = await open(state, 'levels', [
      quota({ id: 'level-user', per: ['user'], ...huge }),
      quota({ id: 'level-workspace', per: ['workspace'], ...huge }),
      quota({ id: 'level-all', ...huge }),
    ]);
    const full = await open(state, 'full', [quota({ id: 'full', per: ['user'], limit: 0, period: 'day' })]);
    const theirs = new RateLimiterMemory({ points: 2 ** 50, duration: 86_400 });
    const theirsFull = new RateLimiterMemory({ points: 1, duration: 86_400 });
    const ours = Array.from({ length: keys }, (_, user) => placeOf(user));
    const ofWorkspaces = Array.from({ length: keys }, (_, user) => placeOf(user, `w${user % 20}`));
    const names = ours.map(({ userId }) => userId ?? '');
    for (const name of names) await theirsFull.consume(name);

    const ways: Record<string, (at: number) => unknown> = {
      'rate-limiter-flexible, admitted': (at) => theirs.consume(names[at] ?? ''),
      'rate-limiter-flexible, turned away': (at) => theirsFull.consume(names[at] ?? '').catch((err: unknown) => err),
      'one quota, admitted': (at) => admitting.spend(ours[at] as Place, one, used),
      'three quotas in one step, admitted': (at) => levels.spend(ofWorkspaces[at] as Place, one, used),
      'turned away': (at) => full.spend(ours[at] as Place, one, used),
      'one quota, admitted, by a caller that awaits all the same': async (at) => {
        await admitting.spend(ours[at] as Place, one, used);
      },
    };
    /** Slabs as large as they are after a while under load: what is measured here is giving from them. */
    const fill = async (name: string): Promise<void> => {
      const amount = { requests: Math.ceil((2 * checks) / keys) };
      for (let time = 0; time < 3; time += 1) {
        if (name.startsWith('one')) await Promise.all(ours.map((place) => admitting.spend(place, amount, used)));
        if (name === 'turned away') await Promise.all(ours.map((place) => full.spend(place, one, used)));
        if (name.startsWith('three')) await Promise.all(ofWorkspaces.map((place) => levels.spend(place, amount, used)));
      }
    };
    const measured: Record<string, number[]> = {};
    for (let round = -1; round < rounds; round += 1)
      for (const [name, way] of Object.entries(ways)) {
        // Leases are renewed, as once a second.
        for (const one of [admitting, levels, full]) await one.flush();
        await fill(name);
        const cpu = process.cpuUsage();
        for (let index = 0; index < checks; index += 1) {
          const answer = way(order[index & 65_535] ?? 0);
          // Theirs always is one, ours where it has to wait for something.
          if (answer instanceof Promise) await answer;
        }
        // The first time slabs are small and code is cold.
        if (round >= 0) measured[name] = [...(measured[name] ?? []), cpuNs(cpu) / checks];
      }
    const ns = (name: string): number => median(measured[name] ?? []);

    // With every debit that is needed meanwhile, which a commit to the disk is part of, and with the flushes.
    const fresh = await open(state, 'fresh', [quota({ id: 'fresh', per: ['user'], ...huge })]);
    const took = new Float64Array(timed);
    const flushing = setInterval(() => void fresh.flush(), 1_000);
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let index = next++; index < timed; index = next++) {
        const beganMs = performance.now();
        await fresh.spend(ours[order[index & 65_535] ?? 0] as Place, one, used);
        took[index] = performance.now() - beganMs;
        // Others have their turn, as between requests.
        if (index % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all(Array.from({ length: 64 }, lane));
    clearInterval(flushing);
    took.sort();

    const counting = await open(state, 'counts', [quota({ id: 'counts', per: ['user'], shadow: true, ...huge })]);
    const countCpu = process.cpuUsage();
    for (let index = 0; index < checks * 4; index += 1) counting.count(ours[order[index & 65_535] ?? 0] as Place, one);
    for (let left = 1; left > 0; left = counting.ledger.isIdle() ? 0 : 1) await counting.flush();
    const countNs = cpuNs(countCpu) / checks / 4;

    // Killed with a slab of each bucket at hand; the next start takes them back before anything is granted.
    const together = [quota({ id: 'dead', per: ['user'], ...huge })];
    const dies = await open(state, 'dies', together);
    await Promise.all(Array.from({ length: held }, (_, user) => dies.spend(placeOf(user), one, () => false)));
    const beganMs = performance.now();
    await open(state, 'dies', together);
    const recoveryMs = performance.now() - beganMs;
    await state.remove();

    const lines = Object.keys(ways).map((name) => [name, ns(name)]);
    lines.push(['counted and never denied, with writing it down', countNs]);
    const [admitted, refused] = [ns('rate-limiter-flexible, admitted'), ns('rate-limiter-flexible, turned away')];
    return {
      row: 'P9, quota decisions',
      target:
        'A decision at most 1/4 of rate-limiter-flexible in memory, three in one step at most 1/2 of one of theirs, turned away at most 1/10; p99 with slabs refilled below 2 ms; a counted unit at most 1 µs of CPU time.',
      method: `${checks} decisions each, one after the other, over ${keys} keys; median of ${rounds} rounds in turn, CPU time of the process. Whatever answers with a promise is awaited, which theirs always does and ours where it has to ask the ledger. Ours are debited from a ledger in SQLite that syncs each commit. The decisions are from slabs at hand, and those turned away by what the ledger said a moment before; the times with refills are wall times of ${timed} decisions from the first on, 64 at a time; recovering is the start after a kill with ${held} slabs at hand.`,
      columns: ['decision', 'CPU ns each'],
      lines,
      figures: [
        { what: 'admitted, to theirs', value: ns('one quota, admitted') / admitted, limit: 0.25, unit: 'times' },
        {
          what: 'three quotas, to one of theirs',
          value: ns('three quotas in one step, admitted') / admitted,
          limit: 0.5,
          unit: 'times',
        },
        { what: 'turned away, to theirs', value: ns('turned away') / refused, limit: 0.1, unit: 'times' },
        { what: 'a counted unit', value: countNs / 1_000, limit: 1, unit: 'µs' },
        { what: 'p50 with slabs refilled', value: percentile(took, 0.5), unit: 'ms' },
        { what: 'p99 with slabs refilled', value: percentile(took, 0.99), limit: 2, unit: 'ms' },
        { what: 'p99.9 with slabs refilled', value: percentile(took, 0.999), unit: 'ms' },
        { what: `recovering from ${held} slabs of a dead process`, value: recoveryMs, unit: 'ms' },
      ],
    };
  },
};
