import type { KnownPattern } from './known-pattern.ts';
import { fills } from './recommend-room.ts';
import { spare } from './recommend-spare.ts';
import { follows, leaksAway, slower, spikes, storageGrows } from './recommend-work.ts';
import type { Ground, Recommendation } from './recommendation.ts';

/** Every rule over what was found; nothing is recommended without a pattern. */
export function recommend({ patterns, ...ground }: Ground & { patterns: readonly KnownPattern[] }): Recommendation[] {
  return patterns.flatMap((pattern) => {
    const found = recommendFor(pattern, ground);
    return found ? [found] : [];
  });
}

function recommendFor(pattern: KnownPattern, ground: Ground): Recommendation | undefined {
  switch (pattern.type) {
    case 'gradual_growth':
      return fills(pattern, ground) ?? storageGrows(pattern, ground) ?? slower(pattern);
    case 'memory_leak':
      return leaksAway(pattern, ground);
    case 'periodic_spikes':
      return spikes(pattern);
    case 'underutilization':
      return spare(pattern, ground);
    case 'cross_resource':
      return follows(pattern, ground);
  }
}
