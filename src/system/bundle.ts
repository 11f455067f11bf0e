import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Clock } from '../platform/clock.ts';
import { describeError } from '../platform/errors.ts';
import { type TarFile, tarOf } from '../platform/tar.ts';
import { createRedactor } from './secret-values.ts';

/** A file of the bundle: JSON unless its name says otherwise. */
export type BundlePart = { readonly name: string; read(): Promise<unknown> };

const pack = promisify(gzip);

/**
 * What somebody who helps needs to know, without secrets: a gzipped archive. A part that cannot be read is one line that says why;
 * it costs no other part.
 * @param secrets values that must not be in it, wherever they stand
 */
export async function makeBundle(options: {
  parts: readonly BundlePart[];
  secrets(): Promise<readonly string[]>;
  clock: Clock;
}): Promise<{ readonly name: string; readonly bytes: Buffer }> {
  const { parts, clock } = options;
  const nowMs = clock.now();
  const redactor = createRedactor(await options.secrets());
  const stamp = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const folder = `ragwarden-bundle-${stamp}`;
  const files: TarFile[] = [];
  for (const { name, read } of parts) {
    try {
      const value = await read();
      const content =
        typeof value === 'string' ? redactor.text(value) : `${JSON.stringify(redactor.json(value), null, 2)}\n`;
      files.push({ path: `${folder}/${name}`, content });
    } catch (err) {
      files.push({ path: `${folder}/${name}.error.txt`, content: `${redactor.text(describeError(err))}\n` });
    }
  }
  return { name: `${folder}.tar.gz`, bytes: await pack(tarOf(files, nowMs)) };
}

const tailBytes = 512 * 1024;

/** The end of a log, from the first whole line on. */
export async function readTail(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - tailBytes);
    const buffer = Buffer.alloc(size - from);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    const text = buffer.toString('utf8', 0, bytesRead);
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    await file.close();
  }
}
