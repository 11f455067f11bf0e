import type { Failover, FailoverPlan, PlaceName } from '../../api/failover-wire.ts';
import { formatDuration, formatSeconds, plural } from '../../format.ts';

/** In their order, as the server goes through them. */
const phases = {
  failover: ['choosing', 'fencing', 'restoring', 'starting', 'checking', 'switching', 'verifying'],
  reseed: ['taking', 'choosing', 'restoring'],
} as const;
type Phase = (typeof phases)[keyof typeof phases][number];

const meaningOf: Readonly<Record<Phase, (from: PlaceName, to: PlaceName) => string>> = {
  taking: (from) => `a new point of ${from} is taken`,
  choosing: () => 'the newest verified point, wherever it lies',
  fencing: (from) => `${from} is stopped, and nothing answers there`,
  restoring: (_, to) => `the point is brought to ${to}, every digest compared`,
  starting: (_, to) => `the backend at ${to} is started until it is healthy`,
  checking: (_, to) => `documents are counted and the canary is asked at ${to}`,
  switching: (_, to) => `the gateway and all that looks leads to ${to}`,
  verifying: () => 'it is asked through the gateway',
};

export type Step = {
  readonly name: Phase;
  readonly means: string;
  readonly state: 'done' | 'now' | 'ahead' | 'stopped';
  /** Of the phase so far while it is `now`; undefined when it is ahead. */
  readonly seconds: number | undefined;
};

/** Every phase with how far it is; one that ended in the middle is where it stopped. */
export function stepsOf(one: Failover, nowMs: number): Step[] {
  return phases[one.kind].map((name): Step => {
    const told = one.phases.findLast((phase) => phase.name === name);
    const means = meaningOf[name](one.from, one.to);
    if (told === undefined) return { name, means, state: 'ahead', seconds: undefined };
    if (told.seconds !== null) return { name, means, state: 'done', seconds: told.seconds };
    if (one.state !== 'running') return { name, means, state: 'stopped', seconds: undefined };
    return { name, means, state: 'now', seconds: Math.max(0, (nowMs - Date.parse(told.started_at)) / 1_000) };
  });
}

/** `Phase 3 of 7: restoring`. */
export function whereItIs(one: Failover): string {
  const order: readonly string[] = phases[one.kind];
  return `Phase ${order.indexOf(one.phase) + 1} of ${order.length}: ${one.phase}`;
}

/** What is gone with the time since the point: how long, and how many documents where both are known. */
export function lostOf(plan: Pick<FailoverPlan, 'taken_at' | 'documents'>, nowMs: number): string[] {
  if (plan.taken_at === null) return [];
  const minutes = Math.max(0, Math.ceil((nowMs - Date.parse(plan.taken_at)) / 60_000));
  const { in_point: then, now } = plan.documents;
  const documents =
    then === null
      ? 'How many documents the point has is not known.'
      : now === null
        ? `The point has ${plural(then, 'document')}; how many there are now cannot be asked.`
        : now > then
          ? `${plural(now - then, 'document')} of ${now}, as they are counted now.`
          : now === then
            ? `No document by number: ${plural(now, 'document')} then and now. What was changed in them since is lost.`
            : `The point has ${plural(then, 'document')}, which are ${then - now} more than there are now: what was deleted since comes back.`;
  return [`What was written in the ${plural(minutes, 'minute')} since the point was taken.`, documents];
}

/** What somebody agrees to, in plain words. */
export function consequencesOf(plan: FailoverPlan, rtoSeconds: number | null): string[] {
  const { from, to, target_id: target } = plan;
  return [
    from.answers === null
      ? `${target} does not answer at ${from.place}. Should it come back there, it is stopped.`
      : `${target} is stopped at ${from.place}, where it is alive now. Nobody is answered until it runs at ${to.place}${rtoSeconds === null ? '' : `; the last drill restored it in ${formatSeconds(rtoSeconds)}`}.`,
    `What lies in the folders of ${to.place} is put aside, and the point takes its place.`,
    `The gateway leads to ${to.place}${to.url === null ? '' : ` (${to.url})`} from then on. Whoever asks ${from.url ?? from.place} without the gateway reaches nothing.`,
    `Back to ${from.place} is another failover, after ${from.place} was filled again (reseed).`,
  ];
}

/** Where a failure can be overcome by force: the place that is left stayed alive, or the new one did not pass. */
const forcible: readonly string[] = ['fencing', 'checking', 'verifying'];

/** Force is a way out of a refusal, never a first choice. @param refusedFor what is planned was refused just now */
export const mayForce = (last: Failover | null, refusedFor: string | undefined): boolean =>
  refusedFor !== undefined || (last?.kind === 'failover' && last.state === 'failed' && forcible.includes(last.phase));

/** Time per phase in one line, for a list: `restoring 12 s · starting 3.2 s`. */
export const timesOf = (one: Pick<Failover, 'phases'>): string =>
  one.phases
    .map(({ name, seconds }) => `${name} ${seconds === null ? 'not ended' : formatSeconds(seconds)}`)
    .join(' · ');

export const wayOf = ({ from, to }: Pick<Failover, 'from' | 'to'>): string => `${from} → ${to}`;

/** How long it all took, or has been going. */
export const tookOf = (one: Failover, nowMs: number): string =>
  formatDuration(
    ((one.finished_at === null ? nowMs : Date.parse(one.finished_at)) - Date.parse(one.created_at)) / 1_000,
  );
