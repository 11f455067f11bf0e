/** JSON's alphabet, byte by byte: pure, without state. */
export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'literal';

export const quote = 0x22;
export const backslash = 0x5c;
export const closeObject = 0x7d;
export const closeArray = 0x5d;

// How far a number has come; those in `numberMayEnd` are complete.
export const numMinus = 0;
export const numZero = 1;
export const numInteger = 2;
const numPoint = 3;
const numFraction = 4;
const numE = 5;
const numESign = 6;
const numExponent = 7;
export const numberMayEnd: readonly boolean[] = [false, true, true, false, true, false, false, true];

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');
export const literals: ReadonlyMap<number, Uint8Array> = new Map(
  ['true', 'false', 'null', 'NaN', 'Infinity'].map((word) => [word.charCodeAt(0), bytesOf(word)]),
);
export const infinity = bytesOf('Infinity');
export const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Indentation comes in runs. */
export function spaceEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && isSpace(bytes[at] ?? 0)) at += 1;
  return at;
}

export function kindOf(byte: number): JsonKind | undefined {
  if (byte === quote) return 'string';
  if (byte === 0x7b) return 'object';
  if (byte === 0x5b) return 'array';
  if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return 'number';
  return literals.has(byte) ? 'literal' : undefined;
}

export function isSimpleEscape(byte: number): boolean {
  switch (byte) {
    case quote:
    case backslash:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return true;
    default:
      return false;
  }
}

export const isHexDigit = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);

/** The phase after `byte`, or -1 when the byte is no part of the number. */
export function nextNumberPhase(phase: number, byte: number): number {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  switch (phase) {
    case numMinus:
      return isDigit ? (byte === 0x30 ? numZero : numInteger) : -1;
    case numInteger:
      if (isDigit) return numInteger;
      break;
    case numZero:
      break;
    case numPoint:
      return isDigit ? numFraction : -1;
    case numFraction:
      if (isDigit) return numFraction;
      return isE(byte) ? numE : -1;
    case numE:
      if (byte === 0x2b || byte === 0x2d) return numESign;
      return isDigit ? numExponent : -1;
    default:
      return isDigit ? numExponent : -1;
  }
  if (byte === 0x2e) return numPoint;
  return isE(byte) ? numE : -1;
}

const isE = (byte: number): boolean => byte === 0x65 || byte === 0x45;
