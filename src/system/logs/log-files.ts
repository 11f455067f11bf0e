import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { systemCode } from '../../platform/errors.ts';

/** A folder with logs of ours or of a backend. */
export type LogFolder = {
  /** Absolute. */
  readonly path: string;
  readonly pattern: string;
  /** `reopen`: our own log, which is opened anew in the same step. */
  readonly how: 'rename' | 'copy-truncate' | 'reopen';
  readonly recursive: boolean;
};

export type LogFileKind =
  /** Is being written, as far as its name says. */
  | 'live'
  /** Set aside by us. */
  | 'rotated'
  /** Set aside by us and compressed. */
  | 'compressed'
  /** Set aside by whoever writes it, or by another program. */
  | 'of-others'
  /** What a compression that was killed left. */
  | 'leftover';

export type FoundLog = {
  readonly path: string;
  /** Below its folder, as it is told to people. */
  readonly name: string;
  readonly kind: LogFileKind;
  /** Its writer, or another program, sets it aside itself: there are files of its name with a number or a date. */
  readonly rotatedByOthers: boolean;
  readonly regular: boolean;
  readonly bytes: number;
  readonly writtenMs: number;
  /** When it was begun: since it was last set aside, as far as that can be seen. */
  readonly begunMs: number;
  readonly device: number;
  readonly inode: number;
};

/** More in one folder is no folder of logs. */
const mostFiles = 10_000;

/** `name_20260101_120000.log`, once more with `-2` when two were made in one second. */
const rotatedShape = /^(?<stem>.+)_\d{8}_\d{6}(?:-\d+)?(?<extension>\.[^./]+)?(?<gz>\.gz)?$/;
/** `name.log.1`, `name.log.2.gz`, `name.log-20260101`: what logging libraries and logrotate leave. */
const othersShape = /^(?<live>.+?)(?:\.\d{1,4}|-\d{8}(?:-\d+)?)(?:\.(?:gz|xz|zst|bz2))?$/;

/**
 * The logs of a folder; links and what is no file are listed and never followed. What comes and goes meanwhile is passed over.
 * @returns why it could not be read, when it could not
 */
export async function findLogs(
  folder: LogFolder,
): Promise<{ readonly files: readonly FoundLog[]; readonly unreadable: string | undefined }> {
  const matches = matcher(folder.pattern);
  const files: FoundLog[] = [];
  let unreadable: string | undefined;
  const walk = async (path: string): Promise<void> => {
    let names: string[];
    try {
      names = await readdir(path);
    } catch (err) {
      unreadable ??= `${relative(folder.path, path) || '.'} cannot be read (${systemCode(err) ?? 'unknown error'})`;
      return;
    }
    const stats = new Map<string, Stats>();
    for (const name of names) {
      const stat = await lstat(join(path, name)).catch(() => undefined);
      if (stat) stats.set(name, stat);
    }
    const others = new Set(names.flatMap((name) => othersShape.exec(name)?.groups?.live ?? []));
    const rotations = rotationsOf(names);
    for (const [name, stat] of stats) {
      if (stat.isDirectory()) {
        if (folder.recursive) await walk(join(path, name));
        continue;
      }
      const kind = kindOf(name, matches);
      if (kind === undefined) continue;
      if (files.length >= mostFiles) {
        unreadable ??= `it holds more than ${mostFiles} logs`;
        return;
      }
      files.push({
        path: join(path, name),
        name: relative(folder.path, join(path, name)),
        kind,
        rotatedByOthers: others.has(name),
        regular: stat.isFile(),
        bytes: stat.size,
        writtenMs: stat.mtimeMs,
        begunMs: Math.max(stat.birthtimeMs, rotations.get(name) ?? 0),
        device: stat.dev,
        inode: stat.ino,
      });
    }
  };
  await walk(folder.path);
  return { files, unreadable };
}

/** When each live log was last set aside by us, by the names of what was. */
function rotationsOf(names: readonly string[]): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const name of names) {
    const found = /^(.+)_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)(?:-\d+)?(\.[^./]+)?(?:\.gz)?$/.exec(name);
    if (!found) continue;
    const [, stem, year, month, day, hour, minute, second, extension = ''] = found;
    const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
    const live = `${stem}${extension}`;
    if (Number.isFinite(atMs)) last.set(live, Math.max(last.get(live) ?? 0, atMs));
  }
  return last;
}

function kindOf(name: string, matches: (name: string) => boolean): LogFileKind | undefined {
  if (name.endsWith('.gz.partial')) return kindOf(name.slice(0, -'.partial'.length), matches) && 'leftover';
  const ours = rotatedShape.exec(name)?.groups;
  if (ours && matches(`${ours.stem}${ours.extension ?? ''}`)) return ours.gz ? 'compressed' : 'rotated';
  const others = othersShape.exec(name)?.groups;
  if (others?.live !== undefined && matches(others.live)) return 'of-others';
  return matches(name) ? 'live' : undefined;
}

/** `*` stands for any letters. */
function matcher(pattern: string): (name: string) => boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  // Between two stars the shortest is enough, and a name has 255 bytes at most.
  const shape = new RegExp(`^${parts.join('[^/]*')}$`);
  return (name) => shape.test(name);
}

/** The name under which a log is set aside at this time. */
export function rotatedName(name: string, nowMs: number, attempt: number): string {
  const iso = new Date(nowMs).toISOString();
  const stamp = `${iso.slice(0, 10).replaceAll('-', '')}_${iso.slice(11, 19).replaceAll(':', '')}`;
  const dot = name.lastIndexOf('.');
  const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  return `${stem}_${stamp}${attempt === 1 ? '' : `-${attempt}`}${extension}`;
}
