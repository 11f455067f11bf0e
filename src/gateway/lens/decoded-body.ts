import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';

/** Reads a body as it passes, uncompressed. */
export type DecodedBody = {
  write(chunk: Uint8Array): void;
  /** After what was written came out; whether all of it could be read. */
  end(): Promise<boolean> | boolean;
};

/** More than this must not wait for the decoder, nor come out of it: a bomb, or an answer that is faster than we are. */
const mostWaiting = 4 * 1024 * 1024;
const mostDecoded = 256 * 1024 * 1024;

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
};

/**
 * @param encoding as in `Content-Encoding`
 * @returns undefined for one that cannot be read, also for several in a row
 */
export function createDecodedBody(
  encoding: string | undefined,
  onBytes: (chunk: Uint8Array) => void,
): DecodedBody | undefined {
  const name = (encoding ?? '').trim().toLowerCase();
  if (name === '' || name === 'identity') return { write: onBytes, end: () => true };
  const decoder = decoders[name]?.();
  if (decoder === undefined) return undefined;
  let decoded = 0;
  let failed = false;
  const over = Promise.withResolvers<void>();
  const giveUp = (): void => {
    failed = true;
    decoder.destroy();
    over.resolve();
  };
  decoder.on('data', (chunk: Buffer) => {
    decoded += chunk.length;
    if (decoded > mostDecoded) giveUp();
    else onBytes(chunk);
  });
  decoder.on('error', giveUp);
  decoder.on('end', () => over.resolve());
  decoder.on('close', () => over.resolve());
  return {
    write(chunk) {
      if (failed) return;
      if (decoder.writableLength > mostWaiting) giveUp();
      // The bytes belong to the exchange, which may use their memory again.
      else decoder.write(Buffer.from(chunk));
    },
    async end() {
      if (!failed) decoder.end();
      await over.promise;
      return !failed;
    },
  };
}
