import { type Forecast, forecastOf } from './forecast.ts';
import type { LeakFact } from './leak-fact.ts';
import { findOwnPatterns, leakPattern, moversOf, type Pattern, relationPattern } from './pattern.ts';
import { isProfile, type Profile, profileOf, type Unprofiled } from './profile.ts';
import type { WindowOfSeries } from './read-series.ts';
import { relate } from './relation.ts';
import type { ResourceSeries } from './series.ts';

/** Everything that one look at the series says; a pure function of them, but for the pauses. */
export type Analysis = {
  readonly window: WindowOfSeries;
  readonly profiles: readonly Profile[];
  /** Known for too short a time, or not at all; with the reason. */
  readonly unprofiled: readonly Unprofiled[];
  readonly patterns: readonly Pattern[];
  readonly forecasts: readonly Forecast[];
  readonly leaks: readonly LeakFact[] | undefined;
  /** Series beyond the bound. */
  readonly leftOut: number;
  /** How many pairs of series were compared. */
  readonly pairs: number;
};

/** Without a value for so many steps, and an hour, it ended. */
const fewestStepsAgo = 6;
/** Nothing else waits longer for its turn. Milliseconds. */
const longestTurnMs = 10;

export async function analyse(options: {
  series: readonly ResourceSeries[];
  quotaForecasts: readonly Forecast[];
  leaks: readonly LeakFact[] | undefined;
  leftOut: number;
  window: WindowOfSeries;
  /** Others have their turn. */
  breathe(): Promise<void>;
}): Promise<Analysis> {
  const { series, leaks, leftOut, window, breathe } = options;
  const profiles: Profile[] = [];
  const unprofiled: Unprofiled[] = [];
  const patterns: Pattern[] = [];
  const forecasts: Forecast[] = [];
  for (const one of series) {
    await breathe();
    const profile = profileOf(one);
    if (isProfile(profile)) profiles.push(profile);
    else unprofiled.push(profile);
  }
  for (const profile of profiles) {
    await breathe();
    // What ended is no present: it does nothing, and goes nowhere.
    if (profile.toMs < window.toMs - Math.max(fewestStepsAgo * profile.series.stepMs, 3_600_000)) continue;
    patterns.push(...findOwnPatterns(profile, profiles.length));
    const { capacity, kind } = profile.series;
    // What goes up and down without a limit has no end that is worth telling.
    if (capacity !== null || kind === 'stock') forecasts.push(forecastOf(profile.series));
  }
  patterns.push(...(leaks ?? []).map(leakPattern));
  let pairs = 0;
  let turnMs = performance.now();
  for (const relation of relate(moversOf(series))) {
    if (performance.now() - turnMs > longestTurnMs) {
      await breathe();
      turnMs = performance.now();
    }
    if (relation === 'more') continue;
    pairs += 1;
    const pattern = relation && relationPattern(relation, series);
    if (pattern) patterns.push(pattern);
  }
  return {
    ...{ window, profiles, unprofiled, leaks, leftOut, pairs },
    patterns: patterns.sort((a, b) => b.confidence - a.confidence),
    forecasts: [...forecasts, ...options.quotaForecasts],
  };
}
