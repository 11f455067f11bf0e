import type { EventRecorder, NewEvent } from '../../events/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import { describeError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import { createReconciler, type Reconciler } from '../../platform/reconciler.ts';
import { decideFinding, describeFinding, type Finding, type FindingChange, severityOf } from './finding.ts';
import { createFloorCollector, type FloorCollector } from './floor-collector.ts';
import { assessGrowth, type Floor, floorHours } from './growth.ts';
import { type MeasureName, measures, type Reading } from './measure.ts';
import { createObservedStore, type KeptSeries } from './observed-store.ts';

/** Something that is looked at: a process, or a server with what its clients hold. Rejects where it cannot be seen. */
export type ObservedSource = { readonly name: string; look(signal: AbortSignal): Promise<readonly Reading[]> };

/** One measure of one subject, as it was last seen. */
export type ObservedSeries = {
  readonly subject: string;
  readonly measure: MeasureName;
  /** Undefined where it was seen before a restart only. */
  readonly value: number | undefined;
  readonly seenAtMs: number;
  readonly floors: readonly Floor[];
  readonly finding: Finding | undefined;
};

export type Observer = Reconciler & {
  /** In the order of subjects and measures. */
  series(): readonly ObservedSeries[];
  find(subject: string, measure: MeasureName): ObservedSeries | undefined;
  /** Sources that could not be seen at the last look, with the reason. */
  unseen(): ReadonlyMap<string, string>;
};

/** A server has clients without end; beyond this many series new ones are not followed. */
const mostSeries = 300;
/** What was not seen for so long is gone for good. */
const forgottenAfterMs = 7 * 86_400_000;

type Followed = {
  readonly subject: string;
  readonly measure: MeasureName;
  readonly collector: FloorCollector;
  value: number | undefined;
  seenAtMs: number;
  sinceLook: number;
  finding: Finding | undefined;
};
const nameOf = (subject: string, measure: string): string => `${subject}\u0000${measure}`;

/**
 * Looks at processes and servers every so often and finds what grows without end. A look costs a read of `/proc` each; the floors of a
 * quarter of an hour are judged when they are complete, and written down with what they show, so a restart forgets nothing of it.
 * @param floorMs how long one period is; whoever shortens it makes all time pass as much quicker
 */
export function createObserver(options: {
  sources: readonly ObservedSource[];
  intervalMs: number;
  floorMs?: number;
  instance: string;
  db: Database;
  events: Pick<EventRecorder, 'record'>;
  clock: Clock;
  log: Logger;
}): Observer {
  const { sources, instance, db, events, clock, log, floorMs = floorHours * 3_600_000 } = options;
  const pace = (floorHours * 3_600_000) / floorMs;
  const store = createObservedStore(db);
  const followed = new Map<string, Followed>();
  const unseen = new Map<string, string>();
  let loaded = false;

  const follow = (subject: string, measure: MeasureName, kept?: KeptSeries): Followed | undefined => {
    const known = followed.get(nameOf(subject, measure));
    if (known || followed.size >= mostSeries) return known;
    const { kind } = measures[measure];
    const made: Followed = {
      ...{ subject, measure, value: undefined, sinceLook: 0 },
      collector: createFloorCollector({ kind, floorMs, ...(kept ? { kept: kept.floors } : {}) }),
      seenAtMs: kept?.updatedMs ?? 0,
      finding: kept?.finding,
    };
    followed.set(nameOf(subject, measure), made);
    return made;
  };

  const load = async (): Promise<void> => {
    if (loaded) return;
    for (const kept of await store.read(instance)) follow(kept.subject, kept.measure, kept);
    loaded = true;
  };

  /** @returns what changed, where a judgement was due */
  const take = ({ subject, measure, value, upSeconds }: Reading, nowMs: number) => {
    const one = follow(subject, measure);
    if (!one) return undefined;
    one.value = value;
    one.seenAtMs = nowMs;
    if (!one.collector.add(value, upSeconds * pace, nowMs)) return undefined;
    one.sinceLook += 1;
    const floors = one.collector.floors();
    if (one.sinceLook < floorsPerLook(floors.length)) return { one, change: undefined };
    const looks = one.sinceLook;
    one.sinceLook = 0;
    const before = one.finding;
    const { finding, change } = decideFinding(before, assessGrowth(floors, measures[measure].kind), nowMs, looks);
    one.finding = finding;
    return { one, change: change && { change, finding: finding ?? before } };
  };

  const job = createReconciler({
    name: 'leak observation',
    // What grows over days is not looked for while everything begins.
    runAtStart: false,
    intervalMs: options.intervalMs,
    clock,
    log,
    async run(signal) {
      await load();
      const changed: Followed[] = [];
      const news: NewEvent[] = [];
      const nowMs = clock.now();
      for (const source of sources) {
        let readings: readonly Reading[];
        try {
          readings = await source.look(signal);
          unseen.delete(source.name);
        } catch (err) {
          signal.throwIfAborted();
          // Told once, not at each look.
          if (!unseen.has(source.name)) log.info({ source: source.name }, `cannot be observed: ${describeError(err)}`);
          unseen.set(source.name, describeError(err));
          continue;
        }
        for (const reading of readings) {
          const taken = take(reading, nowMs);
          if (!taken) continue;
          changed.push(taken.one);
          if (taken.change?.finding) news.push(eventOf(taken.one, taken.change.change, taken.change.finding));
        }
      }
      if (changed.length === 0) return;
      for (const [name, { seenAtMs }] of followed) if (nowMs - seenAtMs > forgottenAfterMs) followed.delete(name);
      await db.unit(async (tx) => {
        await store.write(
          tx,
          instance,
          changed.map(({ subject, measure, collector, finding }) => ({
            ...{ subject, measure, finding, updatedMs: nowMs, floors: collector.floors() },
          })),
        );
        await store.forget(tx, instance, nowMs - forgottenAfterMs);
        for (const event of news) await events.record(tx, event);
      });
    },
  });

  const shown = ({ subject, measure, value, seenAtMs, collector, finding }: Followed): ObservedSeries => ({
    ...{ subject, measure, value, seenAtMs, finding },
    floors: collector.floors(),
  });
  return {
    ...job,
    series: () =>
      [...followed.values()]
        .map(shown)
        .sort((a, b) => (nameOf(a.subject, a.measure) < nameOf(b.subject, b.measure) ? -1 : 1)),
    find(subject, measure) {
      const one = followed.get(nameOf(subject, measure));
      return one && shown(one);
    },
    unseen: () => unseen,
  };
}

/** What is young may run away within the hour; what is old is in no hurry, and dearer to judge. */
const floorsPerLook = (floors: number): number => (floors <= 8 ? 1 : floors <= 48 ? 2 : 4);

const types = {
  suspected: 'resource.leak-suspected',
  confirmed: 'resource.leak-confirmed',
  retracted: 'resource.leak-disproved',
} as const;

function eventOf({ subject, measure }: Followed, change: FindingChange, finding: Finding): NewEvent {
  const { perHour, confidence, hours, grown, by } = finding.assessment;
  const severity = severityOf(finding);
  const data = { subject, measure, level: finding.level, severity, per_hour: perHour, confidence, hours, grown, by };
  if (change === 'retracted')
    return {
      ...{ type: types[change], severity: 'info', data },
      message: `The ${measures[measure].words} of ${subject} do${measure === 'memory' ? 'es' : ''} not grow any more.`,
    };
  return {
    ...{ type: types[change], data },
    severity: change === 'suspected' ? 'info' : severity === 'critical' || severity === 'high' ? 'error' : 'warning',
    message: `${describeFinding(subject, measure, finding)} ${measures[measure].action}`,
  };
}
