import { deflateSync, inflateSync } from 'node:zlib';

// Made once: a vector has hundreds of values.
const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** IEEE 754 half precision bits of a number, rounded to nearest, ties to even, as numpy's float16 does. */
export function toHalf(value: number): number {
  single[0] = value;
  const word = singleBits[0] ?? 0;
  const sign = (word >>> 16) & 0x8000;
  const exponent = (word >>> 23) & 0xff;
  const fraction = word & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200);
  const half = exponent - 127 + 15;
  if (half >= 31) return sign | 0x7c00;
  if (half <= 0) {
    if (half < -10) return sign;
    return sign | roundShift(fraction | 0x800000, 14 - half);
  }
  // A carry out of the fraction correctly raises the exponent.
  return sign | ((half << 10) + roundShift(fraction, 13));
}

function roundShift(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return rest > middle || (rest === middle && (kept & 1) === 1) ? kept + 1 : kept;
}

/** The number a half stands for. */
export function fromHalf(half: number): number {
  const sign = (half & 0x8000) === 0 ? 1 : -1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The `vector` field of a vector row: base64 of zlib of float16, little-endian. */
export function packVector(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 2);
  vector.forEach((value, index) => {
    bytes.writeUInt16LE(toHalf(value), index * 2);
  });
  return deflateSync(bytes).toString('base64');
}

/** What `packVector` kept: the vector to half precision. */
export function unpackVector(packed: string): Float32Array {
  const bytes = inflateSync(Buffer.from(packed, 'base64'));
  return Float32Array.from({ length: bytes.length / 2 }, (_, index) => fromHalf(bytes.readUInt16LE(index * 2)));
}
