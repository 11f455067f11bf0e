import { AppError } from '../platform/errors.ts';
import type { Repository } from './repository/index.ts';

const cleared = new WeakSet<Repository>();

/** What is remembered of a repository: with this, an empty mount point is not taken for a place to begin anew. */
export type KnownRepository = {
  read(): Promise<{ readonly id: string; readonly location: string } | undefined>;
  remember(known: { id: string; location: string }): Promise<void>;
};

/**
 * Opens the repository, making it when there was never one at this location. Locks of our own dead processes are removed at
 * the first opening: only an earlier life of ours can have left some.
 * @returns its id
 * @throws AppError `repository/wrong-password`, `repository/missing` when one that was used is gone, `repository/replaced`
 *   when another one lies there; whatever the repository throws
 */
export async function openRepository(
  repository: Repository,
  known: KnownRepository,
  call: { readonly signal?: AbortSignal; readonly id?: string },
): Promise<string> {
  const options = {
    ...(call.signal ? { signal: call.signal } : {}),
    ...(call.id ? { operationId: call.id } : {}),
  };
  const location = repository.location.display;
  const remembered = await known.read();
  const expected = remembered?.location === location ? remembered.id : undefined;
  const opened = await repository.open(options);
  switch (opened.state) {
    case 'ok':
      if (expected !== undefined && opened.id !== expected)
        throw new AppError(
          'repository/replaced',
          `The repository at ${location} is not the one that was used before. Check what is mounted there; \`ragwarden backup adopt-repository\` accepts it.`,
        );
      if (!cleared.has(repository)) {
        await repository.removeOwnStaleLocks(options);
        cleared.add(repository);
      }
      if (expected === undefined) await known.remember({ id: opened.id, location });
      return opened.id;
    case 'missing': {
      if (expected !== undefined)
        throw new AppError(
          'repository/missing',
          `The repository at ${location} is gone. Check that its place is mounted; \`ragwarden backup adopt-repository\` begins a new one there.`,
        );
      const { id } = await repository.init(options);
      await known.remember({ id, location });
      return id;
    }
    case 'wrong-password':
      throw new AppError(
        'repository/wrong-password',
        `The password file does not open the repository at ${location}. Put the file back from the recovery kit.`,
      );
  }
}
