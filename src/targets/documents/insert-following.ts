import type { Clock } from '../../platform/clock.ts';
import type { LightragDocuments } from '../lightrag/lightrag-documents.ts';
import { type BackendDocument, causeOf, type DocumentCause, outcomeOf } from './document.ts';

/** An insert that the backend took, and whose documents it works on now. */
export type AcceptedInsert = {
  readonly trackId: string;
  /** Of this machine's clock. */
  readonly acceptedMs: number;
  readonly subject: string | null;
};

export const insertOutcomes = ['processed', 'partly', 'failed', 'duplicate', 'no-documents', 'given-up'] as const;
/** `partly`: some of its documents are done and some failed. `given-up`: it went on for longer than it is followed. */
export type InsertOutcome = (typeof insertOutcomes)[number];

export type InsertEnd = AcceptedInsert & {
  readonly outcome: InsertOutcome;
  readonly documents: number;
  readonly causes: readonly DocumentCause[];
  /** From the first row of it to the last end, both by the backend's clock; null without an end. */
  readonly durationMs: number | null;
};

/** Rows are there before the backend answers an insert; a scan finds its files a little later. */
const noDocumentsAfterMs = 120_000;
const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
/** Questions per run, so that many inserts at once do not become many questions at once. */
const mostQuestions = 20;

/** @returns undefined while it goes on */
export function decideInsert(
  insert: AcceptedInsert,
  documents: readonly BackendDocument[],
  limits: { readonly nowMs: number; readonly longestMs: number },
): InsertEnd | undefined {
  const ageMs = limits.nowMs - insert.acceptedMs;
  const outcomes = new Set(documents.map(outcomeOf));
  const end = (outcome: InsertOutcome, ended: boolean): InsertEnd => ({
    ...insert,
    outcome,
    documents: documents.length,
    causes: [...new Set(documents.map(causeOf).filter((cause) => cause !== null))].sort(),
    durationMs: ended
      ? Math.max(...documents.map((one) => one.updatedMs)) - Math.min(...documents.map((one) => one.createdMs))
      : null,
  });
  if (documents.length === 0) return ageMs > noDocumentsAfterMs ? end('no-documents', false) : undefined;
  if (outcomes.has(undefined)) return ageMs > limits.longestMs ? end('given-up', false) : undefined;
  const [only] = outcomes;
  if (outcomes.size === 1 && only !== undefined) return end(only, true);
  return end(outcomes.has('processed') ? 'partly' : 'failed', true);
}

type Followed = { readonly insert: AcceptedInsert; pauseMs: number; dueMs: number };

export type InsertFollowing = {
  /** False: so many are followed already that this one is not. One that is followed already stays so. */
  follow(insert: AcceptedInsert): boolean;
  /** Asks for those that are due. One that cannot be asked for stays, for later. */
  run(signal: AbortSignal): Promise<void>;
  /** Milliseconds until the next is due; undefined when none is followed. */
  nextInMs(): number | undefined;
  count(): number;
};

/** Follows inserts to their end through the backend's own status, ever more slowly. */
export function createInsertFollowing(options: {
  documents: Pick<LightragDocuments, 'track'>;
  clock: Clock;
  limits(): { readonly most: number; readonly longestMs: number };
  onEnd(end: InsertEnd): void;
}): InsertFollowing {
  const { documents, clock, limits } = options;
  const followed = new Map<string, Followed>();

  return {
    follow(insert) {
      if (followed.has(insert.trackId)) return true;
      if (followed.size >= limits().most) return false;
      followed.set(insert.trackId, { insert, pauseMs: firstPauseMs, dueMs: clock.now() + firstPauseMs });
      return true;
    },
    async run(signal) {
      const due = [...followed.values()].filter((one) => one.dueMs <= clock.now()).sort((a, b) => a.dueMs - b.dueMs);
      for (const one of due.slice(0, mostQuestions)) {
        // Pushed back before it is asked for, so that a backend that does not answer is asked ever more seldom too.
        one.pauseMs = Math.min(longestPauseMs, one.pauseMs * 1.5);
        one.dueMs = clock.now() + one.pauseMs;
        const found = await documents.track(one.insert.trackId, signal);
        const end = decideInsert(one.insert, found, { nowMs: clock.now(), longestMs: limits().longestMs });
        if (end === undefined) continue;
        followed.delete(one.insert.trackId);
        options.onEnd(end);
      }
    },
    nextInMs() {
      if (followed.size === 0) return undefined;
      return Math.max(0, Math.min(...[...followed.values()].map((one) => one.dueMs)) - clock.now());
    },
    count: () => followed.size,
  };
}
