import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import type { QuotaAlarm } from './alarm.ts';
import type { QuotaDraft } from './definitions.ts';
import { anyPlace, type Quota } from './quota.ts';
import { createQuotas, type Quotas } from './quotas.ts';

/** Test support: a hard limit of 100 requests a minute for all, with what is told put in. */
export const draft = (told: Partial<QuotaDraft> = {}): QuotaDraft => ({
  id: 'q',
  name: 'Q',
  description: '',
  counts: 'requests',
  type: 'hard',
  period: 'minute',
  window: 'calendar',
  limit: 100,
  burstLimit: null,
  action: 'block',
  of: anyPlace,
  per: [],
  enabled: true,
  shadow: false,
  whenLost: 'closed',
  ratePerMinute: null,
  waitSeconds: 5,
  mostLimit: null,
  endsMs: null,
  tags: {},
  ...told,
});
export const quota = (told: Partial<QuotaDraft> = {}): Quota => ({
  ...draft(told),
  origin: 'api',
  createdMs: 0,
  updatedMs: 0,
});

export type TestQuotas = {
  readonly quotas: Quotas;
  readonly state: TestState;
  readonly clock: FakeClock;
  readonly events: EventLog;
  /** Another process on the same database. */
  another(instance?: string): Promise<Quotas>;
  remove(): Promise<void>;
};

/** Test support: quotas on a real database and a clock that only moves when told to. */
export async function openTestQuotas(
  definitions: readonly QuotaDraft[],
  options: { alarm?: QuotaAlarm; fromFile?: readonly Quota[]; on?: 'sqlite' | 'postgres' } = {},
): Promise<TestQuotas> {
  const state = await openTestState(options.on === undefined ? {} : { on: options.on });
  const clock = createFakeClock();
  const events = createEventLog({ db: state.db, clock, instance: 'test' });
  const make = (instance: string): Quotas =>
    createQuotas({
      db: state.db,
      clock,
      random: systemRandom,
      log: silentLogger,
      events,
      instance,
      fromFile: options.fromFile ?? [],
      alarm: options.alarm,
    });
  const quotas = make('one');
  await quotas.open();
  for (const one of definitions) await quotas.definitions.create(one, 'test');
  return {
    quotas,
    state,
    clock,
    events,
    async another(instance = 'two') {
      const made = make(instance);
      await made.open();
      return made;
    },
    async remove() {
      quotas.waitingRoom.stop();
      await state.remove();
    },
  };
}
