import { AppError } from '../platform/errors.ts';
import type { Repository } from './repository/index.ts';

/**
 * Opens the repository, making it when there is none, after locks of our own dead processes are gone.
 * @returns its id
 * @throws AppError `repository/wrong-password` with what to do; whatever the repository throws
 */
export async function openRepository(
  repository: Repository,
  call: { readonly signal?: AbortSignal; readonly id?: string },
): Promise<string> {
  const options = { ...(call.signal ? { signal: call.signal } : {}), ...(call.id ? { operationId: call.id } : {}) };
  const opened = await repository.open(options);
  switch (opened.state) {
    case 'ok':
      await repository.removeOwnStaleLocks(options);
      return opened.id;
    case 'missing':
      return (await repository.init(options)).id;
    case 'wrong-password':
      throw new AppError(
        'repository/wrong-password',
        `The password file does not open the repository at ${repository.location.display}. Put the file back from the recovery kit.`,
      );
  }
}
