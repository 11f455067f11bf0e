import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** What is kept of a child while it runs, so that the next start knows its own. No arguments, no environment. */
const childRecord = z.object({
  pid: z.int().positive(),
  /** Null where the system has no `/proc`: then a living pid cannot be proved to be ours. */
  startTicks: z.int().nonnegative().nullable(),
  bootId: z.string(),
  program: z.string(),
  purpose: z.string(),
  operationId: z.string().nullable(),
  startedAtMs: z.int(),
});
export type ChildRecord = z.infer<typeof childRecord>;

const keptPastRecords = 500;

/**
 * One file per living child. The records of children that did not end by themselves are kept under `past/`: whoever finds
 * something they left behind (a lock in a repository) can tell that it was ours.
 * Nothing is fsynced: the page cache outlives a killed process, and a crashed machine has ended every child itself.
 */
export function createChildRecords(recordDir: string) {
  const pastDir = join(recordDir, 'past');
  const fileOf = (pid: number): string => join(recordDir, `${pid}.json`);

  const readFolder = (folder: string): { file: string; record: ChildRecord | undefined }[] => {
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch {
      return [];
    }
    return names
      .filter((name) => name.endsWith('.json'))
      .map((name) => {
        const file = join(folder, name);
        return { file, record: readRecord(file) };
      });
  };

  const trimPast = (): void => {
    const files = readFolder(pastDir).map(({ file }) => ({
      file,
      at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0,
    }));
    files.sort((a, b) => b.at - a.at);
    for (const { file } of files.slice(keptPastRecords)) rmSync(file, { force: true });
  };

  return {
    write(record: ChildRecord): void {
      mkdirSync(pastDir, { recursive: true, mode: 0o700 });
      writeFileSync(fileOf(record.pid), JSON.stringify(record), { mode: 0o600 });
    },
    remove(pid: number): void {
      rmSync(fileOf(pid), { force: true });
    },
    keepAsPast(record: ChildRecord): void {
      try {
        mkdirSync(pastDir, { recursive: true, mode: 0o700 });
        renameSync(fileOf(record.pid), join(pastDir, `${record.pid}-${record.startedAtMs}.json`));
        trimPast();
      } catch {
        rmSync(fileOf(record.pid), { force: true });
      }
    },
    /** Unreadable files are removed: a write that a crash cut short. */
    left(): ChildRecord[] {
      return readFolder(recordDir).flatMap(({ file, record }) => {
        if (!record) rmSync(file, { force: true });
        return record ? [record] : [];
      });
    },
    past: (): ChildRecord[] => readFolder(pastDir).flatMap(({ record }) => (record ? [record] : [])),
  };
}
export type ChildRecords = ReturnType<typeof createChildRecords>;

function readRecord(file: string): ChildRecord | undefined {
  try {
    return childRecord.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
