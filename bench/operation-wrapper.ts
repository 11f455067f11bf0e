import { LightRAGMonitor, monitorLightragOperation } from '../src/sdk/index.ts';
import { type Bench, median } from './report.ts';

/** What everybody writes by hand who wants to know how long something takes. */
class ByHand {
  times: number[] = [];
  errors = 0;
  sync<T>(work: () => T): T {
    const began = performance.now();
    try {
      const result = work();
      this.times.push(performance.now() - began);
      return result;
    } catch (err) {
      this.errors += 1;
      throw err;
    }
  }
  async async<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      const result = await work();
      this.times.push(performance.now() - began);
      return result;
    } catch (err) {
      this.errors += 1;
      throw err;
    }
  }
}

type Run = (times: number) => Promise<void>;
type Case = {
  readonly name: string;
  readonly times: number;
  readonly bare: Run;
  readonly hand: Run;
  readonly ours: Run;
};

/** Nanoseconds of CPU time per call. */
async function timed(times: number, run: Run): Promise<number> {
  const before = process.cpuUsage();
  await run(times);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / times;
}

export const operationWrapper: Bench = {
  name: 'operation-wrapper',
  async run(size) {
    const [rounds, scale] = size === 'full' ? [9, 1] : [1, 0.01];
    const pieces = 100;
    const monitor = new LightRAGMonitor();
    const wrap = monitorLightragOperation('query', { monitor });
    const hand = new ByHand();
    const plain = (): number => 1;
    const later = async (): Promise<number> => 1;
    const stream = async function* (): AsyncGenerator<number> {
      for (let i = 0; i < pieces; i += 1) yield i;
    };
    const [wrappedPlain, wrappedLater, wrappedStream] = [wrap(plain), wrap(later), wrap(stream)];
    let sum = 0;
    const repeat =
      (one: () => unknown): Run =>
      async (times) => {
        for (let i = 0; i < times; i += 1) sum += Number(one());
      };
    const repeatLater =
      (one: () => Promise<number>): Run =>
      async (times) => {
        for (let i = 0; i < times; i += 1) sum += await one();
      };
    const drain =
      (one: () => AsyncIterable<number>): Run =>
      async (times) => {
        for (let i = 0; i < times; i += 1) for await (const piece of one()) sum += piece;
      };
    async function* streamByHand(): AsyncGenerator<number> {
      const began = performance.now();
      yield* stream();
      hand.times.push(performance.now() - began);
    }
    const cases: Case[] = [
      {
        name: 'a plain function',
        times: 200_000 * scale,
        ...{ bare: repeat(plain), hand: repeat(() => hand.sync(plain)), ours: repeat(wrappedPlain) },
      },
      {
        name: 'an async function',
        times: 100_000 * scale,
        ...{ bare: repeatLater(later), hand: repeatLater(() => hand.async(later)), ours: repeatLater(wrappedLater) },
      },
      {
        name: `a stream of ${pieces} pieces`,
        times: 2_000 * scale,
        ...{ bare: drain(stream), hand: drain(streamByHand), ours: drain(wrappedStream) },
      },
    ];
    const measured = cases.map(() => ({ bare: [] as number[], hand: [] as number[], ours: [] as number[] }));
    for (let round = -1; round < rounds; round += 1)
      for (const [at, one] of cases.entries())
        for (const way of ['bare', 'hand', 'ours'] as const) {
          hand.times = [];
          const took = await timed(one.times, one[way]);
          // The first round warms up.
          if (round >= 0) measured[at]?.[way].push(took);
        }
    if (!Number.isFinite(sum)) throw new Error('what was measured was not done');
    const of = (at: number, way: 'bare' | 'hand' | 'ours'): number => median(measured[at]?.[way] ?? []);
    return {
      row: 'Library, the wrapper of operations',
      target: 'what it costs per call, against the same function bare and timed by hand.',
      method: `Median of ${rounds} rounds in turn; CPU time per call. By hand: two readings of the clock and a number kept, without percentiles, errors by kind or a limit.`,
      columns: ['what', 'bare, ns', 'by hand, ns', 'wrapped, ns'],
      lines: cases.map((one, at) => [one.name, of(at, 'bare'), of(at, 'hand'), of(at, 'ours')]),
      figures: cases.map((one, at) => ({
        what: `${one.name}, on top of it`,
        value: (of(at, 'ours') - of(at, 'bare')) / 1_000,
        unit: 'µs per call',
      })),
    };
  },
};
