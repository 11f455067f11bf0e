import { z } from 'zod';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Jobs } from '../platform/jobs.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { createFactStore } from './fact-store.ts';

/** One thing that runs: a job, or a listener. */
const service = z.object({
  name: z.string(),
  kind: z.enum(['job', 'listener']),
  state: z.enum(['running', 'waiting', 'late', 'stopped']),
  since_ms: z.number().nullable(),
  last_run_ms: z.number().nullable(),
  runs: z.number().nullable(),
  failures: z.number().nullable(),
  last_error: z.string().nullable(),
});
export type Service = z.infer<typeof service>;

const told = z.object({ version: z.string(), started_ms: z.number(), services: z.array(service) });

export type Instance = {
  readonly instance: string;
  readonly version: string;
  readonly startedMs: number;
  /** When it last said so. */
  readonly toldMs: number;
  readonly here: boolean;
  /** It said so lately. */
  readonly alive: boolean;
  readonly services: readonly Service[];
};

export type ServiceRegistry = {
  list(): Promise<readonly Instance[]>;
  /** Tells the other instances what runs here; undefined where there can be none. */
  readonly job: Reconciler | undefined;
};

const tellEveryMs = 60_000;
/** Not told for so long: it is gone, or cut off. */
const goneMs = 3 * tellEveryMs;
const prefix = 'services:';

/**
 * What runs in this instance, and in those that work on the same state. Only where the state lies on a server can there be others:
 * then each writes one row a minute.
 */
export function createServiceRegistry(options: {
  instance: string;
  version: string;
  startedMs: number;
  jobs: Jobs;
  listeners(): readonly { readonly name: string; readonly url: string | undefined }[];
  /** Undefined where the state lies in a file of this instance alone. */
  shared: Database | undefined;
  clock: Clock;
  log: Logger;
}): ServiceRegistry {
  const { instance, version, startedMs, jobs, shared, clock, log } = options;
  const facts = shared && createFactStore(shared);

  const services = (): Service[] => [
    ...options.listeners().map(
      ({ name, url }): Service => ({
        ...{ name: url === undefined ? name : `${name} ${url}`, kind: 'listener' },
        ...{ state: url === undefined ? 'stopped' : 'running', since_ms: startedMs },
        ...{ last_run_ms: null, runs: null, failures: null, last_error: null },
      }),
    ),
    ...jobs.states(clock.now()).map(
      (job): Service => ({
        ...{ name: job.name, kind: 'job', since_ms: job.startedAt, last_run_ms: job.lastFinishedAt },
        state: job.late !== null ? 'late' : !job.active ? 'stopped' : job.running ? 'running' : 'waiting',
        ...{ runs: job.runs, failures: job.failures, last_error: job.lastError },
      }),
    ),
  ];

  const job =
    shared &&
    facts &&
    createReconciler({
      name: 'service registry',
      intervalMs: tellEveryMs,
      clock,
      log,
      async run() {
        const text = JSON.stringify({ version, started_ms: startedMs, services: services() });
        await shared.unit((tx) => facts.write(tx, `${prefix}${instance}`, text, clock.now()));
      },
    });

  return {
    job,
    async list() {
      const nowMs = clock.now();
      const here = { instance, version, startedMs, toldMs: nowMs, here: true, alive: true, services: services() };
      const rows = (await facts?.list(prefix)) ?? [];
      const others = rows.flatMap(({ key, value, atMs }): Instance[] => {
        const name = key.slice(prefix.length);
        const read = told.safeParse(parseJson(value));
        if (name === instance || !read.success) return [];
        const { version: its, started_ms, services: running } = read.data;
        const alive = nowMs - atMs < goneMs;
        return [
          { instance: name, version: its, startedMs: started_ms, toldMs: atMs, here: false, alive, services: running },
        ];
      });
      return [here, ...others];
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
