import type { TargetConfig } from '../config/index.ts';

/** `[a-z0-9][a-z0-9-]{0,62}`; never changes. */
export type TargetId = string;

/** One process of the backend: where it answers and which workspace it serves. */
export type Endpoint = {
  readonly url: string;
  readonly workspace: string;
  readonly apiKey: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
};

/** How one store keeps workspaces apart. */
export type WorkspaceSeparation = 'folder' | 'column' | 'prefix' | 'label' | 'none';

export type Store = {
  /** Name of its component in a recovery point. */
  readonly name: string;
  readonly kind: 'workspace-folder' | 'input-folder';
  /** Absolute folder that holds all workspaces. */
  readonly path: string;
  readonly separation: WorkspaceSeparation;
};

/** One RAG installation. */
export type Target = {
  readonly id: TargetId;
  /** The bundled sample, said to be one wherever it is shown. */
  readonly sample: boolean;
  readonly endpoints: readonly Endpoint[];
  readonly stores: readonly Store[];
  readonly workspaces: readonly string[];
  readonly userDataDir: string | undefined;
  readonly paths: Readonly<Record<string, string>>;
} & TargetTimings;

/** How often and how patiently it is asked. They may change while it is watched, so they are read when they are needed. */
export type TargetTimings = {
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly startTimeoutMs: number;
};

/** @param timings as they are when it is called; without it they stay as the configuration has them */
export function targetFromConfig(
  config: TargetConfig,
  sample: boolean,
  timings: () => TargetTimings = () => config,
): Target {
  const stores: Store[] = [];
  if (config.workingDir !== undefined)
    stores.push({ name: 'workspace', kind: 'workspace-folder', path: config.workingDir, separation: 'folder' });
  if (config.inputDir !== undefined)
    stores.push({ name: 'inputs', kind: 'input-folder', path: config.inputDir, separation: 'folder' });
  return {
    id: config.id,
    sample,
    endpoints: [
      {
        url: config.url,
        workspace: config.workspace,
        apiKey: config.apiKey,
        username: config.username,
        password: config.password,
      },
    ],
    stores,
    workspaces: [config.workspace],
    userDataDir: config.userDataDir,
    paths: config.paths,
    get probeIntervalMs() {
      return timings().probeIntervalMs;
    },
    get probeTimeoutMs() {
      return timings().probeTimeoutMs;
    },
    get stopTimeoutMs() {
      return timings().stopTimeoutMs;
    },
    get startTimeoutMs() {
      return timings().startTimeoutMs;
    },
  };
}
