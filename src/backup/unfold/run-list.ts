/** The order of the pieces of a file, as runs of rising numbers. Outside of the JavaScript heap, 8 bytes a run. */
export type RunList = {
  add(number: number, coded: boolean): void;
  all(): Generator<{ readonly number: number; readonly count: number; readonly coded: boolean }>;
};

export function createRunList(): RunList {
  /** Pairs: number of the first piece, and how many, with the highest bit for coded ones. */
  let pairs = new Uint32Array(1024);
  let used = 0;
  const codedBit = 0x8000_0000;

  return {
    add(number, coded) {
      const bit = coded ? codedBit : 0;
      if (used > 0) {
        const [first = 0, count = 0] = pairs.subarray(used - 2, used);
        if ((count & codedBit) >>> 0 === bit && first + (count & ~codedBit) === number) {
          pairs[used - 1] = count + 1;
          return;
        }
      }
      if (used === pairs.length) {
        const longer = new Uint32Array(2 * pairs.length);
        longer.set(pairs);
        pairs = longer;
      }
      pairs[used] = number;
      pairs[used + 1] = (1 | bit) >>> 0;
      used += 2;
    },
    *all() {
      for (let at = 0; at < used; at += 2) {
        const [number = 0, count = 0] = pairs.subarray(at, at + 2);
        yield { number, count: (count & ~codedBit) >>> 0, coded: count >= codedBit };
      }
    },
  };
}
