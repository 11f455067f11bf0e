import { dirname, resolve } from 'node:path';
import { buildCustom, type CustomConfig } from './custom-target.ts';
import { buildEndpoints, type EndpointConfig } from './gateway-config.ts';
import { isInside } from './is-inside.ts';
import type { Origins } from './read-config.ts';
import type { SettingName, SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';
import { buildStandby, type StandbyConfig } from './standby-config.ts';
import type { LifecycleStep, TargetStructure } from './target-config.ts';
import { decideKind, type KindOrigin, type TargetKind } from './target-kind.ts';

/** One RAG installation: its endpoint, its stores, and how it is stopped and started. */
export type TargetConfig = {
  readonly id: string;
  readonly kind: TargetKind;
  readonly kindFrom: KindOrigin;
  /** Undefined: nothing answers over HTTP, as with a GraphRAG project that no service serves. */
  readonly url: string | undefined;
  readonly apiKey: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly workspace: string;
  /** Further processes of it, which the gateway leads to. */
  readonly endpoints?: readonly EndpointConfig[];
  /** Absolute; undefined when the files of the backend are not visible here. Of a GraphRAG target its project. */
  readonly workingDir: string | undefined;
  readonly inputDir: string | undefined;
  readonly userDataDir: string | undefined;
  /** Whether points of a GraphRAG project hold its cache. */
  readonly graphragCache?: boolean;
  /** Set for a backend of one's own. */
  readonly custom?: CustomConfig;
  /** Absolute paths of single files: its environment file and what else was named. */
  readonly configFiles: readonly string[];
  readonly lifecycle: { readonly stop: LifecycleStep; readonly start: LifecycleStep } | undefined;
  /** Looks at what a drill restored. */
  readonly drillCheckCommand?: readonly string[] | undefined;
  /** What a lifecycle command gets of our own environment: where programs and a user's session are found, no secrets. */
  readonly commandEnvironment: Readonly<Record<string, string>>;
  /** Folder as the backend sees it → folder as seen here. */
  readonly paths: Readonly<Record<string, string>>;
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly startTimeoutMs: number;
  /** A second place for it; undefined: there is none. */
  readonly standby?: StandbyConfig | undefined;
};

const commandVariables = ['PATH', 'HOME', 'USER', 'LANG', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS', 'DOCKER_HOST'];

/** What is watched, put together; undefined when nothing was configured. */
export function buildTarget(
  values: SettingValues,
  structure: TargetStructure,
  cwd: string,
  origins: Origins,
  problems: Problem[],
  env: Readonly<Record<string, string | undefined>>,
): TargetConfig | undefined {
  const path = (value: string): string => resolve(cwd, value);
  const workingDir = values.workingDir === undefined ? undefined : path(values.workingDir);
  const inputDir = values.inputDir === undefined ? undefined : path(values.inputDir);
  const { kind, from: kindFrom } = decideKind(values, structure, workingDir);
  if (values.targetUrl === undefined && (kind !== 'graphrag' || workingDir === undefined)) {
    problems.push(...withoutPlace(kind, origins));
    return undefined;
  }
  problems.push(...findKindProblems(kind, structure, origins));
  if ((values.targetUsername === undefined) !== (values.targetPassword === undefined))
    problems.push({
      place: (values.targetUsername === undefined ? origins.targetPassword : origins.targetUsername).place,
      message: 'user name and password of the target belong together',
      mend: 'Set RAGWARDEN_TARGET_USERNAME and RAGWARDEN_TARGET_PASSWORD.',
    });
  if (workingDir !== undefined && inputDir !== undefined) {
    const nestedDeeply = isInside(inputDir, workingDir) && dirname(inputDir) !== workingDir;
    if (nestedDeeply || isInside(workingDir, inputDir))
      problems.push({
        place: origins.inputDir.place,
        message: 'the input folder and the working folder lie inside each other',
        mend: 'Keep them apart, or put the input folder directly into the working folder.',
      });
  }
  const target: TargetConfig = {
    id: values.targetId,
    kind,
    kindFrom,
    url: values.targetUrl,
    apiKey: values.targetApiKey,
    username: values.targetUsername,
    password: values.targetPassword,
    workspace: values.workspace,
    endpoints: buildEndpoints(structure.endpoints, { workspace: values.workspace }, { env, cwd, problems }),
    workingDir,
    inputDir,
    userDataDir: values.userDataDir === undefined ? workingDir : path(values.userDataDir),
    ...(kind === 'graphrag' ? { graphragCache: values.graphragCache } : {}),
    ...(kind === 'custom' ? { custom: buildCustom(structure.custom, values.targetUrl ?? '') } : {}),
    configFiles: [
      ...(values.targetEnvFile === undefined ? [] : [values.targetEnvFile]),
      ...values.targetConfigFiles,
    ].map(path),
    lifecycle: structure.lifecycle,
    drillCheckCommand: structure.drill_check_command,
    commandEnvironment: Object.fromEntries(commandVariables.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
    paths: structure.paths ?? {},
    probeIntervalMs: values.probeIntervalSeconds * 1000,
    probeTimeoutMs: values.probeTimeoutSeconds * 1000,
    stopTimeoutMs: values.stopTimeoutSeconds * 1000,
    startTimeoutMs: values.startTimeoutSeconds * 1000,
  };
  return {
    ...target,
    standby: buildStandby(structure.standby, target, { env, dataDir: path(values.dataDir), problems }),
  };
}

/** What was said of a target that cannot be reached in any way. */
function withoutPlace(kind: TargetKind, origins: Origins): Problem[] {
  const named = (
    ['workingDir', 'inputDir', 'workspace', 'targetApiKey', 'targetUsername', 'targetPassword', 'targetKind'] as const
  ).filter((name) => origins[name].kind !== 'default');
  const mend =
    kind === 'graphrag'
      ? 'Set WORKING_DIR (or target.working_dir) to the folder of the project, or RAGWARDEN_TARGET_URL to the service before it.'
      : 'Set RAGWARDEN_TARGET_URL (or target.url), or remove it.';
  return named.map((name) => ({
    place: origins[name].place,
    message: 'describes a target, but no target URL is set',
    mend,
  }));
}

/** What is said and belongs to another kind of target. */
function findKindProblems(kind: TargetKind, structure: TargetStructure, origins: Origins): Problem[] {
  const found: Problem[] = [];
  const refuse = (place: string, message: string, mend: string): void => {
    found.push({ place, message, mend });
  };
  const refuseSetting = (name: SettingName, mend: string): void => {
    if (origins[name].kind !== 'default') refuse(origins[name].place, `does not go with the kind ${kind}`, mend);
  };
  if (kind !== 'lightrag') {
    refuseSetting('workspace', 'Remove it: only LightRAG has workspaces of this sort.');
    if (structure.endpoints !== undefined)
      refuse(
        'target.endpoints',
        `does not go with the kind ${kind}`,
        'Remove it: only LightRAG has a process for each workspace.',
      );
  }
  if (kind !== 'custom' && structure.custom !== undefined)
    refuse('target.custom', `does not go with the kind ${kind}`, 'Remove it, or set target.kind to custom.');
  if (kind === 'custom') {
    for (const name of ['workingDir', 'inputDir'] as const)
      refuseSetting(name, 'Name the folder in target.custom.folders instead.');
    const folders = (structure.custom?.folders ?? []).map(({ path }) => resolve(path));
    for (const [at, folder] of folders.entries())
      if (folders.some((other, index) => index !== at && isInside(folder, other)))
        refuse(
          'target.custom.folders',
          `${folder} lies inside another of the folders`,
          'Name the outer one alone, or folders that lie apart.',
        );
  }
  return found;
}

/** What has no effect with this kind of target, and does no harm. */
export function noticeKind(
  config: { readonly target: Pick<TargetConfig, 'kind'> | undefined },
  origins: Origins,
): Problem[] {
  const kind = config.target?.kind;
  if (kind === undefined || kind === 'lightrag') return [];
  return (['canaryQuestion', 'reprocessStuck', 'postgresDump'] as const)
    .filter((name) => !['default', 'profile'].includes(origins[name].kind))
    .map((name) => ({
      place: origins[name].place,
      message: `has no effect: it is for LightRAG, and the target is of the kind ${kind}`,
      mend: 'It may stay.',
    }));
}

/** Folders of the target as they are named. */
export const foldersOfTarget = (target: TargetConfig): readonly string[] => [
  ...(target.workingDir === undefined ? [] : [target.workingDir]),
  ...(target.inputDir === undefined ? [] : [target.inputDir]),
  ...(target.custom?.folders ?? []).map(({ path }) => path),
];
