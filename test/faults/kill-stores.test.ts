import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { hasPart } from '../setup/parts.ts';
import { startRedis, type TestRedis } from '../setup/redis-server.ts';
import { field, type RunningWarden, startWarden } from '../warden-harness.ts';
import { type AllStores, differing, locksOf, prepareAllStores } from './all-stores.ts';
import { type OpenWarden, openWarden, processesOf, takeGood, wait, whenFree } from './ground.ts';
import { listPoints, settledEvent } from './killed.ts';

/**
 * Each life settles what the one before left, is looked at, and dies at the next boundary: one start per boundary. Which
 * boundaries there are is what the product calls, so none that comes later is left out; those between which nothing changed that a
 * next life could tell are one.
 */
describe.skipIf(!hasPart('restic') || !hasPart('postgresql') || !hasPart('redis'))(
  'SIGKILL with files, PostgreSQL and Redis',
  () => {
    // Each is some ten to twenty lives of the product, one after the other.
    vi.setConfig({ testTimeout: 600_000 });
    let redis: TestRedis;
    beforeAll(async () => {
      redis = await startRedis();
    });
    afterAll(() => redis?.remove());

    /**
     * Opens the product here and does the work once. @returns the names that it came by and, of those, the boundaries: of
     * several between which nothing changed that a next life could tell, the first
     */
    const record = async (
      stores: AllStores,
      wanted: RegExp,
      work: (warden: OpenWarden) => Promise<unknown>,
    ): Promise<{ names: string[]; boundaries: string[] }> => {
      const came = new Map<string, string>();
      const isNew = oneOfEach();
      const warden = await openWarden(stores.dataDir, {
        settings: { ...stores.settings, RAGWARDEN_TARGET_START_TIMEOUT: '1' },
        step: async (name) => {
          if (wanted.test(name) && isNew(name)) came.set(name, await stores.fingerprint());
        },
      });
      try {
        await work(warden);
      } finally {
        await warden.stop();
      }
      const names = [...came.keys()];
      return { names, boundaries: names.filter((name, i) => came.get(name) !== came.get(names[i - 1] ?? '')) };
    };

    const lives = async (
      stores: AllStores,
      boundaries: readonly string[],
      each: {
        before(boundary: string): Promise<[path: string, body: unknown]>;
        after(boundary: string, warden: RunningWarden): Promise<void>;
      },
      last: (warden: RunningWarden) => Promise<unknown>,
    ): Promise<void> => {
      const life = (killAt?: string): Promise<RunningWarden> =>
        startWarden({
          dataDir: stores.dataDir,
          settings: stores.settings,
          temporary: stores.temporary,
          ...(killAt === undefined ? {} : { killAt }),
        });
      const look = async (died: string, warden: RunningWarden): Promise<void> => {
        await each.after(died, warden);
        const left = await stores.leftovers();
        expect(left, `left by a kill at ${died}: ${left.join(', ')}`).toEqual([]);
        const others = () => processesOf(stores.dataDir).filter(({ pid }) => pid !== warden.process.pid);
        // The next life asks restic of its own accord now and then; what the dead one left would stay.
        await vi.waitFor(() => expect(others(), `running after a kill at ${died}`).toEqual([]), {
          timeout: 60_000,
          interval: 100,
        });
      };
      let died: string | undefined;
      for (const boundary of boundaries) {
        let warden = await life(boundary).catch((err: unknown) => {
          if (died === undefined || !String(err).includes('SIGKILL')) throw err;
          return undefined;
        });
        if (!warden && died !== undefined) {
          // What settles came by there: killed in the middle of that, the life that follows settles it all the same.
          warden = await life();
          await look(died, warden);
          await warden.stop();
          warden = await life(boundary);
        } else if (warden && died !== undefined) await look(died, warden);
        if (!warden) throw new Error('no life');
        try {
          const [path, body] = await each.before(boundary);
          // The first boundaries may come before the answer has gone out.
          const asked = await whenFree(() => warden.call('POST', path, body)).catch(() => undefined);
          if (asked) expect([boundary, asked.status, asked.text]).toEqual([boundary, 202, expect.anything()]);
          expect([(await warden.exited).signal, boundary]).toEqual(['SIGKILL', boundary]);
        } finally {
          await warden.stop();
        }
        died = boundary;
      }
      const warden = await life();
      try {
        await look(died ?? '', warden);
        await last(warden);
        expect(locksOf(stores.dataDir)).toEqual([]);
      } finally {
        await warden.stop();
      }
    };

    const succeeds = async (warden: RunningWarden, path: string, body?: unknown): Promise<unknown> => {
      const done = await whenFree(() => warden.call('POST', path, body, wait));
      expect([path, field(done.body, 'state'), field(done.body, 'error')]).toEqual([path, 'succeeded', null]);
      return done.body;
    };
    const soundRepository = (warden: RunningWarden) =>
      succeeds(warden, '/api/v1/repository/check', { read_data: true });

    test.concurrent('while a point is taken: it exists or it does not, nothing else is left, and the next one is taken', async () => {
      const stores = await prepareAllStores('kill-point', { redis, redisDatabase: 1 });
      try {
        const { names, boundaries } = await record(stores, /^backup:/, takeGood);
        expect(names).toEqual(
          expect.arrayContaining([
            'backup:captured-database',
            'backup:completed-redis',
            expect.stringMatching(/^backup:stored-database\./),
            'backup:unfolded',
          ]),
        );
        const decisive = names.indexOf('backup:uploaded');
        let count = 1;
        let before = await stores.state();
        await lives(
          stores,
          boundaries,
          {
            before: async (boundary) => {
              await stores.change(boundaries.indexOf(boundary));
              before = await stores.state();
              return ['/api/v1/backup/trigger', undefined];
            },
            after: async (boundary, warden) => {
              expect(await stores.state()).toEqual(before);
              const exists = names.indexOf(boundary) >= decisive;
              if (exists) count += 1;
              expect([boundary, (await listPoints(warden)).length]).toEqual([boundary, count]);
              expect((await settledEvent(warden)).message).toMatch(exists ? /exists/ : /does not exist/);
            },
          },
          async (warden) => {
            const [newest] = await listPoints(warden);
            await succeeds(warden, `/api/v1/backup/points/${field(newest, 'backup_id')}/verify`);
            await succeeds(warden, '/api/v1/backup/trigger');
            await soundRepository(warden);
          },
        );
      } finally {
        await stores.remove();
      }
    });

    test.concurrent('while a point is restored: files, database and Redis stand in the old state or in the new one, together', async () => {
      const stores = await prepareAllStores('kill-restore', { redis, redisDatabase: 2 });
      try {
        const good = await stores.state();
        let point = '';
        const body = { confirm: true, safety_point: false };
        const { names, boundaries } = await record(stores, /^restore:(?!started$)/, async (warden) => {
          point = await takeGood(warden);
          await stores.change(0);
          const path = `/api/v1/backup/restore/${point}`;
          const done = await whenFree(() => warden.call('POST', path, body, wait));
          expect(field(done.body, 'error'), done.text).toBeNull();
        });
        expect(await stores.state()).toEqual(good);
        expect(names).toEqual(
          expect.arrayContaining([
            'restore:filled',
            'restore:postgres:renamed',
            'restore:redis:committed',
            'restore:exchanged-database',
            'restore:exchanged-redis',
            'restore:finished',
          ]),
        );
        const decisive = names.indexOf('restore:journal:moved:after');
        let bad: Record<string, string> = {};
        await lives(
          stores,
          boundaries,
          {
            before: async (boundary) => {
              await stores.change(boundaries.indexOf(boundary) + 1);
              bad = await stores.state();
              return [`/api/v1/backup/restore/${point}`, body];
            },
            after: async (boundary, warden) => {
              const isNew = names.indexOf(boundary) >= decisive;
              expect(differing(await stores.state(), isNew ? good : bad), boundary).toEqual([]);
              expect([boundary, field((await settledEvent(warden)).data, 'state')]).toEqual([
                boundary,
                isNew ? 'new' : 'old',
              ]);
            },
          },
          soundRepository,
        );
      } finally {
        await stores.remove();
      }
    });

    test.concurrent('while a drill or the upkeep of the repository runs: nothing of it is left, no server either, and the next one succeeds', async () => {
      const stores = await prepareAllStores('kill-drill', { redis, redisDatabase: 3 });
      try {
        const work: Record<string, string> = {
          drill: '/api/v1/recovery/drills',
          forget: '/api/v1/repository/forget',
          prune: '/api/v1/repository/prune',
          check: '/api/v1/repository/check',
        };
        const { names, boundaries } = await record(stores, /^(drill|forget|prune|check):/, async (warden) => {
          await takeGood(warden);
          for (const path of Object.values(work)) {
            const done = await whenFree(() => warden.call('POST', path, {}, wait));
            expect([path, field(done.body, 'error')]).toEqual([path, null]);
          }
        });
        expect(names).toEqual(
          expect.arrayContaining([
            'drill:postgres:started',
            'drill:redis:loaded',
            'drill:removed',
            'prune:done',
            'check:begun',
          ]),
        );
        const good = await stores.state();
        await lives(
          stores,
          boundaries,
          {
            before: async (boundary) => [work[boundary.split(':')[0] ?? ''] ?? '', {}],
            after: async (boundary, warden) => {
              expect(await stores.state()).toEqual(good);
              expect((await listPoints(warden)).length, boundary).toBe(1);
              // What the new life does of its own accord ends; what the dead one left would run for ever.
              await vi.waitFor(async () =>
                expect(await warden.call('GET', '/api/v1/operations?state=running')).toMatchObject({
                  body: { items: [] },
                }),
              );
              if (!boundary.startsWith('drill:')) return;
              const { body } = await warden.call('GET', '/api/v1/recovery/drills');
              const told = { verdict: 'error', reasons: ['ragwarden ended while it ran'] };
              expect(field(body, 'items', 0), boundary).toMatchObject(told);
            },
          },
          async (warden) => {
            const drilled = await succeeds(warden, work.drill ?? '', {});
            expect(field(drilled, 'result', 'verdict')).toBe('passed');
            await succeeds(warden, work.prune ?? '', {});
            await soundRepository(warden);
          },
        );
      } finally {
        await stores.remove();
      }
    });
  },
);

/**
 * Whether a name is the first of its kind. What happens within the moves of files has a test of its own that kills at all of it
 * (`swap-kill.slow.test.ts`): here the first name out, the first one in, and the states of the journal.
 */
function oneOfEach(): (name: string) => boolean {
  const seen = new Set<string>();
  return (name) => {
    const kind = name.replace(/^(restore:(?:out|in)):.*/, '$1');
    if (
      seen.has(kind) ||
      /:(before|flush|flushed|renamed)$|^restore:(probe|member|clean|undo-folder)/.test(engineOf(name))
    )
      return false;
    seen.add(kind);
    return true;
  };
}

/** Stores have steps of the same names. */
const engineOf = (name: string): string => (/^restore:(postgres|redis):/.test(name) ? '' : name);
