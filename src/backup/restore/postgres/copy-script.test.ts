import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rewriteCopies } from './copy-script.ts';

const script = [
  "SET client_encoding = 'UTF8';",
  'COPY public.a (id, workspace, content) FROM stdin;',
  '1\tours\tCOPY public.b (id) FROM stdin;',
  '2\ttheirs\t\\\\.',
  '3\tours\tä\\n',
  '\\.',
  '',
  'COPY "we ird"."b.c" (workspace, "i,d") FROM stdin;',
  'ours\t1',
  '\\.',
  'COPY public.other (x) FROM stdin;',
  'secret',
  '\\.',
  '',
].join('\n');

const rewrite = async (pieces: readonly Buffer[]): Promise<string> =>
  (
    await buffer(
      Readable.from(
        rewriteCopies(Readable.from(pieces), ({ schema, name }, columns) =>
          name === 'other'
            ? undefined
            : {
                copy: `COPY s."${schema}/${name}" (${columns.join('|')}) FROM stdin`,
                only: { at: columns.indexOf('workspace'), value: 'ours', as: 'new' },
              },
        ),
      ),
    )
  ).toString('utf8');

const expected = [
  'COPY s."public/a" (id|workspace|content) FROM stdin;',
  '1\tnew\tCOPY public.b (id) FROM stdin;',
  '3\tnew\tä\\n',
  '\\.',
  'COPY s."we ird/b.c" (workspace|i,d) FROM stdin;',
  'new\t1',
  '\\.',
  '',
].join('\n');

test('rows of one workspace arrive under another name, wherever the bytes are cut', async () => {
  const bytes = Buffer.from(script);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 8 }), async (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const pieces = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      expect(await rewrite(pieces)).toBe(expected);
    }),
    { numRuns: 50 },
  );
});

test('a script that ends within a table is refused', async () => {
  await expect(rewrite([Buffer.from(script.slice(0, 90))])).rejects.toThrow(/middle of a table/);
});
