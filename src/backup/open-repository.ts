import { AppError } from '../platform/errors.ts';
import type { Repository } from './repository/index.ts';

const cleared = new WeakSet<Repository>();

/**
 * Opens the repository, making it when there is none. Locks of our own dead processes are removed at the first opening: only
 * an earlier life of ours can have left some.
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
      if (!cleared.has(repository)) {
        await repository.removeOwnStaleLocks(options);
        cleared.add(repository);
      }
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
