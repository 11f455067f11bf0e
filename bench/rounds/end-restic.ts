import { readdirSync, readFileSync } from 'node:fs';
import { sleep } from '../processes.ts';
import type { Lane } from './lane.ts';

/** Kills the first restic of this data folder that carries out the command. @returns false when none came until the signal */
async function endRestic(dataDir: string, command: string, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    for (const { pid, words } of resticOf(dataDir)) {
      if (!words.includes(command)) continue;
      // Somewhere in its work.
      await sleep(Math.floor(pid % 7) * 20);
      try {
        process.kill(pid, 'SIGKILL');
        return true;
      } catch {
        // It was quicker.
        return false;
      }
    }
    await sleep(5);
  }
  return false;
}

const resticOf = (dataDir: string): { pid: number; words: string[] }[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        const isRestic = words[0]?.endsWith('restic') && words.some((word) => word.startsWith(`${dataDir}/`));
        return isRestic ? [{ pid: Number(name), words }] : [];
      } catch {
        return [];
      }
    });

/** The first restic of the kind that runs after the boundary is killed. @returns what tells whether one was, and ends the looking */
export function killAfter(lane: Lane, boundary: string, command: string): () => boolean {
  const over = new AbortController();
  let killed = false;
  lane.step = (name) => {
    if (name !== boundary) return;
    lane.step = () => undefined;
    void endRestic(lane.dataDir, command, over.signal).then((found) => {
      killed = found;
    });
  };
  return () => {
    over.abort();
    lane.step = () => undefined;
    return killed;
  };
}
