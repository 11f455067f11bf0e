import { parseDocument } from 'yaml';
import { findNearestName } from '../../config/index.ts';
import { findSetting, parameters } from '../catalogue/index.ts';
import { readValue, type TuningValue, violation } from '../parameter.ts';
import { findContradictions } from '../rules.ts';
import { parseSettingsYaml } from './settings-yaml.ts';

export type SettingsFinding = {
  readonly severity: 'error' | 'warning' | 'suggestion';
  /** Paths of the file, the one that is meant first; empty for the file as a whole. */
  readonly paths: readonly string[];
  /** Where that stands; undefined where it does not. */
  readonly line: number | undefined;
  readonly message: string;
  readonly mend: string;
};

/** Sections of GraphRAG 3. What stands beside them is either of an older version or a slip. */
const sections: readonly string[] = [
  ...[
    'completion_models',
    'embedding_models',
    'input',
    'chunking',
    'input_storage',
    'output_storage',
    'table_provider',
  ],
  ...[
    'update_output_storage',
    'reporting',
    'cache',
    'vector_store',
    'embed_text',
    'extract_graph',
    'extract_graph_nlp',
  ],
  ...['summarize_descriptions', 'prune_graph', 'cluster_graph', 'extract_claims', 'community_reports', 'snapshots'],
  ...[
    'local_search',
    'global_search',
    'drift_search',
    'basic_search',
    'concurrent_requests',
    'async_mode',
    'workflows',
  ],
];
/** What version 2 called them. */
const older: Readonly<Record<string, string>> = {
  models: 'completion_models and embedding_models',
  chunks: 'chunking',
  output: 'output_storage',
  update_index_output: 'update_output_storage',
};
const dimensions: Readonly<Record<string, number>> = {
  'text-embedding-3-large': 3_072,
  'text-embedding-3-small': 1_536,
  'text-embedding-ada-002': 1_536,
};

/**
 * What GraphRAG 3 would refuse of its settings, or do otherwise than was meant. Nothing of the file is quoted but names and numbers:
 * it may hold keys.
 * @param environment names that the project's `.env` sets; undefined where there is none
 */
export function judgeProjectSettings(text: string, environment: ReadonlySet<string> | undefined): SettingsFinding[] {
  const settings = parseSettingsYaml(text);
  if (settings.unreadable.length > 0)
    return settings.unreadable.map(({ line }) => ({
      ...{ severity: 'error' as const, paths: [], line, message: 'is no YAML' },
      mend: 'Mend it; GraphRAG does not start like this.',
    }));
  const document = parseDocument(text, { logLevel: 'error' });
  const plain: unknown = document.toJS({ maxAliasCount: 100 });
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain))
    return [
      {
        ...{ severity: 'error', paths: [], line: 1, message: 'holds no settings' },
        mend: 'Begin with those that `graphrag init` writes.',
      },
    ];
  const lineOf = (path: string): number | undefined => lineIn(text, document.getIn(path.split('.'), true));
  const values = settings.values();
  return [
    ...valueFindings(values, lineOf),
    ...nameFindings(Object.keys(plain)),
    ...modelFindings(plain as Record<string, unknown>, values, lineOf),
    ...secretFindings(text, environment),
  ];
}

function lineIn(text: string, node: unknown): number | undefined {
  const start = (node as { range?: readonly number[] } | undefined)?.range?.[0];
  return start === undefined ? undefined : text.slice(0, start).split('\n').length;
}

function valueFindings(
  values: ReadonlyMap<string, string>,
  lineOf: (path: string) => number | undefined,
): SettingsFinding[] {
  const found: SettingsFinding[] = [];
  const known: Record<string, TuningValue> = {};
  for (const [path, written] of values) {
    const parameter = findSetting(path);
    // A variable is put in its place by GraphRAG.
    if (parameter === undefined || written.includes('${')) continue;
    const value = readValue(parameter.kind, written);
    if (value !== undefined) known[parameter.name] = value;
    else
      found.push({
        ...{ severity: 'error', paths: [path], line: lineOf(path) },
        message: `${path} ${violation(parameter.kind, Number.isNaN(Number(written)) ? written : Number(written)) ?? 'is no value of it'}`,
        mend: `Write such a value${parameter.fallback === null ? '' : `; GraphRAG's own is ${parameter.fallback}`}.`,
      });
  }
  const defaults = Object.fromEntries(
    parameters.flatMap(({ backend, name, fallback }) =>
      backend === 'graphrag' && fallback !== null ? [[name, fallback]] : [],
    ),
  );
  // Only what somebody wrote is judged, against what counts beside it.
  for (const { severity, of, message } of findContradictions({ ...defaults, ...known }, new Set(Object.keys(known)))) {
    const paths = of.flatMap((name) => parameters.find((one) => one.name === name)?.backendName ?? []);
    const told = of.reduce(
      (sentence, name, at) => sentence.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), paths[at] ?? name),
      message,
    );
    const line = paths.map(lineOf).find((one) => one !== undefined);
    found.push({ severity, paths, line, message: told, mend: 'Change one of them.' });
  }
  if (known.graphrag_cache_type === 'none' || known.graphrag_cache_type === 'memory')
    found.push({
      ...{ severity: 'warning', paths: ['cache.type'], line: lineOf('cache.type') },
      message: `cache.type is ${known.graphrag_cache_type}: a run that is repeated pays every call of the model again`,
      mend: 'Keep it in files (json).',
    });
  return found;
}

function nameFindings(names: readonly string[]): SettingsFinding[] {
  return names.flatMap((name): SettingsFinding[] => {
    if (sections.includes(name)) return [];
    const newer = older[name];
    if (newer !== undefined)
      return [
        {
          ...{ severity: 'warning', paths: [name], line: undefined },
          message: `${name} is of an older GraphRAG: version 3 reads ${newer}`,
          mend: 'Write the settings anew with `graphrag init`, or stay with the older version.',
        },
      ];
    const nearest = findNearestName(name, sections);
    if (nearest === undefined) return [];
    return [
      {
        ...{ severity: 'warning', paths: [name], line: undefined },
        message: `${name} is no section of GraphRAG 3`,
        mend: `Did you mean ${nearest}?`,
      },
    ];
  });
}

function modelFindings(
  plain: Record<string, unknown>,
  values: ReadonlyMap<string, string>,
  lineOf: (path: string) => number | undefined,
): SettingsFinding[] {
  const found: SettingsFinding[] = [];
  const size = Number(values.get('vector_store.vector_size') ?? 3_072);
  for (const [id, model] of entriesOf(plain.embedding_models)) {
    const name = entriesOf(model).find(([key]) => key === 'model')?.[1];
    const dimension = typeof name === 'string' ? dimensions[name] : undefined;
    if (dimension !== undefined && dimension !== size)
      found.push({
        ...{ severity: 'error', paths: ['vector_store.vector_size'], line: lineOf('vector_store.vector_size') },
        message: `vector_store.vector_size is ${size}, and ${String(name)} (embedding_models.${id}) makes vectors of ${dimension}`,
        mend: `Set it to ${dimension} and run the index anew.`,
      });
  }
  for (const kind of ['completion_models', 'embedding_models'])
    for (const [id, model] of entriesOf(plain[kind])) {
      const key = entriesOf(model).find(([name]) => name === 'api_key')?.[1];
      if (typeof key === 'string' && key !== '' && !key.includes('${'))
        found.push({
          ...{ severity: 'warning', paths: [`${kind}.${id}.api_key`], line: lineOf(`${kind}.${id}.api_key`) },
          message: `${kind}.${id}.api_key stands in the file itself, and in every copy of it`,
          mend: `Write \${GRAPHRAG_API_KEY} and put the key into .env beside it.`,
        });
    }
  return found;
}

const entriesOf = (of: unknown): [string, unknown][] =>
  typeof of === 'object' && of !== null && !Array.isArray(of) ? Object.entries(of) : [];

/** GraphRAG puts every variable of the file in place before it reads it, and ends where one is not set. */
function secretFindings(text: string, environment: ReadonlySet<string> | undefined): SettingsFinding[] {
  const withoutComments = text.replace(/(^|\s)#.*$/gm, '');
  const names = new Set([...withoutComments.matchAll(/(?<!\$)\$\{(\w+)\}/g)].map(([, name = '']) => name));
  return [...names]
    .filter((name) => environment?.has(name) !== true)
    .map((name) => ({
      ...{ severity: 'warning' as const, paths: [], line: undefined },
      message: `the variable ${name} is not in .env beside it: unless the environment of GraphRAG sets it, no run starts`,
      mend: `Set ${name} in .env.`,
    }));
}
