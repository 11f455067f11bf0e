import { statfs } from 'node:fs/promises';
import type { EventRecorder, NewEvent } from '../events/index.ts';
import type { Bounded } from '../platform/bounded.ts';
import { type Clock, isoInstant } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError, describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { type DiskLevel, type LowDiskFacts, type LowDiskLimits, type LowDiskStep, planLowDisk } from './low-disk.ts';

export type LowDiskStatus = {
  readonly level: DiskLevel;
  readonly freeBytes: number | null;
  readonly totalBytes: number | null;
  readonly atMs: number | undefined;
  /** What was given up since it became very low, in words. */
  readonly givenUp: readonly string[];
};

export type LowDisk = Reconciler & {
  status(): LowDiskStatus;
  /**
   * Asked before something large is begun.
   * @param worst the level at which it is not begun any more; very low unless told
   * @throws AppError `storage/full`
   */
  requireSpace(what: string, worst?: 'low' | 'very-low'): void;
};

/** Rehearsals that run in this process. */
export type DrillsHere = {
  running(): number;
  /** Ends them and waits until what they wrote is gone. @returns how many there were */
  stopAll(reason: string): Promise<number>;
};

/** Plan, do, measure again: as often in one run as there are things to give up. */
const mostRounds = 4;
const mostSampleBatches = 100;
/** Events that found no room. */
const mostUntold = 20;

/** Looks at the free space of the data folder and gives things up in the order of `planLowDisk`, and takes them back. */
export function createLowDisk(options: {
  dataDir: string;
  limits(): LowDiskLimits;
  drills: DrillsHere;
  staging: Bounded;
  /** Undefined where samples lie on another machine. */
  samples: Bounded | undefined;
  idle(): Promise<boolean>;
  pauseSamples(paused: boolean): void;
  db: Database;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
  intervalMs?: number;
}): LowDisk {
  const { dataDir, limits, staging, samples, db, events, clock, log } = options;
  let status: LowDiskStatus = { level: 'enough', freeBytes: null, totalBytes: null, atMs: undefined, givenUp: [] };
  let samplesPaused = false;

  const space = async (): Promise<{ freeBytes: number; totalBytes: number }> => {
    const { bavail, blocks, bsize } = await statfs(dataDir);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  };

  const look = async (): Promise<LowDiskFacts> => {
    const facts = {
      ...(await space()),
      before: status.level,
      drills: options.drills.running(),
      stagingBytes: 0,
      sampleBytes: 0,
      idle: true,
      samplesPaused,
    };
    // What could be given up is walked and counted only when it may come to that.
    if (planLowDisk(facts, limits()).level !== 'very-low') return facts;
    return {
      ...facts,
      stagingBytes: await staging.measure(),
      sampleBytes: (await samples?.measure()) ?? 0,
      idle: await options.idle(),
    };
  };

  const carryOut = async (step: LowDiskStep): Promise<string | undefined> => {
    switch (step.action) {
      case 'pause-samples':
      case 'resume-samples':
        samplesPaused = step.action === 'pause-samples';
        options.pauseSamples(samplesPaused);
        return samplesPaused ? 'no samples are stored' : undefined;
      case 'stop-drills': {
        const stopped = await options.drills.stopAll(step.reason);
        return stopped > 0 ? `drills (${stopped} stopped)` : undefined;
      }
      case 'drop-staging': {
        let gone = 0;
        for (let last = 1; last > 0; gone += last) last = await staging.trim(0, 1_000);
        return gone > 0 ? `staging (${gone} bytes)` : undefined;
      }
      case 'drop-samples': {
        let gone = 0;
        const cap = Math.max(0, ((await samples?.measure()) ?? 0) - (step.bytes ?? 0));
        for (let round = 0; round < mostSampleBatches; round += 1) {
          const last = (await samples?.trim(cap, 50)) ?? 0;
          if (last === 0) break;
          gone += last;
        }
        return gone > 0 ? `the oldest samples (${gone} bytes)` : undefined;
      }
    }
  };

  /** The disk may be so full that even this finds no room: the log has it, and the events when there is room again. */
  const untold: NewEvent[] = [];
  const recordUntold = async (): Promise<void> => {
    try {
      await db.unit(async (tx) => {
        for (const event of untold) await events.record(tx, event);
      });
      untold.length = 0;
    } catch (err) {
      for (const [at, event] of untold.entries())
        untold[at] = { ...event, data: { seen_at: isoInstant(clock.now()), ...event.data } };
      untold.splice(0, untold.length - mostUntold);
      log.error({ reason: describeError(err) }, 'an event was not recorded yet');
    }
  };
  const tell = async (level: DiskLevel, message: string, data: Record<string, unknown>): Promise<void> => {
    const severity = level === 'enough' ? 'info' : level === 'low' ? 'warning' : 'error';
    log[severity === 'info' ? 'info' : 'warn'](data, message);
    untold.push({ type: `system.disk-${level}`, severity, message, data });
    await recordUntold();
  };

  const reconciler = createReconciler({
    name: 'low disk',
    intervalMs: options.intervalMs ?? 15_000,
    clock,
    log,
    async run(signal) {
      if (untold.length > 0) await recordUntold();
      const before = status.level;
      const gaveUp: string[] = [];
      let facts = await look();
      let plan = planLowDisk(facts, limits());
      for (let round = 0; round < mostRounds && plan.steps.length > 0 && !signal.aborted; round += 1) {
        status = { ...status, level: plan.level };
        const done: string[] = [];
        for (const step of plan.steps) {
          const said = await carryOut(step);
          if (said !== undefined) done.push(said);
        }
        gaveUp.push(...done);
        facts = await look();
        plan = planLowDisk(facts, limits());
        if (done.length === 0) break;
      }
      const { level } = plan;
      const { freeBytes, totalBytes } = facts;
      const givenUp = level === 'enough' ? [] : [...new Set([...status.givenUp, ...gaveUp])];
      status = { level, freeBytes, totalBytes, atMs: clock.now(), givenUp };
      if (level === before && gaveUp.length === 0) return;
      const data = { free_bytes: freeBytes, total_bytes: totalBytes, given_up: gaveUp };
      if (gaveUp.length > 0)
        await tell('very-low', `The disk of the data folder was nearly full. Given up: ${gaveUp.join('; ')}.`, data);
      if (level !== before)
        await tell(
          level,
          level === 'enough'
            ? 'There is space on the disk of the data folder again.'
            : `The disk of the data folder is ${level === 'low' ? 'getting full' : 'nearly full'}: ${freeBytes} of ${totalBytes} bytes are free.`,
          data,
        );
    },
  });

  return {
    ...reconciler,
    status: () => status,
    requireSpace(what, worst = 'very-low') {
      if (status.level === 'very-low' || (worst === 'low' && status.level === 'low'))
        throw new AppError(
          'storage/full',
          `The disk of the data folder is ${status.level === 'low' ? 'getting' : 'nearly'} full (${status.freeBytes ?? 0} bytes are free): ${what} is not begun. Free space there and try again.`,
        );
    },
  };
}
