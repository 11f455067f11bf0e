import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../../../platform/errors.ts';
import { writeWhole } from '../../staging.ts';
import type { QdrantServer } from './qdrant-server.ts';

const noteSchema = z.object({
  collection: z.string(),
  /** Names that were there before ours was asked for. */
  before: z.array(z.string()),
  /** Ours; null while the server was making it, which it names itself. */
  name: z.string().nullable(),
});
type Note = z.infer<typeof noteSchema>;

/**
 * What was asked of a server, written down before it is asked, so that a later life of the process takes away what this one left
 * there. A server names a snapshot itself: killed while it is made, nobody knows which of several new ones is ours, and none is
 * removed then.
 */
export type OwnSnapshots = {
  /** @param name where we name it: one that is uploaded */
  asked(collection: string, before: readonly string[], name?: string): Promise<Note>;
  named(note: Note, name: string): Promise<void>;
  over(note: Note): Promise<void>;
  /** Removes what earlier lives left. @returns what may be ours and is left alone, in words */
  removeLeft(server: QdrantServer): Promise<string[]>;
};

/** @param file ours, kept from one point to the next */
export function createOwnSnapshots(file: string): OwnSnapshots {
  let notes: Note[] | undefined;
  let writing: Promise<unknown> = Promise.resolve();
  const read = async (): Promise<Note[]> => {
    notes ??= z.array(noteSchema).parse(JSON.parse(await readFile(file, 'utf8').catch(emptyIfGone)));
    return notes;
  };
  /** One after the other: collections are captured at once. */
  const change = (work: (all: Note[]) => Note[]): Promise<void> => {
    const next = writing.then(async () => {
      const changed = work(await read());
      notes = changed;
      if (changed.length === 0) return rm(file, { force: true });
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      await writeWhole(file, [JSON.stringify(changed)]);
    });
    writing = next.catch(() => undefined);
    return next.then(() => undefined);
  };
  const over = (note: Note): Promise<void> => change((all) => all.filter((one) => one !== note));

  return {
    async asked(collection, before, name) {
      const note: Note = { collection, before: [...before], name: name ?? null };
      await change((all) => [...all, note]);
      return note;
    },
    named: (note, name) =>
      change((all) => {
        note.name = name;
        return all;
      }),
    over,
    async removeLeft(server) {
      await writing;
      const left: string[] = [];
      for (const note of [...(await read())]) {
        if (note.name !== null) await server.removeSnapshot(note.collection, note.name);
        else {
          const fresh =
            (await server.snapshots(note.collection))?.filter(({ name }) => !note.before.includes(name)) ?? [];
          if (fresh.length > 0) {
            left.push(
              `ragwarden ended while the server made a snapshot of ${note.collection}, which it names itself: ${fresh.map(({ name }) => name).join(', ')} may be it, and is left for you to remove`,
            );
            continue;
          }
        }
        await over(note);
      }
      return left;
    },
  };
}

function emptyIfGone(err: unknown): string {
  if (systemCode(err) === 'ENOENT') return '[]';
  throw err;
}
