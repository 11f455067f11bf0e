import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { systemCode } from '../platform/errors.ts';
import { findNearestName } from './nearest-name.ts';
import { type Setting, settings } from './settings.ts';
import { type TargetStructure, targetStructure } from './target-config.ts';

export type Problem = {
  /** The variable, the flag, or file:line. */
  readonly place: string;
  readonly message: string;
  /** What to do about it. */
  readonly mend: string;
};

export type SettingsFile = {
  readonly path: string;
  /** Key of a setting → what is written there and where. */
  readonly values: ReadonlyMap<string, { readonly raw: string; readonly place: string }>;
  readonly target: TargetStructure;
  readonly problems: readonly Problem[];
};

/** Sections that hold more than scalars; their own schema reads them. */
const structuredKeys = new Set(['target.lifecycle', 'target.paths']);

/**
 * Reads `ragwarden.yaml`. Unknown keys are problems, with the nearest known key suggested.
 * @returns undefined when there is no such file
 */
export function readSettingsFile(path: string): SettingsFile | undefined {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return undefined;
    return failed(
      path,
      `${path}`,
      `cannot be read (${systemCode(err) ?? 'unknown error'})`,
      'Check the path and its permissions.',
    );
  }
  return parseSettingsFile(source, path);
}

const failed = (path: string, place: string, message: string, mend: string): SettingsFile => ({
  path,
  values: new Map(),
  target: {},
  problems: [{ place, message, mend }],
});

export function parseSettingsFile(source: string, path: string): SettingsFile {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, uniqueKeys: true, maxAliasCount: 0 } as object);
  const placeOf = (node: unknown): string => {
    const range = (node as Node | null | undefined)?.range;
    return range ? `${path}:${lines.linePos(range[0]).line}` : path;
  };
  const problems: Problem[] = document.errors.map((err) => ({
    place: err.linePos ? `${path}:${err.linePos[0].line}` : path,
    message: (err.message.split('\n')[0] ?? err.message).replace(/ at line \d+, column \d+:?$/, ''),
    mend: 'Mend the YAML there.',
  }));
  const values = new Map<string, { raw: string; place: string }>();
  let target: TargetStructure = {};
  if (problems.length > 0) return { path, values, target, problems };

  const known = new Map<string, Setting>(Object.values(settings).map((one) => [one.key, one as Setting]));
  const sections = new Set<string>();
  for (const key of [...known.keys(), ...structuredKeys]) {
    const parts = key.split('.');
    for (let i = 1; i < parts.length; i += 1) sections.add(parts.slice(0, i).join('.'));
  }
  const everyKey = [...known.keys(), ...structuredKeys, ...sections];

  const readScalar = (definition: Setting, key: string, node: unknown): void => {
    const place = placeOf(node);
    if (definition.secret) {
      problems.push({
        place,
        message: `${key} is a secret and is never written into the file`,
        mend: `Set ${definition.env[0]?.name} in the environment, or name a file in ${definition.env[0]?.name}_FILE.`,
      });
      return;
    }
    if (isScalar(node) && node.value !== null && typeof node.value !== 'object')
      values.set(key, { raw: String(node.value), place });
    else if (isSeq(node) && node.items.every((item) => isScalar(item)))
      values.set(key, { raw: node.items.map((item) => String(isScalar(item) ? item.value : '')).join(','), place });
    else problems.push({ place, message: `${key} holds no plain value`, mend: `Write ${definition.parser.describe}.` });
  };

  const readStructure = (key: string, node: unknown): void => {
    const field = key.slice('target.'.length);
    const plain = (node as Node).toJS(document) as unknown;
    const parsed = targetStructure.safeParse({ ...target, [field]: plain });
    if (parsed.success) {
      target = parsed.data;
      return;
    }
    for (const issue of parsed.error.issues)
      problems.push({
        place: placeOf(node),
        message: `target.${issue.path.join('.')}: ${issue.message}`,
        mend: 'See the end of docs/configuration.md.',
      });
  };

  const walk = (map: YAMLMap, prefix: string): void => {
    for (const pair of map.items) {
      const name = String(isScalar(pair.key) ? pair.key.value : pair.key);
      const key = prefix === '' ? name : `${prefix}.${name}`;
      const definition = known.get(key);
      if (definition) readScalar(definition, key, pair.value);
      else if (structuredKeys.has(key)) readStructure(key, pair.value);
      else if (sections.has(key)) {
        if (isMap(pair.value)) walk(pair.value, key);
        else if (!isScalar(pair.value) || pair.value.value !== null)
          problems.push({
            place: placeOf(pair.key),
            message: `${key} must hold settings below it`,
            mend: 'Indent its settings below it.',
          });
      } else {
        const nearest = findNearestName(key, everyKey);
        problems.push({
          place: placeOf(pair.key),
          message: `${key} is not a setting`,
          mend: nearest ? `Did you mean ${nearest}?` : 'Remove it; `ragwarden config reference` lists all settings.',
        });
      }
    }
  };

  const root = document.contents;
  if (isMap(root)) walk(root, '');
  else if (root !== null && !(isScalar(root) && root.value === null))
    problems.push({ place: `${path}:1`, message: 'the file holds no settings', mend: 'Write `key: value` lines.' });
  return { path, values, target, problems };
}
