import { constants } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { AppError, describeError, systemCode } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import type { CleanupStore } from './cleanup-store.ts';
import { flush } from './durable.ts';
import type { Facts } from './plan.ts';

/** Something that was taken away and can be brought back. */
export type QuarantineEntry = {
  /** `<run>.<number>`. */
  readonly id: string;
  readonly runId: string;
  readonly strategy: string;
  /** Whose business it is: files, records of a JSON file, rows, keys. */
  readonly kind: string;
  readonly what: string;
  readonly bytes: number | null;
  readonly heldMs: number;
  /** Afterwards it is removed for good. */
  readonly expiresMs: number;
  readonly state: 'held' | 'undone' | 'expired';
  readonly endedMs: number | null;
  /** Why it could not be undone the last time. */
  readonly note: string | null;
  readonly data: Facts;
};

export type NewEntry = Pick<QuarantineEntry, 'kind' | 'what' | 'bytes' | 'data'>;

/** How one kind of thing comes back, and goes for good. */
export type QuarantineKind = {
  readonly name: string;
  /** Brings it back and overwrites nothing. May be called again after a kill. @throws AppError `conflict/state` when its place is taken */
  restore(entry: QuarantineEntry, signal: AbortSignal): Promise<void>;
  /** For good. May be called again after a kill. */
  purge(entry: QuarantineEntry): Promise<void>;
  /** After a kill: whether it was taken away. In doubt it was: undoing looks again. */
  wasTaken(entry: QuarantineEntry): Promise<boolean>;
};

/** The quarantine of one run while it is under way. */
export type OpenQuarantine = {
  readonly runId: string;
  /** In the data folder, for what is copied before it goes. */
  readonly folder: string;
  /** Makes the folder; `announce` does so too. */
  prepare(): Promise<void>;
  /** On the disk before it resolves: what is about to go, and how it comes back. Nothing is touched before. */
  announce(entries: readonly NewEntry[]): Promise<readonly QuarantineEntry[]>;
  /**
   * Of those that were announced, those that went; the others stayed where they were.
   * @param stayed where none of a batch went, its entries; the last batch unless told
   */
  settle(gone: readonly QuarantineEntry[], stayed?: readonly QuarantineEntry[]): Promise<void>;
  /** What was announced and not settled by now is for `settleFailed`. */
  close(): void;
};

export type Quarantine = {
  open(runId: string, strategy: string, windowMs: number): Promise<OpenQuarantine>;
  /** Brings back what a run took, or one entry. @returns what came back, and what did not with the reason */
  undo(
    entries: readonly QuarantineEntry[],
    signal: AbortSignal,
  ): Promise<{ undone: QuarantineEntry[]; failed: { entry: QuarantineEntry; why: string }[] }>;
  /** @returns bytes that are gone for good */
  purge(entry: QuarantineEntry): Promise<void>;
  /** After a kill: puts down what the journal of the run knows and the list does not. @returns how many were found */
  settleRun(runId: string): Promise<number>;
  /**
   * After a run that failed in the midst of a batch: puts down what of that batch went. What cannot be put down yet, as while the database is
   * away, is tried again when the next run begins.
   * @returns how many were found
   */
  settleFailed(runId: string): Promise<number>;
};

const line = z.object({
  id: z.string(),
  strategy: z.string(),
  kind: z.string(),
  what: z.string(),
  bytes: z.number().nullable(),
  heldMs: z.number(),
  expiresMs: z.number(),
  data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/**
 * What cleanups took away, until it is undone or its window is over. The journal of a run is on the disk before anything is
 * touched, the list in the database after; what lies between the two after a kill is found by looking.
 * @param step called at named boundaries, so that tests can end the process at each of them
 */
export function createQuarantine(options: {
  folder: string;
  kinds: readonly QuarantineKind[];
  store: CleanupStore;
  db: Database;
  clock: Clock;
  log: Logger;
  step?: (name: string) => void | Promise<void>;
}): Quarantine {
  const { store, db, clock, log } = options;
  const step = async (name: string): Promise<void> => options.step?.(name);
  const kinds = new Map(options.kinds.map((kind) => [kind.name, kind]));
  const kindOf = (name: string): QuarantineKind => {
    const kind = kinds.get(name);
    if (kind) return kind;
    throw new AppError('conflict/state', `Nothing here knows how to bring back "${name}".`);
  };
  const folderOf = (runId: string): string => join(options.folder, runId);
  const journalOf = (runId: string): string => join(folderOf(runId), 'journal.jsonl');

  /** Their journals are still written. */
  const underWay = new Set<string>();
  /** By run: what was announced and not settled when it ended. */
  const unsettled = new Map<string, readonly QuarantineEntry[]>();

  const end = async (entry: QuarantineEntry, state: 'undone' | 'expired'): Promise<void> => {
    await db.unit((tx: Tx) => store.endEntry(tx, entry.id, state, clock.now()));
    if (!underWay.has(entry.runId) && (await store.countHeld(entry.runId)) === 0)
      await rm(folderOf(entry.runId), { recursive: true, force: true });
  };

  /** Puts down those that went and are not in the list. @returns how many */
  const listTaken = async (runId: string, announced: readonly QuarantineEntry[]): Promise<number> => {
    const listed = await store.listedIds(runId);
    const found: QuarantineEntry[] = [];
    for (const entry of announced) {
      if (listed.has(entry.id)) continue;
      const kind = kinds.get(entry.kind);
      if (!kind) log.warn({ kind: entry.kind, what: entry.what }, 'nothing here knows this kind of quarantine');
      else if (await kind.wasTaken(entry)) found.push(entry);
    }
    if (found.length > 0) await db.unit((tx) => store.insertEntries(tx, found));
    return found.length;
  };

  const settleFailed = async (runId: string): Promise<number> => {
    const announced = unsettled.get(runId);
    if (announced === undefined) return 0;
    // Nobody else does it meanwhile.
    unsettled.delete(runId);
    try {
      return await listTaken(runId, announced);
    } catch (err) {
      unsettled.set(runId, announced);
      throw err;
    }
  };

  return {
    settleFailed,
    async open(runId, strategy, windowMs) {
      for (const failed of [...unsettled.keys()])
        await settleFailed(failed).catch((err: unknown) =>
          log.warn(
            { err, run: failed },
            'what a failed cleanup took away could not be listed; the next run tries again',
          ),
        );
      const folder = folderOf(runId);
      let number = 0;
      let waiting: readonly (readonly QuarantineEntry[])[] = [];
      let prepared = false;
      underWay.add(runId);
      const prepare = async (): Promise<void> => {
        if (prepared) return;
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await flush(options.folder);
        prepared = true;
      };
      return {
        runId,
        folder,
        prepare,
        async announce(entries) {
          if (entries.length === 0) {
            waiting = [...waiting, []];
            return [];
          }
          await prepare();
          const heldMs = clock.now();
          const made = entries.map((entry): QuarantineEntry => {
            number += 1;
            return {
              ...entry,
              ...{ id: `${runId}.${number}`, runId, strategy, heldMs, expiresMs: heldMs + windowMs },
              ...{ state: 'held', endedMs: null, note: null },
            };
          });
          await append(journalOf(runId), made);
          waiting = [...waiting, made];
          await step('announced');
          return made;
        },
        async settle(gone, stayed = []) {
          await step('taken');
          if (gone.length > 0) await db.unit((tx) => store.insertEntries(tx, gone));
          const told = new Set([...gone, ...stayed]);
          waiting =
            told.size === 0 ? waiting.slice(0, -1) : waiting.filter((batch) => !batch.some((one) => told.has(one)));
          await step('listed');
        },
        close() {
          underWay.delete(runId);
          const left = waiting.flat();
          if (left.length > 0) unsettled.set(runId, left);
        },
      };
    },
    async undo(entries, signal) {
      const undone: QuarantineEntry[] = [];
      const failed: { entry: QuarantineEntry; why: string }[] = [];
      for (const entry of entries) {
        if (signal.aborted) break;
        if (entry.state !== 'held') {
          failed.push({ entry, why: `it is ${entry.state} already` });
          continue;
        }
        try {
          await kindOf(entry.kind).restore(entry, signal);
          await step('brought-back');
          await end(entry, 'undone');
          undone.push(entry);
        } catch (err) {
          if (signal.aborted) break;
          const why = describeError(err);
          failed.push({ entry, why });
          await db.unit((tx) => store.noteEntry(tx, entry.id, why.slice(0, 500)));
        }
      }
      return { undone, failed };
    },
    async purge(entry) {
      await kindOf(entry.kind).purge(entry);
      await end(entry, 'expired');
    },
    async settleRun(runId) {
      const text = await readFile(journalOf(runId), 'utf8').catch((err: unknown) => {
        if (systemCode(err) === 'ENOENT') return '';
        throw err;
      });
      const announced: QuarantineEntry[] = [];
      for (const written of text.split('\n')) {
        // The last line of a life that was killed may be half there: what it tells was not touched yet.
        const entry = readLine(written);
        if (entry !== undefined) announced.push({ ...entry, runId, state: 'held', endedMs: null, note: null });
      }
      return listTaken(runId, announced);
    },
  };
}

function readLine(written: string): z.infer<typeof line> | undefined {
  if (written === '') return undefined;
  try {
    return line.parse(JSON.parse(written));
  } catch {
    return undefined;
  }
}

async function append(path: string, entries: readonly QuarantineEntry[]): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
  try {
    await handle.write(
      entries.map(({ runId: _, state: __, endedMs: ___, note: ____, ...kept }) => `${JSON.stringify(kept)}\n`).join(''),
    );
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
