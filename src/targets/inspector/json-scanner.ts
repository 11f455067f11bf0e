/**
 * A JSON tokenizer over bytes that come in pieces: it says where values begin and end, materialises only what its visitor
 * asks for, and holds nothing else, so memory does not grow with the file. Offsets are bytes from the start of the file;
 * they allow cutting the original at record boundaries.
 *
 * Strict as RFC 8259, with two allowances that LightRAG's own reader makes: a byte order mark at the start, and the words
 * `NaN`, `Infinity`, `-Infinity`. Whether the bytes are UTF-8 is a matter of `utf8-check.ts`.
 */
import { ContentFault } from './content-fault.ts';
import {
  backslash,
  closeArray,
  closeObject,
  infinity,
  isHexDigit,
  isSimpleEscape,
  isSpace,
  type JsonKind,
  kindOf,
  literals,
  nextNumberPhase,
  numberMayEnd,
  numInteger,
  numMinus,
  numZero,
  quote,
  spaceEnd,
} from './json-grammar.ts';
import { createPlainRun } from './plain-run.ts';

export type JsonValue = {
  /** 0 is the document itself, 1 its members or elements, and so on. */
  readonly depth: number;
  /** The decoded name of a member; empty for the document and for elements. */
  readonly key: string;
  /** Place within an array from 0; -1 elsewhere. */
  readonly index: number;
  readonly kind: JsonKind;
  /** Where the quotation mark before the name stands; for elements and the document the same as `start`. */
  readonly keyStart: number;
  /** Offset of the first byte of the value. */
  readonly start: number;
};

/**
 * `skip`: checked, and nothing inside is told. `look`: members and elements are told too. `text`: the text of a string
 * (decoded), number or literal comes with `leave`.
 */
export type JsonInterest = 'skip' | 'look' | 'text';

export type JsonVisitor = {
  enter(value: JsonValue): JsonInterest;
  /**
   * @param end offset just behind the last byte of the value
   * @param text only for the interest `text`; undefined when it is longer than `maxTextBytes`
   */
  leave(value: JsonValue, end: number, text: string | undefined): void;
};

export type JsonScanner = {
  /** Takes the next bytes, which may be reused by the caller afterwards. @throws ContentFault */
  write(bytes: Uint8Array): void;
  /** @throws ContentFault of the kind `torn` when the document is not complete */
  end(): void;
};

/** Deeper nesting is refused; Python's reader gives up there, too. */
const maxDepth = 900;
/** A member's name is held in memory, so it is bounded. Bytes. */
const maxKeyBytes = 1_048_576;

// Where the scanner is between two bytes.
const atDocument = 0;
const atValue = 1;
const atFirstElement = 2;
const atFirstKey = 3;
const atKey = 4;
const atColon = 5;
const afterValue = 6;
const atEnd = 7;
const inString = 8;
const inEscape = 9;
const inHex = 10;
const inNumber = 11;
const inLiteral = 12;

const byteOrderMark = [0xef, 0xbb, 0xbf];

export function createJsonScanner(visitor: JsonVisitor, options: { maxTextBytes?: number } = {}): JsonScanner {
  const maxTextBytes = options.maxTextBytes ?? 65_536;
  const plain = createPlainRun();

  let piece: Buffer = Buffer.alloc(0);
  /** Bytes before the piece at hand. */
  let base = 0;
  let state = atDocument;
  let markSeen = 0;

  /** Open containers: 1 object, 0 array. */
  const objects = new Uint8Array(maxDepth + 1);
  let depth = 0;
  /** Depth of the container whose inside is not told; 0: none. */
  let silentDepth = 0;
  /** Told values that are still open, the innermost last, and for arrays the place of the next element. */
  const open: JsonValue[] = [];
  const places: number[] = [];

  let key = '';
  let keyStart = -1;
  let stringIsKey = false;
  let stringHasEscapes = false;
  let hexLeft = 0;
  let numberPhase = numMinus;
  let literal = infinity;
  let literalAt = 0;

  let capturing = false;
  let captureFrom = 0;
  let captured: Buffer[] = [];
  let capturedBytes = 0;

  const fault = (what: string, at: number): ContentFault => new ContentFault('invalid', base + at, what);

  const beginCapture = (from: number): void => {
    capturing = true;
    captureFrom = from;
    captured = [];
    capturedBytes = 0;
  };

  /** Keeps what the piece holds of a text that goes on in the next one. */
  const carryCapture = (bytes: Uint8Array): void => {
    const limit = stringIsKey ? maxKeyBytes : maxTextBytes;
    capturedBytes += bytes.length - captureFrom;
    if (capturedBytes > limit) captured = [];
    else captured.push(Buffer.from(bytes.subarray(captureFrom)));
    captureFrom = 0;
  };

  /** The captured text up to `to`, decoded; undefined when it is too long. */
  const takeCapture = (to: number): string | undefined => {
    capturing = false;
    capturedBytes += to - captureFrom;
    const parts = captured;
    captured = [];
    if (capturedBytes > (stringIsKey ? maxKeyBytes : maxTextBytes)) return undefined;
    const raw =
      parts.length === 0
        ? piece.toString('utf8', captureFrom, to)
        : Buffer.concat([...parts, piece.subarray(captureFrom, to)]).toString('utf8');
    if (!stringHasEscapes) return raw;
    const decoded: unknown = JSON.parse(`"${raw}"`);
    return String(decoded);
  };

  const beginValue = (byte: number, at: number): void => {
    const kind = kindOf(byte);
    if (kind === undefined) throw fault('a value was expected', at);
    const isContainer = kind === 'object' || kind === 'array';
    let interest: JsonInterest = 'skip';
    if (silentDepth === 0) {
      const start = base + at;
      const inArray = depth > 0 && objects[depth] === 0;
      const index = inArray ? (places[depth] ?? 0) : -1;
      if (inArray) places[depth] = index + 1;
      const value = { depth, key, index, kind, keyStart: keyStart < 0 ? start : keyStart, start };
      key = '';
      keyStart = -1;
      interest = visitor.enter(value);
      open.push(value);
    }
    if (isContainer) {
      if (depth === maxDepth) throw fault(`values are nested more than ${maxDepth} deep`, at);
      depth += 1;
      objects[depth] = kind === 'object' ? 1 : 0;
      places[depth] = 0;
      if (silentDepth === 0 && interest !== 'look') silentDepth = depth;
      state = kind === 'object' ? atFirstKey : atFirstElement;
      return;
    }
    stringIsKey = false;
    stringHasEscapes = false;
    if (kind === 'string') {
      state = inString;
      if (interest === 'text') beginCapture(at + 1);
      return;
    }
    if (interest === 'text') beginCapture(at);
    if (kind === 'number') {
      state = inNumber;
      numberPhase = byte === 0x2d ? numMinus : byte === 0x30 ? numZero : numInteger;
    } else {
      state = inLiteral;
      literal = literals.get(byte) ?? infinity;
      literalAt = 1;
    }
  };

  const endValue = (end: number, text: string | undefined): void => {
    state = depth === 0 ? atEnd : afterValue;
    if (silentDepth !== 0) return;
    const value = open.pop();
    if (value) visitor.leave(value, base + end, text);
  };

  const closeContainer = (byte: number, at: number): void => {
    if (byte !== (objects[depth] === 1 ? closeObject : closeArray)) throw fault('brackets do not match', at);
    if (silentDepth === depth) silentDepth = 0;
    depth -= 1;
    endValue(at + 1, undefined);
  };

  const beginKey = (byte: number, at: number): void => {
    if (byte !== quote) throw fault('a name in quotation marks was expected', at);
    stringIsKey = true;
    stringHasEscapes = false;
    state = inString;
    if (silentDepth !== 0) return;
    keyStart = base + at;
    beginCapture(at + 1);
  };

  const structure = (byte: number, at: number): void => {
    switch (state) {
      case atDocument:
        if (base + at === markSeen && markSeen < 3 && byte === byteOrderMark[markSeen]) markSeen += 1;
        else if (markSeen === 1 || markSeen === 2) throw fault('a broken byte order mark', at);
        else beginValue(byte, at);
        return;
      case atValue:
        beginValue(byte, at);
        return;
      case atFirstElement:
        if (byte === closeArray) closeContainer(byte, at);
        else beginValue(byte, at);
        return;
      case atFirstKey:
        if (byte === closeObject) closeContainer(byte, at);
        else beginKey(byte, at);
        return;
      case atKey:
        beginKey(byte, at);
        return;
      case atColon:
        if (byte !== 0x3a) throw fault('a colon was expected', at);
        state = atValue;
        return;
      case afterValue:
        if (byte === 0x2c) state = objects[depth] === 1 ? atKey : atValue;
        else if (byte === closeObject || byte === closeArray) closeContainer(byte, at);
        else throw fault('a comma or the end of the container was expected', at);
        return;
      default:
        throw fault('something follows the end of the document', at);
    }
  };

  /** Goes on within a string from `at`; returns the place of the first byte that was not taken. */
  const string = (bytes: Uint8Array, from: number): number => {
    let at = from;
    for (;;) {
      at = plain.end(bytes, at);
      if (at === bytes.length) return at;
      const byte = bytes[at];
      if (byte === quote) {
        const text = capturing ? takeCapture(at) : undefined;
        if (!stringIsKey) endValue(at + 1, text);
        else {
          if (silentDepth === 0) {
            if (text === undefined) throw fault('a name is longer than 1 MiB', at);
            key = text;
          }
          state = atColon;
        }
        return at + 1;
      }
      if (byte !== backslash) throw fault('a control character stands in a string', at);
      stringHasEscapes = true;
      at += 1;
      if (at === bytes.length) {
        state = inEscape;
        return at;
      }
      takeEscape(bytes[at] ?? 0, at);
      at += 1;
      if (state !== inString) return at;
    }
  };

  const takeEscape = (byte: number, at: number): void => {
    if (byte === 0x75) {
      state = inHex;
      hexLeft = 4;
    } else if (isSimpleEscape(byte)) state = inString;
    else throw fault('an unknown escape stands in a string', at);
  };

  const number = (bytes: Uint8Array, from: number): number => {
    let at = from;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      const next = nextNumberPhase(numberPhase, byte);
      if (next >= 0) {
        numberPhase = next;
        continue;
      }
      if (numberPhase === numMinus && byte === infinity[0]) {
        state = inLiteral;
        literal = infinity;
        literalAt = 1;
        return at + 1;
      }
      endNumber(at);
      return at;
    }
    return at;
  };

  const endNumber = (at: number): void => {
    if (!numberMayEnd[numberPhase]) throw fault('a number is not complete', at);
    endValue(at, capturing ? takeCapture(at) : undefined);
  };

  const word = (bytes: Uint8Array, from: number): number => {
    let at = from;
    while (at < bytes.length && literalAt < literal.length) {
      if (bytes[at] !== literal[literalAt]) throw fault('an unknown word', at);
      at += 1;
      literalAt += 1;
    }
    if (literalAt === literal.length) endValue(at, capturing ? takeCapture(at) : undefined);
    return at;
  };

  return {
    write(bytes) {
      plain.use(bytes);
      piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const { length } = bytes;
      captureFrom = 0;
      let at = 0;
      while (at < length) {
        const byte = bytes[at] ?? 0;
        if (state === inString) at = string(bytes, at);
        else if (state < inString) {
          if (isSpace(byte)) at = spaceEnd(bytes, at + 1);
          else {
            structure(byte, at);
            at += 1;
          }
        } else if (state === inNumber) at = number(bytes, at);
        else if (state === inLiteral) at = word(bytes, at);
        else if (state === inEscape) {
          takeEscape(byte, at);
          at += 1;
        } else {
          if (!isHexDigit(byte)) throw fault('an unknown escape stands in a string', at);
          hexLeft -= 1;
          if (hexLeft === 0) state = inString;
          at += 1;
        }
      }
      if (capturing) carryCapture(bytes);
      base += length;
    },
    end() {
      // Only a number at the top has no end of its own.
      if (state === inNumber && depth === 0 && numberMayEnd[numberPhase]) endNumber(0);
      if (state !== atEnd) throw new ContentFault('torn', base, 'the document is not complete');
    },
  };
}
