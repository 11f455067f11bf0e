import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { systemCode } from '../../platform/errors.ts';

/** Where one part of a project lies; `elsewhere` says what keeps it when it is no folder that can be seen from here. */
export type ProjectPlace = { readonly folder: string } | { readonly elsewhere: string };

export type ProjectLayout = {
  /** The settings file; undefined where none can be read, and then the places are those of a new project. */
  readonly settingsFile: string | undefined;
  /** Why the settings cannot be read, as a sentence. */
  readonly fault: string | undefined;
  readonly input: ProjectPlace;
  readonly output: ProjectPlace;
  readonly updates: ProjectPlace;
  readonly cache: ProjectPlace;
  readonly logs: ProjectPlace;
  readonly vectors: ProjectPlace;
  /** `parquet`, `csv` …: what the tables are written as. */
  readonly tables: string;
  /** Whether claims are extracted, which makes one table more. */
  readonly claims: boolean;
};

const names = ['settings.yaml', 'settings.yml', 'settings.json'] as const;
/** A file of settings has some hundred lines. */
const greatestBytes = 1024 * 1024;

const text = z.string().optional().catch(undefined);
const storage = z.looseObject({ type: text, base_dir: text }).optional().catch(undefined);
/** Names of version 3, then those of 2; whatever has another form counts as not said. */
const settingsShape = z.looseObject({
  input_storage: storage,
  output_storage: storage,
  update_output_storage: storage,
  output: storage,
  update_index_output: storage,
  input: z.looseObject({ base_dir: text, storage }).optional().catch(undefined),
  cache: z.looseObject({ type: text, base_dir: text, storage }).optional().catch(undefined),
  reporting: storage,
  vector_store: z.looseObject({ type: text, db_uri: text }).optional().catch(undefined),
  table_provider: z.looseObject({ type: text }).optional().catch(undefined),
  extract_claims: z
    .looseObject({ enabled: z.boolean().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** What of it is not said lies where `graphrag init` puts it. */
export function readProjectLayout(project: string): ProjectLayout {
  const { settings, file, fault } = readSettings(project);
  const place = (said: z.infer<typeof storage>, fallback: string): ProjectPlace => {
    const type = said?.type ?? 'file';
    if (type !== 'file') return { elsewhere: type };
    return folderOf(project, said?.base_dir ?? fallback);
  };
  const { cache, vector_store: vectors } = settings;
  const kept = cache?.storage ?? (cache?.base_dir === undefined ? undefined : { base_dir: cache.base_dir });
  const cacheType = cache?.type === 'json' || cache?.type === 'file' ? 'file' : (cache?.type ?? 'file');
  const vectorType = vectors?.type ?? 'lancedb';
  return {
    settingsFile: file,
    fault,
    input: place(
      settings.input_storage ??
        settings.input?.storage ??
        (settings.input?.base_dir === undefined ? undefined : { base_dir: settings.input.base_dir }),
      'input',
    ),
    output: place(settings.output_storage ?? settings.output, 'output'),
    updates: place(settings.update_output_storage ?? settings.update_index_output, 'update_output'),
    cache: ['file', 'sqlite'].includes(cacheType) ? place(kept, 'cache') : { elsewhere: cacheType },
    logs: place(settings.reporting, 'logs'),
    vectors:
      vectorType === 'lancedb' ? folderOf(project, vectors?.db_uri ?? 'output/lancedb') : { elsewhere: vectorType },
    tables: settings.table_provider?.type ?? 'parquet',
    claims: settings.extract_claims?.enabled === true,
  };
}

/** GraphRAG puts variables in place; what they are is known to whoever runs it. */
const folderOf = (project: string, written: string): ProjectPlace =>
  written.includes('$') ? { elsewhere: 'a folder that a variable names' } : { folder: resolve(project, written) };

/** Places of the project that lie outside of its folder, and so in no point of it. */
export function findPlacesOutside(
  project: string,
  layout: ProjectLayout,
): { readonly part: string; readonly where: string }[] {
  return (['input', 'output', 'vectors'] as const).flatMap((part) => {
    const place = layout[part];
    if ('elsewhere' in place) return place.elsewhere === 'memory' ? [] : [{ part, where: place.elsewhere }];
    const way = relative(project, place.folder);
    return way.startsWith('..') || isAbsolute(way) ? [{ part, where: place.folder }] : [];
  });
}

/** A place as a path below the project, for what leaves it out; undefined where it lies elsewhere. */
export function pathInProject(project: string, place: ProjectPlace): string | undefined {
  if ('elsewhere' in place) return undefined;
  const way = relative(project, place.folder);
  return way === '' || way.startsWith('..') || isAbsolute(way) ? undefined : way;
}

function readSettings(project: string): {
  settings: z.infer<typeof settingsShape>;
  file: string | undefined;
  fault: string | undefined;
} {
  const nothing = { settings: settingsShape.parse({}), file: undefined };
  for (const name of names) {
    const file = join(project, name);
    try {
      const found = statSync(file);
      // A pipe would be waited for.
      if (!found.isFile()) return { ...nothing, fault: `${name} is no plain file.` };
      const { size } = found;
      if (size > greatestBytes) return { ...nothing, fault: `${name} is larger than ${greatestBytes} bytes.` };
      // JSON is YAML too. What is wrong with it is not quoted: it may hold keys.
      const document = parseDocument(readFileSync(file, 'utf8'));
      if (document.errors.length > 0) return { ...nothing, fault: `${name} cannot be read (it is no YAML).` };
      const settings = settingsShape.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
      if (!settings.success) return { ...nothing, fault: `${name} holds no settings.` };
      return { settings: settings.data, file, fault: undefined };
    } catch (err) {
      if (systemCode(err) === 'ENOENT') continue;
      const why = systemCode(err) ?? 'it is no YAML';
      return { ...nothing, fault: `${name} cannot be read (${why}).` };
    }
  }
  return { ...nothing, fault: 'There is no settings.yaml: this is no GraphRAG project, or its settings were removed.' };
}
