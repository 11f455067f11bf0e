import { isoInstant } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import type { RepositoryLocation } from './location.ts';

export type RecoveryKit = {
  readonly repositories: readonly {
    readonly location: RepositoryLocation;
    readonly id?: string;
    /** Names of the variables that carry its credentials; their values are not part of the kit. */
    readonly environmentNames?: readonly string[];
    /** Certificates that vouch for it. */
    readonly caFile?: string | undefined;
  }[];
  readonly password: string;
  readonly sealKey?: string;
  readonly formatVersion: number;
  readonly createdAtMs: number;
};

/** One page that brings everything back with nothing but restic. It holds the password: whoever has it can read every backup. */
export function recoveryKit(kit: RecoveryKit): string {
  const lines = [
    kitTitle,
    '======================',
    '',
    `Written ${isoInstant(kit.createdAtMs)}. Keep this page away from the machine it protects: on paper, or in a password safe.`,
    'Whoever has it can read every backup. Without it the backups cannot be read by anybody.',
    '',
    'Repositories',
  ];
  for (const { location, id, environmentNames = [], caFile } of kit.repositories) {
    lines.push(`  ${location.display}${id === undefined ? '' : `   (id ${id})`}`);
    if (location.display !== location.resticArgument)
      lines.push('    *** stands for credentials, which are kept elsewhere');
    if (environmentNames.length > 0) lines.push(`    needs the variables ${environmentNames.join(', ')}`);
    if (caFile !== undefined)
      lines.push(`    needs the certificates of ${caFile}: RAGWARDEN_REPOSITORY_CA_FILE, or --cacert of restic`);
  }
  const first = kit.repositories[0]?.location.display ?? 'REPOSITORY';
  lines.push('', `Password        ${kit.password}`);
  lines.push(`Seal key        ${kit.sealKey ?? noSealKey}`);
  lines.push(
    `Format version  ${kit.formatVersion}`,
    '',
    'To bring everything back onto an empty machine, with ragwarden and restic on it (this page as a file, mode 0600):',
    '',
    '       ragwarden recover --kit recovery-kit.txt --plan',
    '       ragwarden recover --kit recovery-kit.txt',
    '',
    'To read it with restic alone (0.14 or newer), on any machine:',
    '',
    '  1. Put the password into a file that only you can read, say password.txt, and list the recovery points:',
    `       restic --repo ${quoted(first)} --password-file password.txt snapshots --tag manifest`,
    '  2. Bring one of them back into an empty folder:',
    `       restic --repo ${quoted(first)} --password-file password.txt restore SNAPSHOT --target ./restored`,
    '',
    '  3. Where a file fold.mjs lies in it, some files are stored by record. Put them together (Node.js 18 or newer):',
    '       node ./restored/fold.mjs ./restored',
    '',
    'The file manifest.json of a recovery point names its components, their sizes and SHA-256 digests. Snapshots that carry the',
    'same tag rp:ID belong to the same point.',
    '',
  );
  return lines.join('\n');
}

const noSealKey = 'none is needed: this version keeps no sealed secrets';

const kitTitle = 'ragwarden recovery kit';
const newestFormat = 1;

/**
 * Reads a kit back.
 * @returns the first repository; `location` as it was shown, so without credentials
 * @throws AppError `config/invalid` with what is missing
 */
export function parseRecoveryKit(text: string): { location: string; password: string; sealKey: string | undefined } {
  const lines = text.split(/\r?\n/);
  if (lines.find((line) => line.trim() !== '')?.trim() !== kitTitle)
    throw unreadable('it does not begin with its title');
  const value = (name: string): string | undefined =>
    lines
      .find((line) => line.startsWith(name))
      ?.slice(name.length)
      .trim() || undefined;
  const format = Number(value('Format version'));
  if (!(format <= newestFormat)) throw unreadable('its format version is missing, or newer than this ragwarden');
  const at = lines.findIndex((line) => line.trim() === 'Repositories');
  const location = lines[at + 1]?.trim().replace(/ {3}\(id [^)]*\)$/, '');
  const password = value('Password');
  if (at < 0 || !location) throw unreadable('it names no repository');
  if (password === undefined) throw unreadable('it holds no password');
  const sealKey = value('Seal key');
  return { location, password, sealKey: sealKey === noSealKey ? undefined : sealKey };
}

const unreadable = (why: string): AppError =>
  new AppError(
    'config/invalid',
    `This is no recovery kit that can be read: ${why}. \`ragwarden backup kit\` prints one.`,
  );

const quoted = (text: string): string =>
  /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
