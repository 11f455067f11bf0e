import { redactSecrets } from '../backup/index.ts';

const mark = '***';
/** Shorter ones would blank out ordinary words. */
const leastLength = 6;

const secretName =
  /(pass(word|wd|phrase)?|pwd|secret|token|credential|(api|access|private|seal|account)_?key|auth|bearer)s?$/i;
/** Ends like a secret and is none. */
const harmless = /(^|_)(max|min|total|entity|relation|limit|num|count|has|is)_?\w*tokens?$|tokens_|key_(id|prefix)$/i;

/** A name and its value in the middle of a line: `api_key: x`, `"password":"x"`, also as text within text of JSON. */
const inSentence =
  /((?:pass(?:word|wd|phrase)|secret|token|credential|api[_-]?key|access[_-]?key)s?\\?["']?\s*[=:]\s*\\?["']?)([^\s"'\\,;}\])]+)/gi;

/** Takes secrets out of what leaves: known values wherever they stand, and what by its name or its form is one. */
export type Redactor = { text(text: string): string; json(value: unknown): unknown };

/** @param values of settings, of the environment, of files; longest first, so that none is left in part */
export function createRedactor(values: Iterable<string>): Redactor {
  const known = new Set<string>();
  for (const value of values) {
    const trimmed = value.trim();
    if (trimmed.length < leastLength) continue;
    known.add(trimmed);
    known.add(encodeURIComponent(trimmed));
    // As it stands inside of a text of JSON.
    known.add(JSON.stringify(trimmed).slice(1, -1));
    known.add(Buffer.from(trimmed).toString('base64'));
  }
  const secrets = [...known].sort((a, b) => b.length - a.length);
  const hide = (text: string): string => secrets.reduce((shown, secret) => shown.replaceAll(secret, mark), text);
  const text = (given: string): string =>
    redactSecrets(hide(given)).text.replace(inSentence, (all, before: string, value: string) =>
      // A count of tokens is no secret, and what is hidden already stays so.
      /^[\d.]+$/.test(value) || value.startsWith(mark) ? all : `${before}${mark}`,
    );
  const json = (value: unknown): unknown => {
    if (typeof value === 'string') return text(value);
    if (Array.isArray(value)) return value.map(json);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [
        hide(name),
        isSecretName(name) && typeof inner === 'string' && inner !== '' ? mark : json(inner),
      ]),
    );
  };
  return { text, json };
}

export const isSecretName = (name: string): boolean => secretName.test(name) && !harmless.test(name);

/** Every text below a value whose name says that it is secret, and the passwords of URLs wherever they are. */
export function secretsIn(value: unknown, name = ''): string[] {
  if (typeof value === 'string') {
    const password = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? (URL.parse(value)?.password ?? '') : '';
    return [...(isSecretName(name) ? [value] : []), ...(password === '' ? [] : [password, decoded(password)])];
  }
  if (value instanceof Map) return [...value].flatMap(([key, inner]) => secretsIn(inner, String(key)));
  if (Array.isArray(value)) return value.flatMap((inner) => secretsIn(inner, name));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => secretsIn(inner, key));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
