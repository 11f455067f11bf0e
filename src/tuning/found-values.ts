import { isAtLeast } from '../targets/index.ts';
import { parameters, promisedParameters } from './catalogue/index.ts';
import { fromEnvironment, type Running, toldValue } from './drift.ts';
import { type Parameter, type TuningValue, violation } from './parameter.ts';

/**
 * Where it was seen what the backend runs with. `backend-default`: its file is visible here and does not name it, so that it takes its
 * own default unless the environment of its process says otherwise.
 */
export type FoundIn = 'backend' | 'environment-file' | 'settings-file' | 'index' | 'backend-default';

export type FoundValue = {
  readonly parameter: Parameter;
  /** Null: nobody could see it. */
  readonly value: TuningValue | null;
  readonly in: FoundIn | null;
};

/** The six have defaults that were promised here; what the backend takes where nobody says is another matter. */
const ownDefaults: ReadonlyMap<string, TuningValue> = new Map<string, TuningValue>([
  ['chunk_size', 1_200],
  ['cache_enabled', true],
]);
const promised: ReadonlySet<string> = new Set(promisedParameters.map(({ name }) => name));

/** What one backend is seen to run with, of every parameter that its kind has. What cannot be seen is null and never assumed. */
export function findValues(kind: 'lightrag' | 'graphrag', running: Running): FoundValue[] {
  return parameters
    .filter(({ backend, backendName }) => backend === kind && backendName !== null)
    .map((parameter) => ({ parameter, ...seen(parameter, running) }));
}

function seen(parameter: Parameter, running: Running): Pick<FoundValue, 'value' | 'in'> {
  const { configuration, environment, settings, index } = running;
  const told = toldValue(parameter, configuration);
  if (told !== undefined) return { value: told, in: 'backend' };
  if (environment && parameter.backend === 'lightrag') {
    const written = fromEnvironment(environment, parameter);
    if (written !== undefined) return { value: written, in: 'environment-file' };
  }
  if (settings && parameter.backend === 'graphrag') {
    const written = settings.get(parameter.name);
    if (written !== undefined)
      return violation(parameter.kind, written) === undefined
        ? { value: written, in: 'settings-file' }
        : { value: String(written), in: 'settings-file' };
  }
  if (parameter.name === 'vector_dimension' && index?.dimension !== undefined)
    return { value: index.dimension, in: 'index' };
  const isVisible = parameter.backend === 'lightrag' ? environment !== undefined : settings !== undefined;
  const value = isVisible ? defaultOf(parameter, running.version) : undefined;
  return value === undefined ? { value: null, in: null } : { value, in: 'backend-default' };
}

function defaultOf(parameter: Parameter, version: string | undefined): TuningValue | undefined {
  if (promised.has(parameter.name)) return ownDefaults.get(parameter.name);
  const { fallback, fallbackBefore } = parameter;
  if (fallbackBefore === undefined) return fallback ?? undefined;
  const isNewer = isAtLeast(version, fallbackBefore.version);
  return isNewer === undefined ? undefined : isNewer ? (fallback ?? undefined) : fallbackBefore.value;
}
