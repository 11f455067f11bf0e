import { AppError } from '../platform/errors.ts';
import type { BackendState } from './strategies/folder-entries.ts';

/** A target whose files are changed while nobody else holds them. */
export type OfflineTarget = {
  readonly id: string;
  /** Folder that holds all workspaces; undefined: it has none of its own. */
  readonly workspaceRoot: string | undefined;
  /** Those that have a folder; '' is the unnamed one. */
  workspaces(): readonly string[];
  folderOf(workspace: string): string;
  backend(): Promise<BackendState>;
  readonly lifecycle: {
    readonly automatic: boolean;
    /** Resolves when nobody holds its files any more. */
    stop(signal: AbortSignal): Promise<void>;
    start(signal: AbortSignal): Promise<void>;
    expectUp(): void;
  };
};

/**
 * Has the backend out of the way until what this returns is called. One that is down already is left so.
 * @throws AppError `target/in-use` when it runs and may not, or cannot, be stopped from here
 */
export async function standDown(
  target: OfflineTarget,
  mayStop: boolean,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const { state } = await target.backend();
  if (state === 'down' && !mayStop) return async () => undefined;
  if (state !== 'down' && !(mayStop && target.lifecycle.automatic))
    throw new AppError(
      'target/in-use',
      `The backend of ${target.id} ${state === 'up' ? 'runs' : 'may run'} and would write over it. Stop it, or let it be stopped (\`stop_backend\`; needs target.lifecycle).`,
    );
  if (state === 'down') return async () => undefined;
  // Started again even when the run was cancelled meanwhile: a backend that stays down is worse than a late answer.
  const startAgain = async (): Promise<void> => {
    const own = new AbortController();
    try {
      await target.lifecycle.start(own.signal);
    } catch (err) {
      target.lifecycle.expectUp();
      throw err;
    }
  };
  try {
    await target.lifecycle.stop(signal);
  } catch (err) {
    // It may be down already, and whoever is told of the failure has nothing in hand to start it. Told is why it was not stopped.
    await startAgain().catch(() => undefined);
    throw err;
  }
  return startAgain;
}
