/** What a plan item says; it is shown, stored, and compared with what is there immediately before anything is done. */
export const risks = ['low', 'medium', 'high'] as const;
export type Risk = (typeof risks)[number];

/** Whether the newest verified recovery point holds it. `unknown`: nobody can tell without reading the repository. */
export type Containment = {
  readonly state: 'contained' | 'missing' | 'unknown' | 'not-data';
  /** One sentence. */
  readonly reason: string;
};

/** Answered in `app/` from the newest verified recovery point. */
export type ContainedInNewestPoint = (
  place:
    | { readonly kind: 'path'; readonly path: string; readonly changedMs: number }
    /** Rows or keys of a database of the target, the newest of which was written then. */
    | { readonly kind: 'database' | 'redis'; readonly targetId: string; readonly changedMs: number | null },
) => Promise<Containment>;

/** What of ours or of nobody is no data that a recovery point should hold. */
export const notData: Containment = { state: 'not-data', reason: 'It is no data of the backend.' };

export type Facts = Readonly<Record<string, string | number | boolean | null>>;

export type PlanItem = {
  /** Unique in its plan. */
  readonly key: string;
  /** For people: a path below its folder, a key, a session. */
  readonly what: string;
  readonly why: string;
  /** Null: nobody can tell. */
  readonly bytes: number | null;
  readonly risk: Risk;
  readonly contained: Containment;
  /** What it was when it was planned. Changed since: it is skipped, and said so. */
  readonly seen: Facts;
};

/** What was looked at and stays, with the reason; a plan shows the first hundred. */
export type KeptItem = { readonly what: string; readonly why: string };

export type Finding = {
  readonly items: readonly PlanItem[];
  readonly kept: readonly KeptItem[];
  /** False: there is more than one plan holds; the next run takes the rest. */
  readonly complete: boolean;
};

export type CleanupPlan = Finding & {
  readonly id: string;
  readonly strategy: string;
  readonly params: Facts;
  readonly undo: 'quarantine' | 'none';
  readonly createdMs: number;
  readonly requestedBy: string;
  /** The operation that carried it out; a plan is carried out once. */
  readonly runId: string | null;
};

/** Above it the oldest plans were carried out or are out of date. */
export const mostItems = 10_000;
export const mostKept = 100;
/** What was seen an hour ago says little; each item is looked at again all the same. */
export const planValidMs = 3_600_000;

/** Sum over what is known. */
export const bytesOf = (items: readonly Pick<PlanItem, 'bytes'>[]): number =>
  items.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);

export type Budget = {
  /** Items at most; null: as many as the plan has. */
  readonly items: number | null;
  readonly bytes: number | null;
  /** No item is begun later than this after the first. */
  readonly seconds: number | null;
  /** Bytes a second, over the whole run: a rest after each batch keeps to it. */
  readonly bytesPerSecond: number | null;
};
export const noBudget: Budget = { items: null, bytes: null, seconds: null, bytesPerSecond: null };

/** How many of the next items still fit, in order; an item whose size nobody knows counts as nothing. */
export function decideBatch(
  next: readonly Pick<PlanItem, 'bytes'>[],
  batchSize: number,
  budget: Budget,
  spent: { readonly items: number; readonly bytes: number; readonly ms: number },
): number {
  if (budget.seconds !== null && spent.ms >= budget.seconds * 1_000) return 0;
  let room = Math.min(next.length, batchSize, (budget.items ?? Number.MAX_SAFE_INTEGER) - spent.items);
  if (budget.bytes === null) return Math.max(0, room);
  let bytes = spent.bytes;
  for (let at = 0; at < room; at += 1) {
    bytes += next[at]?.bytes ?? 0;
    if (bytes > budget.bytes) room = at;
  }
  return Math.max(0, room);
}
