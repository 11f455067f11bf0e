import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isoInstant } from '../../platform/clock.ts';
import { describeError } from '../../platform/errors.ts';
import { systemRandom } from '../../platform/ids.ts';
import { isGeneratedPassword, readPassword } from './keys.ts';
import { isLight, type KeyFile, openKeyFile, parseKeyFile, renderLightKey } from './restic-key.ts';
import type { ResticOptions } from './restic-tool.ts';

export type LightKey = {
  /** The name of a key file that opens at once, for restic to try first. Where there is none restic tries them all, as ever. */
  hint(password: string): Promise<string | undefined>;
  /** Adds one where that is safe. Failing costs time and nothing else, so it is only logged. */
  ensure(): Promise<void>;
};

/**
 * A second key file beside the ordinary one, for a password of 256 random bits in a local folder: stretching such a password
 * protects nothing, and costs half a second at each of the many starts of restic. Never for a password that somebody chose, and
 * never in a store elsewhere. Bare restic with the same password goes on as before.
 * @see docs/decisions/0025-light-key.md
 */
export function createLightKey(options: ResticOptions): LightKey {
  const { location, passwordFile, log, clock } = options;
  const folder = join(location.resticArgument, 'keys');
  let known: { readonly name: string; readonly password: string } | undefined;
  let tried = false;

  const hint: LightKey['hint'] = async (password) => {
    if (location.kind !== 'folder') return undefined;
    if (known?.password !== password) known = undefined;
    if (known) return known.name;
    for (const { name, key } of await keyFiles(folder)) {
      if (!isLight(key) || !(await openKeyFile(key, password))) continue;
      known = { name, password };
      return name;
    }
    return undefined;
  };

  const add = async (): Promise<void> => {
    const password = await readPassword(passwordFile);
    if (!(await isGeneratedPassword(passwordFile)) || (await hint(password)) !== undefined) return;
    for (const { key } of await keyFiles(folder)) {
      const master = await openKeyFile(key, password);
      if (!master) continue;
      const created = isoInstant(clock.now());
      const text = await renderLightKey(master, password, { created, host: hostname(), random: systemRandom });
      // A key that does not open would be worse than none: restic gives up on one that it cannot read.
      const made = parseKeyFile(text);
      if (!made || !(await openKeyFile(made, password))?.equals(master)) throw new Error('the new key does not open');
      await writeKeyFile(folder, text);
      return;
    }
  };

  return {
    hint,
    async ensure() {
      if (tried || location.kind !== 'folder') return;
      tried = true;
      await add().catch((err: unknown) =>
        log.warn(
          { repository: location.display, reason: describeError(err) },
          'the repository got no key that opens at once: each start of restic takes half a second longer',
        ),
      );
    },
  };
}

async function keyFiles(folder: string): Promise<{ name: string; key: KeyFile }[]> {
  const found: { name: string; key: KeyFile }[] = [];
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const key = parseKeyFile(await readFile(join(folder, name), 'utf8').catch(() => ''));
    // A name that is not the digest of its file is a draft, or damaged: nothing for restic.
    if (key && /^[0-9a-f]{64}$/.test(name)) found.push({ name, key });
  }
  return found;
}

/** Whole and on the disk before it has a name that restic reads. The name of a key file is the digest of its bytes. */
async function writeKeyFile(folder: string, text: string): Promise<void> {
  const name = createHash('sha256').update(text).digest('hex');
  const draft = join(folder, `${name}-tmp-ragwarden`);
  const file = await open(draft, 'wx', 0o400);
  try {
    await writeAndClose(file, text);
    await rename(draft, join(folder, name));
  } catch (err) {
    await unlink(draft).catch(() => undefined);
    throw err;
  }
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeAndClose(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
