// Who is using, installing or building this clone: one file per process and purpose in `.cache/marks`.
//
// Nobody ever writes another's file, and a name holds process id and start time, so the name of a dead process is never used
// again: removing a stale mark cannot hit a living one. Exclusion: write the own mark first, then look at the others. Of two
// that come together at least one sees the other; whoever sees another withdraws, waits a random moment and tries again.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A mark from another machine or container cannot be asked whether it lives; it counts for this long. */
const FOREIGN_MARK_MS = 600_000;

/** Start of a process as text that differs between two processes of one id; undefined when it is not running. */
export function processStart(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${bootId()}t${fields[19]}`;
  } catch {
    if (process.platform === 'linux') return undefined;
  }
  try {
    process.kill(pid, 0);
    return 'running';
  } catch (error) {
    return error.code === 'EPERM' ? 'running' : undefined;
  }
}

function bootId() {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
}

/** Living marks of other processes of these kinds, as {kind, pid, what}; removes those of dead ones. */
export function livingMarks(folder, kinds) {
  const marks = [];
  for (const name of readdirSync(folder)) {
    const [, kind, pid, start] = /^([a-z]+)-(\d+)-(\w+)$/.exec(name) ?? [];
    if (!kind || !kinds.includes(kind)) continue;
    const file = path.join(folder, name);
    try {
      const { host, what } = JSON.parse(readFileSync(file, 'utf8'));
      const foreign = host !== os.hostname();
      if (!foreign && Number(pid) === process.pid) continue;
      const alive = foreign
        ? Date.now() - statSync(file).mtimeMs < FOREIGN_MARK_MS
        : processStart(Number(pid)) === start;
      if (alive) marks.push({ kind, pid: Number(pid), what });
      else rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== 'ENOENT') throw error; // gone since we listed: its owner let go
    }
  }
  return marks;
}

/**
 * Sets a mark once no other process holds one of the kinds it must not meet.
 * @param {string} folder made when missing
 * @param {'use' | 'install' | 'build'} kind
 * @param {{ against: string[], what: string, waitMs?: number, onWait?: (marks: {kind: string, pid: number, what: string}[]) => void }} options
 *   what: the command, for the message others show; waitMs: how long to wait at most; onWait: called once, when it must wait
 * @returns {Promise<() => void>} lets go; may be called twice
 * @throws Error naming the holder when the wait was too long
 */
export async function mark(folder, kind, { against, what, waitMs = 600_000, onWait }) {
  const file = path.join(folder, `${kind}-${process.pid}-${processStart(process.pid)}`);
  const release = () => {
    process.off('exit', release);
    rmSync(file, { force: true });
  };
  const giveUpAt = performance.now() + waitMs;
  let told = false;
  for (;;) {
    try {
      mkdirSync(folder, { recursive: true });
      const draft = `${file}.draft`;
      writeFileSync(draft, JSON.stringify({ host: os.hostname(), what }));
      renameSync(draft, file);
    } catch (error) {
      // A tree that we may not write to is one whose node_modules nobody replaces through us.
      if (kind === 'use' && ['EROFS', 'EACCES', 'EPERM'].includes(error.code)) return () => {};
      throw error;
    }
    process.on('exit', release);
    const others = livingMarks(folder, against);
    if (others.length === 0) return release;
    release();
    if (performance.now() > giveUpAt) {
      throw new Error(`Waited too long for ${describe(others)}. End it and run the command again.`);
    }
    if (!told) onWait?.(others);
    told = true;
    await sleep(100 + Math.random() * 200);
  }
}

/** For messages: `npm test` (process 12) and `npm start` (process 34). */
export function describe(marks) {
  return marks.map(({ what, pid }) => `\`${what}\` (process ${pid})`).join(' and ');
}
