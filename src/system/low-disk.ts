/** `low` is told; at `very-low` things are given up. */
export type DiskLevel = 'enough' | 'low' | 'very-low';

/** A level begins where less is free than both its share of the file system and its bytes. */
export type LowDiskLimits = {
  readonly warnPercent: number;
  readonly warnBytes: number;
  readonly actPercent: number;
  readonly actBytes: number;
  /** How much more than the limit must be free again before a level ends, in percent of the limit. */
  readonly hysteresisPercent: number;
};

export type LowDiskFacts = {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly before: DiskLevel;
  readonly stagingBytes: number;
  /** Drills that run here, whose scratch folder goes when they end. */
  readonly drills: number;
  /** Of stored samples on this file system; 0 where they lie elsewhere. */
  readonly sampleBytes: number;
  /** No long work is under way that could be using the staging tree. */
  readonly idle: boolean;
  readonly samplesPaused: boolean;
};

export type LowDiskStep = {
  readonly action: 'stop-drills' | 'drop-staging' | 'pause-samples' | 'drop-samples' | 'resume-samples';
  readonly reason: string;
  /** How much should come free, where that is known beforehand. */
  readonly bytes?: number;
};

type Limit = { readonly at: number; readonly until: number };

const limitOf = (percent: number, bytes: number, totalBytes: number, hysteresisPercent: number): Limit => {
  const at = Math.min((totalBytes * percent) / 100, bytes);
  return { at, until: at * (1 + hysteresisPercent / 100) };
};

/** Where the present free space stands, given where it stood: a level is left later than it is entered. */
export function decideDiskLevel(
  facts: Pick<LowDiskFacts, 'freeBytes' | 'totalBytes' | 'before'>,
  limits: LowDiskLimits,
): DiskLevel {
  const { freeBytes, totalBytes, before } = facts;
  const warn = limitOf(limits.warnPercent, limits.warnBytes, totalBytes, limits.hysteresisPercent);
  const act = limitOf(limits.actPercent, limits.actBytes, totalBytes, limits.hysteresisPercent);
  if (freeBytes < (before === 'very-low' ? act.until : act.at)) return 'very-low';
  return freeBytes < (before === 'enough' ? warn.at : Math.max(warn.until, act.at)) ? 'low' : 'enough';
}

/**
 * What is given up, and what comes back: one thing at a time, in this order, each only when the one before is not there or cannot go.
 * First drills, then staging, which the next point makes anew, then raw samples, the oldest
 * first and no more than needed. Events, the audit trail, ledgers and the catalogue are never among them.
 */
export function planLowDisk(
  facts: LowDiskFacts,
  limits: LowDiskLimits,
): { readonly level: DiskLevel; readonly steps: readonly LowDiskStep[] } {
  const level = decideDiskLevel(facts, limits);
  if (level !== 'very-low')
    return {
      level,
      steps: facts.samplesPaused ? [{ action: 'resume-samples', reason: 'there is space for samples again' }] : [],
    };
  if (facts.drills > 0)
    return { level, steps: [{ action: 'stop-drills', reason: 'what they restored goes; they are made up for' }] };
  if (facts.stagingBytes > 0 && facts.idle)
    return {
      level,
      steps: [{ action: 'drop-staging', reason: 'the next recovery point makes it anew', bytes: facts.stagingBytes }],
    };
  const { until } = limitOf(limits.actPercent, limits.actBytes, facts.totalBytes, limits.hysteresisPercent);
  const staging = facts.stagingBytes > 0 ? 'staging is in use' : 'there is no staging left';
  const pause: LowDiskStep[] = facts.samplesPaused
    ? []
    : [{ action: 'pause-samples', reason: `${staging}: no more samples are stored` }];
  const drop: LowDiskStep[] =
    facts.sampleBytes > 0
      ? [
          {
            action: 'drop-samples',
            reason: `${staging}: the oldest samples go`,
            bytes: Math.min(facts.sampleBytes, Math.ceil(until - facts.freeBytes)),
          },
        ]
      : [];
  return { level, steps: [...pause, ...drop] };
}
