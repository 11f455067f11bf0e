import { z } from 'zod';
import type { placeIds } from '../../config/index.ts';

/**
 * `failover`: the target is brought up at its other place from a verified point, and lives there afterwards.
 * `reseed`: the place that it left is filled from a new point of where it lives now, and stays stopped.
 */
export const failoverKinds = ['failover', 'reseed'] as const;
export type FailoverKind = (typeof failoverKinds)[number];

/** In their order. Each can be begun again after a kill, and finds what it had done. */
export const failoverPhases = {
  failover: ['choosing', 'fencing', 'restoring', 'starting', 'checking', 'switching', 'verifying'],
  reseed: ['taking', 'choosing', 'restoring'],
} as const satisfies Record<FailoverKind, readonly string[]>;
export type FailoverPhase = (typeof failoverPhases)[FailoverKind][number];

/**
 * `running` → `succeeded` | `partial` (it lives at the other place, and something there is not as it should be) | `failed` (it
 * lives where it did). A kill leaves `running`, and the next life goes on.
 */
export const failoverStates = ['running', 'succeeded', 'partial', 'failed'] as const;
export type FailoverState = (typeof failoverStates)[number];

const phaseTime = z.object({
  name: z.string(),
  startedMs: z.number(),
  finishedMs: z.number().nullable(),
});
export type PhaseTime = z.infer<typeof phaseTime>;

/** What is known of it beside its columns; written after every phase. */
export const failoverFacts = z.object({
  /** Where the point comes from: `own`, or a replica. */
  source: z.string().nullable().default(null),
  takenMs: z.number().nullable().default(null),
  bytes: z.number().nullable().default(null),
  /** Whether the place that is left answered when it began. */
  fromAnswered: z.boolean().nullable().default(null),
  /** Durable: from here on the target lives at the other place. */
  switchedMs: z.number().nullable().default(null),
  /** Durable: why it goes back. From here on no life goes forward any more. */
  retreating: z.string().nullable().default(null),
  canary: z.object({ verdict: z.string(), message: z.string().nullable() }).nullable().default(null),
  /** Processed documents, as the point and as the backend count them. */
  documents: z.object({ expected: z.number().nullable(), found: z.number().nullable() }).nullable().default(null),
  /** What was tried in vain, what was put aside, what could not be proved; one sentence each. */
  notes: z.array(z.string()).default([]),
  /** How many lives of the process it took. */
  lives: z.number().default(1),
  phases: z.array(phaseTime).default([]),
});
export type FailoverFacts = z.infer<typeof failoverFacts>;
export const noFacts: FailoverFacts = failoverFacts.parse({});

export type PlaceName = (typeof placeIds)[number];

export type Failover = {
  readonly id: string;
  readonly kind: FailoverKind;
  readonly targetId: string;
  readonly from: PlaceName;
  readonly to: PlaceName;
  readonly state: FailoverState;
  /** Where it goes on after a kill. */
  readonly phase: FailoverPhase;
  /** Named by whoever asked, or chosen; null until then. */
  readonly pointId: string | null;
  readonly checkpointId: string | null;
  /** The operation of its present or last life. */
  readonly operationId: string | null;
  /** One sentence: where the target lives now, and what is there. Null while it runs. */
  readonly outcome: string | null;
  /** It goes on although the place that is left still answers, or the canary at the other one fails. */
  readonly forced: boolean;
  readonly requestedBy: string;
  readonly createdMs: number;
  readonly finishedMs: number | null;
  readonly facts: FailoverFacts;
};

/** The other of the two. */
export const otherPlace = (place: PlaceName): PlaceName => (place === 'home' ? 'standby' : 'home');

/** From the request to the answer of the other place through the gateway; undefined while it has none. */
export function answeredAfterMs(failover: Pick<Failover, 'kind' | 'createdMs' | 'facts'>): number | undefined {
  if (failover.kind !== 'failover') return undefined;
  const end = failover.facts.phases.find(({ name }) => name === 'verifying')?.finishedMs;
  return end == null ? undefined : end - failover.createdMs;
}

export function beginPhase(facts: FailoverFacts, name: FailoverPhase, nowMs: number): FailoverFacts {
  // Begun again after a kill: its time runs since it began first.
  if (facts.phases.some((one) => one.name === name && one.finishedMs === null)) return facts;
  const before = facts.phases.filter((one) => one.name !== name);
  return { ...facts, phases: [...before, { name, startedMs: nowMs, finishedMs: null }] };
}

export const endPhase = (facts: FailoverFacts, name: FailoverPhase, nowMs: number): FailoverFacts => ({
  ...facts,
  phases: facts.phases.map((one) =>
    one.name === name && one.finishedMs === null ? { ...one, finishedMs: nowMs } : one,
  ),
});

/** What follows; undefined after the last. */
export function nextPhase(kind: FailoverKind, phase: FailoverPhase): FailoverPhase | undefined {
  const order: readonly FailoverPhase[] = failoverPhases[kind];
  return order[order.indexOf(phase) + 1];
}

/**
 * What becomes of one that cannot go on. Before the switch everything goes back. After it the target goes back only where the place
 * that was left is known to have worked when it began: a dead one is no place to go back to.
 */
export function decideRetreat({
  kind,
  facts,
}: Pick<Failover, 'kind' | 'facts'>): 'nothing' | 'stop-other' | 'switch-back' | 'stay' {
  if (kind === 'reseed') return 'nothing';
  if (facts.switchedMs === null) return 'stop-other';
  return facts.fromAnswered === true ? 'switch-back' : 'stay';
}
