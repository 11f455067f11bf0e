import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { getLightragMonitor, LightRAGMonitor, MetricsCollector, monitorLightragOperation } from './index.ts';

let monitor: LightRAGMonitor;
beforeEach(() => {
  monitor = new LightRAGMonitor();
});

const counts = () => {
  const { operations } = monitor.getMetrics();
  return `${operations.query} ${operations.search} ${operations.insert} ${operations.errors}`;
};
const query = <F extends (...args: never[]) => unknown>(fn: F): F =>
  monitorLightragOperation('query', { monitor })(fn as never) as F; // any function
const failure = new Error('of its own');

describe('the monitor', () => {
  test('is one for the program', () => {
    expect(getLightragMonitor()).toBe(getLightragMonitor());
    expect(getLightragMonitor()).toBeInstanceOf(LightRAGMonitor);
  });

  test('counts times in seconds, with exact percentiles, and errors once', () => {
    for (let i = 1; i <= 10; i += 1) monitor.recordQueryTime(i / 10);
    monitor.recordSearchTime(0.2);
    monitor.recordInsertTime(0.3);
    monitor.recordError();
    monitor.recordError('insert');
    for (const nonsense of [Number.NaN, -1, Number.POSITIVE_INFINITY]) monitor.recordQueryTime(nonsense);
    const metrics = monitor.getMetrics();
    expect(metrics.operations).toEqual({ query: 10, search: 1, insert: 1, errors: 2 });
    expect(metrics.query).toMatchObject({
      count: 10,
      min_time: 0.1,
      max_time: 1,
      p50_time: 0.5,
      p95_time: 1,
      p99_time: 1,
    });
    expect(metrics.query.avg_time).toBeCloseTo(0.55);
    expect(metrics.error_rate).toBeCloseTo(2 / 14);
    monitor.resetMetrics();
    expect(counts()).toBe('0 0 0 0');
    expect(monitor.getMetrics().query).toMatchObject({ max_time: 0, window_count: 0 });
  });
});

describe('a wrapped function', () => {
  test('gives what it gives, with this, name and length, and is counted once', async () => {
    const of = {
      factor: 3,
      times: query(function (this: { factor: number }, by: number) {
        return by * this.factor;
      }),
      later: query(async function named(this: { factor: number }, by: number, _more: number) {
        await null;
        return by * this.factor;
      }),
    };
    expect(of.times(2)).toBe(6);
    expect(counts()).toBe('1 0 0 0');
    const promise = of.later(2, 0);
    expect(promise).toBeInstanceOf(Promise);
    expect(counts()).toBe('1 0 0 0');
    expect(await promise).toBe(6);
    expect(counts()).toBe('2 0 0 0');
    expect([of.later.name, of.later.length]).toEqual(['named', 2]);
  });

  test('fails as it fails, with the same error, counted once', async () => {
    const thrower = query(() => {
      throw failure;
    });
    expect(() => thrower()).toThrow(failure);
    await expect(query(async () => Promise.reject(failure))()).rejects.toBe(failure);
    expect(counts()).toBe('0 0 0 2');
  });

  test('that nobody catches is still unhandled', async () => {
    const seen: unknown[] = [];
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.once('unhandledRejection', (err) => seen.push(err));
    query(async () => Promise.reject(failure))();
    await new Promise((resolve) => setImmediate(resolve));
    for (const one of others) process.on('unhandledRejection', one);
    expect(seen).toEqual([failure]);
  });

  test('may give a promise of another kind: the same object, which begins its work only when it is awaited', async () => {
    let begun = 0;
    class Lazy extends Promise<number> {
      extra = 'kept';
      // biome-ignore lint/suspicious/noThenProperty: what is tried
      override then(...args: Parameters<Promise<number>['then']>) {
        begun += 1;
        return super.then(...args) as never; // of the same kind
      }
    }
    const lazy = new Lazy((resolve) => resolve(5));
    const given = query(() => lazy)();
    expect(given).toBe(lazy);
    expect([given.extra, begun, counts()]).toEqual(['kept', 0, '0 0 0 0']);
    expect(await given).toBe(5);
    expect(counts()).toBe('1 0 0 0');
  });

  test('is a method by a decorator', async () => {
    class Rag {
      answer = 'yes';
      query = monitorLightragOperation('search', { monitor })(async function (this: Rag) {
        return this.answer;
      });
    }
    expect(await new Rag().query()).toBe('yes');
    expect(counts()).toBe('0 1 0 0');
  });

  test('is told with what the caller says of it, and an error there is nobody’s', () => {
    const told: unknown[] = [];
    const record = vi.spyOn(monitor, 'record').mockImplementation((...args) => void told.push(args[2]));
    const wrap = monitorLightragOperation('query', {
      monitor,
      facts: (mode) => {
        if (mode === 'bad') throw failure;
        return { mode: String(mode), workspace: 'w' };
      },
    });
    const ask = wrap((mode: string) => mode);
    expect([ask('mix'), ask('bad')]).toEqual(['mix', 'bad']);
    expect(told).toEqual([{ mode: 'mix', workspace: 'w' }, {}]);
    record.mockRestore();
  });
});

describe('a wrapped stream', () => {
  async function* numbers(fail = false): AsyncGenerator<number, string, unknown> {
    try {
      yield 1;
      yield 2;
      if (fail) throw failure;
      return 'end';
    } finally {
      cleaned += 1;
    }
  }
  let cleaned = 0;
  const all = async (from: AsyncIterable<unknown>): Promise<unknown[]> => {
    const found: unknown[] = [];
    for await (const one of from) found.push(one);
    return found;
  };

  test('of a generator is the same generator, counted when it has ended', async () => {
    const inner = numbers();
    const given = query(() => inner)();
    expect(given).toBe(inner);
    expect(counts()).toBe('0 0 0 0');
    expect(await all(given)).toEqual([1, 2]);
    expect(counts()).toBe('1 0 0 0');
    const byHand = query(() => numbers())();
    expect([await byHand.next(), await byHand.next(), await byHand.next()].map(({ value }) => value)).toEqual([
      1,
      2,
      'end',
    ]);
    expect(counts()).toBe('2 0 0 0');
  });

  test('that fails, or is left in the middle, is counted once, and cleans up', async () => {
    cleaned = 0;
    const failing = query(async () => numbers(true));
    await expect(failing().then(all)).rejects.toBe(failure);
    expect(counts()).toBe('0 0 0 1');
    for await (const one of query(() => numbers())()) if (one === 1) break;
    expect([counts(), cleaned]).toEqual(['1 0 0 1', 2]);
  });

  test('of an object with an iterator is the same object, with its other methods', async () => {
    class Answer {
      #pieces = ['a', 'b'];
      async *[Symbol.asyncIterator]() {
        yield* this.#pieces;
      }
      text() {
        return this.#pieces.join('');
      }
    }
    const answer = new Answer();
    const given = query(() => answer)();
    expect([given === answer, given.text()]).toEqual([true, 'ab']);
    expect(await all(given)).toEqual(['a', 'b']);
    expect(counts()).toBe('1 0 0 0');
  });

  test.each(['default', 'bytes'] as const)('of the web (%s) has the same chunks, error and end', async (kind) => {
    const chunks = [Uint8Array.of(1, 2), Uint8Array.of(3)];
    const make = (fail: boolean, cancelled?: (reason: unknown) => void) => {
      let at = 0;
      const source = {
        pull(controller: ReadableStreamDefaultController | ReadableByteStreamController) {
          const chunk = chunks[at];
          at += 1;
          if (chunk) controller.enqueue(Uint8Array.from(chunk) as never);
          else if (fail) controller.error(failure);
          else controller.close();
        },
        cancel: (reason: unknown) => cancelled?.(reason),
      };
      return kind === 'bytes'
        ? new ReadableStream({ ...source, type: 'bytes' } as UnderlyingByteSource)
        : new ReadableStream(source as UnderlyingDefaultSource);
    };
    expect(await all(query(() => make(false))() as never)).toEqual(chunks);
    expect(counts()).toBe('1 0 0 0');
    expect(new Uint8Array(await new Response(query(() => make(false))() as never).arrayBuffer())).toEqual(
      Uint8Array.of(1, 2, 3),
    );
    await expect(all(query(() => make(true))() as never)).rejects.toBe(failure);
    expect(counts()).toBe('2 0 0 1');
    const reasons: unknown[] = [];
    await query(() => make(false, (reason) => reasons.push(reason)))().cancel('enough');
    expect([reasons, counts()]).toEqual([['enough'], '3 0 0 1']);
    if (kind === 'bytes') {
      const reader = query(() => make(false))().getReader({
        mode: 'byob',
      } as never) as unknown as ReadableStreamBYOBReader;
      expect((await reader.read(new Uint8Array(8))).value).toEqual(Uint8Array.of(1, 2));
    }
  });

  test('of Node is the same stream, however it is read', async () => {
    const source = Readable.from(['a', 'b']);
    const given = query(() => source)();
    expect(given).toBe(source);
    given.resume();
    await new Promise((resolve) => given.once('close', resolve));
    expect(counts()).toBe('1 0 0 0');
    const failing = query(() => Readable.from(numbers(true)))();
    await expect(all(failing)).rejects.toBe(failure);
    expect(counts()).toBe('1 0 0 1');
  });
});

describe('a ragwarden that is told', () => {
  afterEach(() => vi.useRealTimers());

  type Sent = { path: string; items: Record<string, unknown>[] };
  const ragwarden = (answer: () => Response | Promise<Response>) => {
    const sent: Sent[] = [];
    const options = {
      url: 'http://ragwarden.test',
      token: 't',
      fetch: (async (input: URL, init: { body: string }) => {
        const { items } = JSON.parse(init.body);
        sent.push({ path: input.pathname, items });
        return answer();
      }) as unknown as typeof fetch, // what is used of it
    };
    return { sent, options };
  };
  const taken = () => Response.json({ accepted: 1, rejected: 0, errors: [] });
  const refused = (status: number) => () => Response.json({ code: 'x/y', detail: 'no' }, { status });

  test('gets what was recorded together, with the moment it began', async () => {
    const { sent, options } = ragwarden(taken);
    monitor.connect(options);
    await query(async () => 'x')();
    monitor.recordInsertTime(2, { workspace: 'w' });
    monitor.recordError();
    expect(sent).toEqual([]);
    await monitor.flush();
    expect(sent).toHaveLength(1);
    expect(sent[0]?.path).toBe('/api/v1/monitoring/lightrag/record');
    expect(sent[0]?.items).toMatchObject([
      { operation: 'query', seconds: expect.any(Number) },
      { operation: 'insert', seconds: 2, workspace: 'w' },
      { error: true },
    ]);
    const age = Date.now() - Date.parse(String(sent[0]?.items[1]?.timestamp));
    expect(age).toBeGreaterThanOrEqual(2_000);
  });

  test('does not keep the program from ending', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
    const before = timers();
    const { options } = ragwarden(taken);
    monitor.connect(options);
    monitor.recordQueryTime(1);
    expect(timers()).toBe(before);
    await monitor.flush();
  });

  test('that is away keeps nobody waiting: what was recorded waits, bounded, and is asked for ever more rarely', async () => {
    vi.useFakeTimers();
    let up = false;
    const { sent, options } = ragwarden(() => {
      if (!up) throw new TypeError('refused');
      return taken();
    });
    monitor.connect(options);
    for (let i = 0; i < 12_000; i += 1) monitor.recordQueryTime(0.001);
    expect([sent.length, monitor.dropped]).toEqual([0, 2_000]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent.length).toBeGreaterThan(2);
    expect(sent.length).toBeLessThan(8);
    await expect(monitor.flush()).rejects.toThrow('does not answer');
    up = true;
    sent.length = 0;
    await monitor.flush();
    expect(sent.map(({ items }) => items.length)).toEqual(new Array(10).fill(1_000));
  });

  test('that refuses is not asked the same again', async () => {
    const { sent, options } = ragwarden(refused(403));
    monitor.connect(options);
    monitor.recordQueryTime(1);
    await monitor.flush();
    await monitor.flush();
    expect([sent.length, monitor.dropped]).toEqual([1, 1]);
  });

  test('finds the price of what agents used, from model and tokens', async () => {
    const { sent, options } = ragwarden(taken);
    const collector = new MetricsCollector(options);
    collector.recordLlmUsage({
      agentId: 'a1',
      workspaceId: 'w',
      model: 'gpt-4o',
      promptTokens: 10,
      completionTokens: 5,
    });
    await collector.flush();
    expect(sent).toMatchObject([
      {
        path: '/api/v1/metrics/agents/record',
        items: [
          {
            kind: 'llm_usage',
            agent_id: 'a1',
            workspace_id: 'w',
            model: 'gpt-4o',
            prompt_tokens: 10,
            completion_tokens: 5,
          },
        ],
      },
    ]);
  });
});
