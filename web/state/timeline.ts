import type { Drill, Timeline, TimelineRun } from '../api/recovery-wire.ts';

/** From good to bad; a lane without a mark is not drawn. */
export const lanes = ['consistent', 'crash-consistent', 'fuzzy', 'partial', 'failed', 'drills'] as const;
export type Lane = (typeof lanes)[number];

export type TimelineMark = {
  readonly lane: Lane;
  /** Of the width, 0 to 100. */
  readonly percent: number;
  /** Of the newest of those that share the place. */
  readonly pointId: string;
  readonly atMs: number;
  readonly count: number;
  /** The word that gives shape and colour. */
  readonly word: string;
  /** Read back; a run that failed and a drill have nothing to read. */
  readonly verified: boolean;
  readonly pinned: boolean;
  /** It is history: it cannot be restored any more. */
  readonly gone: boolean;
};

/** From when to when the objective was missed. Epoch milliseconds. */
export type Gap = { readonly fromMs: number; readonly toMs: number };

/** What still runs has no lane: progress tells of it. */
export function laneOf(run: Pick<TimelineRun, 'status' | 'grade'>): Lane | undefined {
  if (run.status === 'running') return undefined;
  if (run.status === 'error' || run.status === 'lost') return 'failed';
  return run.status === 'partial' ? 'partial' : (run.grade ?? 'failed');
}

const wordOf = (run: TimelineRun, lane: Lane): string => (lane === 'failed' || lane === 'partial' ? run.status : lane);

/** At most so many places in a lane; what falls on one place is one mark. */
export const places = 48;

export function layTimeline(timeline: Timeline, drills: readonly Drill[]): TimelineMark[] {
  const span = spanOf(timeline);
  const single: TimelineMark[] = timeline.items.flatMap((run) => {
    const lane = laneOf(run);
    if (lane === undefined) return [];
    return [
      {
        lane,
        percent: percentOf(Date.parse(run.timestamp), span),
        pointId: run.backup_id,
        atMs: Date.parse(run.timestamp),
        count: 1,
        word: wordOf(run, lane),
        verified: run.verified_at !== null || lane === 'failed',
        pinned: run.pinned,
        gone: run.forgotten_at !== null || lane === 'failed',
      },
    ];
  });
  for (const drill of drills) {
    const atMs = Date.parse(drill.started_at);
    if (drill.verdict === null || drill.target_id !== timeline.target_id || atMs < span.fromMs) continue;
    const lane = { lane: 'drills', percent: percentOf(atMs, span), pointId: drill.backup_id, atMs } as const;
    single.push({ ...lane, count: 1, word: drill.verdict, verified: true, pinned: false, gone: false });
  }
  return merge(single);
}

const spanOf = (timeline: Timeline): { fromMs: number; toMs: number } => ({
  fromMs: Date.parse(timeline.from),
  toMs: Date.parse(timeline.to),
});

export const percentOf = (atMs: number, { fromMs, toMs }: { fromMs: number; toMs: number }): number =>
  Math.min(100, Math.max(0, ((atMs - fromMs) / Math.max(1, toMs - fromMs)) * 100));

/** What differs in its word never hides behind another: a drill that failed stays beside one that passed. */
function merge(single: readonly TimelineMark[]): TimelineMark[] {
  const byPlace = new Map<string, TimelineMark>();
  for (const mark of single.toSorted((a, b) => a.atMs - b.atMs)) {
    const place = Math.min(places - 1, Math.floor((mark.percent / 100) * places));
    const key = `${mark.lane} ${place} ${mark.word}`;
    const there = byPlace.get(key);
    if (there)
      byPlace.set(key, {
        ...mark,
        count: there.count + 1,
        verified: there.verified && mark.verified,
        pinned: there.pinned || mark.pinned,
        gone: there.gone && mark.gone,
        percent: ((place + 0.5) / places) * 100,
      });
    else byPlace.set(key, mark);
  }
  return [...byPlace.values()].sort((a, b) => a.atMs - b.atMs || lanes.indexOf(a.lane) - lanes.indexOf(b.lane));
}

/**
 * When there was no good point (whole, and read back) young enough for the objective. What was before the time that is shown is not
 * known: a good point may lie there, so nothing is said of what it would cover. A point that was forgotten since was there then.
 */
export function findGaps(timeline: Timeline, objectiveMs: number): Gap[] {
  const { fromMs, toMs } = spanOf(timeline);
  const whole = timeline.items.filter((run) => run.workspace === null && run.status !== 'running');
  const first = whole[0];
  if (first === undefined) return [];
  const gaps: Gap[] = [];
  let coveredMs = Math.max(Date.parse(first.timestamp), fromMs + objectiveMs);
  for (const run of whole) {
    if (run.status !== 'success' || run.verified_at === null) continue;
    const atMs = Date.parse(run.timestamp);
    if (atMs > coveredMs) gaps.push({ fromMs: coveredMs, toMs: atMs });
    coveredMs = Math.max(coveredMs, atMs + objectiveMs);
  }
  if (toMs > coveredMs) gaps.push({ fromMs: coveredMs, toMs });
  return gaps;
}
