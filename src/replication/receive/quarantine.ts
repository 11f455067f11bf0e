import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../platform/errors.ts';

/** What is set aside for who wants to look at it, the newest `most`; it goes when its room is needed. */
export function createQuarantine({ folder, most }: { readonly folder: string; readonly most: number }) {
  const names = async (): Promise<string[]> => (await readdir(folder).catch((): string[] => [])).sort();
  return {
    async put(path: string, nowMs: number, name: string): Promise<void> {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      try {
        await rename(path, join(folder, `${nowMs}-${name}`));
      } catch (err) {
        // It is gone already; there is nothing to look at.
        if (systemCode(err) !== 'ENOENT') throw err;
      }
      const kept = await names();
      for (const one of kept.slice(0, Math.max(0, kept.length - most))) await rm(join(folder, one), { force: true });
    },
    /** Oldest first. */
    async list(): Promise<{ readonly path: string; readonly bytes: number }[]> {
      const found: { path: string; bytes: number }[] = [];
      for (const name of await names()) {
        const path = join(folder, name);
        const seen = await stat(path).catch(() => undefined);
        if (seen) found.push({ path, bytes: seen.size });
      }
      return found;
    },
  };
}
