import { createHash } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shardMagic } from './fold.mjs';

export type WrittenShard = { readonly name: string; readonly pieces: number; readonly bytes: number };

/** Fills shards in the order in which pieces come and writes each under the name of its content. */
export type ShardWriter = {
  add(piece: Uint8Array, digest: Uint32Array): void;
  /** Writes what is left. */
  end(): readonly WrittenShard[];
};

/** @param shardBytes about how large a shard gets: from half of it to twice */
export function createShardWriter(folder: string, shardBytes: number): ShardWriter {
  const written: WrittenShard[] = [];
  let data = Buffer.allocUnsafe(2 * shardBytes);
  let filled = 0;
  let lengths: number[] = [];
  let digests = createHash('sha256');

  const flush = (): void => {
    if (lengths.length === 0) return;
    const head = Buffer.allocUnsafe(8 + 4 * lengths.length);
    head.write(shardMagic, 0, 'latin1');
    head.writeUInt32LE(lengths.length, 4);
    for (const [at, length] of lengths.entries()) head.writeUInt32LE(length, 8 + 4 * at);
    // The digests of the pieces say as much as the pieces, and are there already.
    const name = `s${digests.digest('hex').slice(0, 16)}`;
    const draft = join(folder, `${name}.part`);
    // Under its name there is never half of it.
    writeFileSync(draft, Buffer.concat([head, data.subarray(0, filled)]), { mode: 0o600 });
    renameSync(draft, join(folder, name));
    written.push({ name, pieces: lengths.length, bytes: head.length + filled });
    lengths = [];
    digests = createHash('sha256');
    filled = 0;
  };

  return {
    add(piece, digest) {
      if (filled > 0 && filled + piece.length > 2 * shardBytes) flush();
      if (piece.length > data.length) data = Buffer.allocUnsafe(piece.length);
      data.set(piece, filled);
      filled += piece.length;
      lengths.push(piece.length);
      digests.update(digest);
      if (filled >= shardBytes / 2 && isBorder(piece, digest, shardBytes)) flush();
    },
    end() {
      flush();
      return written;
    },
  };
}

/**
 * Where a shard ends is said by the piece itself, on average one shard size apart: when the whole is unfolded anew, a piece more
 * in the middle changes the shards around it and not all behind it.
 */
const isBorder = (piece: Uint8Array, digest: Uint32Array, shardBytes: number): boolean =>
  (digest[0] ?? 0) / 2 ** 32 < (2 * piece.length) / shardBytes;
