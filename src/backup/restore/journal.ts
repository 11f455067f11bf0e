import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, normalize } from 'node:path';
import { z } from 'zod';
import { AppError, systemCode } from '../../platform/errors.ts';
import { nameProblem } from '../sources/tree.ts';
import { writeDurably } from './durable.ts';
import { own, requireOperationId, type Step } from './layout.ts';

/**
 * The journal of one restore. It lies in the first of its roots (the coordinator) and speaks for all of them; every other
 * root holds a member file that only names the coordinator. Each state is on the disk, file and folder flushed, before
 * anything of it happens:
 *
 *   prepared ──▶ moving ──▶ moved ──▶ done        the new state; the undo folders stay until they are discarded
 *      │           │          │
 *      │           └──▶ undoing ◀──┘
 *      ▼                  │
 *    undone ◀─────────────┘                       the old state; the journal goes last of all
 *
 * - prepared: what will move is written down; no name has moved, the member files may not all be there yet.
 * - moving:   member files are there; names leave for the undo folders, in all roots, then new names come in.
 * - moved:    all names have moved in all roots, and the folders are flushed.
 * - undoing:  new names go back to staging, then old names come back.
 *
 * The one rule after a crash: **`moved` is what decides.** Before it stands on the disk every root goes back to the old
 * state, from then on every root keeps the new one. It is one record in one file, so two roots can never disagree.
 * How far a move had come is read from the names themselves: only we take names out of staging and undo folders, so a name
 * missing in staging has moved in, and a name present in the undo folder has moved out.
 */
export const journalStates = ['prepared', 'moving', 'moved', 'done', 'undoing', 'undone'] as const;
export type JournalState = (typeof journalStates)[number];

const format = 'ragwarden-restore-journal/1';

// The journal lies in a folder that the backend can write, so nothing in it is believed unseen.
const name = z.string().refine((value) => nameProblem(value) === undefined, 'not a plain name');
const root = z.string().refine((value) => isAbsolute(value) && normalize(value) === value, 'not an absolute folder');
const operationId = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/i);

const journalSchema = z.object({
  format: z.literal(format),
  role: z.literal('coordinator'),
  operationId,
  state: z.enum(journalStates),
  createdAtMs: z.number(),
  roots: z
    .array(
      z.object({
        root,
        keep: z.array(name),
        units: z.array(z.object({ name, old: z.boolean(), new: z.boolean() })),
      }),
    )
    .min(1),
});
const memberSchema = z.object({ format: z.literal(format), role: z.literal('member'), operationId, coordinator: root });
const anySchema = z.discriminatedUnion('role', [journalSchema, memberSchema]);

export type Journal = z.infer<typeof journalSchema>;
export type JournalRoot = Journal['roots'][number];
export type Member = z.infer<typeof memberSchema>;

export const coordinatorOf = (journal: Journal): string => journal.roots[0]?.root ?? '';
export const membersOf = (journal: Journal): readonly JournalRoot[] => journal.roots.slice(1);

export const newJournal = (id: string, createdAtMs: number, roots: Journal['roots']): Journal => ({
  format,
  role: 'coordinator',
  operationId: requireOperationId(id),
  state: 'prepared',
  createdAtMs,
  roots,
});

/** Brings the journal to the disk in a new state and returns it. */
export async function enterState(journal: Journal, state: JournalState, step: Step): Promise<Journal> {
  const next: Journal = { ...journal, state };
  await step(`journal:${state}:before`);
  await writeDurably(own.journal(coordinatorOf(journal), journal.operationId), render(next), (at) =>
    step(`journal:${state}:${at}`),
  );
  await step(`journal:${state}:after`);
  return next;
}

export async function writeMembers(journal: Journal, step: Step): Promise<void> {
  for (const member of membersOf(journal)) {
    const pointer: Member = {
      format,
      role: 'member',
      operationId: journal.operationId,
      coordinator: coordinatorOf(journal),
    };
    await writeDurably(own.journal(member.root, journal.operationId), render(pointer), (at) => step(`member:${at}`));
  }
}

const render = (value: Journal | Member): string => `${JSON.stringify(value, null, 1)}\n`;

/** The journal or member file of one operation in one root; undefined when there is none. */
export async function readJournal(rootFolder: string, id: string): Promise<Journal | Member | undefined> {
  const file = own.journal(rootFolder, requireOperationId(id));
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (err) {
    if (systemCode(err) === 'ENOENT' || systemCode(err) === 'ENOTDIR') return undefined;
    throw err;
  }
  try {
    const found = anySchema.parse(JSON.parse(text));
    if (found.operationId !== id) throw new Error('it speaks of another operation');
    if (found.role === 'coordinator' && coordinatorOf(found) !== rootFolder)
      throw new Error('it was written for another folder');
    return found;
  } catch (err) {
    throw new AppError(
      'conflict/state',
      `The restore journal ${file} cannot be understood. Nothing was touched; look at it and at the folders beside it.`,
      { cause: err },
    );
  }
}

/** Operation ids of all journals and member files in a root. */
export async function journalIds(rootFolder: string): Promise<string[]> {
  const names = await ownNames(rootFolder);
  return names
    .flatMap((file) => /^journal-(.+)\.json$/.exec(file)?.[1] ?? [])
    .filter((id) => operationId.safeParse(id).success);
}

/** Names in our own folder of a root; empty when there is none. */
export async function ownNames(rootFolder: string): Promise<string[]> {
  try {
    return (await readdir(own.base(rootFolder))).sort();
  } catch (err) {
    if (systemCode(err) === 'ENOENT' || systemCode(err) === 'ENOTDIR') return [];
    throw err;
  }
}
