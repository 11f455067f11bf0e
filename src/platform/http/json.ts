import { isUtf8 } from 'node:buffer';
import { AppError } from '../errors.ts';

/** Deeper than any body of ours; keeps recursive code (and JSON.stringify) far from the end of the stack. */
const greatestDepth = 100;

const unreadable = (detail: string): AppError => new AppError('request/unreadable', detail);

/**
 * The text of a JSON body, refused before it is parsed where two readers would not agree on what it says: bytes that are no
 * UTF-8, one name twice in an object (the last or the first counts, as one likes), half a character, or nested deeper than we
 * read. That is I-JSON (RFC 7493). Whether it is JSON at all the parser says.
 * @throws AppError `request/unreadable`
 */
export function readableJson(body: Uint8Array): string {
  if (!isUtf8(body)) throw unreadable('The body is not valid UTF-8.');
  const text = new TextDecoder().decode(body);
  /** Names seen in each object that is open; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let nameComes = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    if (char === quote) {
      const end = endOfString(text, i);
      const names = open.at(-1);
      const raw = text.slice(i, end + 1);
      if (raw.includes('\\u')) refuseHalfCharacters(raw);
      if (names && nameComes) refuseSecond(names, raw);
      nameComes = false;
      i = end;
    } else if (char === openBracket || char === openBrace) {
      open.push(char === openBrace ? new Set() : undefined);
      nameComes = char === openBrace;
      if (open.length > greatestDepth) throw unreadable(`The body is nested deeper than ${greatestDepth} levels.`);
    } else if (char === closeBracket || char === closeBrace) open.pop();
    else if (char === comma) nameComes = open.at(-1) !== undefined;
  }
  return text;
}

const quote = 34;
const backslash = 92;
const openBracket = 91;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;
const comma = 44;

/** Where the string that begins at `start` ends; the end of the text when it does not. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    if (char === backslash) i += 1;
    else if (char === quote) return i;
  }
  return text.length;
}

/** What the text between quotes stands for; undefined when that is no JSON, which the parser tells better. */
function unescaped(raw: string): string | undefined {
  try {
    return JSON.parse(raw) as string;
  } catch {
    return undefined;
  }
}

function refuseHalfCharacters(raw: string): void {
  if (unescaped(raw)?.isWellFormed() === false)
    throw unreadable('The body holds half a character (a lone surrogate), which no text can be made of.');
}

function refuseSecond(names: Set<string>, raw: string): void {
  const name = raw.includes('\\') ? (unescaped(raw) ?? raw) : raw.slice(1, -1);
  if (names.has(name)) throw unreadable(`The name ${JSON.stringify(name.slice(0, 100))} stands twice in one object.`);
  names.add(name);
}
