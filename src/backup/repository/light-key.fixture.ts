import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemRandom } from '../../platform/ids.ts';
import { openKeyFile, parseKeyFile, renderLightKey, seal } from './restic-key.ts';

/**
 * For tests only: replaces the one key of a repository, whatever its password, by one that opens at once. The product adds such a
 * key only beside the ordinary one, and only for a password that it made itself.
 */
export async function lightenKey(repository: string, password: string): Promise<void> {
  const folder = join(repository, 'keys');
  const [name = ''] = await readdir(folder);
  const light = await lightKeyLike(await readFile(join(folder, name), 'utf8'), password);
  await writeFile(join(folder, light.name), light.text, { mode: 0o600 });
  await unlink(join(folder, name));
}

/** The same for a store elsewhere: what to put in the place of a key file, and under which name. */
export async function lightKeyLike(keyText: string, password: string): Promise<{ name: string; text: string }> {
  const key = parseKeyFile(keyText);
  const master = key && (await openKeyFile(key, password));
  if (!master) throw new Error('this is not the password of the repository');
  const text = await renderLightKey(master, password, facts);
  return { name: createHash('sha256').update(text).digest('hex'), text };
}

/**
 * For tests only: what `restic init` makes, with such a key from the beginning and without its seconds. Every one is another
 * repository. Format: "Repository Format" in restic's design document; version 2.
 */
export async function makeLightRepository(repository: string, password: string): Promise<void> {
  for (const name of ['data', 'index', 'keys', 'locks', 'snapshots'])
    await mkdir(join(repository, name), { recursive: true, mode: 0o700 });
  const [encrypt, macK, macR] = [systemRandom(32), systemRandom(16), systemRandom(16)];
  const [k, r] = [macK.toString('base64'), macR.toString('base64')];
  const master = Buffer.from(JSON.stringify({ mac: { k, r }, encrypt: encrypt.toString('base64') }));
  const text = await renderLightKey(master, password, facts);
  await writeFile(join(repository, 'keys', createHash('sha256').update(text).digest('hex')), text, { mode: 0o600 });
  // Any irreducible polynomial of degree 53 will do; this is the one of the library's own documentation.
  const config = { version: 2, id: systemRandom(32).toString('hex'), chunker_polynomial: '3da3358b4dc173' };
  const sealed = seal({ encrypt, macK, macR }, Buffer.from(JSON.stringify(config)), systemRandom);
  await writeFile(join(repository, 'config'), sealed, { mode: 0o600 });
}

const facts = { created: new Date(0).toISOString(), host: 'test', random: systemRandom };
