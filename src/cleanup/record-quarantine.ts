import { readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { AppError } from '../platform/errors.ts';
import { prepareFolder } from './file-quarantine.ts';
import { copyRecords, type JsonRecord, planKeptRanges, scanRecords, writeRanges } from './json-records.ts';
import { type OfflineTarget, standDown } from './offline.ts';
import type { PlanItem } from './plan.ts';
import type { OpenQuarantine, QuarantineKind } from './quarantine.ts';
import { look, lstatOf, requireInside, sameAs } from './safe-path.ts';
import type { Outcome } from './strategy.ts';

const draftName = 'draft.json';

/**
 * Cuts records out of one key-value file of LightRAG, which nobody holds: they are copied into the quarantine first, then the file
 * is replaced whole by the rest of its own bytes.
 */
export async function takeRecords(options: {
  root: string;
  item: PlanItem;
  fields: ReadonlySet<string>;
  goes(record: JsonRecord): boolean;
  quarantine: OpenQuarantine;
  targetId: string;
  signal: AbortSignal;
  number: number;
}): Promise<Outcome> {
  const { root, item, quarantine, signal } = options;
  const path = await requireInside(root, String(item.seen.path));
  const now = await look(path, (await lstatOf(root))?.dev ?? 0n, signal);
  if (!now || !sameAs(item.seen, now)) return { done: false, why: 'the file changed since it was planned' };
  const records: Pick<JsonRecord, 'start' | 'end'>[] = [];
  const going: boolean[] = [];
  await scanRecords(
    path,
    options.fields,
    (record) => {
      records.push({ start: record.start, end: record.end });
      going.push(options.goes(record));
    },
    signal,
  );
  const gone = records.filter((_, at) => going[at]);
  if (gone.length === 0) return { done: false, why: 'nothing of it is to go any more' };
  await quarantine.prepare();
  const kept = join(quarantine.folder, `records-${options.number}.json`);
  const bytes = await copyRecords(path, gone, kept);
  const entries = await quarantine.announce([
    {
      ...{ kind: 'records', what: `${gone.length} records of ${item.what}`, bytes },
      data: {
        ...{ target: options.targetId, root, path: relative(root, path), file: kept, records: gone.length },
        ...{ inode: now.inode, run: quarantine.runId },
      },
    },
  ]);
  const folder = await prepareFolder(root, quarantine.runId);
  await writeRanges(
    path,
    planKeptRanges(now.bytes, records, (at) => going[at] === true),
    join(folder, draftName),
  );
  await quarantine.settle(entries);
  return { done: true, bytes };
}

/** Records come back at the end of their file; one whose key is there again stays as it is there. */
export function createRecordQuarantine(targets: () => readonly OfflineTarget[]): QuarantineKind {
  return {
    name: 'records',
    async restore({ data, what }, signal) {
      const target = targets().find(({ id }) => id === data.target);
      if (!target) throw new AppError('target/unknown', `The target of ${what} is not watched any more.`);
      const path = await requireInside(String(data.root), String(data.path));
      const start = await standDown(target, true, signal);
      try {
        await mergeRecords(
          path,
          String(data.file),
          join(String(data.root), '.ragwarden', `cleanup-${data.run}`),
          signal,
        );
      } finally {
        await start();
      }
    },
    purge: async () => undefined,
    async wasTaken({ data }) {
      await rm(join(String(data.root), '.ragwarden', `cleanup-${data.run}`, draftName), { force: true });
      const now = await lstatOf(join(String(data.root), String(data.path)));
      return now === undefined || `${now.ino}` !== data.inode;
    },
  };
}

async function mergeRecords(path: string, file: string, folder: string, signal: AbortSignal): Promise<void> {
  const none: ReadonlySet<string> = new Set();
  const there = new Set<string>();
  let lastEnd: number | undefined;
  const { bytes: size } = await scanRecords(
    path,
    none,
    ({ key, end }) => {
      there.add(key);
      lastEnd = end;
    },
    signal,
  );
  const back: JsonRecord[] = [];
  await scanRecords(file, none, (record) => !there.has(record.key) && back.push(record), signal);
  if (back.length === 0) return;
  const bytes = await readFile(file);
  const members = back.map(({ start, end }) => bytes.subarray(start, end));
  const joined: Buffer[] = [];
  for (const [at, member] of members.entries()) {
    if (at > 0 || lastEnd !== undefined) joined.push(Buffer.from(',\n  '));
    joined.push(member);
  }
  const middle = Buffer.concat(joined);
  await writeRanges(
    path,
    lastEnd === undefined
      ? [Buffer.from('{\n  '), middle, Buffer.from('\n}\n')]
      : [{ from: 0, to: lastEnd }, middle, { from: lastEnd, to: size }],
    join(folder, `undo-${draftName}`),
  );
}
