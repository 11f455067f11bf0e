import {
  getLightragMonitor,
  type LightRAGMonitor,
  type LightragOperation,
  type OperationFacts,
} from './lightrag-monitor.ts';

export type MonitorOptions<Args extends readonly unknown[] = readonly unknown[]> = {
  /** The one of the program unless told. */
  readonly monitor?: LightRAGMonitor;
  /** What is to be told with an operation, from the arguments of the call; what it throws is nobody's concern. */
  readonly facts?: (...args: Args) => OperationFacts;
};

// A function of any kind; what it takes and gives is kept by the type of the wrapper.
// biome-ignore lint/suspicious/noExplicitAny: parameters of a function type stand on the wrong side for `unknown`
type AnyFunction = (this: any, ...args: any[]) => unknown;

/** Told once, by whichever comes first. */
type Timer = { first(): void; done(): void; failed(): void };

/**
 * Wraps a function so that each call is counted once, with its time: until it returns, until its promise is settled, or until its
 * stream has ended. The wrapped function gives and throws what the function does; `this` stays. Also a decorator of methods.
 *
 * A promise of the language is answered by another with the same result; other promises, async iterables and generators are the
 * same objects, watched; a `ReadableStream` is answered by another with the same chunks. A stream that nobody reads is not counted.
 */
export function monitorLightragOperation<Args extends readonly unknown[] = readonly unknown[]>(
  operation: LightragOperation,
  options: MonitorOptions<Args> = {},
): <F extends AnyFunction>(fn: F, context?: unknown) => F {
  return (fn) => {
    const wrapped = function (this: unknown, ...args: unknown[]): unknown {
      const timer = startTimer(operation, options, args as readonly unknown[] as Args); // what the function itself is called with
      let result: unknown;
      try {
        result = fn.apply(this, args);
      } catch (err) {
        timer.failed();
        throw err;
      }
      return watch(result, timer);
    };
    Object.defineProperties(wrapped, {
      name: { value: fn.name, configurable: true },
      length: { value: fn.length, configurable: true },
    });
    return wrapped as typeof fn; // takes and gives the same
  };
}

function startTimer<Args extends readonly unknown[]>(
  operation: LightragOperation,
  options: MonitorOptions<Args>,
  args: Args,
): Timer {
  const began = performance.now();
  let firstSeconds: number | undefined;
  let over = false;
  const tell = (failed: boolean): void => {
    if (over) return;
    over = true;
    const seconds = (performance.now() - began) / 1_000;
    const facts = {
      ...factsOf(options, args),
      ...(firstSeconds === undefined ? {} : { stream: true, first_content_seconds: firstSeconds }),
    };
    const monitor = options.monitor ?? getLightragMonitor();
    if (failed) monitor.recordError(operation, seconds, facts);
    else monitor.record(operation, seconds, facts);
  };
  return {
    first() {
      firstSeconds ??= (performance.now() - began) / 1_000;
    },
    done: () => tell(false),
    failed: () => tell(true),
  };
}

function factsOf<Args extends readonly unknown[]>({ facts }: MonitorOptions<Args>, args: Args): OperationFacts {
  try {
    return facts?.(...args) ?? {};
  } catch {
    return {};
  }
}

function watch(result: unknown, timer: Timer): unknown {
  if ((typeof result !== 'object' && typeof result !== 'function') || result === null) {
    timer.done();
    return result;
  }
  // Exactly a promise of the language: `await` looks at nothing that could be put upon it. Rejections stay unhandled where they were.
  if (result instanceof Promise && result.constructor === Promise)
    return result.then(
      (value) => watch(value, timer),
      (err: unknown) => {
        timer.failed();
        throw err;
      },
    );
  if (isFunction(result, 'then')) return watchThenable(result, timer);
  if (typeof ReadableStream === 'function' && result instanceof ReadableStream) return watchStream(result, timer);
  if (isFunction(result, 'pipe') && isFunction(result, 'once')) return watchNodeStream(result, timer);
  if (isFunction(result, Symbol.asyncIterator)) return watchIterable(result, timer);
  timer.done();
  return result;
}

const isFunction = <Name extends string | symbol>(
  of: object,
  name: Name,
): of is { [N in Name]: (...args: unknown[]) => unknown } => typeof (of as Record<Name, unknown>)[name] === 'function';

/** Puts a method upon one object; false where that cannot be done. */
const put = (on: object, name: string | symbol, value: unknown): boolean =>
  Reflect.defineProperty(on, name, { value, configurable: true, writable: true, enumerable: false });

/** Some do their work only when somebody waits for them, so nothing is asked before that. */
function watchThenable(thenable: { then(...args: unknown[]): unknown }, timer: Timer): unknown {
  const then = thenable.then;
  const watched = function (this: unknown, onDone?: unknown, onFailed?: unknown): unknown {
    return then.call(
      this,
      (value: unknown) => {
        const seen = watch(value, timer);
        return typeof onDone === 'function' ? onDone(seen) : seen;
      },
      (err: unknown) => {
        timer.failed();
        if (typeof onFailed === 'function') return onFailed(err);
        throw err;
      },
    );
  };
  if (!put(thenable, 'then', watched)) timer.done();
  return thenable;
}

function watchIterable(iterable: { [Symbol.asyncIterator]: (...args: unknown[]) => unknown }, timer: Timer): unknown {
  const iterate = iterable[Symbol.asyncIterator];
  // A generator is its own iterator, which may also be called by hand.
  if (isFunction(iterable, 'next')) {
    for (const name of ['next', 'return', 'throw'] as const)
      if (isFunction(iterable, name)) {
        const step = iterable[name];
        if (
          !put(
            iterable,
            name,
            watchStep(name, (...args) => step.apply(iterable, args), timer),
          )
        ) {
          timer.done();
          return iterable;
        }
      }
    return iterable;
  }
  const watched = (...args: unknown[]): unknown => {
    const iterator = iterate.apply(iterable, args) as object; // by the protocol
    const steps: Record<string | symbol, unknown> = { [Symbol.asyncIterator]: () => steps };
    for (const name of ['next', 'return', 'throw'] as const)
      if (isFunction(iterator, name)) {
        const step = iterator[name];
        steps[name] = watchStep(name, (...given) => step.apply(iterator, given), timer);
      }
    return steps;
  };
  if (!put(iterable, Symbol.asyncIterator, watched)) timer.done();
  return iterable;
}

/** One step of an iterator: ends the time when it ends the iteration. */
const watchStep =
  (name: 'next' | 'return' | 'throw', step: (...args: unknown[]) => unknown, timer: Timer) =>
  (...args: unknown[]): unknown => {
    let promise: unknown;
    try {
      promise = step(...args);
    } catch (err) {
      timer.failed();
      throw err;
    }
    return Promise.resolve(promise).then(
      (result: unknown) => {
        const isOver = typeof result === 'object' && result !== null && 'done' in result && result.done === true;
        if (name === 'return' || isOver) timer.done();
        else timer.first();
        return result;
      },
      (err: unknown) => {
        timer.failed();
        throw err;
      },
    );
  };

/** A stream of Node: its own events tell when it is over; listening for data would start it, for errors would hide them. */
function watchNodeStream(stream: { once(...args: unknown[]): unknown }, timer: Timer): unknown {
  stream.once('close', () => {
    if ('errored' in stream && stream.errored) timer.failed();
    else timer.done();
  });
  stream.once('end', () => timer.done());
  return stream;
}

function watchStream(stream: ReadableStream<unknown>, timer: Timer): ReadableStream<unknown> {
  const bytes = readsBytes(stream);
  const reader = stream.getReader();
  const source = {
    async pull(controller: {
      enqueue(chunk: never): void;
      close(): void;
      byobRequest?: { respond(n: number): void } | null;
    }) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          timer.done();
          controller.close();
          // Whoever waits with a buffer of his own is told that nothing comes.
          controller.byobRequest?.respond(0);
          return;
        }
        timer.first();
        controller.enqueue(value as never); // whatever kind of chunk came
      } catch (err) {
        timer.failed();
        throw err;
      }
    },
    cancel(reason: unknown) {
      timer.done();
      return reader.cancel(reason);
    },
  };
  // Asks for a chunk only when somebody wants one, as the stream itself would be asked.
  return bytes
    ? new ReadableStream({ ...source, type: 'bytes' } as UnderlyingByteSource, { highWaterMark: 0 })
    : new ReadableStream(source as UnderlyingDefaultSource, { highWaterMark: 0 });
}

/** Only a stream of bytes has such a reader. */
function readsBytes(stream: ReadableStream<unknown>): boolean {
  try {
    stream.getReader({ mode: 'byob' }).releaseLock();
    return true;
  } catch {
    return false;
  }
}
