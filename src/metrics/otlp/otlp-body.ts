import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { AppError, systemCode } from '../../platform/errors.ts';

/** A batch of a collector has some megabytes at most; a longer one comes in parts. */
const mostBytes = 16 * 1024 * 1024;
/** Of all bodies together that are being read. */
const mostHeldBytes = 64 * 1024 * 1024;

const unpackers = { gzip: promisify(gunzip), 'x-gzip': promisify(gunzip), deflate: promisify(inflate) };
const tooLarge = (what: string, bytes: number): AppError =>
  new AppError('request/too-large', `${what} at most ${bytes / 1024 / 1024} MiB; send smaller batches.`);

/** Bodies that are under way: their bytes, and the unpacking that comes last in the queue. */
export type UnderWay = { bytes: number; unpacking: Promise<unknown> };

/**
 * The body, unpacked. What it may become is bounded before it is unpacked, so that a small body that stands for a huge one costs
 * no more than the bound.
 * @throws AppError `request/too-large`, `request/unsupported-media-type`, `request/unreadable`, `metrics/busy`
 */
export async function readOtlpBody(payload: Readable, contentEncoding: string, held: UnderWay): Promise<Buffer> {
  const name = contentEncoding.trim().toLowerCase();
  const unpack = name === '' || name === 'identity' ? undefined : unpackers[name as keyof typeof unpackers];
  if (unpack === undefined && name !== '' && name !== 'identity')
    throw new AppError('request/unsupported-media-type', 'Send the body as it is, or with gzip or deflate.');
  let own = 0;
  const hold = (bytes: number): void => {
    if (held.bytes + bytes > mostHeldBytes)
      throw new AppError('metrics/busy', 'Too much is being read at once; send it again in a moment.', {
        retryAfterSeconds: 1,
      });
    held.bytes += bytes;
    own += bytes;
  };
  try {
    const chunks: Buffer[] = [];
    let sent = 0;
    for await (const chunk of payload) {
      const bytes = chunk as Buffer; // requests come in bytes
      sent += bytes.length;
      if (sent > mostBytes) throw tooLarge('A body has', mostBytes);
      hold(bytes.length);
      chunks.push(bytes);
    }
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    if (unpack === undefined) return body;
    // One at a time, so that never more than one bound is filled.
    const before = held.unpacking;
    const unpacked = before.then(() => unpack(body, { maxOutputLength: mostBytes }));
    held.unpacking = unpacked.catch(() => undefined);
    return await unpacked;
  } catch (err) {
    if (systemCode(err) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('Unpacked, a body has', mostBytes);
    if (/^Z_/.test(systemCode(err) ?? ''))
      throw new AppError('request/unreadable', `The body cannot be unpacked as ${name}.`, { cause: err });
    throw err;
  } finally {
    held.bytes -= own;
  }
}
