import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ChildProcesses, findProgram, systemSearchPath } from '../../platform/child-processes/index.ts';

/** The version of one set of PostgreSQL's programs, and the folder they lie in. */
export type PostgresPrograms = {
  readonly folder: string;
  /** Such as `15.14`. */
  readonly version: string;
  readonly major: number;
};

type ProgramName = 'pg_dump' | 'pg_dumpall' | 'pg_restore' | 'psql' | 'initdb' | 'postgres';

/** Where packages put the programs of each version: Debian and its children, Red Hat and its. */
const versionedFolders = [
  { parent: '/usr/lib/postgresql', pattern: /^(\d+)$/, bin: 'bin' },
  { parent: '/usr', pattern: /^pgsql-(\d+)$/, bin: 'bin' },
];

/** Folders that may hold PostgreSQL's programs. Versioned ones first: what Debian has on the search path only chooses among them. */
export function programFolders(): string[] {
  const versioned = versionedFolders.flatMap(({ parent, pattern, bin }) => {
    let names: string[] = [];
    try {
      names = readdirSync(parent);
    } catch {
      // Another system's way of doing it.
    }
    return names.filter((name) => pattern.test(name)).map((name) => join(parent, name, bin));
  });
  return [...versioned, ...systemSearchPath.split(':')];
}

/** The program itself, from the folder that was chosen. */
export const programIn = (programs: PostgresPrograms, name: ProgramName): string => join(programs.folder, name);

export type ProgramChoice =
  | { readonly programs: PostgresPrograms }
  /** With the mend; stands in a point as the reason why it lacks the database. */
  | { readonly missing: string };

/**
 * Of all sets with the programs that are needed: that of the server's own version, else the next newer one. One that is older
 * cannot read the server, and one that is much newer writes settings into its dump which the server does not know.
 */
export async function choosePrograms(
  children: Pick<ChildProcesses, 'run'>,
  need: readonly ProgramName[],
  server: { readonly major: number; readonly version: string },
  options: { readonly folders?: readonly string[]; readonly signal?: AbortSignal } = {},
): Promise<ProgramChoice> {
  const [first = 'pg_dump'] = need;
  const install = `Install the clients of the server's version: \`apt-get install postgresql-client-${server.major}\`.`;
  const found: PostgresPrograms[] = [];
  for (const folder of new Set(options.folders ?? programFolders())) {
    if (!need.every((name) => findProgram(join(folder, name), '') !== undefined)) continue;
    const told = await children
      .run({
        program: join(folder, first),
        args: ['--version'],
        env: { PATH: systemSearchPath, LC_ALL: 'C' },
        purpose: `version of ${first}`,
        timeoutMs: 10_000,
        ...(options.signal ? { signal: options.signal } : {}),
      })
      .catch(() => {
        options.signal?.throwIfAborted();
        return undefined;
      });
    const version = /(\d+)(\.\d+)*/.exec(told?.exitCode === 0 ? told.stdout : '');
    if (!version) continue;
    const programs = { folder, version: version[0], major: Number(version[1]) };
    // No other can fit better.
    if (programs.major === server.major) return { programs };
    found.push(programs);
  }
  const fit = found.filter(({ major }) => major >= server.major).sort((a, b) => a.major - b.major)[0];
  if (fit) return { programs: fit };
  const newest = found.sort((a, b) => b.major - a.major)[0];
  return {
    missing: newest
      ? `${first} ${newest.version} is older than the server (${server.version}) and refuses it. ${install}`
      : `${need.join(', ')} ${need.length > 1 ? 'are' : 'is'} not installed. ${install}`,
  };
}
