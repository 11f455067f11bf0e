import { randomBytes } from 'node:crypto';

/** Bytes from outside, so that a test can fix them. */
export type RandomSource = (bytes: number) => Buffer;
export const systemRandom: RandomSource = (bytes) => randomBytes(bytes);

/**
 * Sortable by time: 48 bits of epoch milliseconds and 80 random bits, in lower-case base 32 without look-alikes (Crockford).
 * @returns 26 characters; with a prefix `op` it reads `op_01jd…`
 */
export function newId(prefix: string, nowMs: number, random: RandomSource = systemRandom): string {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
  let time = '';
  let rest = nowMs;
  for (let i = 0; i < 10; i += 1) {
    time = alphabet[rest % 32] + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (const byte of random(16)) tail += alphabet[byte & 31];
  return `${prefix}_${time}${tail}`;
}
