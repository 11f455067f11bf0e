import { Worker } from 'node:worker_threads';
import type { Clock } from '../platform/clock.ts';
import { AppError, describeError } from '../platform/errors.ts';
import { listenError } from '../platform/http/index.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { workerUrl } from '../platform/workers.ts';
import type { FromWorker, ToWorker, WorkerData, WorkerStatus } from './messages.ts';
import type { Observation } from './observation.ts';
import type { GatewayState, QuotaDecision } from './ports.ts';
import type { GatewaySettings } from './settings.ts';

/**
 * off (not started, or stopped) → running → restarting (its thread died; a new one comes after a pause) → running.
 */
export type GatewayPhase = 'off' | 'running' | 'restarting';

export type GatewayStatus = {
  readonly phase: GatewayPhase;
  /** Where it listens, or listened before it died. */
  readonly url: string | null;
  readonly restarts: number;
  /** As far as the thread told; null when it did not answer. */
  readonly worker: WorkerStatus | null;
  readonly atMs: number | null;
};

export type Gateway = Part & {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** @throws Error before it was started */
  url(): string;
  /** The whole state, whenever it changes. */
  update(state: GatewayState): void;
  /** What it told last; at most some seconds old while it runs. */
  lastStatus(): GatewayStatus;
  /** What it says now, or what it told last when it does not answer. */
  status(): Promise<GatewayStatus>;
  /** Keeps what writes waiting; the port that recovery points ask. */
  hold(request: {
    readonly targetId: string;
    readonly maxMs: number;
    readonly reason: string;
    readonly signal: AbortSignal;
  }): Promise<
    | { readonly held: true; release(): Promise<{ readonly heldMs: number; readonly endedByItself: boolean }> }
    | { readonly held: false; readonly reason: string }
  >;
};

export type GatewayOptions = {
  readonly settings: Omit<GatewaySettings, 'asksQuota'>;
  readonly state: GatewayState;
  /** Undefined: everything is granted, and nobody is asked. */
  readonly quota: QuotaDecision | undefined;
  observe(items: readonly Observation[]): void;
  /** The thread died, or a breaker opened or closed again. */
  onEvent(event: GatewayEvent): void;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly log: Logger;
  readonly workerUrl?: URL;
};

export type GatewayEvent =
  | { readonly kind: 'died'; readonly reason: string; readonly againInMs: number }
  | { readonly kind: 'back' }
  | { readonly kind: 'upstream-down' | 'upstream-back'; readonly upstreamId: string };

/** What the thread may hold in its JavaScript heap; bodies lie outside of it. MiB. */
const heapMiB = 256;
const lookWaitMs = 500;
const firstPauseMs = 250;
const longestPauseMs = 30_000;
/** A thread that ran so long had not died of its start. */
const steadyMs = 60_000;
/** How long writes under way may keep a hold from beginning. */
const longestDrainMs = 10_000;
const stopSlackMs = 500;

/** The gateway as the other slices see it: a thread of its own, brought back when it dies. */
export function createGateway(options: GatewayOptions): Gateway {
  const { clock, log, random, quota } = options;
  const settings: GatewaySettings = { ...options.settings, asksQuota: quota !== undefined };
  let state = options.state;
  let phase: GatewayPhase = 'off';
  let worker: Worker | undefined;
  let port: number | undefined;
  let restarts = 0;
  let failures = 0;
  let latest: { status: WorkerStatus; atMs: number } | undefined;
  let looks = 0;
  const looking = new Map<number, () => void>();
  const holding = new Map<string, (left: number | 'gone') => void>();
  const releasing = new Map<string, (inTime: boolean) => void>();
  const down = new Set<string>();
  const stopping = new AbortController();

  const send = (message: ToWorker): void => worker?.postMessage(message);
  quota?.onGuards((guards) => send({ kind: 'guards', guards }));
  const url = (): string => {
    if (port === undefined) throw new Error('the gateway does not listen');
    const { host } = settings;
    const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
    return `http://${shown}:${port}`;
  };

  const take = (message: FromWorker): void => {
    switch (message.kind) {
      case 'observations':
        send({ kind: 'taken', batch: message.batch });
        try {
          options.observe(message.items);
        } catch (err) {
          log.error({ err, count: message.items.length }, 'observations of the gateway were not taken over');
        }
        break;
      case 'ask':
        quota
          ?.decide(message.ask, (maxMs) => send({ kind: 'waits', id: message.id, maxMs }))
          .then(
            (answer) => send({ kind: 'answer', id: message.id, answer }),
            // Without an answer the other side does what each quota says for that.
            (err: unknown) => log.warn({ err }, 'the quota could not decide'),
          );
        break;
      case 'settle':
        quota?.settle(message.reservation, message.observation);
        break;
      case 'held':
        holding.get(message.id)?.(message.left);
        break;
      case 'released':
        releasing.get(message.id)?.(message.inTime);
        break;
      case 'status':
        latest = { status: message.status, atMs: clock.now() };
        tellBreakers(message.status);
        if (message.id !== null) looking.get(message.id)?.();
        break;
      case 'listening':
      case 'failed':
      case 'stopped':
        break;
    }
  };

  const tellBreakers = ({ upstreams }: WorkerStatus): void => {
    for (const { id, breaker } of upstreams) {
      if (breaker === 'open' && !down.has(id)) {
        down.add(id);
        options.onEvent({ kind: 'upstream-down', upstreamId: id });
      } else if (breaker === 'closed' && down.delete(id)) options.onEvent({ kind: 'upstream-back', upstreamId: id });
    }
  };

  /** Brings a thread up and waits until it listens. */
  const bringUp = async (): Promise<void> => {
    const data: WorkerData = {
      settings: { ...settings, port: port ?? settings.port },
      state,
      guards: quota?.guards() ?? [],
    };
    const begun = new Worker(options.workerUrl ?? workerUrl('gateway'), {
      workerData: data,
      name: 'gateway',
      // Nothing in there has business with the settings and secrets of this process.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: heapMiB, maxYoungGenerationSizeMb: 32 },
    });
    worker = begun;
    let reason = 'it ended by itself';
    begun.on('message', take);
    begun.on('error', (err) => {
      reason = describeError(err);
    });
    const listening = await new Promise<number>((resolve, reject) => {
      begun.on('message', (message: FromWorker) => {
        if (message.kind === 'listening') resolve(message.port);
        if (message.kind === 'failed') {
          const err: NodeJS.ErrnoException = new Error(message.message);
          if (message.code !== undefined) err.code = message.code;
          reject(err);
        }
      });
      begun.once('exit', () => {
        // A thread that is over says nothing more, also to whoever would wait for its end.
        if (worker === begun) worker = undefined;
        reject(new Error(`the thread of the gateway ended: ${reason}`));
      });
    });
    port = listening;
    phase = 'running';
    const sinceMs = clock.monotonic();
    begun.once('exit', () => {
      if (stopping.signal.aborted) return;
      if (clock.monotonic() - sinceMs > steadyMs) failures = 0;
      void bringBack(reason);
    });
  };

  const bringBack = async (why: string): Promise<void> => {
    let reason = why;
    worker = undefined;
    phase = 'restarting';
    for (const gone of [...holding.values()]) gone('gone');
    for (const gone of [...releasing.values()]) gone(false);
    quota?.abandon();
    while (!stopping.signal.aborted) {
      const againInMs = Math.min(firstPauseMs * 2 ** failures, longestPauseMs);
      failures += 1;
      log.error({ reason, againInMs }, 'the thread of the gateway died');
      options.onEvent({ kind: 'died', reason, againInMs });
      try {
        await clock.sleep(againInMs, stopping.signal);
        await bringUp();
        restarts += 1;
        options.onEvent({ kind: 'back' });
        return;
      } catch (err) {
        reason = describeError(err);
      }
    }
  };

  const lastStatus = (): GatewayStatus => ({
    phase,
    url: port === undefined ? null : url(),
    restarts,
    worker: phase === 'running' ? (latest?.status ?? null) : null,
    atMs: latest?.atMs ?? null,
  });

  return {
    name: 'gateway',
    async start() {
      try {
        await bringUp();
      } catch (err) {
        await worker?.terminate();
        throw await listenError(err, {
          host: settings.host,
          port: settings.port,
          setting: 'RAGWARDEN_GATEWAY_PORT',
          name: 'the gateway',
        });
      }
    },
    async stop() {
      stopping.abort(new AppError('internal/stopping', 'The gateway is stopping.'));
      phase = 'off';
      const ending = worker;
      worker = undefined;
      if (ending === undefined) return;
      const over = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
      ending.postMessage({ kind: 'stop' } satisfies ToWorker);
      const late = setTimeout(() => void ending.terminate(), settings.drainMs + stopSlackMs);
      await over;
      clearTimeout(late);
    },
    url,
    update(next) {
      state = next;
      send({ kind: 'state', state });
    },
    lastStatus,
    async status() {
      if (phase !== 'running') return lastStatus();
      looks += 1;
      const id = looks;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(late);
          looking.delete(id);
          resolve();
        };
        const late = setTimeout(done, lookWaitMs);
        looking.set(id, done);
        send({ kind: 'look', id });
      });
      return lastStatus();
    },
    async hold({ targetId, maxMs, signal }) {
      signal.throwIfAborted();
      if (phase !== 'running') return { held: false, reason: 'the gateway does not run' };
      const id = newId('hold', clock.now(), random);
      const drainMs = Math.min(maxMs / 2, longestDrainMs);
      const release = (): void => send({ kind: 'release', id });
      const left = await new Promise<number | 'gone'>((resolve, reject) => {
        const onAbort = (): void => {
          release();
          reject(signal.reason);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        holding.set(id, (answer) => {
          signal.removeEventListener('abort', onAbort);
          resolve(answer);
        });
        send({ kind: 'hold', id, targetId, maxMs, drainMs });
      }).finally(() => holding.delete(id));
      if (left === 'gone') return { held: false, reason: 'the gateway died meanwhile' };
      if (left > 0)
        return {
          held: false,
          reason: `${left} write(s) through the gateway had not ended after ${Math.round(drainMs)} ms`,
        };
      const sinceMs = clock.monotonic();
      let released: Promise<{ heldMs: number; endedByItself: boolean }> | undefined;
      return {
        held: true,
        release() {
          released ??= new Promise<boolean>((resolve) => {
            if (phase !== 'running') {
              resolve(false);
              return;
            }
            releasing.set(id, resolve);
            release();
          }).then((inTime) => {
            releasing.delete(id);
            return { heldMs: Math.round(clock.monotonic() - sinceMs), endedByItself: !inTime };
          });
          return released;
        },
      };
    },
  };
}
