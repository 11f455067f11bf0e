// Puts the files of a restored recovery point back together. One file, nothing but Node.js 18 or newer is needed:
//
//   restic restore SNAPSHOT --target ./restored
//   node ./restored/fold.mjs ./restored
//
// The format is told in docs/formats/unfold.md of ragwarden, which uses this same file.
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import process from 'node:process';

export const frameName = 'frame.jsonl';
export const shardMagic = 'RWS1';
/** Shards of one file that are kept in memory while it is folded. Bytes. */
const keptBytes = 16_777_216;
/** A line of a frame holds at most the table of all shards of one file. Bytes. */
const longestLine = 67_108_864;

export class FoldError extends Error {}

/**
 * The bytes of the original file, in order, in pieces; each is good until the next is asked for.
 * @param {string} folder the folder of one unfolded file: its frame and its shards
 * @param {string} [frame] name of the frame in it
 * @returns {Generator<Buffer, void, void>}
 * @throws {FoldError} when something of it is missing or cannot be what was written
 */
export function* foldedBytes(folder, frame = frameName) {
  const lines = linesOf(join(folder, frame));
  const { shards } = parseHeader(lines.next().value);
  const shardAt = openShards(folder, shards);
  /** Up to two bytes of a base64 text whose group of three is not complete. */
  let carry = Buffer.alloc(0);
  for (const line of lines) {
    const { shard, first, count, coded } = parseRun(line);
    const { data, offsets } = shardAt(shard);
    if (first + count >= offsets.length) throw new FoldError(`a run goes beyond the shard ${shard}`);
    const bytes = data.subarray(offsets[first], offsets[first + count]);
    if (coded) {
      const all = carry.length === 0 ? bytes : Buffer.concat([carry, bytes]);
      const whole = all.length - (all.length % 3);
      if (whole > 0) yield Buffer.from(all.toString('base64', 0, whole), 'latin1');
      carry = Buffer.from(all.subarray(whole));
      continue;
    }
    if (carry.length > 0) {
      yield Buffer.from(carry.toString('base64'), 'latin1');
      carry = Buffer.alloc(0);
    }
    yield bytes;
  }
  if (carry.length > 0) yield Buffer.from(carry.toString('base64'), 'latin1');
}

/**
 * Folds one file and tells what came out; nothing is written without `to`.
 * @param {string} folder
 * @param {{ to?: string, frame?: string }} [options] `to`: path of a new file, which must not exist
 * @returns {{ bytes: number, sha256: string }}
 */
export function foldFile(folder, options = {}) {
  const hash = createHash('sha256');
  const file = options.to === undefined ? undefined : openSync(options.to, 'wx', 0o600);
  let bytes = 0;
  try {
    for (const piece of foldedBytes(folder, options.frame)) {
      hash.update(piece);
      bytes += piece.length;
      if (file !== undefined) writeAll(file, piece);
    }
    if (file !== undefined) fsyncSync(file);
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return { bytes, sha256: hash.digest('hex') };
}

/**
 * The first line of a frame.
 * @param {string | undefined} line
 * @returns {{ bytes: number, sha256: string, shardBytes: number, shards: { name: string, pieces: number, deadSinceDay: number }[] }}
 */
export function parseHeader(line) {
  const found = parseLine(line);
  if (found?.format !== 'ragwarden-unfolded' || found.version !== 1)
    throw new FoldError('the frame is not of a version that is known here');
  const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
  if (!isCount(found.bytes) || !/^[0-9a-f]{64}$/.test(found.sha256) || !isCount(found.shard_bytes))
    throw new FoldError('the head of the frame is damaged');
  if (!Array.isArray(found.shards)) throw new FoldError('the head of the frame is damaged');
  const shards = found.shards.map((shard) => {
    const [name, pieces, deadSinceDay] = Array.isArray(shard) ? shard : [];
    // The name becomes part of a path.
    if (!/^s[0-9a-f]{16}$/.test(name) || !isCount(pieces) || !isCount(deadSinceDay))
      throw new FoldError('the head of the frame is damaged');
    return { name, pieces, deadSinceDay };
  });
  return { bytes: found.bytes, sha256: found.sha256, shardBytes: found.shard_bytes, shards };
}

/** @param {string} line */
function parseRun(line) {
  const run = parseLine(line);
  if (!Array.isArray(run) || run.length < 3 || run.length > 4 || !run.every((n) => Number.isSafeInteger(n) && n >= 0))
    throw new FoldError('a line of the frame is damaged');
  const [shard, first, count, coded = 0] = run;
  if (coded > 1) throw new FoldError('a line of the frame is damaged');
  return { shard, first, count, coded: coded === 1 };
}

function parseLine(line) {
  try {
    return JSON.parse(line ?? '');
  } catch {
    throw new FoldError('the frame is damaged');
  }
}

/**
 * Lines of a file, however long it is.
 * @param {string} path
 * @returns {Generator<string, void, void>}
 */
export function* linesOf(path) {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(262_144);
    let parts = [];
    let held = 0;
    for (;;) {
      const read = readSync(file, buffer, 0, buffer.length, null);
      if (read === 0) break;
      let at = 0;
      for (;;) {
        const end = buffer.subarray(0, read).indexOf(10, at);
        if (end < 0) break;
        parts.push(buffer.subarray(at, end));
        yield Buffer.concat(parts).toString('utf8');
        parts = [];
        held = 0;
        at = end + 1;
      }
      held += read - at;
      if (held > longestLine) throw new FoldError('a line is too long');
      parts.push(Buffer.from(buffer.subarray(at, read)));
    }
    if (held > 0) yield Buffer.concat(parts).toString('utf8');
  } finally {
    closeSync(file);
  }
}

/**
 * A shard: `RWS1`, the number of pieces, their lengths (unsigned 32 bit, little endian), then the pieces.
 * @param {Buffer} bytes
 * @returns {{ data: Buffer, offsets: Float64Array }} offsets of the pieces in `data` and of its end
 */
export function parseShard(bytes) {
  const count = bytes.length >= 8 && bytes.toString('latin1', 0, 4) === shardMagic ? bytes.readUInt32LE(4) : -1;
  if (count < 0 || 8 + 4 * count > bytes.length) throw new FoldError('a shard is damaged');
  const offsets = new Float64Array(count + 1);
  offsets[0] = 8 + 4 * count;
  for (let at = 0; at < count; at += 1) offsets[at + 1] = offsets[at] + bytes.readUInt32LE(8 + 4 * at);
  if (offsets[count] !== bytes.length) throw new FoldError('a shard is damaged');
  return { data: bytes, offsets };
}

/** Reads shards when they are asked for and keeps the ones that were asked for last. */
function openShards(folder, table) {
  const kept = new Map();
  /** Memory of shards that were given up, for the next ones. */
  const spare = [];
  let bytes = 0;
  return (index) => {
    const found = kept.get(index);
    if (found) {
      kept.delete(index);
      kept.set(index, found);
      return found;
    }
    const entry = table[index];
    if (!entry) throw new FoldError(`a run names the shard ${index}, which the frame does not have`);
    const shard = parseShard(readWhole(join(folder, entry.name), spare.pop()));
    kept.set(index, shard);
    bytes += shard.data.length;
    for (const [oldest, { data }] of kept) {
      if (bytes <= keptBytes || oldest === index) break;
      kept.delete(oldest);
      bytes -= data.length;
      if (spare.length === 0) spare.push(data.buffer);
    }
    return shard;
  };
}

/** @param {ArrayBufferLike | undefined} memory used where it is large enough */
function readWhole(path, memory) {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const bytes = memory && memory.byteLength >= size ? Buffer.from(memory, 0, size) : Buffer.allocUnsafeSlow(size);
    let filled = 0;
    while (filled < size) {
      const read = readSync(file, bytes, filled, size - filled, null);
      if (read === 0) throw new FoldError('a shard became shorter while it was read');
      filled += read;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function writeAll(file, piece) {
  for (let done = 0; done < piece.length; ) done += writeSync(file, piece, done);
}

/**
 * Folds everything in the folder of a restored point and holds each file against the digest that the point has of it.
 * Files that are there and agree are left alone, so it may be called again.
 * @param {string} root the folder that restic restored into: `manifest.json`, `entries/`, `components/`, `unfolded/`
 * @param {(line: string) => void} [tell] told of each file that does not come out as it was
 * @returns {{ folded: number, checked: number, failed: number }} files
 */
export function foldTree(root, tell = () => {}) {
  const manifest = JSON.parse(readFileSync(join(root, 'manifest.json'), 'utf8'));
  const result = { folded: 0, checked: 0, failed: 0 };
  for (const component of manifest.components) {
    const { name, entries_file: list, entries_sha256: wanted } = component;
    // Streams of a database have no list of entries; they are not folded.
    if (typeof list !== 'string') continue;
    if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name) || list !== `entries/${name}.jsonl`)
      throw new FoldError('the manifest names a component that cannot be');
    if (wanted !== undefined && digestOf(join(root, list)).sha256 !== wanted)
      throw new FoldError(`${list} is not the list that the manifest names`);
    for (const line of linesOf(join(root, list))) {
      if (line === '') continue;
      const entry = JSON.parse(line);
      if (entry.kind !== 'file') continue;
      try {
        placeEntry(root, name, entry, result);
      } catch (err) {
        result.failed += 1;
        tell(`${name}: ${entry.path}: ${err instanceof Error ? err.message : String(err)}`);
      }
    }
  }
  return result;
}

function placeEntry(root, component, entry, result) {
  if (entry.path.split('/').some((part) => part === '' || part === '.' || part === '..' || part.includes('\0')))
    throw new FoldError('its path leads elsewhere');
  const base = join(root, 'components', component);
  const place = join(base, entry.path);
  if (entry.stored !== 'unfolded' || existsSync(place)) {
    if (digestOf(place).sha256 !== entry.sha256) throw new FoldError('it is not what was captured');
    result.checked += 1;
    return;
  }
  placeFolded(join(root, 'unfolded', component, entry.path), base, entry);
  result.folded += 1;
}

/**
 * Folds one file into its place below `base`, which must not lead out of it. Under its name it is never there by half.
 * @param {string} folder of the unfolded file
 * @param {string} base
 * @param {{ path: string, sha256: string, mtimeMs: number }} entry
 */
export function placeFolded(folder, base, entry) {
  const place = join(base, entry.path);
  mkdirSync(dirname(place), { recursive: true });
  const parent = realpathSync(dirname(place));
  if (!`${parent}${sep}`.startsWith(`${realpathSync(base)}${sep}`)) throw new FoldError('a link leads elsewhere');
  const draft = join(parent, `.${process.pid}.folding`);
  rmSync(draft, { force: true });
  try {
    const { sha256 } = foldFile(folder, { to: draft });
    if (sha256 !== entry.sha256) throw new FoldError('it does not fold to what was captured');
    utimesSync(draft, entry.mtimeMs / 1000, entry.mtimeMs / 1000);
    renameSync(draft, place);
  } finally {
    rmSync(draft, { force: true });
  }
}

function digestOf(path) {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(1_048_576);
    for (;;) {
      const read = readSync(file, buffer, 0, buffer.length, null);
      if (read === 0) return { sha256: hash.digest('hex') };
      hash.update(buffer.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
}

// Only when it is started by its own name: inside of ragwarden it is a part of a larger file.
if (basename(process.argv[1] ?? '') === 'fold.mjs') {
  const root = process.argv[2] ?? dirname(process.argv[1]);
  try {
    const { folded, checked, failed } = foldTree(root, (line) => console.error(line));
    console.log(`${folded} files folded, ${checked} others agree, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  } catch (err) {
    console.error(`${root}: ${err instanceof Error ? err.message : String(err)}`);
    process.exitCode = 1;
  }
}
