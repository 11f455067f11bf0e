import type { KnownPattern } from './known-pattern.ts';
import { about, figure, type Ground, type Machine, type Recommendation, word } from './recommendation.ts';
import { sayAmount, shortly } from './say.ts';

/** What is provided beyond the peaks that were seen. */
const headroom = 1.5;
/** Hardly less than there is would be a recommendation of nothing. */
const worthIt = 0.9;
const hourMs = 3_600_000;
/** A machine is told to be too large after a whole week, less a little that may be missing: working days are not like others. */
const leastOfMachineMs = 160 * hourMs;
/** What the backend and a restore beside it want in any case. */
const leastCores = 2;
const leastMemoryBytes = 4 * 2 ** 30;
const gib = 2 ** 30;

export function spare(pattern: KnownPattern, { machine }: Ground): Recommendation | undefined {
  const [capacity, p95, peak] = [
    figure(pattern, 'capacity'),
    figure(pattern, 'p95_usage'),
    figure(pattern, 'peak_usage'),
  ];
  const wanted = Math.min(capacity, Math.max(peak, headroom * p95));
  // What nobody uses at all tells nothing of what they would use.
  if (p95 <= 0 || wanted > worthIt * capacity) return undefined;
  const common = {
    ...about(pattern),
    ...({ rule: 'spare', priority: 'low' } as const),
    title: `${pattern.key} is used to ${shortly(100 * figure(pattern, 'utilization_ratio'))} % on average`,
    description: pattern.description,
  };
  const basis = `What is provided less the greater of the highest peak and ${headroom} times what 95 of 100 steps stay below`;
  const unit = word(pattern, 'unit');
  if (pattern.key.startsWith('quota:')) {
    const id = pattern.key.replace(/^quota:/, '');
    const limit = Math.ceil(wanted);
    return {
      ...common,
      ...{ effort: 'low', optimizationType: 'quota_adjustment' },
      savings: { amount: capacity - limit, unit, basis: `${basis}; so much less can be used up by mistake.` },
      currentState: { limit: capacity, peak, p95, unit },
      recommendedState: { limit, unit },
      steps: [
        `See how it was used: \`ragwarden quota show ${id}\`.`,
        `Try it on what passed: \`ragwarden quota replay ${id} --limit ${limit}\`.`,
        `Set it: \`ragwarden quota set ${id} --limit ${limit}\`.`,
      ],
    };
  }
  const sized =
    machine && pattern.toMs - pattern.fromMs >= leastOfMachineMs
      ? sizeOf(pattern, machine, wanted / capacity)
      : undefined;
  if (!sized || sized.enough > worthIt * sized.has) return undefined;
  return {
    ...common,
    ...{ effort: 'high', optimizationType: 'architecture' },
    savings: {
      amount: sized.has - sized.enough,
      unit: sized.unit,
      basis: `${basis}, and no less than ${sayAmount(sized.least, sized.unit)}.`,
    },
    currentState: { provided: sized.has, peak_percent: peak, p95_percent: p95, unit: sized.unit },
    recommendedState: { provided: sized.enough, unit: sized.unit },
    steps: [
      'Consider that restores, drills and bulk inserts need more than a quiet week: `ragwarden drill list`, `ragwarden analytics profiles --window 168`.',
      `Then give the machine or the container ${sayAmount(sized.enough, sized.unit)} instead of ${sayAmount(sized.has, sized.unit)}, or more work.`,
      'If it shall stay as it is, say so: `ragwarden analytics dismiss ID --reason TEXT`.',
    ],
  };
}

function sizeOf({ resourceType }: KnownPattern, machine: Machine, share: number) {
  if (resourceType === 'cpu')
    return {
      ...{ has: machine.cores, least: leastCores, unit: 'cores' },
      enough: Math.max(leastCores, Math.ceil(share * machine.cores)),
    };
  if (resourceType !== 'memory') return undefined;
  return {
    ...{ has: machine.memoryBytes, least: leastMemoryBytes, unit: 'bytes' },
    enough: Math.max(leastMemoryBytes, Math.ceil((share * machine.memoryBytes) / gib) * gib),
  };
}
