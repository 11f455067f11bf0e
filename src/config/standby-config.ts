import { dirname, isAbsolute } from 'node:path';
import type { TargetConfig } from './build-target.ts';
import { isInside } from './is-inside.ts';
import type { Problem } from './settings-file.ts';
import type { LifecycleStep, StandbyStructure } from './target-config.ts';

/** The second place of a target: what differs there. */
export type StandbyConfig = {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly workingDir: string;
  readonly inputDir: string | undefined;
  readonly lifecycle: { readonly stop: LifecycleStep; readonly start: LifecycleStep } | undefined;
  readonly zone: string | null;
  /** Components that it uses where the first place has them. */
  readonly shared: readonly string[];
};

const at = 'target.standby';

/** @param target as the settings describe the first place */
export function buildStandby(
  given: StandbyStructure | undefined,
  target: Omit<TargetConfig, 'standby'>,
  {
    env,
    dataDir,
    problems,
  }: { env: Readonly<Record<string, string | undefined>>; dataDir: string; problems: Problem[] },
): StandbyConfig | undefined {
  if (given === undefined) return undefined;
  const refuse = (message: string, mend: string): void => {
    problems.push({ place: at, message, mend });
  };
  if (target.kind !== 'lightrag')
    refuse(`does not go with the kind ${target.kind}`, 'Remove it: only LightRAG is brought up at a second place.');
  if (target.endpoints !== undefined && target.endpoints.length > 0)
    refuse('leads one process only, and the target has further endpoints', 'Remove one of the two.');
  if (target.workingDir === undefined)
    refuse('needs the folder of the first place', 'Set WORKING_DIR (target.working_dir).');
  if ((given.input_dir === undefined) !== (target.inputDir === undefined))
    refuse('both places have an input folder, or neither', 'Set target.standby.input_dir beside INPUT_DIR.');
  if (given.url === target.url) refuse('answers at the URL of the first place', 'Give it a port or a host of its own.');
  const own = [given.working_dir, ...(given.input_dir === undefined ? [] : [given.input_dir])];
  const foreign = [target.workingDir, target.inputDir, dataDir].filter((folder) => folder !== undefined);
  for (const folder of own)
    for (const other of foreign)
      if (isInside(folder, other) || isInside(other, folder))
        refuse(`${folder} and ${other} lie inside each other`, 'Give the second place folders of its own.');
  // As at the first place: the input folder may lie directly in the working folder.
  if (given.input_dir !== undefined) {
    const nestedDeeply = isInside(given.input_dir, given.working_dir) && dirname(given.input_dir) !== given.working_dir;
    if (nestedDeeply || isInside(given.working_dir, given.input_dir))
      refuse(
        'has an input folder and a working folder that lie inside each other',
        'Keep them apart, or put the input folder directly into the working folder.',
      );
  }
  const apiKey = given.api_key_env === undefined ? target.apiKey : env[given.api_key_env];
  if (given.api_key_env !== undefined && !apiKey)
    refuse(`names the variable ${given.api_key_env}, which is not set`, `Set ${given.api_key_env}.`);
  return {
    url: given.url.replace(/\/+$/, ''),
    apiKey,
    workingDir: given.working_dir,
    inputDir: given.input_dir,
    lifecycle: given.lifecycle,
    zone: given.zone ?? null,
    shared: given.shared ?? [],
  };
}

/**
 * A failover sets aside what it finds in the folders of the other place, and growth removes that some day: no repository may lie there.
 * @param repositories where points are kept and copied to; what is no folder lies nowhere here
 */
export function findRepositoriesInStandby(
  standby: Pick<StandbyConfig, 'workingDir' | 'inputDir'> | undefined,
  repositories: readonly { readonly place: string; readonly location: string }[],
): Problem[] {
  const folders = [standby?.workingDir, standby?.inputDir].filter((folder) => folder !== undefined);
  return repositories.flatMap(({ place, location }) => {
    const folder = folders.find((one) => isInside(location, one) || isInside(one, location));
    if (!isAbsolute(location) || folder === undefined) return [];
    return {
      place,
      message: `the repository ${location} and ${folder} of ${at} lie inside each other`,
      mend: 'Keep them apart: a failover puts aside what lies there.',
    };
  });
}

/** The places that a target can live at. `home` is the one that its settings describe first. */
export const placeIds = ['home', 'standby'] as const;
export type PlaceId = (typeof placeIds)[number];

/** The target as it is at one of its places. */
export function configAtPlace(config: TargetConfig, place: PlaceId): TargetConfig | undefined {
  if (place === 'home') return config;
  const { standby } = config;
  if (standby === undefined) return undefined;
  const { url, apiKey, workingDir, inputDir, lifecycle } = standby;
  return { ...config, url, apiKey, workingDir, inputDir, lifecycle, userDataDir: workingDir };
}
