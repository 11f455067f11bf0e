import { afterEach, expect, test } from 'vitest';
import type { QuotaAsk } from '../gateway/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createGatewayQuota } from '../quotas/index.ts';
import { draft, openTestQuotas, type TestQuotas } from '../quotas/test-quotas.ts';
import type { Store } from '../targets/index.ts';
import { createQuotaLevels } from './quota-levels.ts';

let found: TestQuotas;
afterEach(() => found.remove());

const insert: QuotaAsk = {
  ...{ door: 'backend', targetId: 'main', workspace: 'a', subject: null, keyId: null },
  ...{ operation: 'insert', writes: true, requestBytes: 100 },
};
const forever = { period: 'forever', limit: 1_000 } as const;

async function open(...drafts: Parameters<typeof draft>[0][]) {
  found = await openTestQuotas(drafts.map((one) => draft(one)));
  const repository = { bytes: 0, walks: 0 };
  const levels = createQuotaLevels({
    ...{ quotas: found.quotas, clock: found.clock, log: silentLogger, targetId: 'main' },
    async repositoryBytes() {
      repository.walks += 1;
      return repository.bytes;
    },
  });
  const store: Store = { name: 'workspace', kind: 'workspace-folder', path: '/none', separation: 'folder' };
  const target = { id: 'main', workspaces: ['a'], stores: [store] };
  /** Of workspace a, beside what others have. */
  const measured = (bytes: number, others = 0, unread: string | null = null): void =>
    levels.noteStored(target, [
      { store: 'workspace', bytes: bytes + others, unread, below: new Map(Object.entries({ a: bytes, b: others })) },
    ]);
  const openViolations = async () => {
    await found.quotas.flush();
    return (await found.quotas.violations.countOf(['stored_bytes', 'backup_bytes'])).open;
  };
  const gateway = createGatewayQuota({ quotas: found.quotas, costMicrosOf: () => null });
  const granted = async (ask: QuotaAsk = insert): Promise<boolean> => {
    await found.clock.advance(200);
    return (await gateway.decide(ask)).granted;
  };
  return { levels, target, measured, repository, gateway, granted, openViolations };
}

test('a workspace that was measured full takes no more inserts, until it is smaller again', async () => {
  const { measured, gateway, granted, openViolations } = await open({
    ...{ counts: 'stored_bytes', per: ['workspace'], ...forever },
  });
  measured(901);
  expect(await granted()).toBe(false);
  expect(await gateway.decide(insert)).toMatchObject({ policy: 'q', retryAfterSeconds: null, remaining: 99 });
  expect(await granted({ ...insert, operation: 'query', writes: false })).toBe(true);
  expect(await granted({ ...insert, workspace: 'b' })).toBe(true);
  measured(1_200);
  await expect.poll(openViolations).toBe(1);
  measured(900);
  expect(await granted()).toBe(true);
  // What it brought counts until the next look: it fits once.
  expect(await granted()).toBe(false);
});

test('a workspace has the bytes of its own folder, whatever lies beside it; a limit for all has all of them', async () => {
  const { measured, granted } = await open({ counts: 'stored_bytes', per: ['workspace'], ...forever });
  measured(400, 5_000);
  expect(await granted()).toBe(true);
  measured(950, 0);
  expect(await granted()).toBe(false);
  await found.remove();
  const shared = await open({ counts: 'stored_bytes', ...forever });
  shared.measured(400, 5_000);
  expect(await shared.granted()).toBe(false);
});

test('what could not be read is no empty store: the level stays what it was', async () => {
  const { measured, granted, levels, target } = await open({ counts: 'stored_bytes', ...forever });
  measured(950);
  expect(await granted()).toBe(false);
  for (const unread of ['ENOENT', 'EACCES']) {
    measured(0, 0, unread);
    expect(await granted()).toBe(false);
  }
  levels.noteStored({ ...target, stores: [] }, []);
  expect(await granted()).toBe(false);
  measured(0);
  expect(await granted()).toBe(true);
});

test('no point is begun beyond what recovery points may take, and each one that is taken counts in its window', async () => {
  const { levels, measured, repository } = await open(
    { counts: 'backup_bytes', ...forever },
    { id: 'daily', counts: 'backup_bytes', period: 'day', limit: 500, action: 'escalate' },
  );
  levels.requireBackupRoom();
  repository.bytes = 1_000;
  measured(0);
  const refused = (): unknown => {
    try {
      levels.requireBackupRoom();
      return undefined;
    } catch (err) {
      return err;
    }
  };
  await expect.poll(refused).toMatchObject({ code: 'quota/exceeded' });
  // The next walk through the repository is after a point, or some minutes later.
  measured(0);
  expect(repository.walks).toBe(1);
  repository.bytes = 400;
  levels.notePoint({ targetId: 'main', storedBytes: 600 });
  await expect.poll(refused).toBeUndefined();
  await found.quotas.flush();
  expect(await found.quotas.violations.countOf(['backup_bytes'])).toEqual({ open: 1, total: 1 });
});

test('where nobody has such a quota nothing is measured for it', async () => {
  const { levels, measured, repository } = await open({ counts: 'requests' });
  measured(10);
  levels.notePoint({ targetId: 'main', storedBytes: 600 });
  expect(repository.walks).toBe(0);
});
