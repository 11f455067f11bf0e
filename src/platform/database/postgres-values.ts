import { type Bindable, bindable } from './bindable.ts';

/**
 * What PostgreSQL cannot keep in a text: the zero character. It is written as two characters and read back as the one, so that
 * any text comes back as it went in. The escape character itself is doubled.
 */
const mark = '\x1a';
const special = /[\0\x1a]/g;
const escaped = /\x1a(.)/gs;

const writtenText = (text: string): string =>
  text.includes('\0') || text.includes(mark)
    ? text.replace(special, (found) => (found === '\0' ? `${mark}0` : mark + mark))
    : text;
const readText = (text: string): string =>
  text.includes(mark) ? text.replace(escaped, (_, next: string) => (next === '0' ? '\0' : next)) : text;

export function toPostgres(value: unknown): Bindable {
  const bound = bindable(value);
  return typeof bound === 'string' ? writtenText(bound) : bound;
}

/** Whole numbers as numbers, as long as a number holds them exactly. */
function readInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`the whole number ${text} is too large to be read exactly`);
  return value;
}

const readBytes = (text: string): Uint8Array => {
  // `bytea_output` is hex by default and set to it for each session.
  const bytes = Buffer.from(text.slice(2), 'hex');
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};

/** By type: 16 bool, 17 bytea, 20 int8, 25 text, 1043 varchar, 1700 numeric (what sums of whole numbers are). */
const readers: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => (text === 't' ? 1 : 0),
  17: readBytes,
  20: readInteger,
  25: readText,
  1043: readText,
  1700: (text) => (text.includes('.') ? Number(text) : readInteger(text)),
};
const numbers = new Set([21, 23, 26, 700, 701]);

/** For pg's `types`: values come back as the SQLite side gives them. */
export const valueTypes = {
  getTypeParser:
    (oid: number) =>
    (text: string): unknown =>
      readers[oid]?.(text) ?? (numbers.has(oid) ? Number(text) : text),
};
