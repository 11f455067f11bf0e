import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { systemCode } from '../../platform/errors.ts';

/** A write request that waits. What its name says can be counted without opening it. */
export type Segment = { readonly seq: number; readonly atMs: number; readonly samples: number; readonly bytes: number };

export type DropReason = 'queue-full' | 'damaged';

/**
 * Write requests in the order in which they were made, each in a file of its own, so that a kill loses none that was queued and
 * sends at most one twice. Bounded: the oldest go first.
 */
export type SegmentQueue = {
  /** Finds what an earlier life left. */
  open(): Promise<void>;
  /** On disk when it resolves. */
  append(body: Uint8Array, facts: { readonly atMs: number; readonly samples: number }): Promise<void>;
  /** The oldest one that is whole; it stays until it is removed, also when the queue is full meanwhile. */
  take(): Promise<{ readonly segment: Segment; readonly body: Uint8Array } | undefined>;
  remove(segment: Segment): Promise<void>;
  state(): QueueState;
};
export type QueueState = {
  readonly segments: number;
  readonly samples: number;
  readonly bytes: number;
  /** When the oldest waiting samples were taken. */
  readonly oldestMs: number | undefined;
};

const magic = Buffer.from('RWQ1');
const headBytes = magic.length + 4;
const fileName = /^(\d{12})-(\d+)-(\d+)\.segment$/;

export function createSegmentQueue(options: {
  /** Its own; nothing else lies in it. */
  folder: string;
  maxBytes: number;
  onDropped(reason: DropReason, segment: Segment): void;
}): SegmentQueue {
  const { folder, maxBytes, onDropped } = options;
  let segments: Segment[] = [];
  let taken: number | undefined;
  let bytes = 0;
  let samples = 0;
  let nextSeq = 1;

  const pathOf = ({ seq, atMs, samples: count }: Segment): string =>
    join(folder, `${String(seq).padStart(12, '0')}-${Math.max(0, Math.trunc(atMs))}-${count}.segment`);

  const forget = (segment: Segment): boolean => {
    const at = segments.indexOf(segment);
    if (at < 0) return false;
    segments.splice(at, 1);
    bytes -= segment.bytes;
    samples -= segment.samples;
    return true;
  };

  const drop = async (segment: Segment, reason: DropReason): Promise<void> => {
    if (!forget(segment)) return;
    onDropped(reason, segment);
    await removeFile(pathOf(segment));
  };

  const makeRoom = async (wanted: number): Promise<void> => {
    while (bytes + wanted > maxBytes) {
      const oldest = segments.find(({ seq }) => seq !== taken);
      if (oldest === undefined) return;
      await drop(oldest, 'queue-full');
    }
  };

  return {
    async open() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const found: Segment[] = [];
      for (const name of await readdir(folder)) {
        const [, seq, atMs, count] = fileName.exec(name) ?? [];
        // What was being written when the process ended was never queued.
        if (seq === undefined) {
          if (name.endsWith('.tmp')) await rm(join(folder, name), { force: true });
          continue;
        }
        const { size } = await stat(join(folder, name));
        found.push({ seq: Number(seq), atMs: Number(atMs), samples: Number(count), bytes: size });
      }
      segments = found.sort((a, b) => a.seq - b.seq);
      bytes = found.reduce((sum, one) => sum + one.bytes, 0);
      samples = found.reduce((sum, one) => sum + one.samples, 0);
      nextSeq = (segments.at(-1)?.seq ?? 0) + 1;
      await makeRoom(0);
    },
    async append(body, facts) {
      const segment: Segment = { seq: nextSeq, ...facts, bytes: headBytes + body.length };
      nextSeq += 1;
      await makeRoom(segment.bytes);
      if (segment.bytes > maxBytes) {
        onDropped('queue-full', segment);
        return;
      }
      const path = pathOf(segment);
      const checksum = Buffer.alloc(4);
      checksum.writeUInt32LE(crc32(body));
      try {
        // Whoever removed it removed what waited, not what comes.
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const file = await open(`${path}.tmp`, 'w', 0o600);
        try {
          await file.writev([magic, checksum, body]);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(`${path}.tmp`, path);
        await syncFolder(folder);
      } catch (err) {
        await rm(`${path}.tmp`, { force: true }).catch(() => undefined);
        throw err;
      }
      segments.push(segment);
      bytes += segment.bytes;
      samples += segment.samples;
    },
    async take() {
      for (;;) {
        const [segment] = segments;
        taken = segment?.seq;
        if (segment === undefined) return undefined;
        const body = await readBody(pathOf(segment));
        if (body !== undefined) return { segment, body };
        taken = undefined;
        await drop(segment, 'damaged');
      }
    },
    async remove(segment) {
      if (taken === segment.seq) taken = undefined;
      forget(segment);
      await removeFile(pathOf(segment));
    },
    state: () => ({ segments: segments.length, samples, bytes, oldestMs: segments[0]?.atMs }),
  };
}

/** A name is on disk when its folder is. Some file systems refuse that and offer nothing better; only a power cut is worse then. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle
    .sync()
    .catch(() => undefined)
    .finally(() => handle.close());
}

/** Also where somebody put something else in the place of its folder. */
const isGone = (err: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(systemCode(err) ?? '');

async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((err: unknown) => {
    if (!isGone(err)) throw err;
  });
}

/** @returns undefined when it is damaged or gone */
async function readBody(path: string): Promise<Uint8Array | undefined> {
  let file: Buffer;
  try {
    file = await readFile(path);
  } catch (err) {
    if (isGone(err)) return undefined;
    throw err;
  }
  const body = file.subarray(headBytes);
  const whole =
    file.length > headBytes &&
    file.subarray(0, magic.length).equals(magic) &&
    file.readUInt32LE(magic.length) === crc32(body);
  return whole ? body : undefined;
}
