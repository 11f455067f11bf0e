import { open } from 'node:fs/promises';

const tailBytes = 256;

/**
 * Whether a copied file ends as its kind must: a JSON document with its closing bracket, a GraphML file with its closing
 * tag. It sees the torn copies that an in-place writer causes, cheaply; it proves nothing about the inside.
 * @returns what is wrong, undefined when nothing is
 */
export async function findTornEnd(file: string, path: string): Promise<string | undefined> {
  const isJson = path.endsWith('.json');
  if (!isJson && !path.endsWith('.graphml')) return undefined;
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size === 0) return 'the file is empty';
    const length = Math.min(size, tailBytes);
    const buffer = Buffer.alloc(length);
    await handle.read(buffer, 0, length, size - length);
    const end = buffer.toString('latin1').trimEnd();
    if (isJson) return end.endsWith('}') || end.endsWith(']') ? undefined : 'the JSON does not end; it is cut off';
    return end.endsWith('</graphml>') ? undefined : 'the GraphML does not end; it is cut off';
  } finally {
    await handle.close();
  }
}
