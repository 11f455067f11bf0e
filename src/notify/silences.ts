import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import { isoInstant } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import { formatMatcher, type Matcher } from './matcher.ts';
import { type Silence, silenceState } from './silence.ts';
import { findSilence, type SilenceTables, selectSilences, writeSilence } from './silence-store.ts';

export type NewSilence = {
  readonly matchers: readonly Matcher[];
  readonly fromMs: number;
  readonly untilMs: number;
  readonly comment: string;
};

export type Silences = {
  /** Newest first. */
  list(page: { live: boolean; beforeId?: string | undefined; limit: number }): Promise<Silence[]>;
  /** @throws AppError `request/not-found` */
  require(id: string): Promise<Silence>;
  create(by: string, wanted: NewSilence): Promise<Silence>;
  /** @throws AppError `request/not-found`, `conflict/state` when it is over */
  change(by: string, id: string, wanted: NewSilence): Promise<Silence>;
  /** Ends it now; one that is over stays as it is. @throws AppError `request/not-found` */
  expire(by: string, id: string): Promise<Silence>;
};

/** @param onChange after a commit that changed what is held back */
export function createSilences(options: {
  db: Database;
  events: EventRecorder;
  clock: Clock;
  random: RandomSource;
  onChange(): void;
}): Silences {
  const { db, events, clock, random, onChange } = options;
  const reader = () => db.reader<SilenceTables>();
  const requireSilence = async (id: string): Promise<Silence> => {
    const found = await findSilence(reader(), id);
    if (!found) throw new AppError('request/not-found', `There is no silence ${id}.`);
    return found;
  };
  const dataOf = ({ matchers, fromMs, untilMs, comment }: Silence) => ({
    matchers: matchers.map(formatMatcher),
    from: isoInstant(fromMs),
    until: isoInstant(untilMs),
    comment,
  });
  const write = (by: string, action: 'create' | 'change' | 'expire', silence: Silence): Promise<void> =>
    db.unit(async (tx) => {
      await writeSilence(tx, silence);
      const data = dataOf(silence);
      await events.audit(tx, {
        actor: by,
        action: `notify.${action}-silence`,
        object: silence.id,
        outcome: 'done',
        data,
      });
      const what = silence.matchers.map(formatMatcher).join(' ');
      await events.record(tx, {
        type: action === 'expire' ? 'notify.silence-ended' : 'notify.silence-set',
        severity: 'info',
        message:
          action === 'expire'
            ? `${by} ended the silence of ${what}.`
            : `${by} silenced ${what} until ${isoInstant(silence.untilMs)}: ${silence.comment}`,
        data: { silence_id: silence.id, ...data },
      });
      tx.afterCommit(onChange);
    });

  return {
    list: ({ live, beforeId, limit }) =>
      selectSilences(reader(), { liveAtMs: live ? clock.now() : undefined, beforeId, limit }),
    require: requireSilence,
    async create(by, wanted) {
      const nowMs = clock.now();
      const silence = { ...wanted, id: newId('sil', nowMs, random), by, createdMs: nowMs };
      await write(by, 'create', silence);
      return silence;
    },
    async change(by, id, wanted) {
      const before = await requireSilence(id);
      if (silenceState(before, clock.now()) === 'expired')
        throw new AppError('conflict/state', 'This silence is over. Make a new one.');
      const silence = { ...before, ...wanted };
      await write(by, 'change', silence);
      return silence;
    },
    async expire(by, id) {
      const before = await requireSilence(id);
      const nowMs = clock.now();
      if (silenceState(before, nowMs) === 'expired') return before;
      const silence = { ...before, fromMs: Math.min(before.fromMs, nowMs), untilMs: nowMs };
      await write(by, 'expire', silence);
      return silence;
    },
  };
}
