import { isoInstant } from '../../platform/clock.ts';
import type { RepositoryLocation } from './location.ts';

export type RecoveryKit = {
  readonly repositories: readonly {
    readonly location: RepositoryLocation;
    readonly id?: string;
    /** Names of the variables that carry its credentials; their values are not part of the kit. */
    readonly environmentNames?: readonly string[];
  }[];
  readonly password: string;
  readonly sealKey?: string;
  readonly formatVersion: number;
  readonly createdAtMs: number;
};

/** One page that brings everything back with nothing but restic. It holds the password: whoever has it can read every backup. */
export function recoveryKit(kit: RecoveryKit): string {
  const lines = [
    'ragwarden recovery kit',
    '======================',
    '',
    `Written ${isoInstant(kit.createdAtMs)}. Keep this page away from the machine it protects: on paper, or in a password safe.`,
    'Whoever has it can read every backup. Without it the backups cannot be read by anybody.',
    '',
    'Repositories',
  ];
  for (const { location, id, environmentNames = [] } of kit.repositories) {
    lines.push(`  ${location.display}${id === undefined ? '' : `   (id ${id})`}`);
    if (location.display !== location.resticArgument)
      lines.push('    *** stands for credentials, which are kept elsewhere');
    if (environmentNames.length > 0) lines.push(`    needs the variables ${environmentNames.join(', ')}`);
  }
  const first = kit.repositories[0]?.location.display ?? 'REPOSITORY';
  lines.push('', `Password        ${kit.password}`);
  if (kit.sealKey !== undefined) lines.push(`Seal key        ${kit.sealKey}`);
  lines.push(
    `Format version  ${kit.formatVersion}`,
    '',
    'To read it with restic alone (0.14 or newer), on any machine:',
    '',
    '  1. Put the password into a file that only you can read, say password.txt, and list the recovery points:',
    `       restic --repo ${quoted(first)} --password-file password.txt snapshots --tag manifest`,
    '  2. Bring one of them back into an empty folder:',
    `       restic --repo ${quoted(first)} --password-file password.txt restore SNAPSHOT --target ./restored`,
    '',
    'The file manifest.json of a recovery point names its components, their sizes and SHA-256 digests. Snapshots that carry the',
    'same tag rp:ID belong to the same point.',
    '',
  );
  return lines.join('\n');
}

const quoted = (text: string): string =>
  /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
