import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { z } from 'zod';

/** A stretch of time: one column of instants and one column of values per series, all equally long. */
export type Block = {
  /** Epoch milliseconds, ascending. */
  readonly times: readonly number[];
  readonly series: readonly BlockSeries[];
};

export type BlockSeries = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly type: 'counter' | 'gauge' | 'unknown';
  /** Undefined where the series had no value. */
  readonly values: readonly (number | undefined)[];
};

/** First byte of every payload; a reader that does not know it must not guess. */
const version = 1;
/** Far above what ten minutes hold; a damaged or hostile length does not take the memory. */
const mostBytes = 256 * 1_048_576;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

// JSON has no NaN and no infinities; null stands for "no value".
const special = { NaN: Number.NaN, '+Inf': Infinity, '-Inf': -Infinity } as const;
const bodySchema = z.object({
  t: z.array(z.number().int()),
  s: z.array(
    z.tuple([
      z.string(),
      z.record(z.string(), z.string()),
      z.enum(['counter', 'gauge', 'unknown']),
      z.array(z.union([z.number(), z.null(), z.enum(['NaN', '+Inf', '-Inf'])])),
    ]),
  ),
});

/** Version byte, then zstd with a checksum over columns as JSON. */
export async function encodeBlock(block: Block): Promise<Buffer> {
  const body: z.input<typeof bodySchema> = {
    t: block.times.map((time, i) => (i === 0 ? time : time - block.times[i - 1]!)),
    s: block.series.map(({ name, labels, type, values }) => [name, { ...labels }, type, values.map(written)]),
  };
  const packed = await compress(Buffer.from(JSON.stringify(body)), {
    params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: 3 },
  });
  return Buffer.concat([Buffer.of(version), packed]);
}

/** @throws Error when the payload is of another version, damaged, or not a block */
export async function decodeBlock(payload: Uint8Array): Promise<Block> {
  if (payload[0] !== version) throw new Error(`block version ${payload[0] ?? 'missing'} is not known`);
  const text = await decompress(payload.subarray(1), { maxOutputLength: mostBytes });
  const body = bodySchema.parse(JSON.parse(text.toString('utf8')));
  let time = 0;
  const times = body.t.map((step, i) => {
    if (i > 0 && step <= 0) throw new Error('the times of a block must ascend');
    time += step;
    return time;
  });
  return {
    times,
    series: body.s.map(([name, labels, type, values]) => {
      if (values.length !== times.length) throw new Error(`the column of ${name} is not as long as the times`);
      return { name, labels, type, values: values.map(read) };
    }),
  };
}

function written(value: number | undefined): number | null | keyof typeof special {
  if (value === undefined) return null;
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

const read = (value: number | null | keyof typeof special): number | undefined => {
  if (value === null) return undefined;
  return typeof value === 'string' ? special[value] : value;
};
