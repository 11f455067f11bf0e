import { mkdirSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** `atomic`: temporary sibling, then rename (LightRAG 1.5). `in-place`: truncate and write (up to 1.4.16). */
export type WriterMode = 'atomic' | 'in-place';

export type FileWriter = {
  /** Replaces a whole file. `render` runs when the file's turn has come; writes of one file never overlap. */
  write(path: string, namespace: string, render: () => Buffer[]): Promise<void>;
  /** Milliseconds between two pieces of 64 KiB: widens the moment in which a file is half written. */
  setPauseMs(pauseMs: number): void;
  setMode(mode: WriterMode): void;
  /** Lets what is being written finish, and starts nothing more. */
  close(): Promise<void>;
};

const pieceBytes = 65_536;

export function createFileWriter(startMode: WriterMode): FileWriter {
  const last = new Map<string, Promise<void>>();
  let mode = startMode;
  let pauseMs = 0;
  let closed = false;

  async function fill(file: FileHandle, parts: Buffer[]): Promise<void> {
    try {
      for (const part of parts) {
        if (pauseMs === 0) await file.writeFile(part);
        else
          for (let from = 0; from < part.length; from += pieceBytes) {
            await file.writeFile(part.subarray(from, from + pieceBytes));
            await sleep(pauseMs);
          }
      }
    } finally {
      await file.close();
    }
  }

  async function replace(path: string, namespace: string, render: () => Buffer[]): Promise<void> {
    if (closed) return;
    mkdirSync(dirname(path), { recursive: true });
    if (mode === 'in-place') {
      await fill(await open(path, 'w'), render());
      return;
    }
    // The name tells process, thread and namespace, as the real writer's does.
    const sibling = `${path}.tmp.${process.pid}.${process.pid}.${namespace}`;
    await fill(await open(sibling, 'w'), render());
    await rename(sibling, path);
  }

  return {
    write(path, namespace, render) {
      const turn = (last.get(path) ?? Promise.resolve()).then(() => replace(path, namespace, render));
      // The next write of this file must not fail for the reason of this one; the caller sees the reason.
      last.set(
        path,
        turn.catch(() => undefined),
      );
      return turn;
    },
    setPauseMs(next) {
      pauseMs = next;
    },
    setMode(next) {
      mode = next;
    },
    async close() {
      closed = true;
      pauseMs = 0;
      await Promise.all(last.values());
    },
  };
}
