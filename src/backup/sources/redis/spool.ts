import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

export type Spooled = { readonly bytes: number; readonly sha256: string };

/** Writes what comes into a new file, and tells its size and digest. */
export async function spoolTo(file: string, chunks: AsyncIterable<Buffer>): Promise<Spooled> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(file, 'w', 0o600);
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      for (let done = 0; done < chunk.length; ) done += (await handle.write(chunk, done)).bytesWritten;
      bytes += chunk.length;
    }
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}
