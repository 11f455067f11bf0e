import {
  AlertManager,
  CleanupScheduler,
  type ClientOptions,
  createClient,
  MetricsCollector,
  type OwnCleanupStrategy,
  type RagwardenClient,
  RagwardenError,
  ResourceManager,
} from '../sdk/index.ts';
import { checkOptions, type WardenOptions } from './options.ts';

export type StartedWarden = {
  /** Where API and page answer. */
  readonly api: string;
  /** Where the metrics alone answer, without a path; undefined when they are switched off or the port was taken. */
  readonly metrics: string | undefined;
  readonly dataDir: string;
  readonly version: string;
  /** Whether what is watched is the bundled sample backend. */
  readonly sample: boolean;
  readonly targetIds: readonly string[];
  /** Address and token of this very warden, an admin's, valid until it stops: for `createClient` and the other doors. */
  readonly connection: ClientOptions & { readonly token: string };
  /** A client of this very warden, as admin. */
  readonly client: RagwardenClient;
};

export type Warden = {
  /** Records metrics and asks for them, as this very warden's admin. What is recorded before it is started waits for it. */
  readonly metrics: MetricsCollector;
  /** Cleanup tasks of this very warden, and strategies that its program brings along. What is asked before it is started waits for it. */
  readonly cleanup: CleanupScheduler;
  /** Registers what this program holds and asks what leaks; calls before it is started wait for it. */
  readonly resources: ResourceManager;
  /** Rules and what fires, as this very warden's admin. What is asked before it is started waits for it. */
  readonly alerts: AlertManager;
  /**
   * Brings everything up and resolves when it is ready. A warden lives once: called again this is the same start.
   * @throws RagwardenError `config/invalid` with every bad setting, `storage/data-folder-in-use` when another process or warden has
   *   the folder, `listen/port-taken`, and whatever else keeps it from starting. What had begun is stopped again by then.
   */
  start(): Promise<StartedWarden>;
  /** Resolves when nothing of it runs any more, and the process can end by itself. May be called at any time, also twice. */
  stop(): Promise<void>;
};

/** What the other half hands over; it is a file of its own because it needs Node.js 24 to be read at all. */
export type RunningWarden = Omit<StartedWarden, 'connection' | 'client'> & {
  readonly token: string;
  addCleanupStrategy(strategy: OwnCleanupStrategy): void;
};

/**
 * The whole product in this process: watching, metrics, recovery points, API and page. Nothing happens before `start`.
 * @throws TypeError for options that are not as they should be
 * @throws RagwardenError `embedded/node-too-old` below Node.js 24; the client works there
 */
export function createWarden(options: WardenOptions): Warden {
  checkOptions(options);
  if (Number(process.versions.node.split('.')[0]) < 24)
    throw new RagwardenError({
      code: 'embedded/node-too-old',
      detail: `ragwarden/embedded needs Node.js 24 or newer and this is ${process.version}. The client (ragwarden/client) works here: run ragwarden as a program of its own and call it.`,
    });
  let stopRequested = false;
  let starting: Promise<StartedWarden> | undefined;
  let stopInner: (() => Promise<void>) | undefined;
  const { promise: connected, resolve: connect, reject: giveUp } = Promise.withResolvers<ClientOptions>();
  const metrics = new MetricsCollector(connected);
  const { promise: running, resolve: run, reject: runNever } = Promise.withResolvers<RunningWarden>();
  running.catch(() => undefined);
  const cleanup = new CleanupScheduler(connected, async (strategy) => {
    try {
      (await running).addCleanupStrategy(strategy);
    } catch (err) {
      throw asRagwardenError(err);
    }
  });
  const resources = new ResourceManager(connected);
  const alerts = new AlertManager(connected);

  const start = async (): Promise<StartedWarden> => {
    try {
      const { prepareWarden } = await import('./run-warden.ts');
      const warden = await prepareWarden(options, (resourceId) => resources.findCleanup(resourceId));
      stopInner = warden.stop;
      if (stopRequested) throw new RagwardenError(stopped);
      const started = await warden.start();
      const { token, addCleanupStrategy: _, ...facts } = started;
      run(started);
      const connection = { url: facts.api, token };
      connect(connection);
      return { ...facts, connection, client: createClient(connection) };
    } catch (err) {
      const known = asRagwardenError(err);
      giveUp(known);
      runNever(known);
      throw known;
    }
  };

  return {
    metrics,
    cleanup,
    resources,
    alerts,
    start() {
      if (stopRequested) return Promise.reject(new RagwardenError(stopped));
      starting ??= start();
      return starting;
    },
    async stop() {
      stopRequested = true;
      // The last values are part of what it has to do.
      if (starting) await metrics.flush().catch(() => undefined);
      giveUp(new RagwardenError(stopped));
      runNever(new RagwardenError(stopped));
      // Before anything was loaded there is nothing to tell to stop; the start then ends by itself.
      if (stopInner) await stopInner();
      await starting?.catch(() => undefined);
    },
  };
}

const stopped = {
  code: 'embedded/stopped',
  detail: 'This warden was stopped. Make another with createWarden.',
} as const;

/** Starts everything: `createWarden(options).start()` with its stop beside what was started. */
export async function startResourceSystems(options: WardenOptions): Promise<StartedWarden & { stop(): Promise<void> }> {
  const warden = createWarden(options);
  return { ...(await warden.start()), stop: () => warden.stop() };
}

/** Errors of the product as errors of the library; anything else is a bug and passes as it is. */
function asRagwardenError(err: unknown): unknown {
  if (!(err instanceof Error) || err.name !== 'AppError') return err;
  const { code, detail, violations, kind } = err as unknown as AppErrorShape; // told by its name; see platform/errors.ts
  return new RagwardenError({ code, detail, violations, status: kind.status, cause: err });
}

type AppErrorShape = {
  readonly code: string;
  readonly detail: string;
  readonly violations: readonly { readonly at: string; readonly message: string }[];
  readonly kind: { readonly status: number };
};
