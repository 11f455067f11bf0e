import { join } from 'node:path';
import {
  catalogueReport,
  createPointStore,
  createResticRepository,
  rebuildCatalogue,
  rememberRepository,
} from '../backup/index.ts';
import type { Config } from '../config/index.ts';
import { createEventLog } from '../events/index.ts';
import { createChildProcesses } from '../platform/child-processes/index.ts';
import { systemClock } from '../platform/clock.ts';
import { lockDataFolder } from '../platform/data-folder.ts';
import { createLifecycle } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { openState } from './open-state.ts';
import { repositoryOptions } from './repository-options.ts';

/**
 * Makes the catalogue from the repository without a server: for a data folder that was lost. Folder and state are made when they
 * are missing, a password never is: it is the one thing that has to be brought along.
 * @throws AppError `storage/data-folder-in-use` while one runs, and whatever the rebuild throws
 */
export async function rebuildCatalogueOffline(
  config: Config,
  options: { readonly dryRun: boolean; readonly log: Logger; readonly signal: AbortSignal },
): Promise<unknown> {
  const { log, signal } = options;
  const clock = systemClock;
  const lifecycle = createLifecycle(log);
  try {
    const lock = lockDataFolder(config.dataDir, 'backup rebuild-catalogue', clock.now());
    await lifecycle.begin({ name: 'data folder', stop: () => lock.release() });
    const children = createChildProcesses({ log, clock, recordDir: join(config.dataDir, 'children') });
    await lifecycle.begin({ name: 'child processes', stop: () => children.stop() });
    const db = await openState({ config, lifecycle, clock, log });
    const { passwordFile } = config.backup;
    const points = createPointStore(db, () => clock.now());
    const events = createEventLog({ db, clock, instance: config.state.instance });
    const repository = createResticRepository({
      ...(await repositoryOptions(config)),
      passwordFile,
      cacheDir: join(config.dataDir, 'cache', 'restic'),
      children,
      log,
      clock,
    });
    const outcome = await rebuildCatalogue(
      {
        db,
        points,
        events,
        repository,
        knownRepository: rememberRepository({ points, db }),
        clock,
        log,
        step: async () => undefined,
      },
      { dryRun: options.dryRun },
      { signal, phase: async () => undefined, progress: () => undefined },
    );
    if (!options.dryRun)
      await db.unit((tx) =>
        events.audit(tx, { actor: 'local', action: 'backup.rebuild-catalogue', object: '', outcome: 'done' }),
      );
    return catalogueReport(outcome);
  } finally {
    await lifecycle.stop('the work is done');
  }
}
