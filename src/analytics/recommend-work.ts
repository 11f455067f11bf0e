import type { KnownPattern } from './known-pattern.ts';
import { about, figure, type Ground, hoursOfMonth, type Recommendation, word } from './recommendation.ts';
import { sayAmount, sayHours, shortly } from './say.ts';

/** A store that grows so much faster than its documents holds something else. */
const beyondDocuments = 1.5;
/** Nobody waits for less. Milliseconds. */
const noticedMs = 100;
const longMs = 1_000;
/** By so much longer somebody may notice. Percent. */
const leastLonger = 20;
/** Times of work that people wait for; a probe is none. */
const isWaitedFor = (resourceType: string): boolean =>
  resourceType.endsWith('_latency') && resourceType !== 'probe_latency';

/** What piles up beside the documents, which grow it by right. */
export function storageGrows(pattern: KnownPattern, { profiles }: Ground): Recommendation | undefined {
  if (pattern.resourceType !== 'storage') return undefined;
  const target = pattern.key.replace(/^storage:/, '').replace(/\/[^/]*$/, '');
  const documents = profiles.find(({ series }) => series.key.toLowerCase() === `documents:${target}/processed`);
  const percent = figure(pattern, 'growth_rate_percent');
  if (documents === undefined || percent <= 0) return undefined;
  const hours = (pattern.toMs - pattern.fromMs) / 3_600_000;
  const more = documents.growthPerHour * hours;
  const documentPercent = (100 * more) / Math.max(1, documents.peak - more);
  if (percent < beyondDocuments * documentPercent) return undefined;
  const unit = word(pattern, 'unit');
  const perHour = figure(pattern, 'slope_per_hour');
  return {
    ...about(pattern),
    ...{ rule: 'storage-grows', priority: 'low', effort: 'low', optimizationType: 'cleanup' },
    title: `${pattern.key} grows by ${sayAmount(perHour * 24, unit)} a day, faster than its documents`,
    description: `${pattern.description} The documents grew by ${shortly(documentPercent)} %.`,
    savings: {
      amount: perHour * hours * (1 - documentPercent / percent),
      unit,
      basis: `What it grew by beyond its documents in ${sayHours(hours)}. How much of it can go is told by the plans.`,
    },
    currentState: {
      growth_per_day: perHour * 24,
      unit,
      growth_percent: percent,
      documents_growth_percent: documentPercent,
    },
    recommendedState: { growth_percent: documentPercent },
    steps: [
      'See what belongs to nothing any more: `ragwarden target orphans`, `ragwarden cleanup plan orphans`.',
      'See what of the cache is stale: `ragwarden cleanup plan llm-cache`.',
      'Carry out what you agree with: `ragwarden cleanup run STRATEGY`.',
    ],
  };
}

/** Work that takes longer and longer, by so much that somebody notices. */
export function slower(pattern: KnownPattern): Recommendation | undefined {
  const [perHour, percent] = [figure(pattern, 'slope_per_hour'), figure(pattern, 'growth_rate_percent')];
  const hours = (pattern.toMs - pattern.fromMs) / 3_600_000;
  if (!isWaitedFor(pattern.resourceType) || percent < leastLonger || perHour * hours < noticedMs) return undefined;
  const unit = word(pattern, 'unit');
  const isOfModels = pattern.resourceType === 'llm_latency';
  return {
    ...about(pattern),
    ...{ rule: 'slower', priority: 'medium', effort: 'medium', optimizationType: 'caching' },
    title: `${pattern.key} is ${shortly(percent)} % longer than ${sayHours(hours)} ago`,
    description: pattern.description,
    savings: {
      ...{ amount: perHour * hoursOfMonth, unit },
      basis: 'What each becomes longer by in 30 days at the present pace.',
    },
    currentState: { longer_per_day: perHour * 24, longer_percent: percent, unit },
    recommendedState: { longer_per_day: 0, unit },
    steps: [
      isOfModels
        ? 'See which models are slow or limited: `ragwarden traffic summary --by model --window 7d`.'
        : 'See which operations and models are slow: `ragwarden traffic summary --by operation --window 7d`, `--by model`.',
      'See whether answers are cached, and what the figures suggest to change of the backend: `ragwarden tune advise`.',
      'If the index grew, compare with `ragwarden target inspect`.',
    ],
  };
}

export function leaksAway(pattern: KnownPattern, { leaks }: Ground): Recommendation | undefined {
  const leak = leaks.find(({ key }) => key === pattern.key);
  if (leak === undefined) return undefined;
  const isConnection = ['database_connection', 'network_connection'].includes(leak.resourceType);
  const confirmed = leak.level === 'confirmed';
  return {
    ...about(pattern),
    ...{ rule: 'leak', effort: 'high', optimizationType: isConnection ? 'pooling' : 'cleanup' },
    priority: confirmed ? (leak.grownPercent > 100 ? 'critical' : 'high') : 'low',
    title: `${leak.measure} of ${leak.subject} ${confirmed ? 'leaks' : 'may leak'}`,
    description: leak.description,
    savings: {
      amount: leak.perHour * leak.hours,
      unit: leak.unit,
      basis: 'What it grew by since it began, which a restart gives back.',
    },
    currentState: { level: leak.level, growth_per_hour: leak.perHour, grown_percent: leak.grownPercent },
    recommendedState: { growth_per_hour: 0 },
    steps: [
      `Look at the evidence: \`ragwarden leaks evidence '${leak.subject}' ${leak.measure}\`.`,
      leak.action,
      confirmed
        ? 'Restart the process at a quiet hour until it is mended.'
        : 'Change nothing yet: a suspicion is confirmed or ends within the day, and many end.',
    ],
  };
}

/** What is high beside what is provided, or long beside what people wait for; else it costs nobody anything. */
export function spikes(pattern: KnownPattern): Recommendation | undefined {
  const [height, usual] = [figure(pattern, 'typical_spike'), figure(pattern, 'usual')];
  const unit = word(pattern, 'unit');
  const isShare = unit === 'percent';
  const isLong = isWaitedFor(pattern.resourceType) && unit === 'ms' && height >= Math.max(longMs, 2 * usual);
  if (!isLong && !(isShare && height >= 50)) return undefined;
  const next = word(pattern, 'next_expected');
  return {
    ...about(pattern),
    ...{ rule: 'spikes', effort: 'low', optimizationType: 'scheduling' },
    priority: isShare && height >= 90 ? 'high' : isShare && height >= 75 ? 'medium' : 'low',
    title: `${pattern.key} spikes ${word(pattern, 'period')}`,
    description: pattern.description,
    savings: {
      ...{ amount: height - usual, unit },
      basis: isShare
        ? 'The height of a typical spike above what is usual, for which one must provide.'
        : 'By how much longer it takes in a typical spike than usual.',
    },
    currentState: {
      ...{ typical_spike: height, usual, unit },
      ...{ period_seconds: figure(pattern, 'period_seconds'), next_expected: next },
    },
    recommendedState: { typical_spike: usual, how: 'the work behind it at another time, or spread' },
    steps: [
      `See what begins then: \`ragwarden jobs\`, \`ragwarden backup schedule\`, \`ragwarden cleanup tasks\`; the next one is due about ${next}.`,
      'See which requests come then: `ragwarden traffic summary --by operation`.',
      'If it is the backup, move it: `ragwarden settings set backup.frequency_seconds=N`; if it is a job of yours, spread it with a random delay.',
    ],
  };
}

/** Only where somebody can do something about what leads, and what follows is long enough to be noticed. */
export function follows(pattern: KnownPattern, { profiles }: Ground): Recommendation | undefined {
  const [leader, leaderType] = [word(pattern, 'leader'), word(pattern, 'leader_type')];
  if (!isWaitedFor(pattern.resourceType) || figure(pattern, 'rank_correlation') < 0) return undefined;
  const follower = profiles.find(({ series }) => series.key === pattern.key);
  if (follower === undefined || follower.p95 < noticedMs) return undefined;
  const way =
    leaderType === 'inserts'
      ? ({ type: 'scheduling', title: `${pattern.key} rises with inserts` } as const)
      : leaderType === 'llm_latency' || leaderType.startsWith('llm_')
        ? ({ type: 'caching', title: `${pattern.key} rises with calls of models` } as const)
        : leaderType === 'memory' || leaderType === 'cpu'
          ? ({ type: 'architecture', title: `${pattern.key} rises with ${leader}` } as const)
          : undefined;
  if (!way) return undefined;
  const steps = {
    scheduling: [
      'Compare both: `ragwarden traffic summary --by operation`.',
      'Insert in bulk at quiet hours, or hold inserts to a pace: `ragwarden quota set insert-pace --counts documents --period minute --limit N --action queue`.',
      'See what the figures suggest of parallelism: `ragwarden tune advise`.',
    ],
    caching: [
      'See which models are slow or limited: `ragwarden traffic summary --by model`.',
      'See whether answers are cached, and what the figures suggest: `ragwarden tune advise`.',
    ],
    architecture: [
      'See what holds it: `ragwarden resources observed`, `ragwarden leaks list`.',
      'See what the backend could do with less: `ragwarden tune advise`.',
      'Otherwise give the backend more of it, or a machine of its own.',
    ],
  }[way.type];
  return {
    ...about(pattern),
    ...{ rule: `follows ${leader}`, priority: 'medium', effort: way.type === 'architecture' ? 'high' : 'medium' },
    optimizationType: way.type,
    title: way.title,
    description: pattern.description,
    savings: {
      ...{ amount: null, unit: 'ms' },
      basis: 'Not known: that they move together does not say by how much less of the one shortens the other.',
    },
    currentState: {
      rank_correlation: figure(pattern, 'rank_correlation'),
      lag_seconds: figure(pattern, 'lag_seconds'),
      ...{ average: follower.average, p95: follower.p95, unit: 'ms' },
    },
    recommendedState: { rank_correlation: 'none that is told' },
    steps,
  };
}
