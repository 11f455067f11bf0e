import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { systemCode } from '../platform/errors.ts';
import type { UserDirectorySizes } from './host.ts';

/** Our own folder inside the data folder (staged restores) is nobody's data. */
const ownFolder = '.ragwarden';
/** After so many entries the walk rests for three times as long as they took: a large tree costs at most a quarter of a core. */
const entriesPerTurn = 256;

type Walk = { bytes: number; entries: number; unreadable: number; turnBeganMs: number; readonly seen: Set<string> };

/**
 * Walks every first-level folder, one after the other. Links are not followed; folders on other file systems are.
 * @returns undefined when the data folder itself cannot be read
 * @throws the signal's reason when it is aborted
 */
export async function measureFolders(
  dataDir: string,
  clock: Clock,
  signal?: AbortSignal,
): Promise<UserDirectorySizes | undefined> {
  const bytesByName = new Map<string, number>();
  let unreadable = 0;
  const names: string[] = [];
  try {
    for await (const entry of await opendir(dataDir))
      if (entry.isDirectory() && entry.name !== ownFolder) names.push(entry.name);
  } catch {
    return undefined;
  }
  for (const name of names.sort()) {
    const walk: Walk = { bytes: 0, entries: 0, unreadable: 0, turnBeganMs: clock.monotonic(), seen: new Set() };
    await walkFolder(join(dataDir, name), walk, clock, signal);
    bytesByName.set(name, walk.bytes);
    unreadable += walk.unreadable;
  }
  return { measuredAtMs: clock.now(), bytesByName, unreadable };
}

async function walkFolder(folder: string, walk: Walk, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  const below: string[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      signal?.throwIfAborted();
      if (entry.isDirectory()) below.push(entry.name);
      else if (entry.isFile()) await addFile(join(folder, entry.name), walk);
      await restWhenDue(walk, clock, signal);
    }
  } catch (err) {
    signal?.throwIfAborted();
    // Gone between listing and reading: then it holds nothing now.
    if (systemCode(err) !== 'ENOENT') walk.unreadable += 1;
  }
  for (const name of below) await walkFolder(join(folder, name), walk, clock, signal);
}

async function addFile(path: string, walk: Walk): Promise<void> {
  try {
    const { size, nlink, dev, ino } = await lstat(path);
    if (nlink > 1) {
      const key = `${dev}:${ino}`;
      if (walk.seen.has(key)) return;
      walk.seen.add(key);
    }
    walk.bytes += size;
  } catch (err) {
    if (systemCode(err) !== 'ENOENT') walk.unreadable += 1;
  }
}

async function restWhenDue(walk: Walk, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  walk.entries += 1;
  if (walk.entries % entriesPerTurn !== 0) return;
  await clock.sleep(3 * (clock.monotonic() - walk.turnBeganMs), signal);
  walk.turnBeganMs = clock.monotonic();
}
