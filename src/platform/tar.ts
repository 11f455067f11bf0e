/** A file of an archive; small enough to be in memory. */
export type TarFile = { readonly path: string; readonly content: string | Uint8Array };

const block = 512;

/** A POSIX archive (ustar) of plain files with mode 0600. @param paths at most 100 bytes each, relative, no `..` */
export function tarOf(files: readonly TarFile[], modifiedMs: number): Buffer {
  const parts: Buffer[] = [];
  for (const { path, content } of files) {
    const bytes = Buffer.from(content);
    parts.push(headerOf(path, bytes.length, modifiedMs), bytes, Buffer.alloc((block - (bytes.length % block)) % block));
  }
  // Two empty blocks end it.
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

/** The same archive with more files behind. */
export function withTarFiles(archive: Buffer, files: readonly TarFile[], modifiedMs: number): Buffer {
  let end = 0;
  while (end + block <= archive.length && archive[end] !== 0) {
    const size = Number.parseInt(archive.toString('latin1', end + 124, end + 136), 8);
    end += block + Math.ceil(size / block) * block;
  }
  return Buffer.concat([archive.subarray(0, end), tarOf(files, modifiedMs)]);
}

function headerOf(path: string, size: number, modifiedMs: number): Buffer {
  if (Buffer.byteLength(path) > 100 || path.startsWith('/') || path.split('/').includes('..'))
    throw new TypeError(`not a path of an archive: ${path}`);
  const header = Buffer.alloc(block);
  const octal = (value: number, at: number, length: number): void => {
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  };
  header.write(path, 0);
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(Math.floor(modifiedMs / 1_000), 136, 12);
  header.write('        0', 148, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  header.write(' ', 155, 'latin1');
  return header;
}
