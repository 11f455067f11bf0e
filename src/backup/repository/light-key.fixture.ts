import { createHash } from 'node:crypto';
import { readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemRandom } from '../../platform/ids.ts';
import { openKeyFile, parseKeyFile, renderLightKey } from './restic-key.ts';

/**
 * For tests only: replaces the one key of a repository, whatever its password, by one that opens at once. The product adds such a
 * key only beside the ordinary one, and only for a password that it made itself.
 */
export async function lightenKey(repository: string, password: string): Promise<void> {
  const folder = join(repository, 'keys');
  const [name = ''] = await readdir(folder);
  const key = parseKeyFile(await readFile(join(folder, name), 'utf8'));
  const master = key && (await openKeyFile(key, password));
  if (!master) throw new Error('this is not the password of the repository');
  const facts = { created: new Date(0).toISOString(), host: 'test', random: systemRandom };
  const text = await renderLightKey(master, password, facts);
  await writeFile(join(folder, createHash('sha256').update(text).digest('hex')), text, { mode: 0o600 });
  await unlink(join(folder, name));
}
