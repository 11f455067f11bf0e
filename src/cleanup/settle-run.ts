import { readdir } from 'node:fs/promises';
import type { Settlers } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { systemCode } from '../platform/errors.ts';
import type { CleanupStore } from './cleanup-store.ts';
import type { Quarantine } from './quarantine.ts';

/** A run that a kill interrupted: what it took away is listed, its line in the history gets its end. */
export const createRunSettler =
  (deps: {
    store: CleanupStore;
    quarantine: Quarantine;
    quarantineFolder: string;
    db: Database;
    clock: Clock;
  }): Settlers[string] =>
  async (operation) => {
    const { store, quarantine, db, clock } = deps;
    // Each try has a journal of its own.
    const isOfRun = (name: string): boolean => name === operation.id || name.startsWith(`${operation.id}.`);
    const names = await readdir(deps.quarantineFolder).catch((err: unknown) => {
      if (systemCode(err) === 'ENOENT') return [];
      throw err;
    });
    let found = 0;
    for (const name of names) if (isOfRun(name)) found += await quarantine.settleRun(name);
    const message =
      found === 0
        ? 'A cleanup was interrupted; what it had taken away is listed in the quarantine, the rest is where it was.'
        : `A cleanup was interrupted; ${found} that it had just taken away are listed in the quarantine now and can be undone.`;
    for (const run of await store.listRuns({ limit: 50 }))
      if (run.outcome === null && isOfRun(run.id))
        await db.unit((tx) =>
          store.finishRun(tx, { ...run, finishedMs: clock.now(), outcome: 'error', message, error: 'interrupted' }),
        );
    return { message, data: { found_in_quarantine: found } };
  };
