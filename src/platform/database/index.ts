export { type Database, isDuplicateKey, type Tx } from './database.ts';
export { copyBeforeMigration, type MigrationList, migrate } from './migrate.ts';
export { openSqlite } from './sqlite.ts';
