import type { z } from 'zod';
import type { Logger } from '../platform/logging.ts';
import type { Facts, Finding, PlanItem } from './plan.ts';
import type { OpenQuarantine } from './quarantine.ts';

export type Outcome =
  | { readonly done: true; readonly bytes: number }
  /** It stays: it changed since the plan, or is in use. */
  | { readonly done: false; readonly why: string }
  /** It was to go and could not. */
  | { readonly failed: string };

/** Of what was not begun because the run was told to stop: it is handed back, and the next run takes it. */
export const notItsTurn: Outcome = { done: false, why: 'the run ended before its turn' };

export type RunContext = {
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Items of a batch that are worked on at once. */
  readonly parallel: number;
  readonly nowMs: number;
  /** Shown as the phase of the operation. */
  phase(name: string): void;
};

/** One plan under way. */
export type CarryingOut = {
  /**
   * Looks at each item again, then acts; outcomes in the order of the items. An abort ends it after what is under way; what was
   * not begun is answered `notItsTurn`.
   */
  carryOut(items: readonly PlanItem[], quarantine: OpenQuarantine): Promise<readonly Outcome[]>;
  /** Whether something that was done is done indeed: what is still there afterwards, in words; undefined: nothing. */
  findLeft?(items: readonly PlanItem[]): Promise<string | undefined>;
  /** Always called, also after a failure. */
  end(): Promise<void>;
};

/** One way to clean up. What it may touch it was told when it was made; parameters choose among that and never name a path. */
export type CleanupStrategy<Params extends Facts = Facts> = {
  /** Kebab-case; public. */
  readonly name: string;
  readonly about: string;
  /** `none`: what goes is gone; `noUndo` says why. */
  readonly undo: 'quarantine' | 'none';
  readonly noUndo?: string;
  readonly params: z.ZodType<Params>;
  /** Set while it cannot work here: which setting or part is missing. */
  missing?(): string | undefined;
  /** The target that it must have for itself while it works: restores and backups wait, and it waits for them. */
  target?(params: Params): string | undefined;
  find(params: Params, context: { readonly signal: AbortSignal; readonly nowMs: number }): Promise<Finding>;
  begin(params: Params, context: RunContext): Promise<CarryingOut>;
};

/** Strategies of different parameters side by side: each parses its own before it is asked. */
// biome-ignore lint/suspicious/noExplicitAny: a method that takes its own parameters fits no common type; `params` guards each call
export type AnyStrategy = CleanupStrategy<any>;

/** Bounded; answers in the order of the items. */
export async function inParallel<Item, Answer>(
  items: readonly Item[],
  most: number,
  run: (item: Item, at: number) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next;
      next += 1;
      const item = items[at] as Item; // below the length
      answers[at] = await run(item, at);
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  return answers;
}
