import { readFile } from 'node:fs/promises';
import { AppError, systemCode } from '../../platform/errors.ts';
import type { Observation } from '../../targets/index.ts';
import type { ApplyTarget } from '../apply/apply.ts';
import { findSetting } from '../catalogue/index.ts';
import { readValue, type TuningValue } from '../parameter.ts';
import { judgeProjectSettings } from './judge-settings.ts';
import { parseSettingsYaml } from './settings-yaml.ts';

/** What the settings of a project say, under our names; a text that is no value of its parameter as it stands. Undefined: no file can be read. */
export async function readProjectSettings(
  file: string | undefined,
): Promise<ReadonlyMap<string, TuningValue> | undefined> {
  if (file === undefined) return undefined;
  try {
    const settings = parseSettingsYaml(await readFile(file, 'utf8'));
    if (settings.unreadable.length > 0) return undefined;
    return new Map(
      [...settings.values()].flatMap(([path, text]) => {
        const parameter = findSetting(path);
        return parameter === undefined ? [] : [[parameter.name, readValue(parameter.kind, text) ?? text] as const];
      }),
    );
  } catch (err) {
    if (systemCode(err) === undefined) throw err;
    return undefined;
  }
}

/** What is the same for every kind of target. */
export type ApplyTargetRest = Pick<ApplyTarget, 'index' | 'probe' | 'takePoint'>;

/**
 * A GraphRAG project as something that values are applied to. Nobody has to be restarted: its next run reads the file. So nothing is
 * written while a run is under way, and what was written is read back and judged; what GraphRAG would refuse is put back.
 */
export function graphragTarget<Rest extends ApplyTargetRest>(options: {
  readonly id: string;
  /** Read at each look: a project may get its settings later. */
  settingsFile(): string | undefined;
  observation(): Observation | undefined;
  readonly rest: Rest;
}): ApplyTarget & Rest {
  const isRunning = (seen: Observation | undefined): boolean => seen?.run?.state === 'running';
  const underWay = 'A run of GraphRAG is under way and may read the settings: wait until it has ended.';
  return {
    id: options.id,
    ...options.rest,
    get environmentFile() {
      return options.settingsFile();
    },
    format: {
      backend: 'graphrag',
      name: 'settings.yaml',
      missing: 'The settings of the GraphRAG project are not visible here: WORKING_DIR names its folder.',
      parse: parseSettingsYaml,
    },
    hindrance: () => (isRunning(options.observation()) ? underWay : undefined),
    lifecycle: {
      automatic: true,
      describe: { stop: 'nothing has to be stopped', start: 'the next run of GraphRAG reads it' },
      findSignOfLife: async () => undefined,
      isExpectedDown: () => false,
      expectUp: () => undefined,
      async stop() {
        if (isRunning(await options.rest.probe())) throw new AppError('conflict/state', underWay);
      },
      async start() {
        const file = options.settingsFile();
        const text = file === undefined ? '' : await readFile(file, 'utf8');
        const wrong = judgeProjectSettings(text, undefined).filter(({ severity }) => severity === 'error');
        if (wrong.length > 0)
          throw new AppError(
            'conflict/state',
            `GraphRAG would not run with it: ${wrong.map(({ message }) => message).join('; ')}.`,
          );
      },
    },
  };
}
