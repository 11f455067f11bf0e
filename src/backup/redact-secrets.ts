const mark = '***';

/** Names whose value is a secret, whatever it is: the end of the name decides. */
const secretName = '[\\w.-]*(?:passwords?|passwd|passphrase|pwd|secrets?|tokens?|credentials?|keys?|auth)';
/** Settings of language models count tokens, which are no secrets. */
const isCount = (name: string, value: string): boolean =>
  /tokens?$/i.test(name) && /^["']?\d[\d_]*["']?$/.test(value.trim());

const pair = new RegExp(
  `^(?<before>\\s*(?:-\\s+)?(?:export\\s+)?(?:["'])?)(?<name>${secretName})(?<sign>["']?\\s*[=:]\\s*)(?<value>\\S.*)$`,
  'i',
);
const opened = new RegExp(`^(?<before>\\s*(?:-\\s+)?)["']?${secretName}["']?\\s*:\\s*[|>][-+0-9]*\\s*$`, 'i');
const option = new RegExp(`(--?${secretName}|--requirepass)([= ]\\s*|["'],?\\s*["'])([^\\s"',\\]]+)`, 'gi');
const inlinePair = new RegExp(`([{,]\\s*["']?)(${secretName})(["']?\\s*:\\s*)("[^"]*"|'[^']*'|[^,}\\s]+)`, 'gi');
const parameter = new RegExp(`([?&]${secretName}=)([^&\\s"']+)`, 'gi');
const userInUrl = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/"']*:)([^\s"']+)(@)/gi;
const bearer = /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi;

/**
 * Takes out of configuration text (environment files, YAML, INI, JSON, command lines) whatever its name or its place says is a
 * secret. Rather one value too many: the text is for people, and the whole file is in the point.
 */
export function redactSecrets(text: string): { text: string; count: number } {
  let count = 0;
  const counted = (kept: string): string => {
    count += 1;
    return kept;
  };
  let block: { readonly indent: number } | { readonly pem: true } | undefined;
  const lines = text.split('\n').flatMap((line) => {
    if (block && 'pem' in block) {
      if (/-----END /.test(line)) block = undefined;
      return [];
    }
    if (block) {
      const indent = line.search(/\S/);
      if (indent === -1 || indent > block.indent) return [];
      block = undefined;
    }
    if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(line)) {
      if (!/-----END /.test(line)) block = { pem: true };
      return [counted(`${line.slice(0, line.indexOf('-----BEGIN'))}${mark}`)];
    }
    const heading = opened.exec(line);
    if (heading) {
      block = { indent: heading.groups?.before?.search(/\S|$/) ?? 0 };
      return [`${line}`, counted(`${' '.repeat(block.indent + 2)}${mark}`)];
    }
    return [redactLine(line, counted)];
  });
  return { text: lines.join('\n'), count };
}

function redactLine(line: string, counted: (kept: string) => string): string {
  const found = pair.exec(line)?.groups;
  if (found) {
    const { before = '', name = '', sign = '', value = '' } = found;
    // A value that opens a group is named line by line below, and a comment alone is none.
    if (!isCount(name, value) && !/^[{[]\s*$|^#/.test(value)) {
      const comma = /["'],\s*$/.test(value) ? ',' : '';
      const quote = /^(["']).*\1,?\s*$/.exec(value)?.[1] ?? '';
      return counted(`${before}${name}${sign}${quote}${mark}${quote}${comma}`);
    }
  }
  return line
    .replace(userInUrl, (_all, begin: string, _secret, end: string) => counted(`${begin}${mark}${end}`))
    .replace(parameter, (_all, begin: string) => counted(`${begin}${mark}`))
    .replace(bearer, (_all, kind: string) => counted(`${kind} ${mark}`))
    .replace(option, (_all, name: string, sign: string, value: string) =>
      isCount(name, value) ? `${name}${sign}${value}` : counted(`${name}${sign}${mark}`),
    )
    .replace(inlinePair, (all, before: string, name: string, sign: string, value: string) =>
      isCount(name, value) ? all : counted(`${before}${name}${sign}${mark}`),
    );
}
