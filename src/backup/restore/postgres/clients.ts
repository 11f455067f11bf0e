import type { ChildProcesses } from '../../../platform/child-processes/index.ts';
import { AppError } from '../../../platform/errors.ts';
import { choosePrograms, type PostgresPrograms } from '../../postgres/programs.ts';
import type { PostgresDetails } from '../../sources/postgres/details.ts';

/**
 * `pg_restore` must know the archive's format, which is that of the `pg_dump` that wrote it, and the server.
 * @throws AppError `restore/blocked` with the mend
 */
export async function requireClients(
  tools: { readonly children: ChildProcesses; readonly folders?: readonly string[] },
  details: Pick<PostgresDetails, 'client_version'>,
  server: { readonly major: number; readonly version: string },
  signal: AbortSignal,
  need: Parameters<typeof choosePrograms>[1] = ['pg_restore', 'psql'],
): Promise<PostgresPrograms> {
  const wrote = Number.parseInt(details.client_version, 10);
  const least = wrote > server.major ? { major: wrote, version: details.client_version } : server;
  const choice = await choosePrograms(tools.children, need, least, {
    signal,
    ...(tools.folders ? { folders: tools.folders } : {}),
  });
  if ('programs' in choice) return choice.programs;
  throw new AppError('restore/blocked', choice.missing);
}
