import { expect, test } from 'vitest';
import { ResourceManager } from './index.ts';

/** A server that takes everything, and the paths that it was asked for. */
function listening() {
  const asked: string[] = [];
  const manager = new ResourceManager({
    url: 'http://127.0.0.1:1',
    token: 'a',
    fetch: async (input, init) => {
      const { pathname } = new URL(String(input));
      const body = init?.body === undefined ? '' : ` ${String(init.body)}`;
      asked.push(`${init?.method ?? 'GET'} ${pathname.replace('/api/v1/metrics/resources', '')}${body}`);
      return new Response('{}', { headers: { 'content-type': 'application/json' } });
    },
  });
  return { manager, asked };
}

test('what is tracked is registered, and freed once it goes out of scope', async () => {
  const { manager, asked } = listening();
  const freed: string[] = [];
  {
    await using held = await manager.track('lock', {}, { resourceId: 'l', cleanup: () => freed.push('l') });
    await held.access();
    await held.dispose();
  }
  expect(freed).toEqual(['l']);
  expect(asked).toEqual(['POST  {"resource_id":"l","resource_type":"lock"}', 'POST /l/access', 'POST /l/release {}']);
});

test('without a way to free it, it is unregistered', async () => {
  const { manager, asked } = listening();
  const held = await manager.track('cache', {}, { resourceId: 'c', ownerless: undefined } as object);
  await held.dispose();
  expect(asked.at(-1)).toBe('DELETE /c');
});

test('what the collector took before anybody freed it is freed where that is known, and told where it is not', async () => {
  const { manager, asked } = listening();
  const freed: string[] = [];
  await manager.track('memory', {}, { resourceId: 'known', cleanup: () => freed.push('known') });
  await manager.track('memory', {}, { resourceId: 'unknown' });
  // As the registry of finalizers calls it.
  await manager.forgetCollected('known');
  await manager.forgetCollected('unknown');
  expect(freed).toEqual(['known']);
  expect(asked.at(-1)).toContain('collected before anybody freed');
});

test('objects are not kept alive by being tracked', async () => {
  const { manager } = listening();
  const held = await manager.track('memory', { big: new Array(10) }, { resourceId: 'm' });
  expect(held.value()).toBeDefined();
  expect(Object.values(held).some((value) => typeof value === 'object' && value !== null && 'big' in value)).toBe(
    false,
  );
});
