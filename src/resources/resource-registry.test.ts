import { describe, expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { leakAfterSeconds } from './leak.ts';
import { type NewResource, resourceTypes } from './resource.ts';
import { createResourceRegistry, type LeakChange } from './resource-registry.ts';

function openRegistry(mostTracked = 100_000) {
  const clock = createFakeClock();
  const changes: string[] = [];
  const onLeak = ({ leak, retracted }: LeakChange): void => {
    changes.push(`${leak.resource.id} ${retracted ?? 'found'}`);
  };
  const resources = createResourceRegistry({ clock, mostTracked: () => mostTracked, onLeak });
  const register = (id: string, more: Partial<NewResource> = {}) => {
    const blank = { owner: null, workspaceId: null, parentId: null, sizeBytes: null, ttlMs: null, leaseMs: null };
    return resources.register({ id, type: 'lock', ...blank, metadata: {}, ...more }, 'local:app');
  };
  const later = async (seconds: number): Promise<void> => {
    await clock.advance(seconds * 1_000);
    await resources.scan();
  };
  const severity = (id: string) => resources.leaks().find((leak) => leak.resource.id === id)?.severity;
  return { clock, resources, register, later, severity, changes };
}

describe('a leak by age', () => {
  test.each(resourceTypes)('of %s is beyond the age of the document and half of it unused', async (type) => {
    const { resources, register, later, severity } = openRegistry();
    const limit = leakAfterSeconds[type];
    register('r', { type });
    await later(limit);
    expect(severity('r')).toBeUndefined();
    await later(1);
    expect(severity('r')).toBe('low');
    // Used just now: old, but in use until half of the limit has gone by.
    resources.access('r', 'local:app');
    await later(limit / 2);
    expect(severity('r')).toBeUndefined();
    await later(1);
    expect(severity('r')).toBe('low');
  });

  test('has the limits that the document has', () => {
    expect(leakAfterSeconds).toEqual({
      ...{ memory: 3600, file_handle: 1800, network_connection: 600, database_connection: 300, async_task: 1800 },
      ...{ thread: 3600, process: 3600, cache: 3600, lock: 3600, temporary_file: 900 },
    });
  });

  test('grows graver with its age by the ratio, is found once and listed by gravity', async () => {
    const { resources, register, later, severity, changes } = openRegistry();
    register('r', { type: 'database_connection' });
    const seen: unknown[] = [];
    for (const seconds of [600, 1, 299, 1, 599, 1]) {
      await later(seconds);
      seen.push(severity('r'));
    }
    expect(seen).toEqual(['low', 'medium', 'medium', 'high', 'high', 'critical']);
    register('younger', { type: 'database_connection' });
    await later(301);
    expect(resources.leaks().map(({ resource }) => resource.id)).toEqual(['r', 'younger']);
    expect(resources.leaks('low').map(({ resource }) => resource.id)).toEqual(['younger']);
    expect(changes).toEqual(['r found', 'younger found']);
    expect(resources.totals().leaksFound).toBe(2);
  });

  test('is none any more once the resource is used, released or unregistered', async () => {
    const { resources, register, later, changes } = openRegistry();
    for (const id of ['a', 'b', 'c']) register(id, { type: 'temporary_file' });
    await later(901);
    expect(resources.totals()).toMatchObject({ leaks: 3, leaksByType: { temporary_file: 3 } });
    resources.access('a', 'local:app');
    resources.release('b');
    resources.unregister('c');
    expect(resources.totals()).toMatchObject({ leaks: 0, leaksByType: { temporary_file: 0 } });
    expect(changes.slice(3)).toEqual(['a used', 'b released', 'c unregistered']);
  });
});

describe('what its holder said of its life goes before its type', () => {
  test('a lease holds as long as signs of life come, and comes back with the next one', async () => {
    const { resources, register, later, severity, changes } = openRegistry();
    register('r', { type: 'database_connection', leaseMs: 30_000 });
    for (let i = 0; i < 40; i += 1) {
      await later(30);
      expect(severity('r')).toBeUndefined();
      resources.touch('r', {});
    }
    await later(31);
    expect(severity('r')).toBe('low');
    await later(120);
    expect(severity('r')).toBe('critical');
    resources.touch('r', {});
    expect(changes).toEqual(['r found', 'r sign-of-life']);
    expect(resources.require('r').accessCount).toBe(0);
  });

  test('past its time to live it leaks, used or not, until it is given more', async () => {
    const { resources, register, later, severity } = openRegistry();
    register('r', { ttlMs: 60_000 });
    await later(61);
    resources.access('r', 'local:app');
    expect(severity('r')).toBe('low');
    resources.touch('r', { ttlMs: 120_000 });
    expect(severity('r')).toBeUndefined();
  });

  test('a clock that is set makes no leaks', async () => {
    const { clock, resources, register } = openRegistry();
    register('r', { leaseMs: 30_000 });
    const now = clock.now;
    clock.now = () => now() + 86_400_000;
    await resources.scan();
    expect(resources.leaks()).toEqual([]);
  });
});

test('a resource goes through its statuses: active, idle, leaked, active again, could not be freed, cleaned up', async () => {
  const { resources, register, later } = openRegistry();
  const seen: string[] = [register('r', { type: 'file_handle' }).resource.status];
  const note = (): void => void seen.push(resources.require('r').status);
  for (const seconds of [900, 1, 900]) {
    await later(seconds);
    note();
  }
  resources.access('r', 'local:app');
  note();
  resources.release('r', 'it is busy');
  note();
  expect(resources.require('r').error).toBe('it is busy');
  resources.release('r');
  note();
  expect(seen).toEqual(['active', 'active', 'idle', 'leaked', 'active', 'error', 'cleaned_up']);
  expect(resources.totals()).toMatchObject({
    ...{ tracked: 0, registered: 1, released: 1, releaseFailures: 1, leaksFound: 1 },
    byStatus: { active: 0, idle: 0, leaked: 0, error: 0, cleaned_up: 1 },
    byType: { file_handle: 0 },
  });
  expect(() => resources.access('r', 'local:app')).toThrow(/registers it again/);
  expect(register('r').created).toBe(true);
  expect(resources.totals().byStatus.cleaned_up).toBe(0);
});

test('beyond the bound registering is refused and says what to do; what is known may still give signs of life', () => {
  const { resources, register } = openRegistry(2);
  register('a');
  register('b');
  expect(() => register('c')).toThrow(/2 resources are tracked and resources.max_tracked is 2/);
  expect(register('a', { sizeBytes: 7 })).toMatchObject({ created: false, resource: { sizeBytes: 7 } });
  resources.unregister('b');
  expect(register('c').created).toBe(true);
  expect(resources.totals().tracked).toBe(2);
});

test('an id belongs to one owner and one type', () => {
  const { register } = openRegistry();
  register('a', { owner: 'anna' });
  expect(() => register('a', { owner: 'ben' })).toThrow(/registered as lock of anna/);
  expect(() => register('a', { owner: 'anna', type: 'cache' })).toThrow(/registered as lock of anna/);
});

test('what was released is remembered for a while only', () => {
  const { resources, register } = openRegistry();
  for (let i = 0; i < 1_001; i += 1) {
    register(`r${i}`);
    resources.release(`r${i}`);
  }
  expect(resources.totals().byStatus.cleaned_up).toBe(1_000);
  expect(() => resources.require('r0')).toThrow(/No resource "r0"/);
  expect(resources.require('r1').status).toBe('cleaned_up');
});
