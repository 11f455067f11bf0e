import { readFile, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What may be wrong with a generated workspace. */
export const workspaceFaults = [
  /** Documents that a killed server left in each status between accepted and finished. */
  'stuck-documents',
  'failed-documents',
  /** A `dup-…` row: the same text was handed in twice. */
  'duplicate-documents',
  /** A store file cut off in the middle of a string: a kill during a write in place. The server refuses to start. */
  'truncated-json',
  /** An empty store file: the server starts, and has silently lost the texts. */
  'zero-byte',
  /** A temporary sibling of a killed atomic write, older than the hour after which the server removes it. */
  'orphan-tmp',
  /** Every third chunk and every fifth entity has no vector row. */
  'missing-vectors',
  /** An edge in the graph without a vector row. */
  'extra-edges',
  /** The entities have vectors of twice the dimension. The server refuses to start. */
  'dimension-mismatch',
  /** Two chunk vectors stand twice in their file. */
  'duplicate-rows',
  /** `chunk-<md5>` as up to 1.4, in a workspace of 1.5. */
  'legacy-chunk-ids',
  /** File names and entities with marks, quotation marks, emoji, right-to-left and unspaced scripts. */
  'unicode-names',
] as const;

export type WorkspaceFault = (typeof workspaceFaults)[number];

/** Those faults that are done to finished files. */
export async function damage(folder: string, faults: ReadonlySet<WorkspaceFault>, endSeconds: number): Promise<void> {
  const chunks = join(folder, 'kv_store_text_chunks.json');
  if (faults.has('orphan-tmp')) {
    const orphan = `${chunks}.tmp.4242.4243.text_chunks`;
    await writeFile(orphan, (await readFile(chunks)).subarray(0, 700));
    await utimes(orphan, endSeconds, endSeconds);
  }
  if (faults.has('truncated-json')) {
    const text = await readFile(chunks, 'utf8');
    const inString = text.indexOf('"content": "', Math.floor(text.length / 2));
    const at = inString < 0 ? text.lastIndexOf('"content": "') : inString;
    await truncate(chunks, Buffer.byteLength(text.slice(0, at + 20)));
  }
  if (faults.has('zero-byte')) await truncate(join(folder, 'kv_store_full_docs.json'), 0);
}
