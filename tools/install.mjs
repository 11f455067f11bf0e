// Brings node_modules to what package-lock.json says, once, and never under a process that is using it.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, mark } from './marks.mjs';
import { npm } from './node-runtime.mjs';

export const marksFolder = (root) => path.join(root, '.cache', 'marks');
const stampFile = (root) => path.join(root, 'node_modules', '.ragwarden-install.json');

/** What node_modules must have been made from: lock, Node.js and platform. */
function wantedInstall(root) {
  const lock = createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
  return JSON.stringify({ lock, node: process.version, platform: `${process.platform}-${process.arch}` });
}

/** Whether node_modules is what the lock says: by our stamp, or, after an `npm ci` by hand, by npm's own list. */
export function isInstalled(root) {
  try {
    return readFileSync(stampFile(root), 'utf8') === wantedInstall(root);
  } catch {
    if (!matchesLock(root)) return false;
    writeFileSync(stampFile(root), wantedInstall(root));
    return true;
  }
}

/** Compares npm's list of what it installed with the lock. Packages for other platforms may be absent. */
export function matchesLock(root, platform = process.platform, arch = process.arch) {
  const installedFile = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const wanted = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  const fits = (entry) =>
    (!entry.os || entry.os.includes(platform)) &&
    (!entry.cpu || entry.cpu.includes(arch)) &&
    !entry.libc?.includes('musl');
  return (
    Object.entries(wanted).every(([name, entry]) => {
      if (name === '') return true;
      const found = installed[name];
      if (found) return found.version === entry.version && found.integrity === entry.integrity;
      return Boolean(entry.optional) && (!fits(entry) || !entry.os);
    }) && Object.keys(installed).every((name) => name in wanted)
  );
}

/**
 * Makes node_modules ready and marks it as used, so that nobody replaces it until the mark is let go.
 * @param {{ what: string, say: (line: string) => void }} options what: the command, as others are told it
 * @returns {Promise<() => void>} lets go of the mark
 * @throws Error when npm fails or another process keeps node_modules for too long
 */
export async function useInstalled(root, { what, say }) {
  const folder = marksFolder(root);
  const use = () =>
    mark(folder, 'use', {
      against: ['install'],
      what,
      onWait: (others) => say(`waiting for ${describe(others)}, which is installing dependencies`),
    });
  const release = await use();
  if (isInstalled(root)) return release;
  release();
  const installed = await mark(folder, 'install', {
    against: ['install', 'use'],
    what,
    onWait: (others) =>
      say(
        `node_modules must be renewed but is in use by ${describe(others)}: waiting until that ends; stop it to go on sooner`,
      ),
  });
  try {
    if (!isInstalled(root)) await install(root, say);
    return await use();
  } finally {
    installed();
  }
}

async function install(root, say) {
  say('installing dependencies (npm ci)');
  const code = await npm(
    process.execPath,
    ['ci', '--include=dev', '--include=optional', '--engine-strict=false', '--ignore-scripts'],
    root,
  );
  if (code !== 0) throw new Error(`npm ci failed with exit code ${code}; its reason is above.`);
  writeFileSync(stampFile(root), wantedInstall(root));
}
