import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readConfig } from '../config/index.ts';
import { systemClock } from '../platform/clock.ts';
import { createLifecycle } from '../platform/lifecycle.ts';
import { silentLogger } from '../platform/logging.ts';
import { openSamples, openState } from './open-state.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-open-state-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (env: Record<string, string>) => readConfig({ env, cwd: folder });
/** Opens state and samples as a start does, in a data folder of its own. */
async function opened(env: Record<string, string>, dataDir = 'data') {
  mkdirSync(join(folder, dataDir), { recursive: true });
  const { config } = read({ RAGWARDEN_DATA_DIR: dataDir, ...env });
  const lifecycle = createLifecycle(silentLogger);
  const options = { config, lifecycle, clock: systemClock, log: silentLogger };
  try {
    await openState(options);
    await openSamples(options);
  } catch (err) {
    await lifecycle.stop('failed');
    throw err;
  }
  return () => lifecycle.stop('over');
}

test('without a setting the state is a file in the data folder', async () => {
  const close = await opened({});
  expect(existsSync(join(folder, 'data/state.sqlite'))).toBe(true);
  await close();
});

test.each(['RAGWARDEN_DATABASE_URL', 'LIGHTRAG_RECOVERY_DB_URL'])(
  'a file that %s names is the state, and belongs to one process at a time',
  async (name) => {
    const env = { [name]: 'sqlite:///./lightrag_recovery.db' };
    const close = await opened(env);
    expect(existsSync(join(folder, 'lightrag_recovery.db'))).toBe(true);
    expect(existsSync(join(folder, 'data/state.sqlite'))).toBe(false);
    await expect(opened(env, 'other')).rejects.toMatchObject({ code: 'storage/data-folder-in-use' });
    await close();
    await (await opened(env, 'other'))();
    const absolute = { [name]: `sqlite:///${join(folder, 'elsewhere.db')}` };
    await (await opened(absolute))();
    expect(existsSync(join(folder, 'elsewhere.db'))).toBe(true);
  },
);

test('a file in a folder that is not there is told with the setting', async () => {
  await expect(opened({ RAGWARDEN_DATABASE_URL: 'sqlite:///./nowhere/state.db' })).rejects.toMatchObject({
    code: 'storage/unavailable',
    detail: expect.stringContaining('RAGWARDEN_DATABASE_URL'),
  });
});

test.each([
  ['another kind of database', { RAGWARDEN_DATABASE_URL: 'mysql://u:geheim@db/rag' }, 'RAGWARDEN_DATABASE_URL'],
  [
    'two names that differ',
    { RAGWARDEN_DATABASE_URL: 'postgresql://u:geheim@a/x', LIGHTRAG_RECOVERY_DB_URL: 'postgresql://u:geheim@b/x' },
    'LIGHTRAG_RECOVERY_DB_URL',
  ],
  ['an instance that is no name', { RAGWARDEN_INSTANCE: 'Main 1' }, 'RAGWARDEN_INSTANCE'],
])('%s is a problem with its place and its mend, without the password', (_what, env, place) => {
  const { problems } = read(env as Record<string, string>);
  expect(problems).toHaveLength(1);
  expect(problems[0]?.place).toContain(place);
  expect(problems[0]?.mend).not.toBe('');
  expect(JSON.stringify(problems)).not.toContain('geheim');
});
