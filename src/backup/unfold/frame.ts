import { closeSync, openSync, writeSync } from 'node:fs';
import { linesOf, parseHeader } from './fold.mjs';

/** One shard of an unfolded file as its frame names it. */
export type FrameShard = {
  /** `s` and 16 digits that follow from what is in it. */
  readonly name: string;
  readonly pieces: number;
  /** The day (whole days since 1970, UTC) on which it was first seen to hold a piece that the file has no more; 0: none. */
  readonly deadSinceDay: number;
};

/** What the first line of a frame says about the file. */
export type FrameHeader = {
  readonly bytes: number;
  readonly sha256: string;
  /** How large the shards of this file are made; settled when it is first unfolded. */
  readonly shardBytes: number;
  readonly shards: readonly FrameShard[];
};

/** Pieces `first` to `first + count - 1` of a shard; `coded` ones are a base64 text in the file. */
export type Run = {
  readonly shard: number;
  readonly first: number;
  readonly count: number;
  readonly coded: boolean;
};

/** @returns undefined when there is no frame that can be read */
export function findHeader(path: string): FrameHeader | undefined {
  try {
    for (const line of linesOf(path)) return parseHeader(line);
  } catch {
    // Whatever is wrong with it: the file is unfolded anew.
  }
  return undefined;
}

/** Writes a frame whole: the header, then a line for each run. */
export function writeFrame(path: string, header: FrameHeader, runs: Iterable<Run>): void {
  const file = openSync(path, 'w', 0o600);
  try {
    let text = `${JSON.stringify({
      format: 'ragwarden-unfolded',
      version: 1,
      bytes: header.bytes,
      sha256: header.sha256,
      shard_bytes: header.shardBytes,
      shards: header.shards.map((shard) => [shard.name, shard.pieces, shard.deadSinceDay]),
    })}\n`;
    for (const { shard, first, count, coded } of runs) {
      text += coded ? `[${shard},${first},${count},1]\n` : `[${shard},${first},${count}]\n`;
      if (text.length < 65_536) continue;
      writeSync(file, text);
      text = '';
    }
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}
