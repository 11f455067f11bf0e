import { readFile, rename, writeFile } from 'node:fs/promises';
import { type Stamp, sameStamp } from './scan.ts';

/**
 * What is known of one staged file: the live file it was taken from, the staged file itself, its digest, and when it was
 * taken. Lies beside the staging folder, never in it, and is a memory only: without it everything is read again.
 */
export type IndexedFile = {
  readonly live: Stamp;
  readonly staged: Stamp;
  readonly sha256: string;
  readonly takenAtMs: number;
  /** The change time of the live file is that of our own link to it, whether the link is still there or not. */
  readonly linked?: true;
};
export type StagingIndex = Map<string, IndexedFile>;

export const indexFileOf = (into: string): string => `${into}.index.json`;
const format = 'ragwarden-staging-index/1';

/**
 * Time stamps have the grain of a kernel tick, or of two seconds on some file systems: a file written again within that
 * time of being taken looks unchanged. One that was so young is therefore read once more.
 */
const youngMs = 2_000;

/** Whether the staged copy may stay without reading either file. A hard link of our own moves only the change time. */
export function isUnchanged(known: IndexedFile, live: Stamp, staged: Stamp): boolean {
  if (!sameStamp(known.live, live) || !sameStamp(known.staged, staged)) return false;
  const isLink = live.ino === staged.ino && live.dev === staged.dev;
  const writtenNs = isLink || known.linked || live.mtimeNs > live.ctimeNs ? live.mtimeNs : live.ctimeNs;
  return Number(writtenNs / 1_000_000n) + youngMs <= known.takenAtMs;
}

/** After a reboot nothing is taken on trust: a staged file may have lost bytes that were never flushed. */
export async function readIndex(into: string): Promise<StagingIndex> {
  try {
    const parsed: unknown = JSON.parse(await readFile(indexFileOf(into), 'utf8'), revive);
    // The file is our own, written whole by rename; format and boot are what can differ.
    const { format: found, boot, files } = parsed as { format: string; boot: string; files: [string, IndexedFile][] };
    return found === format && boot === (await bootId()) ? new Map(files) : new Map();
  } catch {
    return new Map();
  }
}

export async function writeIndex(into: string, index: StagingIndex): Promise<void> {
  const text = JSON.stringify({ format, boot: await bootId(), files: [...index] }, (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
  await writeFile(`${indexFileOf(into)}.new`, text, { mode: 0o600 });
  await rename(`${indexFileOf(into)}.new`, indexFileOf(into));
}

const stampKeys = new Set(['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs']);
const revive = (key: string, value: unknown): unknown =>
  stampKeys.has(key) && typeof value === 'string' ? BigInt(value.slice(0, -1)) : value;

async function bootId(): Promise<string> {
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => 'unknown',
  );
}
