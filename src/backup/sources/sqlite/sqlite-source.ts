import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError, describeError, isAppError, storageError } from '../../../platform/errors.ts';
import { digestFile } from '../file-digest.ts';
import type { PendingCapture, Source } from '../source.ts';
import { treeDigest } from '../tree.ts';
import { askSqlite } from './sqlite-file.ts';

/** What the manifest keeps of a captured database file, for its restorer. */
export const sqliteDetails = z.object({
  version: z.literal(1),
  /** Where it lay, after links were resolved by whoever configured it. */
  path: z.string(),
  stream: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number(),
  mode: z.number(),
  uid: z.number(),
  gid: z.number(),
  tables: z.record(z.string(), z.number()),
});
export type SqliteDetails = z.infer<typeof sqliteDetails>;

const streamName = 'database.sqlite';

/**
 * One SQLite file that is in use: a copy of it as of one moment, made by SQLite itself while others read and write, with what
 * lies in its write-ahead log. It is checked page by page before it counts.
 */
export function createSqliteSource(options: { readonly name: string; readonly path: string }): Source {
  const { name, path } = options;
  return {
    name,
    kind: 'sqlite',
    describe: () => ({
      name,
      kind: 'sqlite',
      online: true,
      consistent: 'always',
      restorableElsewhere: true,
      notes: [`${path}, copied by SQLite as of one moment and checked page by page`],
    }),
    async capture(into, { signal }): Promise<PendingCapture> {
      await rm(into, { recursive: true, force: true });
      await mkdir(into, { recursive: true, mode: 0o700 });
      const copy = join(into, 'copy');
      // The folder stays, empty: a point names it.
      const remove = (): Promise<void> => rm(copy, { force: true });
      try {
        const original = await stat(path);
        const look = await askSqlite({ act: 'copy', from: path, to: copy }, { code: 'backup/capture-failed', signal });
        const { sha256, bytes } = await digestFile(copy, { signal });
        return {
          async complete(context) {
            const stored = await context.storeStream(streamName, { by: 'bytes', chunks: createReadStream(copy) });
            await rm(copy, { force: true });
            if ((stored.sha256 ?? sha256) !== sha256)
              throw new AppError('backup/capture-failed', `${name}: other bytes were stored than were read.`);
            const details: SqliteDetails = {
              version: 1,
              path,
              stream: streamName,
              sha256,
              bytes,
              mode: original.mode & 0o777,
              uid: original.uid,
              gid: original.gid,
              tables: look.tables,
            };
            return {
              name,
              kind: 'sqlite',
              entries: [],
              treeSha256: treeDigest([]),
              streams: [{ ...stored, sha256 }],
              files: 0,
              bytes,
              renewedFiles: 0,
              skipped: [],
              damaged: look.problems.slice(0, 3).map((reason) => ({ path, reason })),
              partial: false,
              notes: [],
              proof: { grade: 'consistent', reasons: ['one moment: the copy that SQLite makes in one step'] },
              restore: { by: 'restorer', details },
            };
          },
          release: () => remove().catch(() => undefined),
        };
      } catch (err) {
        await remove();
        if (isAppError(err) || signal.aborted) throw err;
        const full = storageError(err, `capturing ${name}`);
        if (isAppError(full)) throw full;
        throw new AppError('backup/capture-failed', `${name}: ${describeError(err)}.`, { cause: err });
      }
    },
  };
}
