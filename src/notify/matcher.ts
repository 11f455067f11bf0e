/** A condition on one label. `*` in the value stands for any run of characters; a label that is not there has the value "". */
export type Matcher = { readonly label: string; readonly value: string; readonly equal: boolean };

export type Labels = Readonly<Record<string, string>>;

/** All of them hold. No matchers match everything. */
export const matchesAll = (matchers: readonly Matcher[], labels: Labels): boolean =>
  matchers.every(({ label, value, equal }) => isLike(value, labels[label] ?? '') === equal);

/** Takes time in proportion to the lengths, whatever the pattern: what a caller gave must not be able to stall us. */
export function isLike(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return text === first;
  const last = rest.pop() ?? '';
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/**
 * Reads `severity=critical`, `team!=web` or `target=prod-*`.
 * @returns undefined when it is no matcher
 */
export function parseMatcher(text: string): Matcher | undefined {
  const match = /^([a-zA-Z_][a-zA-Z0-9_]*)(!?=)(.*)$/s.exec(text.trim());
  if (!match) return undefined;
  const [, label = '', sign, value = ''] = match;
  return { label, value: value.replace(/^"(.*)"$/s, '$1'), equal: sign === '=' };
}

export const formatMatcher = ({ label, value, equal }: Matcher): string => `${label}${equal ? '=' : '!='}${value}`;
