import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RecoveryPoint, Repository } from '../backup/index.ts';
import type { OperationContext } from '../operations/index.ts';
import { createChildProcesses } from '../platform/child-processes/index.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { runCheckCommand } from './check-command.ts';
import type { Drill } from './drill.ts';
import type { DrillDeps, DrillTarget } from './drill-deps.ts';
import { isSealIntact } from './evidence.ts';
import { runDrill } from './run-drill.ts';
import { listScratch, removeTree } from './scratch.ts';

let folder: string;
let clock: FakeClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-run-drill-'));
  clock = createFakeClock();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const target: DrillTarget = {
  restorerOf: () => undefined,
  inspect: async () => undefined,
  checkCommand: undefined,
  checkEnvironment: { PATH: '/usr/bin:/bin' },
};

/** A repository that answers nothing until it is told to stop. */
const silent = {
  snapshots: ({ signal }: { signal: AbortSignal }) =>
    new Promise((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason));
    }),
} as unknown as Repository;

function run(
  limits: Partial<ReturnType<DrillDeps['limits']>>,
  held: () => Promise<boolean> = async () => true,
  signal = new AbortController().signal,
) {
  // Of what a drill is given, what these drills come to.
  const deps = {
    drills: { lastEvidence: async () => undefined },
    auditHead: async () => ({ seq: 1, hash: 'h' }),
    repository: silent,
    clock,
    log: silentLogger,
    wardenVersion: '0',
    toolVersions: async () => ({}),
    limits: () => ({ scratchDir: folder, timeLimitMs: 60_000, minFreeBytes: 0, ...limits }),
    rtoObjectiveMs: () => 300_000,
    requireSpace: () => {},
    step: async () => {},
  } as unknown as DrillDeps;
  const drill = {
    id: 'op_1',
    targetId: 't',
    pointId: 'p',
    kind: 'restore',
    startedMs: 0,
    reasons: [],
  } as unknown as Drill;
  const point = { id: 'p', logicalBytes: 10, takenMs: 0, manifest: null } as unknown as RecoveryPoint;
  const context = {
    signal,
    log: silentLogger,
    phase: async () => {},
    progress: () => {},
  } as unknown as OperationContext;
  return runDrill(deps, { drill, point, chosen: 'named', target, held }, context);
}

/** Lets the watch over a drill come round. */
async function pass(ms: number): Promise<void> {
  await expect.poll(() => clock.sleeping()).toBeGreaterThan(0);
  await clock.advance(ms);
}

test('a drill that takes too long is ended, says so, and leaves nothing', async () => {
  const running = run({ timeLimitMs: 4_000 });
  await pass(4_000);
  const { drill, evidence } = await running;
  expect(drill).toMatchObject({ verdict: 'error', rtoMs: null });
  expect(drill.reasons[0]).toContain('drill.time_limit_seconds');
  expect(isSealIntact(evidence)).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
});

test('a drill whose lease went to another instance is ended', async () => {
  const running = run({}, async () => false);
  await pass(5_000);
  expect((await running).drill.reasons[0]).toContain('operation/lease-lost');
});

test('where too little space would be left a drill is not begun, and one that finds the disk filling is ended', async () => {
  const { drill } = await run({ minFreeBytes: Number.MAX_SAFE_INTEGER });
  expect(drill).toMatchObject({ verdict: 'error' });
  expect(drill.reasons[0]).toContain('storage/full');
  let minFreeBytes = 0;
  const limits = {};
  Object.defineProperty(limits, 'minFreeBytes', { enumerable: true, get: () => minFreeBytes });
  const running = run(limits);
  await expect.poll(() => clock.sleeping()).toBeGreaterThan(0);
  await expect.poll(() => listScratch(folder)).toEqual(['op_1']);
  minFreeBytes = Number.MAX_SAFE_INTEGER;
  await pass(5_000);
  expect((await running).drill.reasons[0]).toContain('bytes are free');
  expect(readdirSync(folder)).toEqual([]);
});

test('what is asked from outside ends it as that, and the scratch folder is gone', async () => {
  const stop = new AbortController();
  const running = run({}, undefined, stop.signal);
  await expect.poll(() => listScratch(folder)).toEqual(['op_1']);
  stop.abort(new Error('stopped'));
  await expect(running).rejects.toThrow('stopped');
  expect(readdirSync(folder)).toEqual([]);
});

test('a restored folder that nobody may write is removed all the same', async () => {
  const closed = join(folder, 'a', 'closed');
  mkdirSync(closed, { recursive: true });
  writeFileSync(join(closed, 'f'), '');
  const { chmodSync } = await import('node:fs');
  chmodSync(closed, 0o500);
  await removeTree(join(folder, 'a'));
  expect(existsSync(join(folder, 'a'))).toBe(false);
});

test.each([
  ['is satisfied', 'test -d "$1" && test "$RAGWARDEN_DRILL_POINT" = p && echo fine', null, 0],
  [
    'is not satisfied, with its last line',
    'echo first; echo "three chunks are missing" >&2; exit 3',
    'three chunks are missing',
    3,
  ],
])('the check command of the operator %s', async (_, script, problem, exitCode) => {
  mkdirSync(join(folder, 'point', 'components'), { recursive: true });
  const children = createChildProcesses({ log: silentLogger, clock, recordDir: join(folder, 'children') });
  const result = await runCheckCommand(
    { children, clock, requireTarget: () => target },
    {
      command: ['/bin/sh', '-c', script, 'check'],
      scratchDir: folder,
      point: { id: 'p', targetId: 't' },
      drillId: 'op_1',
      signal: new AbortController().signal,
    },
  );
  await children.stop();
  expect(result.exitCode).toBe(exitCode);
  if (problem === null) expect(result.problem).toBeNull();
  else expect(result.problem).toContain(problem);
});
