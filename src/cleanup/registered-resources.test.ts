import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createResourceRegistry, type ResourceRegistry } from '../resources/index.ts';
import { createRegisteredResources, createResourceQuarantine, decideWay } from './strategies/registered-resources.ts';
import { holds, openTestCleanup, type TestCleanup } from './test-cleanup.ts';

let opened: TestCleanup | undefined;
afterEach(async () => {
  await opened?.remove();
  opened = undefined;
});

async function open(freeing: Record<string, () => Promise<void>> = {}) {
  const clock = createFakeClock(Date.now());
  const resources = createResourceRegistry({ clock, mostTracked: () => 100 });
  opened = await openTestCleanup(
    ({ folder }) => {
      mkdirSync(join(folder, 'work'), { recursive: true });
      const deps = {
        folders: () => [
          {
            ...{ id: 'work', path: join(folder, 'work'), use: 'temporary' as const, patterns: [], graceMs: 0 },
            holdsData: false,
          },
        ],
        contained: async () => holds,
        ...{ clock, resources },
        findFreeing: ({ id }: { id: string }) => freeing[id],
      };
      return { strategies: [createRegisteredResources(deps)], kinds: [createResourceQuarantine(resources)] };
    },
    { clock },
  );
  const register = (id: string, more: Partial<Parameters<ResourceRegistry['register']>[0]> = {}) =>
    resources.register(
      {
        ...{ id, type: 'temporary_file', owner: 'indexer', workspaceId: null, parentId: null, sizeBytes: null },
        ...{ ttlMs: null, leaseMs: null, metadata: {}, ...more },
      },
      'local:app',
    );
  const later = async (seconds: number): Promise<void> => {
    await clock.advance(seconds * 1_000);
    await resources.scan();
  };
  return { ...opened, resources, register, later };
}
const statusOf = ({ resources }: Awaited<ReturnType<typeof open>>, id: string): string | undefined => {
  try {
    return resources.require(id).status;
  } catch {
    return undefined;
  }
};

test('the file of a leaked temporary file goes where its folder is registered, and comes back; one elsewhere stays, and why is said', async () => {
  const made = await open();
  const inside = made.file('work/a.tmp', { text: 'half' });
  const outside = made.file('elsewhere/b.tmp');
  made.register('inside', { metadata: { path: inside } });
  made.register('outside', { metadata: { path: outside } });
  made.register('climbs', { metadata: { path: join(made.folder, 'work', '..', 'elsewhere', 'b.tmp') } });
  await made.later(901);
  const plan = await made.cleanup.plan({ strategy: 'resources', params: {}, requestedBy: 'tester' });
  expect(plan.items.map(({ what }) => what)).toEqual(['temporary_file inside']);
  expect(plan.kept).toEqual(
    ['outside', 'climbs'].map((id) => ({
      what: `temporary_file ${id}`,
      why: 'its file lies in no registered folder, or it names none',
    })),
  );
  const ended = await made.run('resources');
  expect(ended.result).toMatchObject({ cleaned: 1, bytes_freed: 4 });
  expect([existsSync(inside), existsSync(outside)]).toEqual([false, true]);
  expect([statusOf(made, 'inside'), statusOf(made, 'outside')]).toEqual(['cleaned_up', 'leaked']);
  expect((await made.undo({ runId: ended.id })).result).toMatchObject({ undone: 1 });
  expect(readFileSync(inside, 'utf8')).toBe('half');
});

test('what this process holds is freed by its own way; one that fails is told, stays and is an error', async () => {
  const freed: string[] = [];
  const made = await open({
    fine: async () => void freed.push('fine'),
    broken: async () => {
      throw new Error('it is locked');
    },
  });
  for (const id of ['fine', 'broken', 'of others']) made.register(id, { type: 'lock', sizeBytes: 10 });
  await made.later(3_601);
  const ended = await made.run('resources');
  expect(ended).toMatchObject({ state: 'partial', result: { cleaned: 1, failed: 1, bytes_freed: 10 } });
  expect(ended.result.notes).toEqual([{ what: 'lock broken', why: 'it is locked' }]);
  expect(freed).toEqual(['fine']);
  expect(['fine', 'broken', 'of others'].map((id) => statusOf(made, id))).toEqual(['cleaned_up', 'error', 'leaked']);
});

test('what was used between plan and cleanup stays', async () => {
  const made = await open();
  made.register('lapsed', { type: 'lock', leaseMs: 1_000 });
  await made.later(60);
  const plan = await made.cleanup.plan({ strategy: 'resources', params: {}, requestedBy: 'tester' });
  expect(plan.items).toHaveLength(1);
  made.resources.touch('lapsed', {});
  const { id } = await made.cleanup.runPlan(plan.id, { requestedBy: 'tester' });
  expect((await made.operations.wait(id)).result).toMatchObject({ cleaned: 0, skipped: 1 });
  expect(statusOf(made, 'lapsed')).toBe('active');
});

test('only its holder frees what a living program leaks', () => {
  const none = { freeable: false, file: false, lapsed: false, abandoned: false, force: false };
  expect(decideWay(none)).toBeUndefined();
  expect(decideWay({ ...none, lapsed: true })).toBe('give-up');
  expect(decideWay({ ...none, abandoned: true })).toBe('give-up');
  expect(decideWay({ ...none, force: true })).toBe('give-up');
  expect(decideWay({ ...none, file: true, force: true })).toBe('file');
  expect(decideWay({ ...none, freeable: true, file: true })).toBe('free');
});
