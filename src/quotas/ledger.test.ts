import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { inWindow, unwrittenOf } from './holding.ts';
import { createLedger } from './ledger.ts';
import { addUsed, auditHeld, type LedgerTables, readStanding, totalOf } from './ledger-store.ts';
import { anyPlace, type Quota } from './quota.ts';
import type { Quotas } from './quotas.ts';
import { draft, openTestQuotas, quota, type TestQuotas } from './test-quotas.ts';
import { listOpenViolations } from './violation-store.ts';
import { slotAt } from './window.ts';

const opened: TestQuotas[] = [];
const open = async (...given: Parameters<typeof openTestQuotas>): Promise<TestQuotas> => {
  const made = await openTestQuotas(...given);
  opened.push(made);
  return made;
};
afterAll(async () => {
  for (const one of opened) await one.remove();
});

const used = (): true => true;
const held = (): false => false;
const one = { requests: 1 };
const spend = async (quotas: Quotas, count: number): Promise<number> => {
  const all = await Promise.all(Array.from({ length: count }, () => quotas.spend(anyPlace, one, used)));
  return all.filter(({ granted }) => granted).length;
};
const standing = async ({ state, clock, quotas }: TestQuotas, id = 'q', bucket = ''): Promise<number> => {
  const quota = quotas.definitions.require(id);
  const spot = { quotaId: id, bucket, slot: slotAt(quota, clock.now()) };
  return totalOf(await readStanding(state.db.reader<LedgerTables>(), spot));
};
const books = ({ state }: TestQuotas): Promise<string[]> => auditHeld(state.db.reader<LedgerTables>(), new Map());

test('exactly the limit is granted, however many ask at once and from however many processes', async () => {
  const found = await open([draft({ limit: 1_000 })]);
  const other = await found.another();
  const third = await found.another('three');
  let granted = 0;
  for (let round = 0; round < 8; round += 1) {
    const counts = await Promise.all([spend(found.quotas, 60), spend(other, 60), spend(third, 60)]);
    granted += counts.reduce((sum, count) => sum + count, 0);
  }
  // What one had in advance, and the others did not get: it goes to whoever has it.
  for (const quotas of [found.quotas, other, third]) granted += await spend(quotas, 200);
  expect(granted).toBe(1_000);
  for (const quotas of [found.quotas, other, third]) await quotas.ledger.flush({ everything: true });
  expect(await standing(found)).toBe(1_000);
  expect(await books(found)).toEqual([]);
  expect(found.quotas.ledger.isIdle()).toBe(true);
});

test('all quotas that apply are spent in one step: who is denied by one has spent nothing of the others', async () => {
  const found = await open([
    draft({ id: 'wide', limit: 50 }),
    draft({ id: 'narrow', limit: 3 }),
    draft({ id: 'big', limit: 10, counts: 'tokens' }),
  ]);
  const asks = Array.from({ length: 20 }, () => found.quotas.spend(anyPlace, { requests: 1, tokens: 1 }, used));
  const answers = await Promise.all(asks);
  expect(answers.filter(({ granted }) => granted)).toHaveLength(3);
  await found.quotas.ledger.flush({ everything: true });
  expect([await standing(found, 'wide'), await standing(found, 'narrow'), await standing(found, 'big')]).toEqual([
    3, 3, 3,
  ]);
});

test('who has one of two quotas at hand and is denied by the other has spent nothing of the first', async () => {
  const found = await open([
    draft({ id: 'ample', limit: 100_000 }),
    draft({ id: 'few', limit: 3, counts: 'documents', period: 'forever' }),
  ]);
  const { quotas } = found;
  for (let round = 0; round < 5; round += 1) await spend(quotas, 10);
  for (const [kind, final] of [
    ['used up', used],
    ['held', held],
  ] as const) {
    const before = quotas.ledger.holdingOf(quotas.definitions.require('ample'), '').lease?.slab ?? 0;
    expect(before, kind).toBeGreaterThan(0);
    expect((await quotas.spend(anyPlace, { requests: 1, documents: 4 }, final)).granted, kind).toBe(false);
    expect(quotas.ledger.holdingOf(quotas.definitions.require('ample'), '').lease?.slab, kind).toBe(before);
  }
  await quotas.ledger.flush({ everything: true });
  expect([await standing(found, 'ample'), await standing(found, 'few')]).toEqual([50, 0]);
});

test('who is turned away again is told the same for a moment, and each time counts', async () => {
  const found = await open([draft({ limit: 10, period: 'hour' })]);
  const { quotas, clock } = found;
  expect(await spend(quotas, 11)).toBe(10);
  const denied = async (requests = 1) => {
    const spent = await quotas.spend(anyPlace, { requests }, used);
    if (spent.granted) throw new Error('granted');
    return spent;
  };
  const first = await denied();
  expect(await denied()).toBe(first);
  expect((await denied(2)).denials[0]).toMatchObject({ amount: 2, remaining: 0, limit: 10 });
  const waits = first.denials[0]?.retryAfterSeconds ?? 0;
  await clock.advance(2_000);
  expect((await denied()).denials[0]?.retryAfterSeconds).toBe(waits - 2);
  await quotas.flush();
  for (let time = 0; time < 3; time += 1) await denied();
  await quotas.flush();
  // The one of the eleven, four before the first flush and three before the second.
  const [violation] = await listOpenViolations(found.state.db.reader(), 5);
  expect(violation).toMatchObject({ times: 8, usage: 12, exceededBy: 2 });
  expect((await quotas.violations.countOf(['requests'])).total).toBe(8);
  expect(quotas.totals()).toMatchObject({ checks: 18, blocks: 8 });
  await quotas.definitions.update(draft({ limit: 20, period: 'hour' }), 'test');
  expect(await spend(quotas, 11)).toBe(10);
});

test('what was held for less is given back, what took more is counted above the limit', async () => {
  const found = await open([draft({ counts: 'tokens', limit: 1_000 })]);
  const { quotas } = found;
  const first = await quotas.spend(anyPlace, { tokens: 600 }, held);
  expect((await quotas.spend(anyPlace, { tokens: 600 }, held)).granted).toBe(false);
  if (!first.granted) throw new Error('denied');
  quotas.settle(first.taken, { tokens: 100 });
  const second = await quotas.spend(anyPlace, { tokens: 600 }, held);
  if (!second.granted) throw new Error('denied');
  quotas.settle(second.taken, { tokens: 1_400 });
  await quotas.ledger.flush({ everything: true });
  expect(await standing(found)).toBe(1_500);
  expect(await books(found)).toEqual([]);
});

test('a process that died takes with it what it had at hand: counted as used, and held no more', async () => {
  const found = await open([
    draft({ limit: 1_000 }),
    draft({ id: 'together', counts: 'concurrent_inserts', period: 'forever', limit: 2 }),
  ]);
  const dies = await found.another('dies');
  for (let round = 0; round < 5; round += 1) await spend(dies, 20);
  await dies.spend(anyPlace, { concurrent_inserts: 2 }, held);
  expect((await found.quotas.spend(anyPlace, { concurrent_inserts: 1 }, held)).granted).toBe(false);
  const before = await standing(found);
  expect(before).toBeGreaterThanOrEqual(100);
  await found.clock.advance(31_000);
  // Inserts that nobody makes any more are given back; requests that may have been made are not.
  expect((await found.quotas.spend(anyPlace, { concurrent_inserts: 1 }, held)).granted).toBe(true);
  await found.quotas.ledger.reap();
  expect(await standing(found)).toBe(before);
  await found.quotas.ledger.flush({ everything: true });
  expect(await books(found)).toEqual([]);
});

test('the next start takes back at once what an earlier life of the same instance held', async () => {
  const found = await open([draft({ counts: 'concurrent_inserts', period: 'forever', limit: 1 })]);
  await found.quotas.spend(anyPlace, { concurrent_inserts: 1 }, held);
  const next = await found.another('one');
  expect((await next.spend(anyPlace, { concurrent_inserts: 1 }, held)).granted).toBe(true);
});

test('a process that was asleep for longer than its lease writes down what it used, once', async () => {
  const found = await open([draft({ limit: 1_000, period: 'day' })]);
  const sleeper = await found.another('sleeper');
  for (let round = 0; round < 4; round += 1) await spend(sleeper, 25);
  await found.clock.advance(40_000);
  await found.quotas.ledger.reap();
  const before = await standing(found);
  await sleeper.ledger.flush({ everything: true });
  expect(before).toBeGreaterThanOrEqual(100);
  expect(await standing(found)).toBe(100);
});

test('a burst is taken off the window after it', async () => {
  const found = await open([draft({ type: 'burst', limit: 10, burstLimit: 16 })]);
  expect(await spend(found.quotas, 30)).toBe(16);
  await found.clock.advance(60_000);
  // 6 are owed, and stay owed as long as everything is used that can be.
  expect(await spend(found.quotas, 30)).toBe(10);
  await found.clock.advance(60_000);
  expect(await spend(found.quotas, 4)).toBe(4);
  await found.clock.advance(60_000);
  expect(await spend(found.quotas, 30)).toBe(16);
});

test('a level that was measured counts instead of a sum', async () => {
  const found = await open([draft({ counts: 'stored_bytes', period: 'forever', limit: 1_000 })]);
  await found.quotas.noteLevel(anyPlace, 'stored_bytes', 900);
  expect((await found.quotas.spend(anyPlace, { stored_bytes: 200 }, held)).granted).toBe(false);
  await found.quotas.noteLevel(anyPlace, 'stored_bytes', 100);
  await found.clock.advance(200);
  expect((await found.quotas.spend(anyPlace, { stored_bytes: 200 }, held)).granted).toBe(true);
});

/** What a limit means, as simply as it can be said: every use with its moment. */
class NaiveModel {
  readonly #uses: { atMs: number; amount: number }[] = [];
  readonly #quota: Quota;
  constructor(quota: Quota) {
    this.#quota = quota;
  }
  within(fromMs: number, untilMs: number): number {
    return this.#uses
      .filter(({ atMs }) => atMs > fromMs && atMs <= untilMs)
      .reduce((sum, { amount }) => sum + amount, 0);
  }
  /** Granted by the ledger at this moment: is that allowed? */
  grant(atMs: number, amount: number): boolean {
    this.#uses.push({ atMs, amount });
    const { slotMs, untilMs } = slotAt(this.#quota, atMs);
    if (this.#quota.window === 'calendar') return this.within(slotMs - 1, untilMs - 1) <= this.#quota.limit;
    return this.within(atMs - 60_000, atMs) <= this.#quota.limit;
  }
  /** Denied: is there truly no room, in what the ledger must count? */
  mustDeny(atMs: number, amount: number): boolean {
    const { fromMs, untilMs } = slotAt(this.#quota, atMs);
    return this.within(fromMs - 1, untilMs - 1) + amount > this.#quota.limit;
  }
}

/** A ledger of its own, whose next unit of work waits for the gate, and then does its work or fails. */
function gatedLedger({ state: { db }, clock }: TestQuotas) {
  let gate: { readonly opened: Promise<void>; readonly fails: boolean } | undefined;
  const ledger = createLedger({
    db: {
      ...db,
      async unit(work) {
        const now = gate;
        gate = undefined;
        await now?.opened;
        if (now?.fails) throw new Error('the database is away');
        return db.unit(work);
      },
    },
    ...{ clock, holder: 'test:counts' },
  });
  return {
    ledger,
    /** @returns opens it; resolves to whether what was used is written down now */
    flushLater(fails: boolean): () => Promise<boolean> {
      const { promise: opened, resolve: open } = Promise.withResolvers<void>();
      gate = { opened, fails };
      const flushed = ledger.flush().then(
        () => true,
        () => false,
      );
      return () => {
        gate = undefined;
        open();
        return flushed;
      };
    },
  };
}

test.each([
  ['calendar', 'second', 700],
  ['calendar', 'minute', 40_000],
  ['sliding', 'second', 700],
  ['sliding', 'minute', 40_000],
] as const)(
  'in a %s window of a %s a bucket knows what is not written yet, also while a flush hangs and after one that failed',
  async (window, period, mostMs) => {
    const found = await open([]);
    const { ledger, flushLater } = gatedLedger(found);
    const step = fc.record({
      amount: fc.integer({ min: 1, max: 5 }),
      flush: fc.constantFrom('no', 'yes', 'fails', 'hangs', 'hangs and fails'),
      thenMs: fc.oneof(fc.integer({ min: 0, max: mostMs / 20 }), fc.integer({ min: 0, max: mostMs })),
    });
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        number += 1;
        const counted = quota({ id: `counted${number}`, shadow: true, period, window });
        const holding = ledger.holdingOf(counted, '');
        const uses: { slotMs: number; amount: number; written: boolean }[] = [];
        let hanging: (() => Promise<void>) | undefined;
        const end = async (): Promise<void> => {
          await hanging?.();
          hanging = undefined;
        };
        const begin = (fails: boolean): void => {
          const flushing = uses.filter(({ written }) => !written);
          const goOn = flushLater(fails);
          hanging = async () => {
            if (await goOn()) for (const use of flushing) use.written = true;
          };
        };
        const look = (): void => {
          const { slotMs, fromMs } = slotAt(counted, found.clock.now());
          const inWindow = uses.filter((use) => use.slotMs >= fromMs && use.slotMs <= slotMs);
          const sum = (some: typeof uses): number => some.reduce((total, { amount }) => total + amount, 0);
          expect(unwrittenOf(holding)).toBe(sum(inWindow.filter(({ written }) => !written)));
          expect(holding.standing + unwrittenOf(holding)).toBe(sum(inWindow));
        };
        try {
          for (const { amount, flush, thenMs } of steps) {
            const nowMs = found.clock.now();
            ledger.count(holding, amount, nowMs);
            uses.push({ slotMs: slotAt(counted, nowMs).slotMs, amount, written: false });
            look();
            if (flush !== 'no') {
              await end();
              begin(flush.endsWith('fails'));
              if (!flush.startsWith('hangs')) await end();
              look();
            }
            await found.clock.advance(thenMs);
          }
        } finally {
          await end();
        }
        await ledger.flush();
        expect(unwrittenOf(holding)).toBe(0);
        expect(ledger.isIdle()).toBe(true);
        await found.clock.advance(61_000);
      }),
      { numRuns: 20 },
    );
  },
);

test.each(['calendar', 'sliding'] as const)(
  'what is used after a reset of a %s window that only counts is judged by nothing but itself',
  async (window) => {
    const found = await open([draft({ limit: 5, period: 'hour', window, shadow: true, per: ['user'] })]);
    const { quotas } = found;
    const use = async (requests: number): Promise<number> => {
      for (const userId of ['one', 'two']) quotas.count({ ...anyPlace, userId }, { requests });
      await quotas.flush();
      return (await quotas.violations.countOf(['requests'])).total;
    };
    expect(await use(8)).toBe(2);
    expect(await use(1)).toBe(4);
    await quotas.reset('q', 'user=one', 'test');
    expect(await use(1)).toBe(5);
    await quotas.reset('q', undefined, 'test');
    expect(await use(1)).toBe(5);
  },
);

test('what one process begins anew another knows with its next flush: whom it turned away, and what it only counts', async () => {
  const found = await open([
    draft({ limit: 5, period: 'hour', window: 'sliding', shadow: true }),
    draft({ id: 'hard', counts: 'tokens', limit: 3, period: 'day', type: 'hard' }),
  ]);
  const other = await found.another();
  const turnsAway = async () => !(await other.spend(anyPlace, { tokens: 1 }, () => true)).granted;
  await found.quotas.spend(anyPlace, { tokens: 3 }, () => true);
  other.count(anyPlace, { requests: 8 });
  await other.flush();
  const [counted] = other.definitions.applied(anyPlace, found.clock.now()).filter(({ quota }) => quota.id === 'q');
  expect([await turnsAway(), counted?.standing]).toEqual([true, 8]);
  expect(other.ledger.remembers()).toBe(true);
  await found.quotas.reset('hard', undefined, 'test');
  await found.quotas.reset('q', undefined, 'test');
  found.quotas.count(anyPlace, { requests: 2 });
  await found.quotas.flush();
  // It answers from what it remembers, until it looks.
  expect(await turnsAway()).toBe(true);
  await other.flush();
  expect([await turnsAway(), counted?.standing]).toEqual([false, 2]);
  // Its own it does not learn once more.
  await found.quotas.flush();
  expect(found.quotas.definitions.applied(anyPlace, found.clock.now()).map(({ standing }) => standing)).toContain(2);
});

test('of a sliding window nothing stands any more after a pause that is longer', async () => {
  const found = await open([]);
  const { ledger } = gatedLedger(found);
  const holding = ledger.holdingOf(quota({ shadow: true, period: 'minute', window: 'sliding' }), '');
  ledger.count(holding, 8, found.clock.now());
  await ledger.flush();
  await found.clock.advance(30_000);
  ledger.count(holding, 1, found.clock.now());
  expect([holding.standing, unwrittenOf(holding)]).toEqual([8, 1]);
  await found.clock.advance(120_000);
  ledger.count(holding, 1, found.clock.now());
  expect([holding.standing, unwrittenOf(holding)]).toEqual([0, 1]);
});

test('of a sliding window that only counts a flush reads what may have changed, and once a minute all of it', async () => {
  const found = await open([]);
  const { clock } = found;
  const { ledger } = gatedLedger(found);
  const counted = quota({ shadow: true, period: 'hour', window: 'sliding' });
  const holding = ledger.holdingOf(counted, '');
  const use = async (): Promise<number> => {
    ledger.count(holding, 1, clock.now());
    await ledger.flush();
    return holding.standing;
  };
  const another = (amount: number, atMs: number): Promise<void> =>
    found.state.db.unit((tx) => addUsed(tx, { quotaId: 'q', bucket: '', slot: slotAt(counted, atMs) }, amount));
  const startMs = clock.now();
  expect(await use()).toBe(1);
  await clock.advance(1_200_000);
  expect(await use()).toBe(2);
  await another(10, startMs);
  await another(100, clock.now());
  expect(await use()).toBe(103);
  await clock.advance(59_000);
  expect(await use()).toBe(104);
  await clock.advance(1_000);
  expect(await use()).toBe(115);
});

test('of many buckets of a sliding window one unit of work reads fifty slot by slot, of the others the sum', async () => {
  const found = await open([]);
  const { ledger } = gatedLedger(found);
  const counted = quota({ shadow: true, period: 'hour', window: 'sliding', per: ['user'] });
  const all = Array.from({ length: 60 }, (_, user) => ledger.holdingOf(counted, `user=${user}`));
  const use = async () => {
    for (const holding of all) ledger.count(holding, 1, found.clock.now());
    await ledger.flush();
    expect(new Set(all.map(({ standing: stands }) => stands)).size).toBe(1);
    return { standing: all[0]?.standing, known: all.filter(({ seen }) => seen !== undefined).length };
  };
  expect(await use()).toEqual({ standing: 1, known: 50 });
  expect(await use()).toEqual({ standing: 2, known: 60 });
});

test('one flush writes down all that is there, however many slots were used', async () => {
  const found = await open([]);
  const { ledger } = gatedLedger(found);
  const counted = quota({ shadow: true, period: 'second', window: 'sliding', per: ['user'] });
  const startMs = found.clock.now();
  for (let slot = 0; slot < 60; slot += 1)
    for (let user = 0; user < 20; user += 1)
      ledger.count(ledger.holdingOf(counted, `user=${user}`), 1, startMs + Math.ceil((slot * 1_000) / 60));
  await found.clock.advance(990);
  expect(ledger.size().leases).toBe(1_200);
  await ledger.flush();
  const rows = await found.state.db.reader<LedgerTables>().selectFrom('quota_usage').selectAll().execute();
  expect(rows.reduce((sum, { used: amount }) => sum + Number(amount), 0)).toBe(1_200);
  expect(ledger.isIdle()).toBe(true);
});

test('as long as nothing can be written down a bucket knows of no more than its window', async () => {
  const counted = quota({ shadow: true, period: 'second', window: 'sliding' });
  const { ledger } = gatedLedger(await open([]));
  const holding = ledger.holdingOf(counted, '');
  // Five minutes and more, with a use in each slot.
  for (let slot = 0; slot < 20_000; slot += 1) ledger.count(holding, 1, Math.ceil((slot * 1_000) / 60));
  expect([inWindow(holding).length, unwrittenOf(holding)]).toEqual([61, 61]);
});

describe('against a naive model', () => {
  const steps = fc.array(
    fc.record({
      process: fc.nat({ max: 2 }),
      uses: fc.integer({ min: 1, max: 12 }),
      amount: fc.integer({ min: 1, max: 3 }),
      thenMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 45_000 })),
      flush: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  );
  test.each(['calendar', 'sliding'] as const)(
    'in no %s window more than the limit is granted, and nothing is denied while there is room',
    async (window) => {
      const found = await open([]);
      const processes = [found.quotas, await found.another(), await found.another('three')];
      let number = 0;
      await fc.assert(
        fc.asyncProperty(steps, fc.integer({ min: 1, max: 40 }), async (plan, limit) => {
          number += 1;
          const id = `q${number}`;
          await found.quotas.definitions.create(draft({ id, limit, window, of: { ...anyPlace, userId: id } }), 'test');
          for (const one of processes.slice(1)) await one.definitions.load();
          const model = new NaiveModel(found.quotas.definitions.require(id));
          const place = { ...anyPlace, userId: id };
          for (const { process, uses, amount, thenMs, flush } of plan) {
            const quotas = processes[process] ?? found.quotas;
            const atMs = found.clock.now();
            const answers = await Promise.all(
              Array.from({ length: uses }, () => quotas.spend(place, { requests: amount }, used)),
            );
            for (const { granted } of answers) if (granted) expect(model.grant(atMs, amount)).toBe(true);
            const denied = answers.filter(({ granted }) => !granted).length;
            // What others have in advance is not free to it; then it may be denied earlier.
            if (denied > 0) {
              for (const one of processes) await one.ledger.flush({ everything: true });
              await found.clock.advance(150);
              const again = await quotas.spend(place, { requests: amount }, used);
              const nowMs = found.clock.now();
              if (again.granted) expect(model.grant(nowMs, amount)).toBe(true);
              else expect(model.mustDeny(nowMs, amount)).toBe(true);
            }
            if (flush) await quotas.ledger.flush();
            await found.clock.advance(thenMs);
          }
          for (const one of processes) await one.ledger.flush({ everything: true });
          expect(await books(found)).toEqual([]);
        }),
        { numRuns: 25 },
      );
    },
  );
});
