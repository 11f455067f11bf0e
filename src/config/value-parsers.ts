import { findNearestName } from './nearest-name.ts';

/** Parses one written value; the complaint is told to the operator after the name of the setting. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly complaint: string };

/** A schema of one value as JSON Schema (draft 2020-12) has it: exactly what `accept` takes. */
export type ValueSchema = Readonly<Record<string, unknown>>;

export type Parser<T> = {
  readonly describe: string;
  /** A variable or a flag: always text. */
  parse(raw: string): Parsed<T>;
  /** A value of `ragwarden.yaml` or of the API, which has a type of its own. */
  accept(value: unknown): Parsed<T>;
  readonly schema: ValueSchema;
};

const good = <T>(value: T): Parsed<T> => ({ ok: true, value });
const bad = (complaint: string): Parsed<never> => ({ ok: false, complaint });

/** What was written, short enough for one line. */
export function shown(value: unknown): string {
  const written = typeof value === 'string' ? `"${value}"` : kindOf(value);
  return written.length > 120 ? `${written.slice(0, 119)}…` : written;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a group of settings' : String(value);
}

const greatestLength = 4096;
/** One line: begins with no space, holds no control character and no half of a character. */
const line = '^[^\\s\\p{Cc}\\p{Cs}][^\\p{Cc}\\p{Cs}]*$';
const linePattern = new RegExp(line, 'u');

/** Text that also has a shape of its own. `pattern` stands in the schema, `complaint` says it in words. */
export function patternText(describe: string, pattern: string, complaint: string): Parser<string> {
  const compiled = new RegExp(pattern, 'u');
  const accept = (value: unknown): Parsed<string> => {
    if (typeof value !== 'string') return bad(`must be ${describe} in quotes, not ${shown(value)}`);
    if (tooLong(value)) return bad(`is longer than ${greatestLength} characters`);
    return compiled.test(value) ? good(value) : bad(complaint);
  };
  return { describe, parse: accept, accept, schema: { type: 'string', maxLength: greatestLength, pattern } };
}

// Characters as JSON Schema counts them; counted only where it can matter.
const tooLong = (value: string): boolean =>
  value.length > greatestLength && (value.length > 2 * greatestLength || [...value].length > greatestLength);

const lineText = (describe: string, what: string): Parser<string> => {
  const accept = (value: unknown): Parsed<string> => {
    if (typeof value !== 'string') return bad(`must be ${describe} in quotes, not ${shown(value)}`);
    if (value.trim() === '') return bad('is empty');
    if (tooLong(value)) return bad(`is longer than ${greatestLength} characters`);
    return linePattern.test(value)
      ? good(value)
      : bad(`is no ${what}: it begins with a space or holds control characters`);
  };
  return { describe, parse: accept, accept, schema: { type: 'string', maxLength: greatestLength, pattern: line } };
};

export const text = lineText('text', 'text');
export const folder = lineText('folder', 'folder');
export const file = lineText('file', 'file');

/** A secret: it may hold anything but line breaks and zeros. Never from a file of settings, so its schema is not published. */
export const secretText: Parser<string> = {
  describe: 'text',
  parse: (raw) => {
    if (raw.trim() === '') return bad('is empty');
    if (raw.length > 65_536) return bad('is too long');
    return /[\p{Cc}\p{Cs}]/u.test(raw) ? bad('holds line breaks or control characters') : good(raw);
  },
  accept: () => bad('is a secret'),
  schema: {},
};

export const flag: Parser<boolean> = {
  describe: 'true or false',
  parse: (raw) => {
    const word = raw.trim().toLowerCase();
    if (['true', '1', 'yes', 'on'].includes(word)) return good(true);
    if (['false', '0', 'no', 'off'].includes(word)) return good(false);
    return bad(`must be true or false, not ${shown(raw)}`);
  },
  accept: (value) => (typeof value === 'boolean' ? good(value) : bad(`must be true or false, not ${shown(value)}`)),
  schema: { type: 'boolean' },
};

/** Decimal notation only: what a person writes for a number. */
const numberPattern = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

function numberParser(kind: 'whole number' | 'number', min: number, max: number): Parser<number> {
  const whole = kind === 'whole number';
  const within = (value: number, written: unknown): Parsed<number> => {
    if (!Number.isFinite(value) || (whole && !Number.isInteger(value)))
      return bad(`must be a ${kind}, not ${shown(written)}`);
    // -0 would be shown and stored as another number than it was.
    return value < min || value > max ? bad(`must lie between ${min} and ${max}, not ${value}`) : good(value + 0);
  };
  return {
    describe: `${kind}, ${min} to ${max}`,
    parse: (raw) => within(numberPattern.test(raw.trim()) ? Number(raw.trim()) : Number.NaN, raw),
    accept: (value) => within(typeof value === 'number' ? value : Number.NaN, value),
    schema: { type: whole ? 'integer' : 'number', minimum: min, maximum: max },
  };
}

export const wholeNumber = (min: number, max: number): Parser<number> => numberParser('whole number', min, max);
export const decimal = (min: number, max: number): Parser<number> => numberParser('number', min, max);

export const oneOf = <const Words extends readonly string[]>(words: Words): Parser<Words[number]> => {
  const find = (word: unknown): Parsed<Words[number]> => {
    const found = words.find((candidate) => candidate === word);
    if (found !== undefined) return good(found);
    const nearest = typeof word === 'string' ? findNearestName(word, words) : undefined;
    const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
    return bad(`must be one of ${words.join(', ')}, not ${shown(word)}${hint}`);
  };
  return {
    describe: words.join(', '),
    parse: (raw) => find(raw.trim().toLowerCase()),
    accept: find,
    schema: { type: 'string', enum: [...words] },
  };
};

const listItem = '^[^\\s,\\p{Cc}\\p{Cs}][^,\\p{Cc}\\p{Cs}]*$';
const listItemPattern = new RegExp(listItem, 'u');
const greatestCount = 1_000;

/** In the environment separated by commas, in the file and over the API a list. */
export const words: Parser<readonly string[]> = {
  describe: 'list, separated by commas',
  parse: (raw) =>
    acceptWords(
      raw
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== ''),
    ),
  accept: acceptWords,
  schema: {
    type: 'array',
    maxItems: greatestCount,
    items: { type: 'string', maxLength: greatestLength, pattern: listItem },
  },
};

function acceptWords(value: unknown): Parsed<readonly string[]> {
  if (!Array.isArray(value)) return bad(`must be a list, such as [one, two], not ${shown(value)}`);
  if (value.length > greatestCount) return bad(`holds more than ${greatestCount} entries`);
  const wrong: unknown = value.find((item) => typeof item !== 'string' || tooLong(item) || !listItemPattern.test(item));
  if (wrong !== undefined || value.includes(undefined))
    return bad(`holds ${shown(wrong)}, which is no entry of text without commas`);
  return good(value as readonly string[]); // each entry was looked at just above
}

/** One word for each name: `backup=debug,http=warn` in the environment, a map in the file and over the API. */
export const wordPerName = <const Names extends readonly string[], const Words extends readonly string[]>(
  names: Names,
  allowed: Words,
): Parser<Readonly<Partial<Record<Names[number], Words[number]>>>> => {
  type Value = Partial<Record<Names[number], Words[number]>>;
  const word = oneOf(allowed);
  const name = oneOf(names);
  const collect = (pairs: readonly (readonly [string, unknown])[]): Parsed<Value> => {
    const found: Value = {};
    for (const [left, right] of pairs) {
      const parsedName = name.accept(left);
      if (!parsedName.ok) return parsedName;
      const parsedWord = word.accept(right);
      if (!parsedWord.ok) return bad(`${left} ${parsedWord.complaint}`);
      if (Object.hasOwn(found, parsedName.value)) return bad(`names ${left} twice`);
      found[parsedName.value] = parsedWord.value;
    }
    return good(found);
  };
  return {
    describe: 'name=word, separated by commas',
    parse: (raw) =>
      collect(
        raw
          .split(',')
          .map((pair) => pair.trim())
          .filter((pair) => pair !== '')
          .map((pair) => {
            const [left = '', right = ''] = pair.split('=', 2);
            return [left.trim(), right.trim().toLowerCase()] as const;
          }),
      ),
    accept: (value) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? collect(Object.entries(value))
        : bad(`must be a map, such as {${names[0]}: ${allowed[0]}}, not ${shown(value)}`),
    schema: {
      type: 'object',
      properties: Object.fromEntries(names.map((one) => [one, word.schema])),
      additionalProperties: false,
    },
  };
};

export const httpUrl: Parser<string> = {
  describe: 'URL, http or https',
  parse: acceptUrl,
  accept: acceptUrl,
  schema: {
    type: 'string',
    format: 'uri',
    maxLength: greatestLength,
    pattern: '^[hH][tT][tT][pP][sS]?://[^\\s\\p{Cc}\\p{Cs}@\\\\]+$',
  },
};

function acceptUrl(value: unknown): Parsed<string> {
  if (typeof value !== 'string') return bad(`must be a URL, not ${shown(value)}`);
  const raw = value;
  if (!URL.canParse(raw) || /[\s\\\p{Cc}\p{Cs}]/u.test(raw) || tooLong(raw))
    return bad(`is not a URL: ${shown(withoutUser(raw))}`);
  const url = new URL(raw);
  if (!/^https?:\/\//i.test(raw)) return bad('must begin with http:// or https://');
  if (url.username !== '' || url.password !== '' || raw.includes('@'))
    return bad('must not carry credentials; they have settings of their own');
  return good(raw.replace(/\/+$/, ''));
}

const hostShape = patternText(
  'host name',
  '^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$',
  'is not a host name',
);
const inLowerCase = (parsed: Parsed<string>): Parsed<string> => (parsed.ok ? good(parsed.value.toLowerCase()) : parsed);

/** A bare name, as others' documents write the domain of a tenant; with a scheme or a path it would mean something else. */
export const hostName: Parser<string> = {
  ...hostShape,
  parse: (raw) => inLowerCase(hostShape.parse(raw.trim())),
  accept: (value) => inLowerCase(hostShape.accept(value)),
};

/** What stands before an `@` may be a password. */
const withoutUser = (raw: string): string => raw.replace(/\/\/.*@/, '//…@');

/** A URL with credentials in it, so a secret. `protocols` without the colon. */
export const secretUrl = (describe: string, protocols: readonly string[]): Parser<string> => ({
  describe,
  parse: (raw) => {
    if (!URL.canParse(raw)) return bad('is not a URL');
    const url = new URL(raw);
    const begin = protocols.map((one) => `${one}://`).join(' or ');
    if (!protocols.includes(url.protocol.slice(0, -1))) return bad(`must begin with ${begin}`);
    return url.hostname === '' ? bad('names no host') : good(raw);
  },
  accept: () => bad('is a secret'),
  schema: {},
});
