import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createEventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createOperations, type Operation } from '../operations/index.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { type Cleanup, type CleanupSettings, createCleanup, type RunResult } from './cleanup.ts';
import { type CleanupStore, createCleanupStore } from './cleanup-store.ts';
import { fileQuarantine } from './file-quarantine.ts';
import type { Containment } from './plan.ts';
import { createQuarantine, type Quarantine, type QuarantineKind } from './quarantine.ts';
import { createExpiredQuarantine } from './strategies/expired-quarantine.ts';
import type { AnyStrategy } from './strategy.ts';
import type { TargetFolder } from './undo.ts';

export type TestCleanup = {
  readonly folder: string;
  readonly state: TestState;
  readonly cleanup: Cleanup;
  readonly store: CleanupStore;
  readonly quarantine: Quarantine;
  readonly events: ReturnType<typeof createEventLog>;
  readonly operations: ReturnType<typeof createOperations>;
  readonly clock: Clock;
  settings: CleanupSettings;
  pressure: string | undefined;
  /** Writes a file whose content was last changed so long ago. */
  file(path: string, options?: { ageMs?: number; text?: string }): string;
  /** Plans, carries out and waits for the end. */
  run(strategy: string, params?: object, options?: Partial<Parameters<Cleanup['run']>[1]>): Promise<Ended>;
  undo(what: Parameters<Cleanup['undo']>[0]): Promise<Ended>;
  remove(): Promise<void>;
};
export type Ended = Omit<Operation, 'result'> & { readonly result: RunResult & { undone?: number } };

export const holds: Containment = { state: 'contained', reason: 'It is there.' };
const day = 86_400_000;

/** Test support: cleanup over a state of its own and a folder, with the strategies that are asked for. */
export async function openTestCleanup(
  strategies: (deps: { folder: string; clock: Clock }) => {
    strategies: readonly AnyStrategy[];
    kinds?: readonly QuarantineKind[];
    targets?: readonly TargetFolder[];
  },
  options: { clock?: Clock; folder?: string; state?: TestState; step?: (name: string) => void | Promise<void> } = {},
): Promise<TestCleanup> {
  const clock = options.clock ?? systemClock;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'rw-cleanup-'));
  const state = options.state ?? (await openTestState());
  const { db } = state;
  const log = silentLogger;
  const events = createEventLog({ db, clock, instance: 'test' });
  const operations = createOperations({ db, clock, log, events, instance: 'test', stopTimeoutMs: 100 });
  const store = createCleanupStore(db);
  const made = strategies({ folder, clock });
  const quarantineFolder = join(folder, 'data', 'quarantine');
  mkdirSync(quarantineFolder, { recursive: true });
  const quarantine = createQuarantine({
    ...{ folder: quarantineFolder, store, db, clock, log, kinds: [fileQuarantine, ...(made.kinds ?? [])] },
    ...(options.step ? { step: options.step } : {}),
  });
  const test: TestCleanup = {
    ...{ folder, state, store, quarantine, events, operations, clock, pressure: undefined },
    settings: { maxConcurrent: 10, batchSize: 100, quarantineMs: 7 * day },
    cleanup: createCleanup({
      strategies: [...made.strategies, createExpiredQuarantine({ store, quarantine })],
      ...{ store, quarantine, quarantineFolder, operations, db, events, clock, log, random: systemRandom },
      settings: () => test.settings,
      findPressure: () => test.pressure,
      targets: () => made.targets ?? [],
    }),
    file(path, { ageMs = day, text = 'text' } = {}) {
      const whole = join(folder, path);
      mkdirSync(dirname(whole), { recursive: true });
      writeFileSync(whole, text);
      const at = (clock.now() - ageMs) / 1_000;
      utimesSync(whole, at, at);
      return whole;
    },
    async run(strategy, params = {}, more = {}) {
      const operation = await test.cleanup.run({ strategy, params }, { requestedBy: 'tester', ...more });
      return (await operations.wait(operation.id)) as unknown as Ended;
    },
    async undo(what) {
      const operation = await test.cleanup.undo(what, 'tester');
      return (await operations.wait(operation.id)) as unknown as Ended;
    },
    async remove() {
      await operations.stop();
      await state.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return test;
}
