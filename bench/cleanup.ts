import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createTemporaryFiles } from '../src/cleanup/strategies/folder-entries.ts';
import { createRegisteredResources } from '../src/cleanup/strategies/registered-resources.ts';
import type { AnyStrategy } from '../src/cleanup/strategy.ts';
import { holds, openTestCleanup } from '../src/cleanup/test-cleanup.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { createResourceRegistry } from '../src/resources/index.ts';
import { type Bench, median } from './report.ts';

const batchSize = 100;

/** Planned items taken away through the real quarantine: journal on the disk, renames, rows of the state. */
export const cleanup: Bench = {
  name: 'cleanup',
  async run(size) {
    const [count, rounds] = size === 'full' ? [1_000, 9] : [50, 1];
    const taken = { parallel: [] as number[], serial: [] as number[], registry: [] as number[] };
    let clockMs = 0;
    const opened = await openTestCleanup(({ folder, clock }) => {
      mkdirSync(join(folder, 'work'), { recursive: true });
      const resources = createResourceRegistry({
        clock: { ...clock, monotonic: () => clock.monotonic() + clockMs },
        mostTracked: () => 100_000,
      });
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
      strategies = {
        files: createTemporaryFiles(deps),
        registry: createRegisteredResources({ ...deps, resources }),
      };
      register = (id) =>
        resources.register(
          {
            ...{ id, type: 'lock', owner: null, workspaceId: null, parentId: null, sizeBytes: null },
            ...{ ttlMs: null, leaseMs: 1_000, metadata: {} },
          },
          'bench',
        );
      return { strategies: [] };
    });
    let [asked, carriedOut] = [0, 0];
    const measure = async (strategy: AnyStrategy, parallel: number, run: string): Promise<number> => {
      const signal = new AbortController().signal;
      const params = strategy.params.parse(
        strategy === strategies?.files ? { min_age_seconds: 0 } : { idle_seconds: 1 },
      );
      const { items } = await strategy.find(params, { signal, nowMs: opened.clock.now() });
      if (items.length !== count) throw new Error(`${items.length} of ${count} were planned`);
      const open = await opened.quarantine.open(run, strategy.name, 1_000);
      const context = { signal, log: silentLogger, parallel, nowMs: opened.clock.now(), phase: () => undefined };
      const beganMs = performance.now();
      const work = await strategy.begin(params, context);
      for (let at = 0; at < items.length; at += batchSize) {
        const outcomes = await work.carryOut(items.slice(at, at + batchSize), open);
        asked += outcomes.length;
        carriedOut += outcomes.filter((outcome) => 'done' in outcome && outcome.done).length;
      }
      await work.end();
      return performance.now() - beganMs;
    };
    for (let round = 0; round < rounds; round += 1) {
      for (const [way, parallel] of [
        ['parallel', 10],
        ['serial', 1],
      ] as const) {
        for (let i = 0; i < count; i += 1) opened.file(`work/${i}.part`);
        if (strategies) taken[way].push(await measure(strategies.files, parallel, `${way}-${round}`));
      }
      for (let i = 0; i < count; i += 1) register?.(`${round}-${i}`);
      clockMs += 60_000;
      if (strategies) taken.registry.push(await measure(strategies.registry, 10, `registry-${round}`));
    }
    await opened.remove();
    const [parallel, serial, registry] = [median(taken.parallel), median(taken.serial), median(taken.registry)];
    return {
      row: 'P22, cleanup (F461, F471, F473)',
      target:
        'At most 100 ms for 1,000 temporary files and for 1,000 registered resources; in parallel at most half of one after the other; over 95 % carried out.',
      method: `${count} planned items in batches of ${batchSize}, each looked at again, journalled on the disk, renamed or given up, and listed in the state; median of ${rounds} rounds.`,
      columns: ['what', 'ms'],
      lines: [
        ['temporary files, ten at once', parallel],
        ['temporary files, one after the other', serial],
        ['registered resources', registry],
      ],
      figures: [
        { what: 'temporary files', value: parallel, limit: 100, unit: 'ms' },
        { what: 'registered resources', value: registry, limit: 100, unit: 'ms' },
        {
          what: 'carried out, of what was planned',
          value: (100 * carriedOut) / asked,
          limit: 95,
          atLeast: true,
          unit: '%',
        },
        { what: 'in parallel, of one after the other', value: parallel / serial, limit: 0.5, unit: 'times' },
      ],
    };
  },
};

let strategies: { readonly files: AnyStrategy; readonly registry: AnyStrategy } | undefined;
let register: ((id: string) => unknown) | undefined;
