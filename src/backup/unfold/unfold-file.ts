import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { createCutter, type FileForm } from './cutter.ts';
import { foldFile, frameName, parseShard } from './fold.mjs';
import { type FrameHeader, type FrameShard, findHeader, type Run, writeFrame } from './frame.ts';
import { createPieceTable, type PieceTable } from './piece-table.ts';
import { isDeadTooLong, planShards } from './plan-shards.ts';
import { createRunList, type RunList } from './run-list.ts';
import { createShardWriter } from './shard-writer.ts';

export type UnfoldRequest = {
  /** The file as it was captured. */
  readonly source: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly form: FileForm;
  /** Folder of its unfolded state; made when missing. */
  readonly folder: string;
  readonly nowMs: number;
  /** The unfolded state was written or checked by this process: with the same digest it is believed. */
  readonly isChecked: boolean;
};

/** `unchanged`: nothing was read or written. `plain`: the folder is gone, the file is stored as it is. */
export type UnfoldOutcome =
  | { readonly state: 'unchanged' | 'unfolded'; readonly files: readonly UnfoldedFile[] }
  | {
      readonly state: 'plain';
      readonly reason: string;
      /** The same file would be stored plain again. */
      readonly lasting: boolean;
    };

export type UnfoldedFile = { readonly name: string; readonly bytes: number };

const blockBytes = 1_048_576;
/** With fewer pieces a change of one would still store most of the file. */
const fewestPieces = 8;
const greatestShardBytes = 4_194_304;
/** Below the size at which the repository cuts a file itself, so that a shard is one piece there. */
const leastShardBytes = 524_288;

const dayMs = 86_400_000;

/**
 * Brings the unfolded state of one file to what the file is now: pieces that are known stay in their shards, the others go to
 * new ones. Shards are never changed; the frame is replaced last, so a kill leaves the former state and files nobody names.
 * @throws the system's errors; whatever was begun is put right by the next call
 */
export function unfoldFile(request: UnfoldRequest): UnfoldOutcome {
  const { folder } = request;
  const today = Math.floor(request.nowMs / dayMs);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const former = findHeader(join(folder, frameName));
  if (
    former &&
    former.sha256 === request.sha256 &&
    !former.shards.some((one) => isDeadTooLong(one.deadSinceDay, today))
  ) {
    const isSound = request.isChecked ? hasAllShards(folder, former) : foldsTo(folder, frameName, request.sha256);
    if (isSound) return { state: 'unchanged', files: sweep(folder, former) };
  }
  const header = unfoldAnew(request, former, today);
  if (header === undefined) return storePlain(folder, 'it has no records to cut at');
  const draft = `${frameName}.new`;
  if (!foldsTo(folder, draft, request.sha256))
    return storePlain(folder, 'what was unfolded does not fold to the same bytes');
  renameSync(join(folder, draft), join(folder, frameName));
  return { state: 'unfolded', files: sweep(folder, header) };
}

function storePlain(folder: string, reason: string): UnfoldOutcome {
  rmSync(folder, { recursive: true, force: true });
  return { state: 'plain', reason, lasting: true };
}

/** Writes the new shards and the new frame beside the old one; undefined when it is not worth it. */
function unfoldAnew(request: UnfoldRequest, former: FrameHeader | undefined, today: number): FrameHeader | undefined {
  const { folder } = request;
  const shardBytes = former?.shardBytes ?? shardBytesFor(request.bytes);
  const table = createPieceTable();
  const old = former ? indexShards(folder, former.shards, table) : noShards;
  const used = new Uint8Array(old.pieces);
  const writer = createShardWriter(folder, shardBytes);
  const runs = createRunList();
  let next = old.pieces;
  let pieces = 0;
  const cutter = createCutter(request.form, (piece, coded) => {
    const digest = table.digest(piece);
    let number = table.find(digest);
    if (number < 0) {
      number = next;
      next += 1;
      table.add(digest, number);
      writer.add(piece, digest);
    } else if (number < old.pieces) used[number] = 1;
    runs.add(number, coded);
    pieces += 1;
  });
  readBlocks(request.source, (block) => cutter.write(block));
  cutter.end();
  if (pieces < fewestPieces) return undefined;

  const uses = old.shards.map((shard) => ({ ...shard, deadBytes: deadBytesOf(shard, used) }));
  const fates = planShards(uses, today);
  /** Where the pieces of shards that are written anew went; 0: nowhere. */
  const moved = new Uint32Array(old.pieces);
  const kept: FrameShard[] = [];
  const firsts: number[] = [];
  for (const [at, shard] of old.shards.entries()) {
    const fate = fates[at];
    if (fate?.keep) {
      kept.push({ name: shard.name, pieces: shard.pieces, deadSinceDay: fate.deadSinceDay });
      firsts.push(shard.first);
      continue;
    }
    if (fate?.reason === 'unused') continue;
    const { data, offsets } = parseShard(readFileSync(join(folder, shard.name)));
    for (let piece = 0; piece < shard.pieces; piece += 1) {
      if (used[shard.first + piece] !== 1) continue;
      moved[shard.first + piece] = next;
      next += 1;
      const bytes = data.subarray(offsets[piece], offsets[piece + 1]);
      writer.add(bytes, table.digest(bytes));
    }
  }
  let first = old.pieces;
  for (const { name, pieces: count } of writer.end()) {
    kept.push({ name, pieces: count, deadSinceDay: 0 });
    firsts.push(first);
    first += count;
  }
  const header = { bytes: request.bytes, sha256: request.sha256, shardBytes, shards: kept };
  writeFrame(join(folder, `${frameName}.new`), header, placeRuns(runs, moved, kept, firsts));
  return header;
}

/** Numbers of pieces become places in shards; runs that go on in the next piece of the same shard stay one. */
function* placeRuns(
  runs: RunList,
  moved: Uint32Array,
  shards: readonly FrameShard[],
  firsts: readonly number[],
): Generator<Run> {
  let open: { shard: number; first: number; count: number; coded: boolean } | undefined;
  let shard = 0;
  for (const { number, count, coded } of runs.all())
    for (let at = number; at < number + count; at += 1) {
      const piece = moved[at] || at;
      if (!holds(shard, piece, shards, firsts)) shard = findShard(piece, firsts);
      const place = piece - (firsts[shard] ?? 0);
      if (open && open.shard === shard && open.coded === coded && open.first + open.count === place) open.count += 1;
      else {
        if (open) yield open;
        open = { shard, first: place, count: 1, coded };
      }
    }
  if (open) yield open;
}

const holds = (shard: number, piece: number, shards: readonly FrameShard[], firsts: readonly number[]): boolean => {
  const place = piece - (firsts[shard] ?? 0);
  return place >= 0 && place < (shards[shard]?.pieces ?? 0);
};

/** The last shard that begins at or before the piece; first numbers rise. */
function findShard(piece: number, firsts: readonly number[]): number {
  let low = 0;
  let high = firsts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((firsts[middle] ?? 0) <= piece) low = middle;
    else high = middle - 1;
  }
  return low;
}

type OldShard = FrameShard & {
  readonly bytes: number;
  /** Number of its first piece. */
  readonly first: number;
  readonly lengths: Uint32Array;
};
type OldShards = { readonly shards: readonly OldShard[]; readonly pieces: number };
const noShards: OldShards = { shards: [], pieces: 0 };

/** Reads the shards of the former state. One that is missing or damaged is left out: its pieces are then new ones. */
function indexShards(folder: string, named: readonly FrameShard[], table: PieceTable): OldShards {
  const shards: OldShard[] = [];
  let pieces = 0;
  for (const shard of named) {
    let parsed: ReturnType<typeof parseShard>;
    try {
      parsed = parseShard(readFileSync(join(folder, shard.name)));
    } catch {
      continue;
    }
    const { data, offsets } = parsed;
    const count = offsets.length - 1;
    const lengths = new Uint32Array(count);
    for (let at = 0; at < count; at += 1) {
      const piece = data.subarray(offsets[at], offsets[at + 1]);
      lengths[at] = piece.length;
      table.add(table.digest(piece), pieces + at);
    }
    shards.push({ ...shard, pieces: count, bytes: data.length, first: pieces, lengths });
    pieces += count;
  }
  return { shards, pieces };
}

function deadBytesOf(shard: OldShard, used: Uint8Array): number {
  let alive = 0;
  let isWhole = true;
  for (let at = 0; at < shard.pieces; at += 1)
    if (used[shard.first + at] === 1) alive += shard.lengths[at] ?? 0;
    else isWhole = false;
  if (isWhole) return 0;
  return alive === 0 ? shard.bytes : shard.bytes - alive;
}

/** About a thousand shards a file, within bounds; a file that grows keeps what it began with. */
function shardBytesFor(bytes: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, bytes / 1024)));
  return Math.min(greatestShardBytes, Math.max(leastShardBytes, wanted));
}

function readBlocks(path: string, take: (block: Buffer) => void): void {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const block = Buffer.allocUnsafe(blockBytes);
    for (;;) {
      const read = readSync(file, block, 0, blockBytes, null);
      if (read === 0) return;
      take(block.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
}

function foldsTo(folder: string, frame: string, sha256: string): boolean {
  try {
    return foldFile(folder, { frame }).sha256 === sha256;
  } catch {
    return false;
  }
}

const hasAllShards = (folder: string, { shards }: FrameHeader): boolean =>
  shards.every(({ name }) => existsSync(join(folder, name)));

/** Removes what the frame does not name, which a kill or the state before left. */
function sweep(folder: string, { shards }: FrameHeader): UnfoldedFile[] {
  const named = new Set([frameName, ...shards.map(({ name }) => name)]);
  for (const name of readdirSync(folder))
    if (!named.has(name)) rmSync(join(folder, name), { recursive: true, force: true });
  return [...named].map((name) => ({ name, bytes: statSync(join(folder, name)).size }));
}
