import { isMap, isScalar, LineCounter, type Node, parseDocument, visit, type YAMLMap } from 'yaml';
import { findNearestName } from './nearest-name.ts';
import { readPlainFile } from './plain-file.ts';
import type { Setting } from './setting.ts';
import { findSettingByKey, settingEntries, settings } from './settings.ts';
import { noStructure, type Structure, structuredKeys, takeStructure } from './structures.ts';

export type Problem = {
  /** The variable, the flag, or file:line. */
  readonly place: string;
  readonly message: string;
  /** What to do about it. */
  readonly mend: string;
};

export type SettingsFile = {
  readonly path: string;
  /** Key of a setting → what is written there, with its type, and where. */
  readonly values: ReadonlyMap<string, { readonly value: unknown; readonly place: string }>;
  readonly structure: Structure;
  readonly problems: readonly Problem[];
};

/** A settings file has some hundred lines; more is another file. */
const greatestBytes = 1024 * 1024;

/**
 * Reads `ragwarden.yaml`. Unknown keys are problems, with the nearest known key suggested.
 * @returns undefined when there is no such file
 */
export function readSettingsFile(path: string): SettingsFile | undefined {
  const read = readPlainFile(path, greatestBytes);
  if (read.ok) return parseSettingsFile(read.text, path);
  return read.missing ? undefined : failed(path, [{ place: path, message: read.complaint, mend: read.mend }]);
}

const failed = (path: string, problems: readonly Problem[]): SettingsFile => ({
  path,
  values: new Map(),
  structure: noStructure,
  problems,
});

export function parseSettingsFile(source: string, path: string): SettingsFile {
  const lines = new LineCounter();
  let document: ReturnType<typeof parseDocument>;
  try {
    document = parseDocument(source, { lineCounter: lines, uniqueKeys: true });
  } catch {
    // The parser calls itself for each level, so some hundred thousand brackets exhaust it.
    return failed(path, [{ place: path, message: 'is nested too deeply to be read', mend: 'Mend the YAML there.' }]);
  }
  const placeOf = (node: unknown): string => {
    const range = (node as Node | null | undefined)?.range;
    return range ? `${path}:${lines.linePos(range[0]).line}` : path;
  };
  const problems: Problem[] = [...document.errors, ...document.warnings].map((err) => ({
    place: err.linePos ? `${path}:${err.linePos[0].line}` : path,
    message: (err.message.split('\n')[0] ?? err.message).replace(/ at line \d+, column \d+:?$/, ''),
    mend: 'Mend the YAML there.',
  }));
  if (problems.length > 0) return failed(path, problems);
  const forbidden = findForbidden(document);
  if (forbidden) {
    const { node, message, mend } = forbidden;
    return failed(path, [{ place: placeOf(node), message, mend }]);
  }
  return { path, ...readRoot(document, path, placeOf) };
}

/** What no settings file needs and what other programs were tripped by. */
function findForbidden(
  document: ReturnType<typeof parseDocument>,
): { node: unknown; message: string; mend: string } | undefined {
  let found: ReturnType<typeof findForbidden>;
  visit(document, {
    Alias(_key, node) {
      // A chain of anchors that name each other grows without bound when it is followed.
      found = { node, message: 'refers to an anchor, which is not followed here', mend: 'Write the value out.' };
      return visit.BREAK;
    },
    Pair(_key, { key }) {
      if (!isScalar(key) || key.value !== '__proto__') return undefined;
      found = { node: key, message: '__proto__ is not a setting', mend: 'Remove it.' };
      return visit.BREAK;
    },
  });
  return found;
}

function readRoot(
  document: ReturnType<typeof parseDocument>,
  path: string,
  placeOf: (node: unknown) => string,
): Omit<SettingsFile, 'path'> {
  const problems: Problem[] = [];
  const values = new Map<string, { value: unknown; place: string }>();
  let structure = noStructure;
  const plain = (node: unknown): unknown => (node as Node | null)?.toJS(document) ?? null;

  const readSetting = (definition: Setting, node: unknown): void => {
    const place = placeOf(node);
    if (definition.secret)
      problems.push({
        place,
        message: `${definition.key} is a secret and is never written into the file`,
        mend: `Set ${definition.env[0]?.name} in the environment, or name a file in ${definition.env[0]?.name}_FILE.`,
      });
    else values.set(definition.key, { value: plain(node), place });
  };

  const readStructure = (key: string, node: unknown): void => {
    const taken = takeStructure(structure, key, plain(node));
    if ('structure' in taken) structure = taken.structure;
    else
      for (const message of taken.complaints)
        problems.push({ place: placeOf(node), message, mend: 'See the end of docs/configuration.md.' });
  };

  const walk = (map: YAMLMap, prefix: string): void => {
    for (const pair of map.items) {
      const name = isScalar(pair.key) ? String(pair.key.value) : 'a key that is a list or a group';
      const key = prefix === '' ? name : `${prefix}.${name}`;
      const setting = findSettingByKey(key);
      if (setting) readSetting(settings[setting], pair.value);
      else if (structuredKeys.has(key)) readStructure(key, pair.value);
      else if (sections.has(key)) {
        if (isMap(pair.value)) walk(pair.value, key);
        else if (pair.value !== null && !(isScalar(pair.value) && pair.value.value === null))
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
  if (isMap(root)) walk(root as YAMLMap, '');
  else if (root !== null && !(isScalar(root) && root.value === null))
    problems.push({ place: `${path}:1`, message: 'the file holds no settings', mend: 'Write `key: value` lines.' });
  return { values, structure, problems };
}

/** Keys that hold other keys. */
export const sections: ReadonlySet<string> = new Set(
  [...settingEntries.map(([, one]) => one.key), ...structuredKeys].flatMap((key) => {
    const parts = key.split('.');
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'));
  }),
);
const everyKey = [...settingEntries.map(([, one]) => one.key), ...structuredKeys, ...sections];
