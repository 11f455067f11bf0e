import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../../../platform/errors.ts';
import { flush, isPresent, writeDurably } from '../durable.ts';
import type { RestorerState } from '../restorer.ts';

const moveSchema = z.object({
  collection: z.string(),
  method: z.enum(['new', 'whole', 'points', 'beside']),
  /** Undefined: all points. */
  workspaces: z.array(z.tuple([z.string(), z.string()])).optional(),
  /** Where the snapshot was taken in first, under a name of ours. */
  staged: z.string(),
  fresh: z.object({ file: z.string(), sha256: z.string() }),
  /** Null: there was no such collection. */
  before: z.object({ file: z.string(), sha256: z.string() }).nullable(),
  /** It was not there, and we make it: begun, and with what is not asked for taken out again. Undefined: not made by us. */
  made: z.enum(['begun', 'done']).optional(),
});
export type NotedMove = z.infer<typeof moveSchema>;

/**
 * What one restore keeps in a folder of ours: what goes where (`moves.json`, written before a server is asked for anything), the
 * snapshots that come and those of before, and how far it came: `prepared`, `begun`, `done`.
 */
export type RestoreFolder = {
  readonly path: string;
  file(name: string): string;
  make(): Promise<void>;
  remove(): Promise<void>;
  noteMoves(moves: readonly NotedMove[]): Promise<void>;
  moves(): Promise<NotedMove[]>;
  mark(name: 'prepared' | 'begun' | 'done'): Promise<void>;
  unmark(name: 'done' | 'begun'): Promise<void>;
  has(name: 'prepared' | 'begun' | 'done'): Promise<boolean>;
  state(): Promise<RestorerState>;
};

const movesFile = 'moves.json';

export function restoreFolder(root: string, operationId: string): RestoreFolder {
  const path = join(root, operationId);
  const file = (name: string): string => join(path, name);
  const noStep = (): void => undefined;
  return {
    path,
    file,
    make: async () => void (await mkdir(path, { recursive: true, mode: 0o700 })),
    remove: () => rm(path, { recursive: true, force: true }),
    noteMoves: (moves) => writeDurably(file(movesFile), JSON.stringify(moves), noStep),
    async moves() {
      try {
        return z.array(moveSchema).parse(JSON.parse(await readFile(file(movesFile), 'utf8')));
      } catch (err) {
        if (systemCode(err) === 'ENOENT') return [];
        throw err;
      }
    },
    mark: (name) => writeDurably(file(name), '', noStep),
    async unmark(name) {
      await rm(file(name), { force: true });
      await flush(path);
    },
    has: (name) => isPresent(file(name)),
    async state() {
      if (!(await isPresent(file('prepared')))) return 'none';
      return (await isPresent(file('done'))) ? 'committed' : 'prepared';
    },
  };
}

/** Restores before this one. */
export async function earlierRestores(root: string, operationId: string): Promise<RestoreFolder[]> {
  const names = await readdir(root).catch((err: unknown): string[] => {
    if (systemCode(err) === 'ENOENT') return [];
    throw err;
  });
  return names.filter((name) => name !== operationId).map((name) => restoreFolder(root, name));
}
