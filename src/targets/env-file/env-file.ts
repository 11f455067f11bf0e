/**
 * A backend's environment file, as python-dotenv reads it (LightRAG loads its `.env` with it), kept to the byte: what is not changed
 * stays as it was written, comments, order, quotes, line ends and all.
 */
export type EnvFile = {
  /**
   * What each variable is; of one that stands twice the last counts, and a name without `=` takes it away.
   * `${OTHER}` and `${OTHER:-else}` are resolved from variables above, or from `surroundings`, which count more.
   */
  values(surroundings?: Readonly<Record<string, string | undefined>>): ReadonlyMap<string, string>;
  /** Lines that nothing can be made of, from 1; the backend skips them. */
  readonly unreadable: readonly { readonly line: number }[];
  /** Names that stand more than once. */
  readonly repeated: readonly string[];
  /**
   * The file with these values and everything else as it was: replaced where the variable stands last, added at the end where it
   * does not stand; null makes comments of every line that sets it.
   * @throws RangeError for a value that cannot be written so that the same is read
   */
  with(changes: Readonly<Record<string, string | null>>): string;
};

type Piece = {
  /** With its line end, as it stands. */
  readonly text: string;
  readonly line: number;
  readonly key: string | undefined;
  /** After quotes and escapes; undefined without `=`. */
  readonly value: string | undefined;
  /** Where the written value stands in `text`, quotes included. */
  readonly span: readonly [from: number, to: number] | undefined;
  readonly unreadable: boolean;
};

const blank = /[^\S\r\n]*/y;
const blankLines = /\s*/y;
const exporting = /(?:export[^\S\r\n]+)?/y;
const bareKey = /[^=#\s]+/y;
const quotedKey = /'([^']+)'/y;
const equals = /=[^\S\r\n]*/y;
const inSingle = /'((?:\\'|[^'])*)'/y;
const inDouble = /"((?:\\"|[^"])*)"/y;
const bare = /[^\r\n]*/y;
const comment = /(?:[^\S\r\n]*#[^\r\n]*)?/y;
const lineEnd = /[^\S\r\n]*(?:\r\n|\n|\r|$)/y;
const restOfLine = /[^\r\n]*(?:\r\n|\n|\r)?/y;

class Unreadable extends Error {}

export function parseEnvFile(content: string): EnvFile {
  const bom = content.startsWith('\ufeff') ? '\ufeff' : '';
  const pieces = cut(content.slice(bom.length));
  const named = pieces.flatMap(({ key, value }) => (key === undefined ? [] : [{ key, value }]));
  const names = named.map(({ key }) => key);
  return {
    values(surroundings = {}) {
      const found = new Map<string, string>();
      for (const { key, value } of named)
        if (value === undefined) found.delete(key);
        else
          found.set(
            key,
            resolve(value, (name) => surroundings[name] ?? found.get(name)),
          );
      return found;
    },
    unreadable: pieces.filter((one) => one.unreadable).map(({ line }) => ({ line })),
    repeated: [...new Set(names.filter((one, index) => names.indexOf(one) !== index))],
    with(changes) {
      const texts = pieces.map((one) => one.text);
      const added: string[] = [];
      const newline = /\r\n|\n|\r/.exec(content)?.[0] ?? '\n';
      for (const [name, value] of Object.entries(changes)) {
        const places = pieces.flatMap((one, index) => (one.key === name ? [index] : []));
        const last = places.at(-1);
        if (value === null) for (const index of places) texts[index] = commentedOut(texts[index] ?? '', newline);
        else if (last === undefined) added.push(`${name}=${written(value)}`);
        else texts[last] = replaced(pieces[last] as Piece, value);
      }
      const body = texts.join('');
      const joint = added.length === 0 || body === '' || /[\r\n]$/.test(body) ? '' : newline;
      return `${bom}${body}${joint}${added.map((line) => line + newline).join('')}`;
    },
  };
}

function cut(content: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let line = 1;
  const take = (pattern: RegExp): RegExpExecArray => {
    pattern.lastIndex = at;
    const match = pattern.exec(content);
    if (!match) throw new Unreadable();
    at += match[0].length;
    return match;
  };
  while (at < content.length) {
    const from = at;
    let key: string | undefined;
    let value: string | undefined;
    let span: [number, number] | undefined;
    let unreadable = false;
    let bindingAt = at;
    try {
      take(blankLines);
      bindingAt = at;
      if (at < content.length) {
        take(exporting);
        if (content[at] !== '#') {
          const match = content[at] === "'" ? take(quotedKey) : take(bareKey);
          key = match[1] ?? match[0];
        }
        take(blank);
        if (content[at] === '=') {
          const spaced = take(equals)[0].length > 1;
          const valueAt = at;
          value = spaced && content[at] === '#' ? '' : takeValue(content, at, take);
          span = [valueAt - from, at - from];
        }
        take(comment);
        take(lineEnd);
      }
    } catch (err) {
      if (!(err instanceof Unreadable)) throw err;
      take(restOfLine);
      [key, value, span, unreadable] = [undefined, undefined, undefined, true];
    }
    const text = content.slice(from, at);
    const before = content.slice(from, bindingAt);
    pieces.push({ text, line: line + lineEnds(before), key, value, span, unreadable });
    line += lineEnds(text);
  }
  return pieces;
}

const lineEnds = (text: string): number => text.match(/\r\n|\n|\r/g)?.length ?? 0;

function takeValue(content: string, at: number, take: (pattern: RegExp) => RegExpExecArray): string {
  const first = content[at];
  if (first === "'") return (take(inSingle)[1] ?? '').replace(/\\([\\'])/g, '$1');
  if (first === '"')
    return (take(inDouble)[1] ?? '').replace(/\\(["'\\abfnrtv])/g, (_, one: string) => escapes[one] ?? one);
  if (first === undefined || first === '\n' || first === '\r') return '';
  return take(bare)[0]
    .replace(/\s+#.*$/, '')
    .trimEnd();
}

const escapes: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const resolve = (value: string, find: (name: string) => string | undefined): string =>
  value.replace(
    /\$\{([^}:]*)(?::-([^}]*))?\}/g,
    (_, name: string, otherwise: string | undefined) => find(name) ?? otherwise ?? '',
  );

/** So that exactly this is read again: bare where nothing in it could be taken for something else. */
function written(value: string): string {
  if (value.includes('${')) throw new RangeError('A value with "${" would be taken for another variable.');
  if (!/^['"#\s]|\s#|[\r\n]|\s$/.test(value)) return value;
  // The quote behind it would be taken for a quoted one, and the value for going on.
  if (value.endsWith('\\')) throw new RangeError('A value with quotes, spaces or # cannot end with a backslash.');
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

function replaced(piece: Piece, value: string): string {
  const { text, span } = piece;
  if (!span) {
    // The name alone, without `=`.
    const [, head = '', tail = ''] = /^(\s*(?:export[^\S\r\n]+)?[^=#\s]+)([\s\S]*)$/.exec(text) ?? [];
    return `${head}=${written(value)}${apart(tail)}`;
  }
  const raw = text.slice(span[0], span[1]);
  // A bare value takes the comment behind it along.
  const behind = /^['"]/.test(raw) ? '' : (/\s+#.*$/.exec(raw)?.[0] ?? /\s*$/.exec(raw)?.[0] ?? '');
  const head = text.slice(0, span[0]);
  const rest = behind + text.slice(span[1]);
  return `${head}${written(value)}${apart(rest)}`;
}

/** A comment that touches a value would be a part of it. */
const apart = (rest: string): string => (rest.startsWith('#') ? ` ${rest}` : rest);

/** Every line of it, since a quoted value may have several. */
const commentedOut = (text: string, newline: string): string => {
  const [, blankBefore = '', body = ''] = /^(\s*)([\s\S]*)$/.exec(text) ?? [];
  return (
    blankBefore +
    body
      .split(newline)
      .map((line) => (line === '' ? line : `# ${line}`))
      .join(newline)
  );
};
