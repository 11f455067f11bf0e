import type { ByteReader, ByteWriter } from './bytes.ts';

/**
 * A column of doubles, bit for bit, in the form that leaves the fewest bytes to the compressor behind: one number for a constant;
 * for decimals of up to six places, and whole numbers, the change from one to the next or the change of that change, since counters
 * grow evenly and levels hardly move; else the bits that differ from the one before, byte plane by byte plane.
 */
const constant = 0;
const change = 1;
const changeOfChange = 2;
const bits = 3;

const scales: readonly number[] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
/** Twice doubled by differences and once by the sign, this still is exact. */
const greatest = 2 ** 50;

export function writeColumn(out: ByteWriter, values: ArrayLike<number>): void {
  const n = values.length;
  if (n === 0) return;
  const first = values[0]!;
  let same = true;
  for (let i = 1; i < n && same; i += 1) same = Object.is(values[i], first);
  if (same) {
    out.byte(constant);
    out.double(first);
    return;
  }
  const scaleAt = findScale(values);
  if (scaleAt === undefined) {
    out.byte(bits);
    writeBits(out, values);
    return;
  }
  const scale = scales[scaleAt]!;
  const whole = new Float64Array(n);
  for (let i = 0; i < n; i += 1) whole[i] = Math.round(values[i]! * scale);
  let once = 0;
  let twice = 0;
  for (let i = 1; i < n; i += 1) {
    const step = whole[i]! - whole[i - 1]!;
    once += Math.log2(1 + Math.abs(step));
    twice += Math.log2(1 + Math.abs(i === 1 ? step : step - (whole[i - 1]! - whole[i - 2]!)));
  }
  const form = once <= twice ? change : changeOfChange;
  out.byte(form + 4 * scaleAt);
  out.signed(whole[0]!);
  let before = 0;
  for (let i = 1; i < n; i += 1) {
    const step = whole[i]! - whole[i - 1]!;
    out.signed(form === change ? step : step - before);
    before = step;
  }
}

/** @param n how many values there are, which the caller knows from the times */
export function readColumn(from: ByteReader, n: number): Float64Array {
  const values = new Float64Array(n);
  if (n === 0) return values;
  const head = from.byte();
  const form = head % 4;
  if (form === constant) return values.fill(from.double());
  if (form === bits) {
    readBits(from, values);
    return values;
  }
  const scale = scales[head >> 2];
  if (scale === undefined) throw new Error('a column of the block has an unknown scale');
  let whole = from.signed();
  values[0] = whole / scale;
  let step = 0;
  for (let i = 1; i < n; i += 1) {
    step = form === change ? from.signed() : step + from.signed();
    whole += step;
    values[i] = whole / scale;
  }
  return values;
}

function findScale(values: ArrayLike<number>): number | undefined {
  let at = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    for (; ; at += 1) {
      const scale = scales[at];
      if (scale === undefined) return undefined;
      const whole = Math.round(value * scale);
      if (Math.abs(whole) > greatest || Object.is(value, -0)) return undefined;
      if (whole / scale === value) break;
      // Also for NaN and infinities, which no scale makes whole.
    }
  }
  // What fitted a smaller scale fits this one too, unless it became too large or lost its last bit.
  const scale = scales[at]!;
  for (let i = 0; i < values.length; i += 1) {
    const whole = Math.round(values[i]! * scale);
    if (whole / scale !== values[i] || Math.abs(whole) > greatest) return undefined;
  }
  return at;
}

function writeBits(out: ByteWriter, values: ArrayLike<number>): void {
  const words = new BigUint64Array(Float64Array.from(values).buffer);
  for (let i = words.length - 1; i > 0; i -= 1) words[i] = words[i]! ^ words[i - 1]!;
  const bytes = new Uint8Array(words.buffer);
  for (let plane = 7; plane >= 0; plane -= 1) for (let i = plane; i < bytes.length; i += 8) out.byte(bytes[i]!);
}

function readBits(from: ByteReader, values: Float64Array): void {
  const bytes = new Uint8Array(values.buffer);
  for (let plane = 7; plane >= 0; plane -= 1) {
    const planeBytes = from.raw(values.length);
    for (let i = 0; i < planeBytes.length; i += 1) bytes[i * 8 + plane] = planeBytes[i]!;
  }
  const words = new BigUint64Array(values.buffer);
  for (let i = 1; i < words.length; i += 1) words[i] = words[i]! ^ words[i - 1]!;
}
