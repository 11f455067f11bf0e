import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, migrate, openSqlite } from '../platform/database/index.ts';
import { type Logger, silentLogger } from '../platform/logging.ts';
import { stateMigrations } from './index.ts';

export type TestState = {
  readonly db: Database;
  readonly path: string;
  /** Closes the database and opens the same file again, as the next start of the process would. */
  reopen(): Promise<Database>;
  remove(): Promise<void>;
};

/** Test support: a real state database with every migration, in a folder of its own. Syncs nothing, which is quicker. */
export async function openTestState(options: { log?: Logger; durable?: boolean } = {}): Promise<TestState> {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-state-'));
  const path = join(folder, 'state.sqlite');
  const open = async (): Promise<Database> => {
    const synchronous = options.durable ? 'FULL' : 'NORMAL';
    const opened = openSqlite({ name: 'state', path, synchronous, log: options.log ?? silentLogger });
    await migrate(opened.writer, stateMigrations, 'state');
    return opened;
  };
  const state = {
    db: await open(),
    path,
    async reopen() {
      await state.db.close();
      state.db = await open();
      return state.db;
    },
    async remove() {
      await state.db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return state;
}
