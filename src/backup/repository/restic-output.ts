import { z } from 'zod';
import type { BackupWarning, Progress, Snapshot, SnapshotEntry } from './repository.ts';

/** What restic 0.14 to 0.18 print. New fields may appear and are passed over; the ones read here are kept by its authors. */

const statusLine = z.object({
  message_type: z.literal('status'),
  total_files: z.number().default(0),
  files_done: z.number().default(0),
  /** Restore says it in these words (0.16 and newer). */
  files_restored: z.number().optional(),
  total_bytes: z.number().default(0),
  bytes_done: z.number().default(0),
  bytes_restored: z.number().optional(),
});

const backupSummary = z.object({
  message_type: z.literal('summary'),
  files_new: z.number(),
  files_changed: z.number(),
  files_unmodified: z.number(),
  data_added: z.number(),
  data_added_packed: z.number().optional(),
  total_files_processed: z.number(),
  total_bytes_processed: z.number(),
  snapshot_id: z.string(),
});
export type BackupSummary = z.infer<typeof backupSummary>;

const errorLine = z.object({
  message_type: z.literal('error'),
  error: z.unknown(),
  item: z.string().optional(),
});

const snapshotJson = z.object({
  id: z.string(),
  time: z.string(),
  tree: z.string(),
  tags: z.array(z.string()).nullish(),
  paths: z.array(z.string()),
  hostname: z.string().default(''),
});

const nodeJson = z.object({
  struct_type: z.literal('node').optional(),
  type: z.string(),
  path: z.string(),
  size: z.number().default(0),
  mode: z.number().default(0),
  mtime: z.string(),
});

const lockJson = z.object({
  time: z.string(),
  exclusive: z.boolean(),
  hostname: z.string(),
  username: z.string().default(''),
  pid: z.number(),
});

export const configJson = z.object({ version: z.number(), id: z.string() });
export const statsJson = z.object({
  total_size: z.number(),
  total_blob_count: z.number().default(0),
  snapshots_count: z.number().default(0),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function parseStatusLine(line: string): Progress | undefined {
  const { data } = statusLine.safeParse(parseJson(line));
  return (
    data && {
      filesDone: data.files_restored ?? data.files_done,
      filesTotal: data.total_files,
      bytesDone: data.bytes_restored ?? data.bytes_done,
      bytesTotal: data.total_bytes,
    }
  );
}

export const parseBackupSummary = (line: string): BackupSummary | undefined =>
  backupSummary.safeParse(parseJson(line)).data;

/**
 * A line of error output that means "this is not in the snapshot", or undefined. A path that is missing altogether is only
 * mentioned there: restic ends with exit code 0 all the same.
 */
export function parseBackupWarning(line: string): BackupWarning | undefined {
  const missing = /^(.*) does not exist, skipping$/.exec(line);
  if (missing) return { path: missing[1] ?? null, message: 'does not exist' };
  const { data } = errorLine.safeParse(parseJson(line));
  if (data) return { path: data.item ?? null, message: describeResticError(data.error) };
  const plain = /^error: (.+)$/.exec(line);
  return plain ? { path: null, message: plain[1] ?? line } : undefined;
}

/** Go's errors come as objects whose fields vary; newer versions add a `message`. */
function describeResticError(error: unknown): string {
  const named = z.object({ message: z.string() }).safeParse(error).data;
  if (named) return named.message;
  const path = z.object({ Op: z.string(), Err: z.unknown() }).safeParse(error).data;
  if (path) return `${path.Op} failed${typeof path.Err === 'number' ? ` (system error ${path.Err})` : ''}`;
  return typeof error === 'string' ? error : 'could not be read';
}

export function parseSnapshots(answer: unknown): Snapshot[] {
  // Null is what an empty repository has.
  const list = z.array(snapshotJson).nullable().parse(answer) ?? [];
  return list.map(snapshotOf).sort((a, b) => a.createdAtMs - b.createdAtMs);
}

/** The first line of `ls --json`, which describes the snapshot. */
export function parseSnapshotLine(line: string): Snapshot | undefined {
  const { data } = snapshotJson.safeParse(parseJson(line));
  return data && snapshotOf(data);
}

const snapshotOf = (one: z.infer<typeof snapshotJson>): Snapshot => ({
  id: one.id,
  createdAtMs: Date.parse(one.time),
  tree: one.tree,
  tags: one.tags ?? [],
  paths: one.paths,
  host: one.hostname,
});

/** One line of `ls --json`; the first line describes the snapshot and gives undefined. */
export function parseNodeLine(line: string): SnapshotEntry | undefined {
  const { data } = nodeJson.safeParse(parseJson(line));
  if (!data) return undefined;
  const { type } = data;
  return {
    path: data.path,
    type: type === 'file' || type === 'dir' || type === 'symlink' ? type : 'other',
    sizeBytes: data.size,
    mode: posixMode(data.mode),
    modifiedAtMs: Date.parse(data.mtime),
  };
}

/** Go keeps set-user-id, set-group-id and sticky in bits 23, 22 and 20 of its file mode. */
function posixMode(goMode: number): number {
  const has = (bit: number): boolean => Math.floor(goMode / 2 ** bit) % 2 === 1;
  return (goMode & 0o777) | (has(23) ? 0o4000 : 0) | (has(22) ? 0o2000 : 0) | (has(20) ? 0o1000 : 0);
}

export function parseLock(text: string) {
  const { data } = lockJson.safeParse(parseJson(text));
  return (
    data && {
      createdAtMs: Date.parse(data.time),
      exclusive: data.exclusive,
      host: data.hostname,
      username: data.username,
      pid: data.pid,
    }
  );
}

const unitBytes: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** From `total prune:     5 blobs / 1.234 MiB`. */
export function parseFreedBytes(text: string): number | null {
  const match = /^total prune:\s+\d+ blobs \/ ([\d.]+) ([KMGT]?i?B)$/m.exec(text);
  const unit = unitBytes[match?.[2] ?? ''];
  return match && unit !== undefined ? Math.round(Number(match[1]) * unit) : null;
}

const checkNoise =
  /^(using temporary cache|create exclusive lock|load indexes|check all packs|check snapshots|read (all|.*%|group|.* of) |read all data|\[\d+:\d+\]|no errors were found|Fatal: |The repository|$)/;

/** Lines of a check that say what is wrong. */
export const parseFindings = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !checkNoise.test(line))
    .slice(0, 200);

export function parseVersion(text: string): { text: string; supported: boolean } | undefined {
  const match = /^restic (\d+)\.(\d+)(?:\.(\d+))?/m.exec(text);
  if (!match) return undefined;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return { text: match[0].slice('restic '.length), supported: major > 0 || minor >= 14 };
}
