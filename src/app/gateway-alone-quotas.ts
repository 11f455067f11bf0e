import { existsSync } from 'node:fs';
import type { Config } from '../config/index.ts';
import { createEventLog } from '../events/index.ts';
import type { Observation, QuotaDecision, QuotaGuard } from '../gateway/index.ts';
import { stateMigrations } from '../migrations/index.ts';
import { createNotifier } from '../notify/index.ts';
import type { Clock } from '../platform/clock.ts';
import { isMigrated, type OpenDatabase, openPostgres, openSqlite } from '../platform/database/index.ts';
import { AppError, describeError } from '../platform/errors.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler } from '../platform/reconciler.ts';
import { createGatewayQuota, createQuotas, createQuotaWriter, guardsOf, type Quotas } from '../quotas/index.ts';
import { costMicrosBy, quotaAlarm, quotaOf } from './quota-parts.ts';

type Options = {
  readonly config: Pick<Config, 'state' | 'quotas' | 'traffic'>;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly log: Logger;
};

export type GatewayAloneQuotas = {
  readonly decision: QuotaDecision;
  observe(items: readonly Observation[]): void;
  readonly part: Part;
};

const lookMs = 1_000;

/**
 * Quotas of a gateway in a process of its own: the same ledger, over a connection of its own, so that both processes and their
 * slabs never grant more than the limit together. The other process owns the state: nothing is migrated here, and what is looked
 * after once (reservations that end, violations that are over, dynamic limits) is looked after there. While the ledger cannot be
 * opened, quotas of the file do what each says for that, and of the others nothing is known.
 * @see docs/decisions/0049-quotas.md
 */
export function createGatewayAloneQuotas(options: Options): GatewayAloneQuotas {
  const { config, clock, random, log } = options;
  const fromFile = config.quotas.definitions.map(quotaOf);
  const listeners: ((guards: readonly QuotaGuard[]) => void)[] = [];
  let opened:
    | { db: OpenDatabase; quotas: Quotas; gate: ReturnType<typeof createGatewayQuota>; writer: Part }
    | undefined;
  let complained: string | undefined;
  let told = '';
  const guards = (): readonly QuotaGuard[] => opened?.gate.guards() ?? guardsOf(fromFile);
  const tellGuards = (): void => {
    const now = guards();
    const text = JSON.stringify(now);
    if (text === told) return;
    told = text;
    for (const listener of listeners) listener(now);
  };

  const open = async (): Promise<void> => {
    const db = await openLedger(options);
    try {
      if (!(await isMigrated(db, stateMigrations)))
        throw new AppError(
          'storage/unavailable',
          'The state database is not of this version of ragwarden. Start the process that owns it with the same one.',
        );
      const quotas = createQuotas({
        ...{ db, clock, random, log, fromFile },
        events: createEventLog({ db, clock, instance: instanceOf(config) }),
        instance: instanceOf(config),
        alarm: quotaAlarm({ notifier: createNotifier({ db, clock, onTold: () => undefined }), clock }),
      });
      await quotas.open();
      const gate = createGatewayQuota({ quotas, costMicrosOf: costMicrosBy(config.traffic.prices) });
      const writer = createQuotaWriter({ quotas, clock, log });
      await writer.start?.(new AbortController().signal);
      opened = { db, quotas, gate, writer };
      log.info({ quotas: quotas.definitions.all().length }, 'quotas are asked in the ledger of the state database');
    } catch (err) {
      await db.close();
      throw err;
    }
  };
  const look = createReconciler({
    name: 'gateway quotas',
    intervalMs: lookMs,
    clock,
    log,
    async run() {
      try {
        if (opened === undefined) await open();
        else await opened.quotas.definitions.refresh();
        complained = undefined;
      } catch (err) {
        const why = describeError(err);
        if (why !== complained)
          log.warn(
            { why },
            'the ledger of the quotas cannot be read: quotas of the settings do what each says for that, others are not known',
          );
        complained = why;
      }
      tellGuards();
    },
  });

  return {
    decision: {
      async decide(ask, hold) {
        // No answer: the gateway does what each quota says for that.
        if (opened === undefined) throw new AppError('quota/unavailable', 'The ledger of the quotas is not open.');
        return opened.gate.decide(ask, hold);
      },
      settle: (reservation, observation) => opened?.gate.settle(reservation, observation),
      guards,
      onGuards: (listener) => void listeners.push(listener),
      abandon: () => opened?.gate.abandon(),
    },
    observe: (items) => opened?.gate.observe(items),
    part: {
      name: 'gateway quotas',
      async start(signal) {
        await look.start?.(signal);
        await look.runOnce();
      },
      async stop() {
        await look.stop?.();
        await opened?.writer.stop?.();
        await opened?.db.close();
        opened = undefined;
      },
    },
  };
}

/** Of its own among those that share the ledger: what the other one holds is not taken for what an earlier life of this one held. */
const instanceOf = ({ state }: Options['config']): string => `${state.instance}/gateway`;

async function openLedger({ config, log }: Options): Promise<OpenDatabase> {
  const { place } = config.state;
  if (place.kind === 'postgres')
    return openPostgres({
      ...{ name: 'state', url: place.url, steps: stateMigrations, instance: instanceOf(config), log },
      patienceMs: 0,
    });
  if (!existsSync(place.path))
    throw new AppError(
      'storage/unavailable',
      `There is no state database at ${place.path} yet. Run \`ragwarden serve\` with RAGWARDEN_GATEWAY_ENABLED=false on this data folder.`,
    );
  return openSqlite({ name: 'state', path: place.path, synchronous: 'FULL', log });
}
