import { join } from 'node:path';
import type { Config } from '../config/index.ts';
import { metricsMigrations, stateMigrations } from '../migrations/index.ts';
import type { Clock } from '../platform/clock.ts';
import { lockStateFile } from '../platform/data-folder.ts';
import {
  copyBeforeMigration,
  type Database,
  migrate,
  type OpenDatabase,
  openPostgres,
  openSqlite,
} from '../platform/database/index.ts';
import type { createLifecycle } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { findWholeSchemas } from './whole-schemas.ts';

type OpenOptions = {
  readonly config: Pick<Config, 'dataDir' | 'state'>;
  readonly lifecycle: ReturnType<typeof createLifecycle>;
  readonly clock: Clock;
  readonly log: Logger;
};

/**
 * The state database, migrated: a file, or a schema on a PostgreSQL server that no other process of the same instance works on.
 * It is closed with the lifecycle.
 * @throws AppError `storage/unavailable`, `storage/instance-in-use`, `storage/schema-newer`
 */
export async function openState(options: OpenOptions): Promise<Database> {
  const { config, clock, log } = options;
  const { place, instance } = config.state;
  if (place.kind === 'postgres') {
    const db = await openPostgres({
      name: 'state',
      url: place.url,
      steps: stateMigrations,
      instance,
      alone: true,
      log,
    });
    return begun(options, 'state', db, stateMigrations);
  }
  const lock = lockStateFile(place.path, config.dataDir);
  await options.lifecycle.begin({ name: 'state file', stop: () => lock.release() });
  copyBeforeMigration(place.path, stateMigrations, clock, log);
  return begun(
    options,
    'state',
    openSqlite({ name: 'state', path: place.path, synchronous: 'FULL', log }),
    stateMigrations,
  );
}

/** Samples lie beside the state, in a file or under a queue of their own, so that bulk never waits before a ledger. */
export async function openSamples(options: OpenOptions): Promise<Database> {
  const { config, log } = options;
  const { place, instance } = config.state;
  const db =
    place.kind === 'postgres'
      ? await openPostgres({ name: 'metrics', url: place.url, steps: metricsMigrations, instance, log })
      : openSqlite({ name: 'metrics', path: join(config.dataDir, 'metrics.sqlite'), synchronous: 'NORMAL', log });
  return begun(options, 'metrics', db, metricsMigrations);
}

async function begun(
  options: OpenOptions,
  name: 'state' | 'metrics',
  db: OpenDatabase,
  steps: typeof stateMigrations,
): Promise<Database> {
  await options.lifecycle.begin({ name, stop: () => db.close() });
  await migrate(db, steps, () => findWholeSchemas()?.[name]);
  return db;
}
