import { z } from 'zod';
import { placeIds } from '../../config/index.ts';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import { answeredAfterMs, type Failover, failoverKinds, failoverStates } from './failover.ts';
import type { FailoverTarget } from './failover-deps.ts';
import type { FailoverPlan } from './plan-failover.ts';

const place = z.enum(placeIds);

export const failoverBody = z
  .object({
    failover_id: z.string(),
    kind: z.enum(failoverKinds).describe('`reseed`: the place that was left is filled from the new one.'),
    target_id: z.string(),
    from: place.describe('Where the target lived when it began; of a reseed where it lives.'),
    to: place,
    state: z.enum(failoverStates),
    phase: z.string().describe('Where it stands, or where it ended.'),
    outcome: z.string().nullable().describe('One sentence: where the target lives now. Null while it runs.'),
    backup_id: z.string().nullable(),
    checkpoint_id: z.string().nullable(),
    source: z.string().nullable().describe('Where the point came from: `own`, or a replication target.'),
    taken_at: z.string().nullable(),
    lost_seconds: z.number().nullable().describe('From the point to the failover: what was written then is not there.'),
    size_bytes: z.number().nullable(),
    canary: z.object({ verdict: z.string(), message: z.string().nullable() }).nullable(),
    documents: z.object({ expected: z.number().nullable(), found: z.number().nullable() }).nullable(),
    phases: z.array(
      z.object({
        name: z.string(),
        started_at: z.string(),
        seconds: z.number().nullable().describe('Null while it runs, and where it ended in it.'),
      }),
    ),
    answered_after_seconds: z.number().nullable().describe('From the request to the answer at the other place.'),
    lives: z.number().describe('How many lives of ragwarden it took.'),
    notes: z.array(z.string()),
    forced: z.boolean(),
    operation_id: z.string().nullable(),
    requested_by: z.string(),
    created_at: z.string(),
    finished_at: z.string().nullable(),
  })
  .meta({ id: 'Failover' });
export type FailoverBody = z.infer<typeof failoverBody>;

const round = (ms: number): number => Math.round(ms) / 1_000;

export function bodyOfFailover(failover: Failover): FailoverBody {
  const { facts } = failover;
  const answered = answeredAfterMs(failover);
  return {
    failover_id: failover.id,
    kind: failover.kind,
    target_id: failover.targetId,
    from: failover.from,
    to: failover.to,
    state: failover.state,
    phase: failover.phase,
    outcome: failover.outcome,
    backup_id: failover.pointId,
    checkpoint_id: failover.checkpointId,
    source: facts.source,
    taken_at: isoInstantOrNull(facts.takenMs),
    lost_seconds:
      failover.kind === 'reseed' || facts.takenMs === null
        ? null
        : round(Math.max(0, failover.createdMs - facts.takenMs)),
    size_bytes: facts.bytes,
    canary: facts.canary,
    documents: facts.documents,
    phases: facts.phases.map(({ name, startedMs, finishedMs }) => ({
      name,
      started_at: isoInstant(startedMs),
      seconds: finishedMs === null ? null : round(finishedMs - startedMs),
    })),
    answered_after_seconds: answered === undefined ? null : round(answered),
    lives: facts.lives,
    notes: [...facts.notes],
    forced: failover.forced,
    operation_id: failover.operationId,
    requested_by: failover.requestedBy,
    created_at: isoInstant(failover.createdMs),
    finished_at: isoInstantOrNull(failover.finishedMs),
  };
}

const placeBody = z.object({
  place,
  url: z.string().nullable(),
  zone: z.string().nullable(),
  active: z.boolean().describe('The target lives there.'),
  folders: z.array(z.object({ component: z.string(), path: z.string() })),
  shared: z.array(z.string()),
  start: z.string(),
  automatic: z.boolean().describe('False: somebody has to start and stop it by hand.'),
});

export const failoverStatusBody = z
  .object({
    target_id: z.string(),
    active: place,
    possible: z.boolean().describe('There is a second place.'),
    reason: z
      .string()
      .nullable()
      .describe('Why there can be none, and what to do instead; null: there is one, or may be.'),
    places: z.array(placeBody),
    running: failoverBody.nullable(),
    last: failoverBody.nullable().describe('The last one that is over, a reseed included.'),
    seeded: z
      .object({ place, backup_id: z.string(), at: z.string() })
      .nullable()
      .describe('What lies at the place that the target does not live at, since it was reseeded last.'),
    allowed: z.array(z.enum(['failover', 'reseed'])),
  })
  .meta({ id: 'FailoverStatus' });
export type FailoverStatusBody = z.infer<typeof failoverStatusBody>;

export function bodyOfStatus(
  target: FailoverTarget,
  recent: readonly Failover[],
  running: Failover | undefined,
): FailoverStatusBody {
  const places = placeIds.flatMap((id) => target.at(id) ?? []);
  const over = recent.filter(({ state }) => state !== 'running');
  const reseeded = over.find(
    ({ kind, state, to }) => kind === 'reseed' && state === 'succeeded' && to !== target.active(),
  );
  // A failover since then has made that place the one where the target lives.
  const stillThere =
    reseeded && !over.some(({ kind, createdMs }) => kind === 'failover' && createdMs > reseeded.createdMs);
  const possible = places.length > 1;
  return {
    target_id: target.targetId,
    active: target.active(),
    possible,
    reason: possible ? null : (target.whyNone ?? null),
    places: places.map(({ id, url, zone, folders, shared, lifecycle }) => ({
      ...{ place: id, url, zone, active: id === target.active() },
      folders: [...folders].map(([component, path]) => ({ component, path })),
      shared: [...shared],
      ...{ start: lifecycle.describe.start, automatic: lifecycle.automatic },
    })),
    running: running ? bodyOfFailover(running) : null,
    last: over[0] ? bodyOfFailover(over[0]) : null,
    seeded:
      reseeded && stillThere && reseeded.pointId !== null && reseeded.finishedMs !== null
        ? { place: reseeded.to, backup_id: reseeded.pointId, at: isoInstant(reseeded.finishedMs) }
        : null,
    allowed: possible && !running ? ['failover', 'reseed'] : [],
  };
}

export const failoverPlanBody = z
  .object({
    plan_id: z.string(),
    target_id: z.string(),
    from: z.object({
      place,
      url: z.string().nullable(),
      answers: z.string().nullable().describe('How it shows that it is alive; null when it does not.'),
    }),
    to: z.object({ place, url: z.string().nullable(), zone: z.string().nullable() }),
    backup_id: z.string().nullable(),
    taken_at: z.string().nullable(),
    size_bytes: z.number().nullable(),
    documents: z
      .object({ in_point: z.number().nullable(), now: z.number().nullable() })
      .describe('Processed documents of the point, and of the present place while it answers.'),
    sources: z.array(z.object({ id: z.string(), title: z.string() })),
    parts: z.array(z.object({ component: z.string(), folder: z.string(), size_bytes: z.number() })),
    left_alone: z.array(z.object({ component: z.string(), reason: z.string() })),
    steps: z.array(z.string()),
    warnings: z.array(z.string()),
    blockers: z.array(z.string()),
  })
  .meta({ id: 'FailoverPlan' });
export type FailoverPlanBody = z.infer<typeof failoverPlanBody>;

export const bodyOfPlan = (plan: FailoverPlan): FailoverPlanBody => ({
  plan_id: plan.planId,
  target_id: plan.targetId,
  from: plan.from,
  to: plan.to,
  backup_id: plan.point?.id ?? null,
  taken_at: isoInstantOrNull(plan.point?.takenMs),
  size_bytes: plan.point?.bytes ?? null,
  documents: { in_point: plan.documents.inPoint, now: plan.documents.now },
  sources: [...plan.sources],
  parts: plan.parts.map(({ component, folder, bytes }) => ({ component, folder, size_bytes: bytes })),
  left_alone: [...plan.leftAlone],
  steps: [...plan.steps],
  warnings: [...plan.warnings],
  blockers: [...plan.blockers],
});
