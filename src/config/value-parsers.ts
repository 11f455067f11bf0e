/** Parses one written value; a string answer is the complaint, told to the operator after the name of the setting. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly complaint: string };
export type Parser<T> = { readonly describe: string; parse(raw: string): Parsed<T> };

const good = <T>(value: T): Parsed<T> => ({ ok: true, value });
const bad = (complaint: string): Parsed<never> => ({ ok: false, complaint });

export const text: Parser<string> = {
  describe: 'text',
  parse: (raw) => (raw.trim() === '' ? bad('is empty') : good(raw)),
};

export const folder: Parser<string> = {
  describe: 'folder',
  parse: (raw) => (raw.trim() === '' || raw.includes('\0') ? bad('is not a folder') : good(raw)),
};

export const flag: Parser<boolean> = {
  describe: 'true or false',
  parse: (raw) => {
    const word = raw.trim().toLowerCase();
    if (['true', '1', 'yes', 'on'].includes(word)) return good(true);
    if (['false', '0', 'no', 'off'].includes(word)) return good(false);
    return bad(`must be true or false, not "${raw}"`);
  },
};

export const wholeNumber = (min: number, max: number): Parser<number> => ({
  describe: `whole number, ${min} to ${max}`,
  parse: (raw) => {
    const value = Number(raw.trim());
    if (raw.trim() === '' || !Number.isInteger(value)) return bad(`must be a whole number, not "${raw}"`);
    return value < min || value > max ? bad(`must lie between ${min} and ${max}, not ${value}`) : good(value);
  },
});

export const decimal = (min: number, max: number): Parser<number> => ({
  describe: `number, ${min} to ${max}`,
  parse: (raw) => {
    const value = Number(raw.trim());
    if (raw.trim() === '' || !Number.isFinite(value)) return bad(`must be a number, not "${raw}"`);
    return value < min || value > max ? bad(`must lie between ${min} and ${max}, not ${value}`) : good(value);
  },
});

export const oneOf = <const Words extends readonly string[]>(words: Words): Parser<Words[number]> => ({
  describe: words.join(', '),
  parse: (raw) => {
    const word = raw.trim().toLowerCase();
    const found = words.find((candidate) => candidate === word);
    return found === undefined ? bad(`must be one of ${words.join(', ')}, not "${raw}"`) : good(found);
  },
});

export const words: Parser<readonly string[]> = {
  describe: 'list, separated by commas',
  parse: (raw) =>
    good(
      raw
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== ''),
    ),
};

export const httpUrl: Parser<string> = {
  describe: 'URL, http or https',
  parse: (raw) => {
    if (!URL.canParse(raw)) return bad(`is not a URL: "${raw}"`);
    const url = new URL(raw);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return bad(`must begin with http:// or https://`);
    if (url.username !== '' || url.password !== '')
      return bad('must not carry credentials; they have settings of their own');
    return good(raw.replace(/\/+$/, ''));
  },
};

/** A bare name, as others' documents write the domain of a tenant; with a scheme or a path it would mean something else. */
export const hostName: Parser<string> = {
  describe: 'host name',
  parse: (raw) =>
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i.test(raw.trim()) && raw.trim().length <= 253
      ? good(raw.trim().toLowerCase())
      : bad(`is not a host name: "${raw}"`),
};
