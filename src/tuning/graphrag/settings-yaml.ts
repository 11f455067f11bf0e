import { isDeepStrictEqual } from 'node:util';
import { type Document, isAlias, isMap, isScalar, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { findSetting } from '../catalogue/index.ts';

/** GraphRAG's settings file, read by paths such as `chunking.size`, and written so that every other byte stays. */
export type SettingsYaml = {
  /** What each parameter of the catalogue is there, as it would be written; what is not there is left out. */
  values(): ReadonlyMap<string, string>;
  /** Lines at which it is no YAML, from 1. */
  readonly unreadable: readonly { readonly line: number }[];
  /**
   * With these values: replaced where one stands, else added to its section, else a section added at the end; null makes comments of
   * the lines of one, and of its section when nothing else is in it.
   * @throws RangeError where that cannot be done so that the same is read and nothing else changes
   */
  with(changes: Readonly<Record<string, string | null>>): string;
};

const most = { maxAliasCount: 100 };

export function parseSettingsYaml(text: string): SettingsYaml {
  const document = parse(text);
  const wrong = document.errors.map(({ linePos }) => ({ line: linePos?.[0].line ?? 1 }));
  const unreadable = wrong.length > 0 || canBeRead(document) ? wrong : [{ line: 1 }];
  return {
    unreadable,
    values: () => (unreadable.length > 0 ? new Map() : valuesOf(document)),
    with(changes) {
      if (unreadable.length > 0) throw new RangeError('The settings cannot be read, so nothing can be written there.');
      let next = text;
      for (const [path, value] of Object.entries(changes)) next = change(next, path.split('.'), value);
      requireSame(document, parse(next), changes);
      return next;
    },
  };
}

const parse = (text: string): Document.Parsed => parseDocument(text, { prettyErrors: true, logLevel: 'error' });

/** False: it refers to what is not there, or so often that nobody should follow. */
function canBeRead(document: Document.Parsed): boolean {
  try {
    document.toJS(most);
    return true;
  } catch (err) {
    if (!(err instanceof ReferenceError)) throw err;
    return false;
  }
}

function valuesOf(document: Document.Parsed): ReadonlyMap<string, string> {
  const plain: unknown = document.toJS(most);
  const found = new Map<string, string>();
  const visit = (value: unknown, path: readonly string[]): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [name, one] of Object.entries(value)) visit(one, [...path, name]);
    } else if (value !== null && value !== undefined && !Array.isArray(value)) {
      const name = path.join('.');
      if (findSetting(name) !== undefined) found.set(name, String(value));
    }
  };
  visit(plain, []);
  return found;
}

/** As YAML and JSON both read it; also a number out of range, which may have to be put back. */
function written(path: string, value: string): string {
  const type = findSetting(path)?.kind.type;
  const isPlain =
    type === 'boolean'
      ? /^(true|false)$/.test(value)
      : (type === 'integer' || type === 'number') && value.trim() !== '' && Number.isFinite(Number(value));
  return isPlain ? (type === 'boolean' ? value : String(Number(value))) : JSON.stringify(value);
}

function change(text: string, path: readonly string[], value: string | null): string {
  const document = parse(text);
  const name = path.join('.');
  const pairs = pairsAlong(document, path);
  const last = pairs.at(-1);
  if (pairs.length === path.length && last !== undefined)
    return value === null ? remove(text, pairs) : replace(text, last, written(name, value));
  if (value === null) return text;
  const rest = path.slice(pairs.length);
  const parent = last === undefined ? document.contents : last.value;
  const leaf = written(name, value);
  if (isMap(parent) && parent.flow === true) return insertInFlow(text, parent as YAMLMap, rest, leaf);
  if (isMap(parent) && parent.items.length > 0) return insertInBlock(text, parent as YAMLMap, rest, leaf);
  if (last === undefined)
    return `${text}${text === '' || text.endsWith('\n') ? '' : endOfLine(text)}${nested(rest, leaf, '', endOfLine(text))}`;
  throw new RangeError(
    `${path.slice(0, pairs.length).join('.')} is no section of the settings, so ${name} cannot be written there.`,
  );
}

/** The pairs that lead there, as far as there are any. */
function pairsAlong(document: Document.Parsed, path: readonly string[]): Pair[] {
  const found: Pair[] = [];
  let at: unknown = document.contents;
  for (const name of path) {
    if (isAlias(at)) throw new RangeError(`${path.join('.')} is shared with another section: write it by hand.`);
    if (!isMap(at)) break;
    const pair = at.items.find(({ key }) => isScalar(key) && key.value === name);
    if (pair === undefined) break;
    found.push(pair);
    at = pair.value;
  }
  return found;
}

type Ranged = { readonly range?: readonly [number, number, number] | null };
function rangeOf(node: unknown): readonly [number, number, number] {
  const range = (node as Ranged | null)?.range; // every node of a document that was read has one
  if (!range) throw new RangeError('The settings have a form that cannot be written to.');
  return range;
}

function replace(text: string, pair: Pair, leaf: string): string {
  if (isAlias(pair.value)) throw new RangeError('The value is shared with another one: write it by hand.');
  const [start, end] = rangeOf(pair.value);
  // A name without a value has its place right after the colon.
  const space = start === end && !/\s/.test(text[start - 1] ?? '') ? ' ' : '';
  return `${text.slice(0, start)}${space}${leaf}${text.slice(end)}`;
}

const endOfLine = (text: string): string => (/\r\n/.test(text) ? '\r\n' : '\n');
const startOfLine = (text: string, at: number): number => text.lastIndexOf('\n', at - 1) + 1;

/** `a:` and what is below it, down to the value. */
function nested(path: readonly string[], leaf: string, indent: string, end: string): string {
  return path
    .map((name, depth) => `${indent}${'  '.repeat(depth)}${name}:${depth === path.length - 1 ? ` ${leaf}` : ''}${end}`)
    .join('');
}

function insertInBlock(text: string, map: YAMLMap, rest: readonly string[], leaf: string): string {
  const [start] = rangeOf(map.items[0]?.key);
  const line = startOfLine(text, start);
  const indent = text.slice(line, start);
  if (indent.trim() !== '') throw new RangeError('The section begins within a line: write it by hand.');
  return `${text.slice(0, line)}${nested(rest, leaf, indent, endOfLine(text))}${text.slice(line)}`;
}

/** JSON is YAML in this form. */
function insertInFlow(text: string, map: YAMLMap, rest: readonly string[], leaf: string): string {
  const [start] = rangeOf(map);
  const value = rest
    .slice(1)
    .reverse()
    .reduce((inner, name) => `{${JSON.stringify(name)}: ${inner}}`, leaf);
  const comma = map.items.length === 0 ? '' : ', ';
  return `${text.slice(0, start + 1)}${JSON.stringify(rest[0])}: ${value}${comma}${text.slice(start + 1)}`;
}

function remove(text: string, pairs: readonly Pair[]): string {
  // The outermost section that has nothing but this in it.
  let from = pairs.length - 1;
  while (from > 0 && isAlone(pairs[from - 1]?.value)) from -= 1;
  const pair = pairs[from];
  const parent = from === 0 ? undefined : pairs[from - 1]?.value;
  if (pair === undefined || (isMap(parent) && parent.flow === true))
    throw new RangeError('It stands in a line with others: take it out by hand.');
  const start = startOfLine(text, rangeOf(pair.key)[0]);
  const [, reach] = rangeOf(pair.value ?? pair.key);
  const lines = text.slice(start, reach).trimEnd();
  // Between \r and \n no line begins, although a regular expression finds one there.
  return `${text.slice(0, start)}${lines.replace(/^(?!\n)/gm, '# ')}${text.slice(start + lines.length)}`;
}

const isAlone = (section: unknown): boolean => isMap(section) && section.items.length === 1;

/** @throws RangeError where something else would change, or what was asked for would not be read */
function requireSame(
  before: Document.Parsed,
  after: Document.Parsed,
  changes: Readonly<Record<string, string | null>>,
): void {
  const refused = new RangeError('The settings have a form in which this cannot be written: write it by hand.');
  if (after.errors.length > 0) throw refused;
  const read = valuesOf(after);
  for (const [path, value] of Object.entries(changes))
    if ((read.get(path) ?? null) !== (value === null ? null : String(JSON.parse(written(path, value))))) throw refused;
  const strip = (document: Document.Parsed): unknown => {
    const plain: unknown = document.toJS(most) ?? {};
    for (const path of Object.keys(changes)) cut(plain, path.split('.'));
    return plain;
  };
  if (!isDeepStrictEqual(strip(before), strip(after))) throw refused;
}

/** Takes one value away, and sections that are empty without it. */
function cut(from: unknown, [name, ...rest]: readonly string[]): void {
  if (typeof from !== 'object' || from === null || name === undefined || !Object.hasOwn(from, name)) return;
  const record = from as Record<string, unknown>;
  const inner = record[name];
  if (rest.length > 0) cut(inner, rest);
  const isEmpty = typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0;
  if (rest.length === 0 || isEmpty) delete record[name];
}
