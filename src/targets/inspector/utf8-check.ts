import { isUtf8 } from 'node:buffer';
import { ContentFault } from './content-fault.ts';

export type Utf8Check = {
  /** @throws ContentFault of the kind `invalid` at the first byte that is not UTF-8 */
  write(bytes: Uint8Array): void;
  /** @throws ContentFault of the kind `torn` when the last character is cut off */
  end(): void;
};

/** Checks bytes that come in pieces; a character may be cut by the end of a piece. */
export function createUtf8Check(): Utf8Check {
  let base = 0;
  let rest = Buffer.alloc(0);

  return {
    write(bytes) {
      // At most three bytes are open, so the joint is small: the rest, and what completes its character.
      let from = 0;
      if (rest.length > 0) {
        const wanted = sequenceLength(rest[0] ?? 0) - rest.length;
        from = Math.min(wanted, bytes.length);
        const joint = Buffer.concat([rest, bytes.subarray(0, from)]);
        if (from < wanted && looksOpen(joint)) {
          rest = joint;
          base += bytes.length;
          return;
        }
        if (!isUtf8(joint)) throw new ContentFault('invalid', base - rest.length, 'the bytes are not UTF-8');
        rest = Buffer.alloc(0);
      }
      const open = openTail(bytes, from);
      const whole = bytes.subarray(from, bytes.length - open);
      if (!isUtf8(whole)) throw new ContentFault('invalid', base + from + firstBad(whole), 'the bytes are not UTF-8');
      rest = Buffer.from(bytes.subarray(bytes.length - open));
      base += bytes.length;
    },
    end() {
      if (rest.length > 0) throw new ContentFault('torn', base, 'the file ends within a character');
    },
  };
}

/** Bytes of the character that `lead` begins; 1 for everything that begins none of several bytes. */
function sequenceLength(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  return lead >= 0xc2 && lead < 0xe0 ? 2 : 1;
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;
const looksOpen = (joint: Uint8Array): boolean => joint.subarray(1).every(isContinuation);

/** How many bytes at the end begin a character that is not complete: 0 to 3. */
function openTail(bytes: Uint8Array, from: number): number {
  for (let back = 1; back <= 3 && bytes.length - back >= from; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (isContinuation(byte)) continue;
    return sequenceLength(byte) > back ? back : 0;
  }
  return 0;
}

/** The start of the first character that is none, found by halving and then one by one. */
function firstBad(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.length;
  for (;;) {
    let middle = good + ((bad - good) >> 1);
    while (middle > good && isContinuation(bytes[middle] ?? 0)) middle -= 1;
    if (middle === good) break;
    if (isUtf8(bytes.subarray(good, middle))) good = middle;
    else bad = middle;
  }
  for (;;) {
    const next = good + sequenceLength(bytes[good] ?? 0);
    if (next > bytes.length || !isUtf8(bytes.subarray(good, next))) return good;
    good = next;
  }
}
