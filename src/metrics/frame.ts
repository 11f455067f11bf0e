import { promisify } from 'node:util';
import {
  brotliCompress,
  brotliDecompress,
  constants,
  crc32,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
} from 'node:zlib';

/** Far above what ten minutes hold; a damaged or hostile length does not take the memory. */
export const mostBytes = 256 * 1_048_576;

/** So little is packed sooner, in well below a millisecond, than it is handed to another thread. */
const atOnceBytes = 131_072;

const zstd = promisify(zstdCompress);
const unzstd = promisify(zstdDecompress);
const brotli = promisify(brotliCompress);
const unbrotli = promisify(brotliDecompress);

/** How a block is packed: not at all, quickly while it still grows, or well once it is whole. The number stands in the block. */
const packings = [
  { name: 'none', pack: async (bytes: Uint8Array) => bytes, unpack: async (bytes: Uint8Array) => bytes },
  {
    name: 'quick',
    pack: async (bytes: Uint8Array): Promise<Uint8Array> => {
      const options = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
      return bytes.length <= atOnceBytes ? zstdCompressSync(bytes, options) : zstd(bytes, options);
    },
    unpack: (bytes: Uint8Array): Promise<Uint8Array> => unzstd(bytes, { maxOutputLength: mostBytes }),
  },
  {
    // Quality 5 is the knee on recorded series: 0.915 bytes per sample, against 0.910 with 9, which takes ten times as long.
    name: 'well',
    pack: (bytes: Uint8Array): Promise<Uint8Array> =>
      brotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
    unpack: (bytes: Uint8Array): Promise<Uint8Array> => unbrotli(bytes, { maxOutputLength: mostBytes }),
  },
] as const;
export type Packing = (typeof packings)[number]['name'];

/**
 * What every stored block looks like from outside: version, packing, CRC-32 of all that follows, length of the first part, both
 * parts. See docs/formats/metric-block.md.
 */
export async function packFrame(
  version: number,
  packing: Packing,
  first: Uint8Array,
  second: Uint8Array,
): Promise<Buffer> {
  const at = packings.findIndex(({ name }) => name === packing);
  const { pack } = packings[at]!;
  const [one, two] = await Promise.all([pack(first), pack(second)]);
  const frame = Buffer.alloc(10 + one.length + two.length);
  frame[0] = version;
  frame[1] = at;
  frame.writeUInt32LE(one.length, 6);
  frame.set(one, 10);
  frame.set(two, 10 + one.length);
  frame.writeUInt32LE(crc32(frame.subarray(6)), 2);
  return frame;
}

/** Checks the whole and unpacks each part when it is asked for. @throws Error when it is of another version or damaged */
export function openFrame(
  version: number,
  payload: Uint8Array,
): { first(): Promise<Uint8Array>; second(): Promise<Uint8Array> } {
  if (payload[0] !== version) throw new Error(`block version ${payload[0] ?? 'missing'} is not known`);
  const packing = packings[payload[1] ?? packings.length];
  if (packing === undefined || payload.length < 10) throw new Error('the head of the block is damaged');
  const frame = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (crc32(frame.subarray(6)) !== frame.readUInt32LE(2)) throw new Error('the checksum of the block does not match');
  const split = 10 + frame.readUInt32LE(6);
  return {
    first: () => packing.unpack(frame.subarray(10, split)),
    second: () => packing.unpack(frame.subarray(split)),
  };
}
