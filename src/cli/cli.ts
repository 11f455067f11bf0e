import type { Config, ConfigReading, Environment, Flags } from '../config/index.ts';
import type { Logger, LogLevels } from '../platform/logging.ts';
import { type ApiClient, createApiClient, findConnection } from './api-client.ts';
import { suggestingClient } from './suggestions.ts';
import type { InputStream, OutputStream, Terminal } from './terminal.ts';

/** A ragwarden that runs in this process. */
export type ServedWarden = {
  start(): Promise<{
    readonly api: string;
    readonly metrics: string | undefined;
    readonly gateway: string | undefined;
    readonly sample: boolean;
    readonly targetIds: readonly string[];
    /** Reads the settings again; what is wrong with them is told in log and events, and thrown. */
    reload(): Promise<void>;
    /** For the link that logs a browser in once. */
    createLoginCode(): Promise<string>;
  }>;
  stop(reason: string): Promise<void>;
};

/** What needs the slices and no running server; handed in, since this folder is a client of the HTTP API. */
export type OfflineWork = {
  createWarden(options: {
    reading: ConfigReading;
    log: Logger;
    setLogLevels(levels: LogLevels): void;
    /** Opens the log anew after it was moved; for a log that is a file. */
    reopenLog?(): void;
    command: 'serve' | 'up';
    /** Told the first admin token as soon as it is made: only its hash is kept. */
    onAdminToken(token: string): Promise<void>;
  }): Promise<ServedWarden>;
  /** The gateway alone, in this process. */
  createGatewayAlone(options: {
    reading: ConfigReading;
    log: Logger;
  }): Promise<{ start(): Promise<{ readonly gateway: string }>; stop(reason: string): Promise<void> }>;
  /** Keeps the first admin token in a private file of the data folder; returns its path. */
  keepAdminToken(dataDir: string, token: string): Promise<string>;
  localTokenFile(dataDir: string): Promise<string>;
  /** The page to keep elsewhere. @throws AppError `repository/missing` before there is a password */
  recoveryKit(config: Config): Promise<string>;
  /** Puts the files together that restic alone restored; a sentence for each that does not come out as it was captured. */
  foldRestored(folder: string): Promise<{ folded: number; checked: number; faults: readonly string[] }>;
  /** Brings a point back onto a machine that has nothing but the repository and its password. */
  recover(
    config: Config,
    options: {
      repository?: string | undefined;
      passwordFile?: string | undefined;
      kitFile?: string | undefined;
      pointId?: string | undefined;
      targetId?: string | undefined;
      /** By component. */
      folders: ReadonlyMap<string, string>;
      without: ReadonlySet<string>;
      /** What is only to be taken from by hand goes below it. */
      besideDir: string;
      /** Shown the plan, answers whether it is carried out. */
      confirm(plan: RecoveryReport): Promise<boolean>;
      tell(message: string): void;
      log: Logger;
      signal: AbortSignal;
    },
  ): Promise<RecoveryReport>;
  /** Makes the catalogue of points from the repository, without a server; answers what the API would. */
  rebuildCatalogue(config: Config, options: { dryRun: boolean; log: Logger; signal: AbortSignal }): Promise<unknown>;
  /** Looks at each store elsewhere that the settings name; only reads. */
  lookAtStores(config: Config, signal: AbortSignal): Promise<readonly StoreLook[]>;
};

/** What one store elsewhere looked like. */
export type StoreLook = {
  /** Of the replication target; null: the repository itself. */
  readonly id: string | null;
  /** Without credentials. */
  readonly place: string;
  /** Usually not attached. */
  readonly offline: boolean;
  /** `ok`, `missing`, `wrong-password`, `no-password`, `no-program`, `old-program`, `read-only`, or the code of an error. */
  readonly state: string;
  readonly detail: string;
};

/** The plan of a recovery and, when it was carried out, what to do next; in the words of the API. */
export type RecoveryReport = {
  readonly backup_id: string;
  readonly target_id: string;
  readonly taken_at: string;
  readonly grade: string;
  readonly partial: boolean;
  readonly points: readonly { readonly backup_id: string; readonly taken_at: string; readonly verified: boolean }[];
  readonly parts: readonly {
    readonly component: string;
    readonly kind: string;
    readonly place: string;
    readonly action: 'bring' | 'go-on' | 'there';
    readonly size_bytes: number;
    readonly by_hand: boolean;
  }[];
  readonly left_alone: readonly { readonly name: string; readonly reason: string }[];
  readonly warnings: readonly string[];
  readonly blockers: readonly string[];
  readonly recovered: boolean;
  readonly next: readonly string[];
};

export type CliOptions = {
  /** Without the program and the script. */
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly cwd: string;
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Aborted with an `Interrupted` when the process is told to end. */
  readonly signal: AbortSignal;
  readonly offline: OfflineWork;
  /** Hands over what is called when the process is asked to read its settings again. */
  onReloadAsked?(listener: () => void): void;
};

/** What a command works with. */
export type CommandContext = Pick<CliOptions, 'env' | 'cwd' | 'signal' | 'offline' | 'onReloadAsked'> & {
  readonly terminal: Terminal;
};

/** Flags that every command of a running server has. */
export type RemoteFlags = {
  readonly dataDir?: string;
  readonly config?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** A connection to the server, to be closed by whoever asked. @throws AppError `config/invalid`, `server/unreachable` */
export async function openApi(context: CommandContext, flags: RemoteFlags): Promise<ApiClient> {
  const connection = await findConnection({
    env: context.env,
    cwd: context.cwd,
    flags: { 'data-dir': flags.dataDir, config: flags.config },
    localTokenFile: context.offline.localTokenFile,
  });
  return createApiClient(connection, context.signal);
}

/** Runs something with a connection to the server and closes it whatever happens. */
export async function withApi<T>(
  context: CommandContext,
  flags: RemoteFlags,
  run: (api: ApiClient) => Promise<T>,
): Promise<T> {
  const api = await openApi(context, flags);
  try {
    return await run(suggestingClient(api));
  } finally {
    await api.close();
  }
}

/** One document on standard output, as the API returned it. */
export const printJson = (terminal: Terminal, document: unknown): void =>
  void terminal.stdout.write(`${JSON.stringify(document, null, 2)}\n`);

/** Flags of the offline commands under the names that the configuration knows. */
export const settingFlags = (flags: Readonly<Record<string, unknown>>): Flags =>
  Object.fromEntries(
    Object.entries(flags).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), value]] : [],
    ),
  );
