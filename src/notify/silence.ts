import { type Labels, type Matcher, matchesAll } from './matcher.ts';

/** Holds back what it matches from `fromMs` until before `untilMs`. */
export type Silence = {
  readonly id: string;
  readonly matchers: readonly Matcher[];
  readonly fromMs: number;
  readonly untilMs: number;
  /** Whose it is. */
  readonly by: string;
  readonly comment: string;
  readonly createdMs: number;
};

export type SilenceState = 'pending' | 'active' | 'expired';

export const silenceState = ({ fromMs, untilMs }: Silence, nowMs: number): SilenceState =>
  nowMs >= untilMs ? 'expired' : nowMs >= fromMs ? 'active' : 'pending';

/** A silence without matchers would hold back everything; there is none (see silence-routes.ts), and it would match nothing. */
export const findSilences = (silences: readonly Silence[], labels: Labels, nowMs: number): readonly string[] =>
  silences
    .filter(
      (one) => silenceState(one, nowMs) === 'active' && one.matchers.length > 0 && matchesAll(one.matchers, labels),
    )
    .map(({ id }) => id);
