import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type ReconcilerState } from '../platform/reconciler.ts';
import { type Agents, createAgents } from './agents.ts';
import { defineDefaultMetrics } from './default-metrics.ts';
import { readDefinitions, writeDefinition } from './definition-store.ts';
import { createMetricHistory, type HistorySettings, type MetricHistory } from './history.ts';
import { createIntake, createIntakeCounters, type Intake } from './intake/intake.ts';
import type { MetricDefinition, OwnDefinition } from './metric-definition.ts';
import { createGenAi, type PriceOf } from './otlp/gen-ai.ts';
import { createRecorder, type Recorder } from './recorder.ts';
import type { MetricRegistry } from './registry.ts';
import { createValueLog } from './value-log.ts';

/** What is recorded, and what was. */
export type Metrics = Part & {
  readonly recorder: Recorder;
  readonly history: MetricHistory;
  readonly agents: Agents;
  /** Where points of OpenTelemetry come in. */
  readonly otlp: Intake;
  /** What is counted of everything that comes in from others. */
  readonly intakeCounters: ReturnType<typeof createIntakeCounters>;
  /** Forgets what was recorded about one agent, or all samples there are. @returns how many series ended */
  reset(agentId?: string): Promise<number>;
  jobs(): readonly ReconcilerState[];
};

/** Exporters send once a minute unless told otherwise. */
const silentAfterMs = 900_000;

/** Puts recorder, history and totals of agents together; definitions that an earlier life knew are known again. */
export async function createMetrics(options: {
  registry: MetricRegistry;
  db: Database;
  clock: Clock;
  log: Logger;
  instance: string;
  settings?: Partial<HistorySettings>;
  /** What other parts of ragwarden record. */
  own?: readonly OwnDefinition[] | undefined;
  /** What models take, for the cost of the tokens that instrumented programs tell. */
  priceOf?: PriceOf | undefined;
}): Promise<Metrics> {
  const { registry, db, clock, log, instance, own = [] } = options;
  const valueLog = createValueLog();
  const agents = createAgents({ db, clock });
  const changed = new Map<string, MetricDefinition>();
  const recorder: Recorder = createRecorder({
    registry,
    clock,
    log,
    values: valueLog,
    ownNames: new Map(own.map(({ name, exposedAs }) => [name, exposedAs])),
    onDefinition: (definition) => changed.set(definition.name, definition),
    onRecorded: (_, recording, atMs) => agents.count(recording, atMs),
  });
  // First, since an earlier life may have known one of these names as something else.
  defineDefaultMetrics(recorder);
  for (const { exposedAs: _, ...definition } of own) recorder.define(definition);
  changed.clear();
  for (const known of await readDefinitions(db)) recorder.restore(known);

  const writeChanged = async (): Promise<void> => {
    const taken = [...changed.values()];
    if (taken.length === 0) return;
    await db.unit(async (tx) => {
      for (const definition of taken) await writeDefinition(tx, definition);
    });
    for (const definition of taken) if (changed.get(definition.name) === definition) changed.delete(definition.name);
  };

  const history = createMetricHistory({
    registry,
    recorder,
    valueLog,
    db,
    clock,
    log,
    instance,
    settings: options.settings,
    flushToo: async () => {
      await writeChanged();
      await agents.flush();
    },
  });
  const counters = createIntakeCounters(registry);
  const otlp = createIntake({
    ...{ recorder, counters, clock, source: 'otlp', endedAfterMs: silentAfterMs },
    onGrown: createGenAi({ recorder, priceOf: options.priceOf }),
  });
  const ending = createReconciler({
    ...{ name: 'metric series ending', intervalMs: 60_000, clock, log },
    run: async () => {
      otlp.expire();
    },
  });
  return {
    name: 'metrics',
    recorder,
    history,
    agents,
    otlp,
    intakeCounters: counters,
    async start(signal) {
      await history.start?.(signal);
      await ending.start?.(signal);
    },
    async stop() {
      await ending.stop?.();
      await history.stop?.();
    },
    jobs: () => [...history.jobs(), ending.state()],
    async reset(agentId) {
      await agents.reset(agentId);
      const ended = recorder.reset(agentId === undefined ? undefined : { agent_id: agentId });
      if (agentId === undefined) await history.reset();
      return ended;
    },
  };
}
