import type { EventRecorder } from '../../events/index.ts';
import type { MetricRegistry } from '../../metrics/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { type DriftReport, findDrift, type Running } from '../drift.ts';
import type { Tuning } from '../tuning.ts';
import { type DriftEpisode, endDriftEpisode, selectDriftEpisodes, writeDriftEpisode } from './watch-store.ts';

/**
 * What becomes of drift that is known, or not, once it was looked at anew. It ends when every value that differed was seen and does
 * not differ any more; a backend that nobody can look at has not come right by that.
 */
export function decideDrift(
  before: DriftEpisode | undefined,
  { drift, unseen }: DriftReport,
): { readonly change: 'began' | 'goes-on' | 'ended' | 'none'; readonly parameters: readonly string[] } {
  const found = drift.map(({ parameter }) => parameter);
  const stillUnseen = (before?.parameters ?? []).filter((one) => unseen.includes(one));
  const parameters = [...new Set([...found, ...stillUnseen])].sort();
  if (before === undefined) return { change: parameters.length === 0 ? 'none' : 'began', parameters };
  return { change: parameters.length === 0 ? 'ended' : 'goes-on', parameters };
}

export type DriftWatch = {
  /** Looks at every target; what began or ended becomes an event. */
  look(): Promise<void>;
};

/** Drift as a series that an alert can stand on, and as events when it begins and ends. What is known of it outlives the process. */
export function createDriftWatch(options: {
  readonly db: Database;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly registry: MetricRegistry;
  readonly tuning: Pick<Tuning, 'effective'>;
  running(): Promise<readonly { readonly graphId: string; readonly running: Running }[]>;
}): DriftWatch {
  const { db, events, clock, tuning } = options;
  const gauge = options.registry.gauge({
    name: 'ragwarden_tuning_drift',
    help: 'Parameters that the backend, its environment file or its index have otherwise than was set; absent before the first look.',
    labels: ['target'],
  });
  return {
    async look() {
      const known = new Map((await selectDriftEpisodes(db)).map((one) => [one.targetId, one]));
      for (const { graphId, running } of await options.running()) {
        const before = known.get(graphId);
        const report = findDrift(await tuning.effective({ graphId }), running);
        const { change, parameters } = decideDrift(before, report);
        gauge.labels(graphId).set(parameters.length);
        if (change === 'none') continue;
        const sinceMs = before?.sinceMs ?? clock.now();
        if (change === 'goes-on' && parameters.join() === before?.parameters.join()) continue;
        await db.unit(async (tx) => {
          if (change === 'ended') await endDriftEpisode(tx, graphId);
          else await writeDriftEpisode(tx, { targetId: graphId, sinceMs, parameters });
          if (change === 'goes-on') return;
          await events.record(tx, {
            type: change === 'began' ? 'tuning.drift-began' : 'tuning.drift-ended',
            severity: change === 'began' ? 'warning' : 'info',
            targetId: graphId,
            message:
              change === 'began'
                ? `${graphId} does not run with what was set: ${report.drift.map(({ message }) => message).join(' ')}`
                : `${graphId} runs with what was set again.`,
            data: { parameters },
          });
        });
      }
    },
  };
}
