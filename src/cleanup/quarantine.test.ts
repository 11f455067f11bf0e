import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { silentLogger } from '../platform/logging.ts';
import { fileQuarantine } from './file-quarantine.ts';
import { createQuarantine } from './quarantine.ts';
import { createTemporaryFiles } from './strategies/folder-entries.ts';
import { holds, openTestCleanup, type TestCleanup } from './test-cleanup.ts';

let opened: TestCleanup | undefined;
afterEach(async () => {
  await opened?.remove();
  opened = undefined;
});

/** Whoever comes to this boundary never goes on, as after a kill; what is on the disk and in the database stays as it is. */
async function openStoppingAt(boundary: string) {
  let reached = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    reached = resolve;
  });
  opened = await openTestCleanup(
    ({ folder, clock }) => {
      mkdirSync(join(folder, 'work'), { recursive: true });
      const deps = {
        folders: () => [
          {
            ...{ id: 'work', path: join(folder, 'work'), use: 'temporary' as const, patterns: ['*.part'] },
            ...{ graceMs: 0, holdsData: false },
          },
        ],
        contained: async () => holds,
        clock,
      };
      return { strategies: [createTemporaryFiles(deps)] };
    },
    {
      step: (name) => {
        if (name !== boundary) return undefined;
        reached();
        return new Promise(() => undefined);
      },
    },
  );
  const { folder, store, state, clock } = opened;
  const next = createQuarantine({
    ...{ folder: join(folder, 'data', 'quarantine'), store, db: state.db, clock, log: silentLogger },
    kinds: [fileQuarantine],
  });
  return { ...opened, stopped, next };
}

test.each([
  ['announced', 0],
  ['taken', 3],
  ['listed', 3],
])(
  'after a kill when it was %s, the next start lists exactly what is gone, and all of it comes back',
  async (boundary, gone) => {
    const { file, cleanup, stopped, next, store } = await openStoppingAt(boundary);
    const paths = [1, 2, 3].map((n) => file(`work/${n}.part`, { text: `text ${n}` }));
    const operation = await cleanup.run({ strategy: 'temporary-files', params: {} }, { requestedBy: 'tester' });
    await stopped;
    expect(paths.filter((path) => !existsSync(path))).toHaveLength(gone);
    await next.settleRun(operation.id);
    const held = await store.listEntries({ runId: operation.id, limit: 10 });
    expect(held).toHaveLength(gone);
    // Settled twice, as when the next start is killed too.
    expect(await next.settleRun(operation.id)).toBe(0);
    const { undone, failed } = await next.undo(held, new AbortController().signal);
    expect([undone.length, failed.length]).toEqual([gone, 0]);
    expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual(['text 1', 'text 2', 'text 3']);
  },
);
