/**
 * Picks a few values out of JSON while it passes, in memory that does not grow with it. Keeps no text but the beginning and the
 * end of the strings that are asked for. What is no JSON ends the reading; what was picked before stays.
 */
export type Picked = {
  readonly kind: 'string' | 'number' | 'true' | 'false' | 'null' | 'object' | 'array';
  /** Of a string its beginning, unescaped; of a number its digits. */
  readonly text: string;
  /** Of a string the last characters, as they were written. */
  readonly tail: string;
  /** Length of a string as it was written; elements of an array. */
  readonly size: number;
};

export type JsonPicker = {
  write(chunk: Uint8Array, from?: number, to?: number): void;
  /** By path, the last value where several had it. */
  readonly picked: ReadonlyMap<string, Picked>;
  /** No value has begun yet. */
  isBlank(): boolean;
  /** Before other JSON. */
  reset(): void;
};

/** `*` is any element of which no path names the place. Paths such as `usage.prompt_tokens`, `data.0.embedding`, `messages.*.content`; and how much of a string is kept of each. */
export type PickPlan = { readonly root: Step };
type Step = { path?: string; keep: number; readonly next: Map<string, Step> };

const usualKeep = 64;
const tailBytes = 16;
const deepest = 1_000;

export function planPicks(paths: readonly (string | readonly [path: string, keepBytes: number])[]): PickPlan {
  const root: Step = { keep: 0, next: new Map() };
  for (const one of paths) {
    const [path, keep] = typeof one === 'string' ? [one, usualKeep] : one;
    let step = root;
    for (const part of path.split('.')) {
      const next: Step = step.next.get(part) ?? { keep: 0, next: new Map() };
      step.next.set(part, next);
      step = next;
    }
    step.path = path;
    step.keep = keep;
  }
  return { root };
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openObject = 0x7b;
const closeObject = 0x7d;
const openArray = 0x5b;
const closeArray = 0x5d;
const isBlankByte = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Bytes at which skipping has to look up: quote and brackets. */
const turns = new Uint8Array(256);
for (const byte of [quote, openObject, closeObject, openArray, closeArray]) turns[byte] = 1;
/** The same, with the commas that tell elements apart. */
const turnsCounted = Uint8Array.from(turns);
turnsCounted[comma] = 1;

/** A container on the way to something that is asked for; of others only the depth is known. */
type Level = { readonly isObject: boolean; readonly step: Step; index: number };

type Mode = 'value' | 'key' | 'colon' | 'after' | 'string' | 'scalar' | 'skip' | 'done' | 'broken';

export function createJsonPicker(plan: PickPlan): JsonPicker {
  const picked = new Map<string, Picked>();
  let levels: Level[] = [];
  let mode: Mode = 'value';
  /** What the value that comes next, or is being read, is asked for as. */
  let step: Step | undefined = plan.root;
  let key = '';
  /** The string that is being read is a key. */
  let isKey = false;
  let escaped = false;
  let size = 0;
  let head: number[] = [];
  let tail: number[] = [];
  /** Containers that are skipped, one in the other; 0 outside of them. */
  let depth = 0;
  let inSkippedString = false;
  /** The array whose elements are counted. */
  let counted: Step | undefined;
  let elements = 0;
  let sawElement = false;

  const put = (of: Step | undefined, kind: Picked['kind'], text: string, tailText: string, length: number): void => {
    if (of?.path !== undefined) picked.set(of.path, { kind, text, tail: tailText, size: length });
  };

  const after = (): void => {
    mode = levels.length === 0 ? 'done' : 'after';
  };

  const begin = (byte: number): void => {
    if (byte === quote) {
      mode = 'string';
      isKey = false;
      escaped = false;
      size = 0;
      head = [];
      tail = [];
    } else if (byte === openObject || byte === openArray) {
      const isObject = byte === openObject;
      if (step?.path !== undefined && isObject) put(step, 'object', '', '', 0);
      if (step !== undefined && step.next.size > 0 && levels.length < deepest) {
        levels.push({ isObject, step, index: 0 });
        mode = isObject ? 'key' : 'value';
        if (!isObject) step = elementOf(step, 0);
      } else {
        mode = 'skip';
        depth = 1;
        inSkippedString = false;
        counted = isObject || step?.path === undefined ? undefined : step;
        elements = 0;
        sawElement = false;
      }
    } else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x4e) {
      mode = 'scalar';
      head = [byte];
    } else mode = 'broken';
  };

  const endScalar = (): void => {
    const text = String.fromCharCode(...head);
    if (text === 'true' || text === 'false' || text === 'null') put(step, text, text, '', 0);
    else if (/^-?\d/.test(text)) put(step, 'number', text, '', 0);
    after();
  };

  const close = (byte: number): void => {
    const level = levels.pop();
    if (level === undefined || level.isObject !== (byte === closeObject)) mode = 'broken';
    else {
      if (!level.isObject) put(level.step, 'array', '', '', level.index);
      after();
    }
  };

  /** A short key that lies whole in the bytes at hand, as nearly all do. @returns the place behind it; `from` when it is not so */
  const readKey = (chunk: Uint8Array, from: number, to: number): number => {
    let text = '';
    for (let at = from; at < to && at < from + usualKeep; at += 1) {
      const byte = chunk[at]!;
      if (byte === quote) {
        key = text;
        mode = 'colon';
        return at + 1;
      }
      if (byte === backslash || byte >= 0x80) return from;
      text += String.fromCharCode(byte);
    }
    return from;
  };

  /** @returns the place behind what was used */
  const readString = (chunk: Uint8Array, from: number, to: number): number => {
    const keep = isKey ? usualKeep : step?.path === undefined ? 0 : step.keep;
    let at = from;
    while (at < to) {
      if (escaped) {
        take(chunk[at]!, keep);
        escaped = false;
        at += 1;
        continue;
      }
      // What is not kept is passed over as fast as it can be searched.
      if (head.length >= keep) {
        const next = nextStop(chunk, at, to);
        size += next - at;
        if (wantsTail() && next > at) keepTail(chunk, Math.max(at, next - tailBytes), next);
        at = next;
        if (at === to) return to;
      }
      const byte = chunk[at]!;
      if (byte === quote) {
        endString();
        return at + 1;
      }
      if (byte === backslash) escaped = true;
      take(byte, keep);
      at += 1;
    }
    return at;
  };

  const wantsTail = (): boolean => !isKey && step?.path !== undefined;

  const keepTail = (chunk: Uint8Array, from: number, to: number): void => {
    for (let at = from; at < to; at += 1) tail.push(chunk[at]!);
    if (tail.length > 4 * tailBytes) tail = tail.slice(-tailBytes);
  };

  const take = (byte: number, keep: number): void => {
    size += 1;
    if (head.length < keep) head.push(byte);
    if (wantsTail()) {
      tail.push(byte);
      if (tail.length > 4 * tailBytes) tail = tail.slice(-tailBytes);
    }
  };

  const endString = (): void => {
    if (isKey) {
      key = unescapeBytes(head);
      mode = 'colon';
      return;
    }
    if (step?.path !== undefined)
      put(step, 'string', unescapeBytes(head), String.fromCharCode(...tail.slice(-tailBytes)), size);
    after();
  };

  const skip = (chunk: Uint8Array, from: number, to: number): number => {
    let at = from;
    while (at < to) {
      if (inSkippedString) {
        if (escaped) {
          escaped = false;
          at += 1;
          continue;
        }
        at = nextStop(chunk, at, to);
        if (at === to) return to;
        if (chunk[at] === quote) inSkippedString = false;
        else escaped = true;
        at += 1;
        continue;
      }
      const counting = counted !== undefined && depth === 1;
      if (counting && !sawElement) while (at < to && isBlankByte(chunk[at]!)) at += 1;
      if (at === to) return to;
      if (counting && !sawElement && chunk[at] !== closeArray) {
        sawElement = true;
        elements = 1;
      }
      const table = counting ? turnsCounted : turns;
      while (at < to && table[chunk[at]!] === 0) at += 1;
      if (at === to) return to;
      const byte = chunk[at]!;
      at += 1;
      if (byte === quote) {
        inSkippedString = true;
        escaped = false;
      } else if (byte === comma) elements += 1;
      else if (byte === openObject || byte === openArray) depth += 1;
      else {
        depth -= 1;
        if (depth > 0) continue;
        put(counted, 'array', '', '', elements);
        after();
        return at;
      }
    }
    return at;
  };

  return {
    picked,
    isBlank: () => mode === 'value' && levels.length === 0,
    reset() {
      picked.clear();
      levels = [];
      mode = 'value';
      step = plan.root;
      depth = 0;
    },
    write(chunk, from = 0, to = chunk.length) {
      let at = from;
      while (at < to) {
        if (mode === 'string') {
          at = readString(chunk, at, to);
          continue;
        }
        if (mode === 'skip') {
          at = skip(chunk, at, to);
          continue;
        }
        if (mode === 'done' || mode === 'broken') return;
        const byte = chunk[at]!;
        if (mode === 'scalar') {
          if (isBlankByte(byte) || byte === comma || byte === closeObject || byte === closeArray) {
            endScalar();
            continue; // the byte itself is still to be read
          }
          if (head.length < 32) head.push(byte);
          at += 1;
          continue;
        }
        at += 1;
        if (isBlankByte(byte)) continue;
        const level = levels.at(-1);
        if (mode === 'value') {
          if (byte === closeArray && level !== undefined && !level.isObject && level.index === 0) close(byte);
          else {
            if (level !== undefined && !level.isObject) level.index += 1;
            begin(byte);
          }
        } else if (mode === 'key') {
          if (byte === quote) {
            mode = 'string';
            isKey = true;
            escaped = false;
            size = 0;
            head = [];
            at = readKey(chunk, at, to);
          } else if (byte === closeObject) close(byte);
          else mode = 'broken';
        } else if (mode === 'colon') {
          if (byte !== colon) mode = 'broken';
          else {
            step = key === '*' ? undefined : level?.step.next.get(key);
            mode = 'value';
          }
        } else if (byte === comma && level !== undefined) {
          if (level.isObject) mode = 'key';
          else {
            step = elementOf(level.step, level.index);
            mode = 'value';
          }
        } else if (byte === closeObject || byte === closeArray) close(byte);
        else mode = 'broken';
      }
    },
  };
}

const elementOf = ({ next }: Step, index: number): Step | undefined => next.get(String(index)) ?? next.get('*');

/** The next quote or backslash of a string, or the end. */
function nextStop(chunk: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at += 1) {
    const byte = chunk[at]!;
    if (byte === quote || byte === backslash) return at;
  }
  return to;
}

/** What was written between quotes; cut off in the middle of a character or an escape, without that. */
function unescapeBytes(bytes: readonly number[]): string {
  if (bytes.length <= usualKeep && bytes.every((byte) => byte < 0x80 && byte !== backslash))
    return String.fromCharCode(...bytes);
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/\ufffd$/, '');
  if (!text.includes('\\')) return text;
  for (let cut = 0; cut <= 6; cut += 1)
    try {
      return String(JSON.parse(`"${text.slice(0, text.length - cut)}"`));
    } catch {
      // One less, until no half escape is left.
    }
  return text;
}
