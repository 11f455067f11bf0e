import { findVariable } from './catalogue/index.ts';
import type { IndexFacts } from './consequence.ts';
import type { EffectiveValue } from './effective.ts';
import type { Parameter, TuningValue } from './parameter.ts';
import { readValue } from './parameter.ts';

/** What one backend is seen to run with. Undefined: nobody could look. */
export type Running = {
  /** Its `/health` of an authenticated caller, under its own names. */
  readonly configuration: Readonly<Record<string, TuningValue>> | undefined;
  /** Its environment file, under the names of variables. */
  readonly environment: ReadonlyMap<string, string> | undefined;
  /** GraphRAG's settings.yaml, under our names. */
  readonly settings?: ReadonlyMap<string, TuningValue> | undefined;
  /** Of the backend, as it tells it. */
  readonly version?: string | undefined;
  readonly index: IndexFacts | undefined;
};

export type Drift = {
  readonly parameter: string;
  readonly backendName: string | null;
  /** What somebody set here; null where nobody did (only the index and the backend contradict each other). */
  readonly wanted: TuningValue | null;
  readonly found: TuningValue | null;
  /** Where the other value was seen. `environment-file`: written, and read at the next start. */
  readonly where: 'backend' | 'environment-file' | 'settings-file' | 'index';
  readonly message: string;
};

export type DriftReport = {
  readonly drift: readonly Drift[];
  /** Of what somebody set: how many were compared, and what nobody could see. */
  readonly compared: number;
  readonly unseen: readonly string[];
};

/** Where LightRAG tells a value under another name than ours. Source: `/health` of LightRAG 1.5.7. */
const toldAs: Readonly<Record<string, string>> = {
  max_async_llm: 'max_async',
  max_async_rerank: 'rerank_max_async',
  cache_enabled: 'enable_llm_cache',
};
/** Names under which it tells something else: there `enable_rerank` is whether there is a reranker at all. */
const toldOtherwise: ReadonlySet<string> = new Set(['enable_rerank']);

/** What the backend itself says of a parameter; undefined when it does not. */
export function toldValue(parameter: Parameter, configuration: Running['configuration']): TuningValue | undefined {
  if (toldOtherwise.has(parameter.name)) return undefined;
  return configuration?.[toldAs[parameter.name] ?? parameter.name];
}

/**
 * What differs between what somebody set and what the backend runs with. A value that nobody set is nobody's wish, and never drift.
 */
export function findDrift(wanted: readonly EffectiveValue[], running: Running): DriftReport {
  const set = wanted.filter(
    ({ parameter, value, origin }) =>
      origin !== 'built-in' &&
      value !== null &&
      parameter.backend === (running.settings ? 'graphrag' : 'lightrag') &&
      parameter.backendName !== null,
  );
  const drift: Drift[] = [];
  const unseen: string[] = [];
  for (const { parameter, value } of set) {
    const seen = seenOf(parameter, running);
    if (seen.length === 0) unseen.push(parameter.name);
    for (const { where, found } of seen)
      if (!isSame(found, value))
        drift.push({
          parameter: parameter.name,
          backendName: parameter.backendName,
          wanted: value,
          found,
          where,
          message: tell(parameter, value, found, where),
        });
  }
  return { drift: [...drift, ...contradictions(running)], compared: set.length - unseen.length, unseen };
}

const isSame = (one: TuningValue | null, other: TuningValue | null): boolean =>
  one === other || (typeof one === 'number' && typeof other === 'number' && Math.abs(one - other) < 1e-9);

function seenOf(parameter: Parameter, { configuration, environment, settings, index }: Running) {
  const seen: { where: Drift['where']; found: TuningValue | null }[] = [];
  const told = toldValue(parameter, configuration);
  if (told !== undefined) seen.push({ where: 'backend', found: told });
  const written = settings?.get(parameter.name);
  if (written !== undefined) seen.push({ where: 'settings-file', found: written });
  if (environment && !settings) {
    const found = fromEnvironment(environment, parameter);
    // What does not stand in the file may come from elsewhere: only what stands there differs.
    if (found !== undefined) seen.push({ where: 'environment-file', found });
  }
  if (parameter.name === 'vector_dimension' && index?.dimension !== undefined)
    seen.push({ where: 'index', found: index.dimension });
  return seen;
}

/** What an environment file says. A text that is no value of the parameter is told as it stands. */
export function fromEnvironment(
  environment: ReadonlyMap<string, string>,
  parameter: Parameter,
): TuningValue | undefined {
  for (const [variable, text] of environment)
    if (variable === parameter.backendName && text.trim() !== '') return readValue(parameter.kind, text) ?? text;
  for (const [variable, text] of environment)
    if (findVariable(variable) === parameter && text.trim() !== '') return readValue(parameter.kind, text) ?? text;
  return undefined;
}

const places: Readonly<Record<Drift['where'], string>> = {
  backend: 'the backend runs with',
  'environment-file': 'its environment file says',
  'settings-file': 'its settings.yaml says',
  index: 'the index has',
};
const tell = (
  parameter: Parameter,
  wanted: TuningValue | null,
  found: TuningValue | null,
  where: Drift['where'],
): string => `${parameter.name} shall be ${wanted}, and ${places[where]} ${found}.`;

/** What the backend is told and the index has, whoever set it: the one that ruins an index. */
function contradictions({ environment, index }: Running): Drift[] {
  const text = environment?.get('EMBEDDING_DIM');
  const dimension = text === undefined ? undefined : Number(text);
  if (dimension === undefined || !Number.isInteger(dimension) || index?.dimension === undefined) return [];
  if (dimension === index.dimension) return [];
  return [
    {
      parameter: 'vector_dimension',
      backendName: 'EMBEDDING_DIM',
      wanted: null,
      found: dimension,
      where: 'environment-file',
      message: `The environment file says EMBEDDING_DIM=${dimension}, and the vectors of the index have ${index.dimension}: at its next start the backend fails or begins an empty index.`,
    },
  ];
}
