import type { ChildSpec } from '../../platform/child-processes/index.ts';
import type { CopyProgress } from './repository.ts';

/** `[0:01] 45.00%  9 / 20 packs copied`: of the snapshot that is copied now. */
const packsLine = /(\d+) \/ (\d+) packs copied/;
/** Said by 0.19 and newer, with `--verbose`. */
const sizeLine = /copy \d+ blobs with disk size ([\d.]+) (B|[KMGT]iB)/;
const unitBytes: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
const begunLine = /^\s*copy started/;
/** Packs are of about one size; fewer say little of the others. */
const tellingPacks = 10;

/**
 * How far `restic copy` is. It tells packs and no bytes; but it writes each byte that goes over twice, into a temporary file and then
 * to the store (measured with 0.14 over TLS: 120.1 MB for 60.0), so half of what it has written since it began to copy is what went.
 * @param oneSnapshot what is to come is known of one snapshot at a time only
 */
export function followCopy(
  oneSnapshot: boolean,
  tell: (progress: CopyProgress) => void,
): Required<Pick<ChildSpec, 'onStdoutLine' | 'written'>> & {
  /**
   * Once it ended well: what restic says went over in all, null where it does not. What it has written is no answer to that: how
   * much of it came before the copying is known only as well as its lines are read in time, and a small copy is over before.
   */
  bytesInAll(): number | null;
} {
  let seen = 0;
  /** How many snapshots were begun, of how many restic told the bytes, and these. */
  const begun = { count: 0, told: 0, toldBytes: 0 };
  /** Before, the indexes of both sides are loaded, and written into the cache. */
  let begunAt: number | undefined;
  let packs = { done: 0, total: 0 };
  let toldBytes: number | undefined;
  const totalOf = (bytesDone: number): number | null => {
    if (!oneSnapshot) return null;
    if (toldBytes !== undefined) return Math.max(toldBytes, bytesDone);
    return packs.done < tellingPacks ? null : Math.round((bytesDone * packs.total) / packs.done);
  };
  return {
    onStdoutLine(line) {
      if (begunLine.test(line)) {
        begunAt ??= seen;
        begun.count += 1;
      }
      const [, done, total] = packsLine.exec(line) ?? [];
      if (total !== undefined) packs = { done: Number(done), total: Number(total) };
      const [, amount, unit = ''] = sizeLine.exec(line) ?? [];
      if (amount === undefined) return;
      toldBytes = Math.round(Number(amount) * (unitBytes[unit] ?? 1));
      begun.told += 1;
      begun.toldBytes += toldBytes;
    },
    written: {
      everyMs: 1_000,
      tell(bytes) {
        seen = bytes;
        if (begunAt === undefined) return;
        const bytesDone = Math.floor((bytes - begunAt) / 2);
        tell({ bytesDone, bytesTotal: totalOf(bytesDone) });
      },
    },
    bytesInAll() {
      // Whatever is not there yet is begun with a word of its own.
      if (begun.count === 0) return packs.total === 0 ? 0 : null;
      return begun.told === begun.count ? begun.toldBytes : null;
    },
  };
}
