import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';

export type UploadKey = {
  readonly sender: string;
  readonly graphId: string;
  readonly pointId: string;
  /** SHA-256 of the whole, as its sender has it. */
  readonly dataHash: string;
};

export type UnfinishedUpload = {
  readonly path: string;
  /** What it takes, and will take by what its sender announced. */
  readonly bytes: number;
  /** Of that, what has not come yet. */
  readonly restBytes: number;
  /** Since its last part came. */
  readonly idleMs: number;
};

/** Of one point, whichever bytes it comes with. */
export const nameOfPoint = ({ sender, graphId, pointId }: Omit<UploadKey, 'dataHash'>): string =>
  createHash('sha256')
    .update(JSON.stringify([sender, graphId, pointId]))
    .digest('hex');
const nameOfSender = (sender: string): string => createHash('sha256').update(sender).digest('hex').slice(0, 16);
const totalSuffix = '.total';

/**
 * Uploads that are not whole yet, one file each, and beside it how many bytes its sender announced: what was admitted has that room,
 * also after a restart.
 */
export function createUnfinished({ folder, clock }: { readonly folder: string; readonly clock: Clock }) {
  /** By path; read from the disk once, so that what was announced before a restart counts before its next part comes. */
  const announced = new Map<string, number>();
  let loading: Promise<void> | undefined;
  /** By path, of this life: when its last part came. By our clock: a disk may be another machine's. */
  const touched = new Map<string, number>();
  const names = async (): Promise<string[]> => await readdir(folder).catch((): string[] => []);

  const loaded = (): Promise<void> => {
    loading ??= (async () => {
      for (const name of await names()) {
        if (!name.endsWith(totalSuffix)) continue;
        const total = Number(await readFile(join(folder, name), 'latin1').catch(() => ''));
        const path = join(folder, name.slice(0, -totalSuffix.length));
        if (Number.isSafeInteger(total) && total > 0 && !announced.has(path)) announced.set(path, total);
      }
    })();
    return loading;
  };

  const pathOf = (key: UploadKey): string =>
    join(folder, `${nameOfSender(key.sender)}-${nameOfPoint(key).slice(0, 40)}-${key.dataHash.slice(0, 24)}`);

  const list = async (prefix = ''): Promise<UnfinishedUpload[]> => {
    await loaded();
    const found: UnfinishedUpload[] = [];
    for (const name of await names()) {
      const path = join(folder, name);
      const seen = name.startsWith(prefix) && !name.endsWith(totalSuffix) && (await stat(path).catch(() => undefined));
      // After the clock was set back the last part came in the future, and nobody adds to what is not moved to now.
      if (seen)
        found.push({
          path,
          bytes: Math.max(seen.size, announced.get(path) ?? 0),
          restBytes: Math.max(0, (announced.get(path) ?? 0) - seen.size),
          idleMs: Math.abs(clock.now() - (touched.get(path) ?? seen.mtimeMs)),
        });
    }
    return found;
  };

  /** It is whole, or goes: what was announced for it is free. */
  const settle = async (path: string): Promise<void> => {
    announced.delete(path);
    touched.delete(path);
    await rm(`${path}${totalSuffix}`, { force: true });
  };
  const drop = async (path: string): Promise<void> => {
    await rm(path, { force: true });
    await settle(path);
  };

  return {
    pathOf,
    list,
    listOf: (sender: string): Promise<UnfinishedUpload[]> => list(`${nameOfSender(sender)}-`),
    settle,
    drop,
    async receivedBytes(key: UploadKey): Promise<number | undefined> {
      return (await stat(pathOf(key)).catch(() => undefined))?.size;
    },
    async announcedBytes(key: UploadKey): Promise<number | undefined> {
      await loaded();
      return announced.get(pathOf(key));
    },
    /** Counted from now on; on disk when it will not come in one piece. */
    async announce(key: UploadKey, totalBytes: number, inParts: boolean): Promise<void> {
      announced.set(pathOf(key), totalBytes);
      if (inParts) await writeFile(`${pathOf(key)}${totalSuffix}`, String(totalBytes), { mode: 0o600 });
    },
    /** On disk when it resolves. */
    async append(key: UploadKey, bytes: Buffer): Promise<void> {
      touched.set(pathOf(key), clock.now());
      const file = await open(pathOf(key), 'a', 0o600);
      try {
        await file.writeFile(bytes);
        // For after a restart.
        await file.utimes(new Date(clock.now()), new Date(clock.now()));
        await file.sync();
      } finally {
        await file.close();
      }
    },
    /** The same point was begun with other bytes, which its sender does not have any more. */
    async dropOthersOf(key: UploadKey): Promise<void> {
      const prefix = `${nameOfSender(key.sender)}-${nameOfPoint(key).slice(0, 40)}-`;
      for (const { path } of await list(prefix)) if (path !== pathOf(key)) await drop(path);
    },
    async dropIdle(limitMs: number): Promise<void> {
      for (const { path, idleMs } of await list()) if (idleMs > limitMs) await drop(path);
      // A kill between the two left the smaller one.
      const there = new Set(await names());
      for (const name of there)
        if (name.endsWith(totalSuffix) && !there.has(name.slice(0, -totalSuffix.length)))
          await settle(join(folder, name.slice(0, -totalSuffix.length)));
    },
    async prepare(): Promise<void> {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    },
  };
}
export type Unfinished = ReturnType<typeof createUnfinished>;
