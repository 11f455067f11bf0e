import { existsSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type CleanableTarget, createWorkspaceCleanup } from './strategies/workspaces.ts';
import { holds, openTestCleanup } from './test-cleanup.ts';

test('a workspace goes and comes back with the target for itself: never while a restore or a backup has it', async () => {
  const given = await openTestCleanup(({ folder, clock }) => {
    // Of a target, what this strategy looks at.
    const target = {
      ...{ id: 'default', workspaceRoot: join(folder, 'rag'), served: () => [], findWork: async () => undefined },
      workspaces: () => readdirSync(join(folder, 'rag')).filter((name) => !name.startsWith('.')),
    } as unknown as CleanableTarget;
    const limits = () => ({ ttlMs: 1, idleMs: 1, graceMs: 1_000, bytes: 1 });
    const strategy = createWorkspaceCleanup({ targets: () => [target], limits, contained: async () => holds, clock });
    return { strategies: [strategy], targets: [target] };
  });
  try {
    const file = given.file('rag/tenant/kv_store_full_docs.json');
    utimesSync(join(given.folder, 'rag/tenant'), 1_000, 1_000);
    const restore = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      const { id } = await given.operations.start({
        ...{ kind: 'backup.restore', targetId: 'default', input: {}, requestedBy: 'tester' },
        run: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      });
      return work().finally(async () => {
        await given.operations.cancel(id);
        await given.operations.wait(id);
      });
    };
    const clean = () => given.run('workspaces', { workspace: 'tenant', force: true });
    await expect(restore(clean)).rejects.toMatchObject({ code: 'operation/busy' });
    expect(existsSync(file)).toBe(true);
    const gone = await clean();
    expect(gone.result).toMatchObject({ cleaned: 1 });
    expect(existsSync(file)).toBe(false);
    const bringBack = () => given.undo({ runId: gone.id });
    await expect(restore(bringBack)).rejects.toMatchObject({ code: 'operation/busy' });
    expect(await bringBack()).toMatchObject({ state: 'succeeded', result: { undone: 1 } });
    expect(existsSync(file)).toBe(true);
  } finally {
    await given.remove();
  }
});
