import type { SeenKey } from './key-census.ts';

/**
 * Reads which keys an RDB holds while its bytes pass by, skipping the values but those that are asked for. Made for counting: a type that is not known (a
 * module's, a newer version's) ends the reading, never the capture.
 * @see https://github.com/redis/redis/blob/7.0/src/rdb.h for the types and operation codes
 */
export type RdbKeyReader = {
  write(chunk: Buffer): void;
  /** After the last byte: why the keys could not be told; undefined when they could. */
  end(): string | undefined;
};

class NotReadable extends Error {}

/** @param wantsValue asked of keys whose value is a string, which is then handed over with the key */
export function createRdbKeyReader(
  onKey: (seen: SeenKey, value: Buffer | undefined) => void,
  wantsValue: (key: Pick<SeenKey, 'database' | 'key'>) => boolean = () => false,
): RdbKeyReader {
  const input: Input = { chunk: Buffer.alloc(0), at: 0, passed: 0 };
  const reading = readRdb(input, onKey, wantsValue);
  let problem: string | undefined;
  let ended = false;
  const step = (): void => {
    if (problem !== undefined || ended) return;
    try {
      ended = reading.next().done === true;
    } catch (err) {
      if (!(err instanceof NotReadable)) throw err;
      problem = err.message;
    }
  };
  step();
  return {
    write(chunk) {
      if (problem !== undefined || ended) return;
      input.passed += input.chunk.length;
      input.chunk = chunk;
      input.at = 0;
      step();
    },
    end: () => problem ?? (ended ? undefined : 'it ends in the middle'),
  };
}

type Input = { chunk: Buffer; at: number; passed: number };
/** Yields when it needs the next chunk. */
type Reading<T> = Generator<undefined, T, undefined>;

function* byte(input: Input): Reading<number> {
  while (input.at >= input.chunk.length) yield;
  // Just checked to be there.
  return input.chunk[input.at++] as number;
}

function* take(input: Input, length: number): Reading<Buffer> {
  if (input.chunk.length - input.at >= length) {
    input.at += length;
    return input.chunk.subarray(input.at - length, input.at);
  }
  const parts: Buffer[] = [];
  for (let ahead = length; ahead > 0; ) {
    while (input.at >= input.chunk.length) yield;
    const part = input.chunk.subarray(input.at, input.at + ahead);
    // The chunk may be used again by whoever handed it in.
    parts.push(Buffer.from(part));
    input.at += part.length;
    ahead -= part.length;
  }
  return Buffer.concat(parts);
}

function* skip(input: Input, length: number): Reading<void> {
  for (let ahead = length; ahead > 0; ) {
    while (input.at >= input.chunk.length) yield;
    const step = Math.min(ahead, input.chunk.length - input.at);
    input.at += step;
    ahead -= step;
  }
}

/** A length, or how a string is encoded. */
function* length(input: Input): Reading<{ readonly value: number; readonly encoded: boolean }> {
  const first = yield* byte(input);
  switch (first >> 6) {
    case 0:
      return { value: first & 0x3f, encoded: false };
    case 1:
      return { value: ((first & 0x3f) << 8) | (yield* byte(input)), encoded: false };
    case 3:
      return { value: first & 0x3f, encoded: true };
  }
  if (first === 0x80) return { value: (yield* take(input, 4)).readUInt32BE(), encoded: false };
  if (first === 0x81) return { value: Number((yield* take(input, 8)).readBigUInt64BE()), encoded: false };
  throw new NotReadable('it holds a length that is not known');
}

function* count(input: Input): Reading<number> {
  const { value, encoded } = yield* length(input);
  if (encoded) throw new NotReadable('it holds a length that is not known');
  return value;
}

const integerBytes = [1, 2, 4];

function* skipString(input: Input): Reading<void> {
  const { value, encoded } = yield* length(input);
  if (!encoded) return yield* skip(input, value);
  const bytes = integerBytes[value];
  if (bytes !== undefined) return yield* skip(input, bytes);
  const packed = yield* count(input);
  yield* count(input);
  yield* skip(input, packed);
}

function* string(input: Input): Reading<Buffer> {
  const { value, encoded } = yield* length(input);
  if (!encoded) return yield* take(input, value);
  const bytes = integerBytes[value];
  if (bytes !== undefined) return Buffer.from(String((yield* take(input, bytes)).readIntLE(0, bytes)));
  const packed = yield* count(input);
  const whole = yield* count(input);
  return unpackLzf(yield* take(input, packed), whole);
}

/** LZF as Redis packs strings with it: literal runs, and references to what was written before. */
export function unpackLzf(packed: Buffer, bytes: number): Buffer {
  const out = Buffer.alloc(bytes);
  let to = 0;
  for (let from = 0; from < packed.length; ) {
    const control = packed[from++] as number;
    if (control < 32) {
      packed.copy(out, to, from, from + control + 1);
      from += control + 1;
      to += control + 1;
      continue;
    }
    let run = control >> 5;
    if (run === 7) run += packed[from++] ?? 0;
    let back = to - (((control & 0x1f) << 8) | (packed[from++] ?? 0)) - 1;
    if (back < 0 || to + run + 2 > bytes) throw new NotReadable('it holds a packed string that is damaged');
    for (let left = run + 2; left > 0; left -= 1) out[to++] = out[back++] as number;
  }
  if (to !== bytes) throw new NotReadable('it holds a packed string that is damaged');
  return out;
}

/** The string in what DUMP gave; undefined when it is another kind of value, or cannot be read. */
export function stringOfDump(dump: Buffer): Buffer | undefined {
  if (dump[0] !== 0) return undefined;
  try {
    const read = string({ chunk: dump, at: 1, passed: 0 }).next();
    return read.done ? read.value : undefined;
  } catch (err) {
    if (!(err instanceof NotReadable)) throw err;
    return undefined;
  }
}

function* skipStrings(input: Input, strings: number): Reading<void> {
  for (let left = strings; left > 0; left -= 1) yield* skipString(input);
}

function* skipValue(input: Input, type: number): Reading<void> {
  switch (type) {
    case 0: // string
    case 9: // packed forms, each one string
    case 10:
    case 11:
    case 12:
    case 13:
    case 16:
    case 17:
    case 20:
      return yield* skipString(input);
    case 1: // list, set: as many strings
    case 2:
    case 14:
      return yield* skipStrings(input, yield* count(input));
    case 4: // hash
      return yield* skipStrings(input, 2 * (yield* count(input)));
    case 3: // sorted set with scores in letters
      for (let left = yield* count(input); left > 0; left -= 1) {
        yield* skipString(input);
        const bytes = yield* byte(input);
        if (bytes < 253) yield* skip(input, bytes);
      }
      return;
    case 5: // sorted set with scores of eight bytes
      for (let left = yield* count(input); left > 0; left -= 1) {
        yield* skipString(input);
        yield* skip(input, 8);
      }
      return;
    case 18: // list of packed nodes
      for (let left = yield* count(input); left > 0; left -= 1) {
        yield* count(input);
        yield* skipString(input);
      }
      return;
    case 15:
    case 19:
    case 21:
      return yield* skipStream(input, type);
    default:
      throw new NotReadable(`it holds values of type ${type}, which is not known here`);
  }
}

function* skipStream(input: Input, type: number): Reading<void> {
  yield* skipStrings(input, 2 * (yield* count(input)));
  // Entries, newest id; then the oldest, the greatest deleted, entries ever.
  for (let left = type === 15 ? 3 : 8; left > 0; left -= 1) yield* count(input);
  for (let groups = yield* count(input); groups > 0; groups -= 1) {
    yield* skipString(input);
    for (let left = type === 15 ? 2 : 3; left > 0; left -= 1) yield* count(input);
    for (let pending = yield* count(input); pending > 0; pending -= 1) {
      yield* skip(input, 24);
      yield* count(input);
    }
    for (let consumers = yield* count(input); consumers > 0; consumers -= 1) {
      yield* skipString(input);
      yield* skip(input, type === 21 ? 16 : 8);
      yield* skip(input, 16 * (yield* count(input)));
    }
  }
}

function* readRdb(
  input: Input,
  onKey: (seen: SeenKey, value: Buffer | undefined) => void,
  wantsValue: (key: Pick<SeenKey, 'database' | 'key'>) => boolean,
): Reading<void> {
  if ((yield* take(input, 5)).toString('latin1') !== 'REDIS') throw new NotReadable('it is no RDB');
  yield* skip(input, 4);
  let database = 0;
  let expires = false;
  for (;;) {
    const code = yield* byte(input);
    switch (code) {
      case 0xff:
        return;
      case 0xfe:
        database = yield* count(input);
        break;
      case 0xfb: // sizes of the tables
        yield* count(input);
        yield* count(input);
        break;
      case 0xfa: // a fact
        yield* skipStrings(input, 2);
        break;
      case 0xf5: // a library of functions
        yield* skipString(input);
        break;
      case 0xfd:
      case 0xfc:
        yield* skip(input, code === 0xfd ? 4 : 8);
        expires = true;
        break;
      case 0xf9: // how often used
        yield* skip(input, 1);
        break;
      case 0xf8: // how long unused
        yield* count(input);
        break;
      case 0xf4: // sizes of a slot
        for (let left = 3; left > 0; left -= 1) yield* count(input);
        break;
      default: {
        if (code >= 0xf0) throw new NotReadable(`it holds the code ${code}, which is not known here`);
        const key = Buffer.from(yield* string(input));
        const before = input.passed + input.at;
        let value: Buffer | undefined;
        if (code === 0 && wantsValue({ database, key })) value = yield* string(input);
        else yield* skipValue(input, code);
        onKey({ database, key, bytes: input.passed + input.at - before + key.length, expires }, value);
        expires = false;
      }
    }
  }
}
