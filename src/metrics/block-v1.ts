import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { z } from 'zod';
import type { Samples } from './block.ts';
import { mostBytes } from './frame.ts';

const decompress = promisify(zstdDecompress);
const special = { NaN: Number.NaN, '+Inf': Infinity, '-Inf': -Infinity } as const;
const body = z.object({
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

/** What was written before there were columns: JSON below zstd. Only read. @throws Error when it is damaged */
export async function readBlockV1(payload: Uint8Array): Promise<Samples[]> {
  const text = await decompress(payload.subarray(1), { maxOutputLength: mostBytes });
  const { t, s } = body.parse(JSON.parse(text.toString('utf8')));
  let at = 0;
  const times = t.map((step, i) => {
    if (i > 0 && step <= 0) throw new Error('the times of a block must ascend');
    at += step;
    return at;
  });
  const series = s.map(([name, labels, type, values]): Samples => {
    if (values.length !== times.length) throw new Error(`the column of ${name} is not as long as the times`);
    const rows = [...values.keys()].filter((i) => values[i] !== null);
    return {
      kind: 'samples',
      name,
      labels,
      type,
      times: Float64Array.from(rows, (i) => times[i]!),
      values: Float64Array.from(rows, (i) => {
        const value = values[i];
        return typeof value === 'string' ? special[value] : value!;
      }),
    };
  });
  return series.filter(({ values }) => values.length > 0);
}
