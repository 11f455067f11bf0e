import type { KindOrigin, TargetConfig, TargetKind } from '../config/index.ts';

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
  /** A folder of LightRAG's, the project of GraphRAG, or one that an operator named. */
  readonly kind: 'workspace-folder' | 'input-folder' | 'project-folder' | 'folder';
  /** Absolute; of a workspace or input folder the one that holds all workspaces. */
  readonly path: string;
  readonly separation: WorkspaceSeparation;
  /** How the backend writes there; undefined where its version tells. */
  readonly writer?: 'replaces' | 'in-place';
  /** Paths below it that stay out of points. */
  readonly leaveOut?: readonly string[];
  /** Of a project: whether its cache stays out of points, wherever its settings put it. */
  readonly withoutCache?: boolean;
};

/** One RAG installation. */
export type Target = {
  readonly id: TargetId;
  readonly kind: TargetKind;
  readonly kindFrom: KindOrigin;
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
  const { id, kind, kindFrom } = config;
  return {
    ...{ id, kind, kindFrom, sample },
    // Read when they are needed: a target that was brought up at another place has others.
    get endpoints() {
      const { url, workspace, apiKey, username, password } = config;
      return url === undefined ? [] : [{ url, workspace, apiKey, username, password }];
    },
    get stores() {
      return storesOf(config);
    },
    workspaces: [config.workspace],
    get userDataDir() {
      return config.userDataDir;
    },
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

function storesOf({ kind, workingDir, inputDir, graphragCache, custom }: TargetConfig): Store[] {
  const stores: Store[] = [];
  if (workingDir !== undefined && kind === 'graphrag')
    stores.push({
      ...{ name: 'project', kind: 'project-folder', path: workingDir, separation: 'none', writer: 'in-place' },
      withoutCache: graphragCache === false,
    });
  else if (workingDir !== undefined)
    stores.push({ name: 'workspace', kind: 'workspace-folder', path: workingDir, separation: 'folder' });
  if (inputDir !== undefined)
    stores.push({
      ...{ name: 'inputs', kind: 'input-folder', path: inputDir },
      separation: kind === 'lightrag' ? 'folder' : 'none',
    });
  for (const { name, path, writer, leaveOut } of custom?.folders ?? [])
    stores.push({ name, kind: 'folder', path, separation: 'none', writer, leaveOut });
  return stores;
}
