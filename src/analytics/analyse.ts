import { type Forecast, forecastOf } from './forecast.ts';
import type { LeakFact } from './leak-fact.ts';
import { findOwnPatterns, findQuickRhythm, leakPattern, moversOf, type Pattern, relationPattern } from './pattern.ts';
import { isProfile, type Profile, profileOf, type Unprofiled } from './profile.ts';
import type { WindowOfSeries } from './read-series.ts';
import { relate } from './relation.ts';
import type { ResourceSeries } from './series.ts';

/** Everything that one look at the series says; a pure function of them, but for the pauses. The values themselves are let go. */
export type Analysis = {
  readonly window: WindowOfSeries;
  readonly profiles: readonly Profile[];
  /** Known for too short a time, or not at all; with the reason. */
  readonly unprofiled: readonly Unprofiled[];
  readonly patterns: readonly Pattern[];
  /** One of each resource. */
  readonly forecasts: readonly Forecast[];
  /** Those of the trend alone, also where a quota has one of its own window. */
  readonly trends: readonly Forecast[];
  readonly leaks: readonly LeakFact[] | undefined;
  /** Series beyond the bound. */
  readonly leftOut: number;
  /** How many pairs of series were compared. */
  readonly pairs: number;
};

/** Without a value for so many steps, and an hour, it ended. */
const fewestStepsAgo = 6;
const hourMs = 3_600_000;
/** Nothing else waits longer for its turn. Milliseconds. */
const longestTurnMs = 10;

export async function analyse(options: {
  series: readonly ResourceSeries[];
  /** The last days in finer steps, where those of the window are too long for what comes each hour. */
  closer: readonly ResourceSeries[];
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
  const trends: Forecast[] = [];
  const present = new Set<string>();
  for (const one of series) {
    await breathe();
    const profile = profileOf(one);
    if (isProfile(profile)) profiles.push(profile);
    else unprofiled.push(profile);
  }
  for (const profile of profiles) {
    await breathe();
    // What ended is no present: it does nothing, and goes nowhere.
    if (profile.toMs < window.toMs - Math.max(fewestStepsAgo * profile.series.stepMs, hourMs)) continue;
    present.add(profile.series.key);
    patterns.push(...findOwnPatterns(profile, profiles.length));
    const { capacity, kind } = profile.series;
    // What goes up and down without a limit has no end that is worth telling.
    if (capacity !== null || kind === 'stock') trends.push(forecastOf(profile.series));
  }
  const inRhythm = new Set(patterns.flatMap(({ type, key }) => (type === 'periodic_spikes' ? [key] : [])));
  for (const one of options.closer) {
    if (!present.has(one.key) || inRhythm.has(one.key)) continue;
    await breathe();
    // A second look at the same: twice as much chance.
    const found = findQuickRhythm(one, 2 * profiles.length);
    if (found) patterns.push(found);
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
    ...{ window, unprofiled, leaks, leftOut, pairs, trends },
    profiles: profiles.map((one) => ({ ...one, series: { ...one.series, times: [], values: [], tops: null } })),
    patterns: patterns.sort((a, b) => b.confidence - a.confidence),
    forecasts: oneOfEach(trends, options.quotaForecasts),
  };
}

/**
 * A quota has a trend over its windows and the pace of the present one. What is reached first is told: this window, then the trend; where
 * neither reaches it, what the quota says itself.
 */
function oneOfEach(trends: readonly Forecast[], ofQuotas: readonly Forecast[]): Forecast[] {
  const quotas = new Map(ofQuotas.map((one) => [one.key, one]));
  const ofTrends = trends.filter((trend) => {
    const own = quotas.get(trend.key);
    if (own === undefined) return true;
    if (own.state === 'fills' || trend.state !== 'fills') return false;
    quotas.delete(trend.key);
    return true;
  });
  return [...ofTrends, ...quotas.values()];
}
