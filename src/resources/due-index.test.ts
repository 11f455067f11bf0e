import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createDueIndex, nowhere } from './due-index.ts';
import { decideLeak, findNextChange, isIdle } from './leak.ts';
import { type Resource, resourceTypes } from './resource.ts';
import { createResourceRegistry } from './resource-registry.ts';

test('what is due is taken, once, and nothing that is due later than a bucket', () => {
  const index = createDueIndex<{ dueMs: number; bucket: number; place: number }>({ widthMs: 500, fromMs: 1_000 });
  const put = (dueMs: number) => {
    const one = { ...nowhere, dueMs };
    index.put(one, dueMs);
    return one;
  };
  const [soon, later, moved, gone, never] = [1_200, 90_000, 80_000, 1_300, Number.POSITIVE_INFINITY].map(put);
  if (!soon || !later || !moved || !gone || !never) throw new Error('five were put in');
  index.put(moved, 1_900);
  index.drop(gone);
  index.drop(gone);
  expect(index.take(1_000)).toEqual([soon]);
  expect(index.take(1_499)).toEqual([]);
  expect(index.take(1_501)).toEqual([moved]);
  // As after a night in which nobody looked.
  expect(index.take(50_000_000)).toEqual([later]);
  index.put(soon, 1_100);
  expect(index.take(50_000_000)).toEqual([soon]);
});

const instant = fc.integer({ min: 0, max: 20_000_000 });
const life = fc.option(fc.integer({ min: 1, max: 10_000_000 }));
const resource = fc
  .record({
    ...{ type: fc.constantFrom(...resourceTypes), createdAtMs: instant, used: instant, seen: instant },
    ...{ ttlMs: life, leaseMs: life },
  })
  .map(
    ({ type, createdAtMs, used, seen, ttlMs, leaseMs }): Resource => ({
      ...{
        id: 'r',
        type,
        owner: null,
        workspaceId: null,
        parentId: null,
        sizeBytes: null,
        ttlMs,
        leaseMs,
        metadata: {},
      },
      ...{ seq: 1, registeredBy: 'app', createdAtMs, lastAccessedAtMs: createdAtMs + used },
      ...{ lastSeenAtMs: createdAtMs + used + seen, accessCount: 0, status: 'active', error: null },
    }),
  );

test('until its next change nothing else is said of a resource', () => {
  fc.assert(
    fc.property(resource, instant, fc.double({ min: 0, max: 1, noNaN: true }), (one, afterMs, share) => {
      const nowMs = one.lastSeenAtMs + afterMs;
      const say = (atMs: number) => [isIdle(one, atMs), decideLeak(one, atMs)?.severity];
      const untilMs = Math.min(findNextChange(one, nowMs), nowMs + 100_000_000);
      const betweenMs = Math.floor(nowMs + share * (untilMs - nowMs));
      expect(say(betweenMs)).toEqual(say(nowMs));
      expect(say(Math.floor(untilMs))).toEqual(say(nowMs));
    }),
    { numRuns: 2_000 },
  );
});

test('a resource that is told a shorter life than it has had already is found by the next search', async () => {
  const clock = createFakeClock();
  const resources = createResourceRegistry({ clock, mostTracked: () => 100 });
  const given = {
    ...{ id: 'a', type: 'memory' as const, owner: null, workspaceId: null, parentId: null, sizeBytes: null },
    ...{ ttlMs: null, leaseMs: null, metadata: {} },
  };
  resources.register(given, 'app');
  await clock.advance(299_000);
  resources.register({ ...given, ttlMs: 2_000 }, 'app');
  expect(resources.leaks()).toEqual([]);
  await resources.scan();
  expect(resources.leaks()).toMatchObject([{ rule: 'ttl', severity: 'critical' }]);
});

test('a search finds what a look at every resource would find, whatever was told in between', async () => {
  const act = fc.record({
    id: fc.constantFrom('a', 'b', 'c'),
    what: fc.constantFrom('register', 'access', 'touch', 'fail', 'release', 'scan'),
    seconds: fc.constantFrom(0, 0.3, 1, 40, 299, 301, 4_000, 100_000),
    ttlMs: fc.constantFrom(null, 2_000, 400_000),
    leaseMs: fc.constantFrom(null, 1_000, 60_000),
    type: fc.constantFrom(...resourceTypes),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const clock = createFakeClock();
      const resources = createResourceRegistry({ clock, mostTracked: () => 100 });
      const blank = { owner: null, workspaceId: null, parentId: null, sizeBytes: null, metadata: {} };
      for (const { id, what, seconds, ttlMs, leaseMs, type } of acts) {
        await clock.advance(seconds * 1_000);
        const known = resources.list({ afterSeq: 0, limit: 10 }).find((one) => one.id === id);
        if (what === 'register') resources.register({ ...blank, id, type: known?.type ?? type, ttlMs, leaseMs }, 'app');
        else if (what === 'scan') {
          await resources.scan();
          const nowMs = resources.nowMs();
          for (const one of resources.list({ afterSeq: 0, limit: 10 })) {
            const leak = decideLeak(one, nowMs);
            const told = resources.leaks().find(({ resource: { id: of } }) => of === one.id);
            expect(told?.severity).toBe(leak?.severity);
            const word = one.error ? 'error' : leak ? 'leaked' : isIdle(one, nowMs) ? 'idle' : 'active';
            expect(one.status).toBe(word);
          }
          expect(resources.totals().byStatus.leaked).toBe(
            resources.list({ status: 'leaked', afterSeq: 0, limit: 10 }).length,
          );
        } else if (known && what === 'access') resources.access(id, 'app');
        else if (known && what === 'touch')
          resources.touch(id, { ttlMs: ttlMs ?? undefined, leaseMs: leaseMs ?? undefined });
        else if (known) resources.release(id, what === 'fail' ? 'it is busy' : undefined);
      }
    }),
    { numRuns: 300 },
  );
});
