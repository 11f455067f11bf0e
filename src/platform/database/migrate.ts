import { chmodSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { Clock } from '../clock.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../logging.ts';
import type { OpenDatabase } from './database.ts';
import { asStorageError } from './storage-error.ts';
import { tryWhileLockedAsync } from './while-locked.ts';
import type { WholeSchema } from './whole-schema.ts';

/** Append-only and ordered by name; free of application code, so that an old step never changes its meaning. */
export type MigrationList = Readonly<Record<string, Migration>>;

const keptCopies = 3;
/** How long another process may take with its own steps. */
const lockTimeoutMs = 10_000;

/**
 * Brings a schema up to date. Safe when two processes start together: the steps run in one transaction that only one of them has.
 * @param findWhole what all steps come to, asked for when nothing is there yet; taken only when it is of exactly these steps
 * @returns the steps that this call carried out
 * @throws AppError `storage/schema-newer` when the database knows steps that this version does not
 */
export async function migrate(
  database: OpenDatabase,
  steps: MigrationList,
  findWhole: (() => WholeSchema | undefined) | undefined = undefined,
): Promise<readonly string[]> {
  const { stepTables, name } = database;
  const names = Object.keys(steps);
  const known = new Set(names);
  const applied = await tryWhileLockedAsync(lockTimeoutMs, () => appliedSteps(database)).catch((err: unknown) => {
    throw asStorageError(err, name);
  });
  const unknown = applied.filter((step) => !known.has(step));
  if (unknown.length > 0)
    throw new AppError(
      'storage/schema-newer',
      `The ${name} database was written by a newer version of ragwarden (it knows ${unknown[0]}). Start that version, or restore an older copy of ${stepTables ? 'the database' : 'the data folder'}.`,
      { context: { unknown } },
    );
  if (applied.length === names.length) return [];
  const whole = applied.length === 0 && database.runOnEmpty ? findWhole?.() : undefined;
  if (whole && isDeepStrictEqual(whole.steps, names))
    try {
      if (database.runOnEmpty?.(whole.script)) return names;
    } catch (err) {
      throw asStorageError(err, name);
    }
  return carryOut(database, steps);
}

async function carryOut({ writer: db, stepTables, name }: OpenDatabase, steps: MigrationList): Promise<string[]> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...steps }) },
    ...(stepTables && {
      migrationTableSchema: stepTables.schema,
      migrationTableName: stepTables.steps,
      migrationLockTableName: stepTables.lock,
    }),
  });
  const results = await tryWhileLockedAsync(lockTimeoutMs, async () => {
    const outcome = await migrator.migrateToLatest();
    if (outcome.error) throw outcome.error;
    return outcome.results;
  }).catch((err: unknown) => {
    throw asStorageError(err, name);
  });
  return (results ?? []).filter((step) => step.status === 'Success').map((step) => step.migrationName);
}

/** Whether the schema is exactly what these steps make of it; for whoever may read and write, and not change it. */
export async function isMigrated(database: OpenDatabase, steps: MigrationList): Promise<boolean> {
  const applied = await appliedSteps(database);
  return applied.length === Object.keys(steps).length && applied.every((step) => step in steps);
}

async function appliedSteps(database: OpenDatabase): Promise<string[]> {
  const { writer } = database;
  const noted = database.stepTables?.steps ?? 'kysely_migration';
  if (!(await hasTable(database, noted))) return [];
  const rows = await (writer as Kysely<Record<string, { name: string; timestamp: string }>>)
    .selectFrom(noted)
    .select('name')
    .execute();
  return rows.map((row) => row.name);
}

async function hasTable({ writer, stepTables }: OpenDatabase, wanted: string): Promise<boolean> {
  if (!stepTables) {
    // The introspection would ask for the columns of each table.
    const { rows } = await sql`select 1 from sqlite_master where name = ${wanted}`.execute(writer);
    return rows.length > 0;
  }
  const tables = await writer.introspection.getTables({ withInternalKyselyTables: true });
  return tables.some((table) => table.name === wanted && table.schema === stepTables.schema);
}

/**
 * Copies an SQLite file beside itself when steps are pending; the newest three copies are kept. The copy is whole also while
 * another process writes, and appears under its name only when it is complete.
 * @throws AppError `storage/full`
 */
export function copyBeforeMigration(path: string, steps: MigrationList, clock: Clock, log: Logger): string | undefined {
  if (!existsSync(path) || statSync(path).size === 0) return undefined;
  const stamp = new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '');
  const copy = `${path}.before-${stamp}`;
  const unfinished = `${path}.copying-${process.pid}`;
  const database = new DatabaseSync(path, { timeout: 5_000 });
  try {
    if (!looksPending(database, steps, path)) return undefined;
    rmSync(unfinished, { force: true });
    database.prepare('vacuum into ?').run(unfinished);
    chmodSync(unfinished, statSync(path).mode & 0o777);
    renameSync(unfinished, copy);
  } catch (err) {
    throw asStorageError(err, `copy of ${basename(path)}`);
  } finally {
    database.close();
    rmSync(unfinished, { force: true });
  }
  log.info({ copy }, 'the state was copied before its schema is changed');
  const copies = readdirSync(dirname(path))
    .filter((file) => file.startsWith(`${basename(path)}.before-`))
    .sort();
  for (const old of copies.slice(0, -keptCopies)) rmSync(join(dirname(path), old), { force: true });
  return copy;
}

function looksPending(database: DatabaseSync, steps: MigrationList, path: string): boolean {
  try {
    return hasPendingSteps(database, steps);
  } catch (err) {
    throw asStorageError(err, basename(path, '.sqlite'));
  }
}

function hasPendingSteps(database: DatabaseSync, steps: MigrationList): boolean {
  const table = database.prepare(`select 1 from sqlite_master where name = 'kysely_migration'`).get();
  if (!table) return false;
  const applied = new Set(
    database
      .prepare('select name from kysely_migration')
      .all()
      .map((row) => row.name),
  );
  return Object.keys(steps).some((step) => !applied.has(step));
}
