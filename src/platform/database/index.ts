export { type Database, isDuplicateKey, type OpenDatabase, type Tx } from './database.ts';
export { copyBeforeMigration, isMigrated, type MigrationList, migrate } from './migrate.ts';
export { olderThan } from './older-than.ts';
export { openPostgres, type PostgresOptions } from './postgres.ts';
export { openSqlite } from './sqlite.ts';
export { createUnchanged } from './unchanged.ts';
export { readWholeSchema, type WholeSchema } from './whole-schema.ts';
