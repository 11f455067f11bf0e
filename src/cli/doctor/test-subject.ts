import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Environment, readConfig } from '../../config/index.ts';
import { createHttpClient } from '../../platform/http-client.ts';
import type { Check, Outcome, ServerView, Subject } from './check.ts';

/** A subject as these settings make it, with no server running unless one is handed in. */
export function subjectOf(env: Environment, server: ServerView = { state: 'absent' }): Subject {
  // Nothing is made there: looking changes nothing.
  const cwd = join(tmpdir(), 'ragwarden-doctor-nowhere');
  const reading = readConfig({ env: { RAGWARDEN_DATA_DIR: join(cwd, 'data'), ...env }, cwd });
  return {
    config: reading.config,
    reading,
    http: createHttpClient(),
    lookAtStores: async () => [],
    server: Promise.resolve(server),
    nowMs: Date.now(),
  };
}

/** What one check finds, always as a list. */
export async function look(check: Check, subject: Subject): Promise<readonly Outcome[]> {
  const found = await check.look(subject, new AbortController().signal);
  return 'verdict' in found ? [found] : found;
}
