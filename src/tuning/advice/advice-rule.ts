import type { TuningValue } from '../parameter.ts';
import type { AdviceFacts } from './facts.ts';

export type Evidence = {
  readonly what: string;
  readonly value: number | string | boolean;
  /** `ms`, `share` (0 to 1), `bytes`, `count` …; null for a word. */
  readonly unit: 'ms' | 'share' | 'bytes' | 'count' | null;
};

export type ProposedChange = {
  readonly parameter: string;
  /** What the backend is known to run with. */
  readonly from: TuningValue;
  readonly to: TuningValue;
};

/** What one rule says of one backend. Pure: the same facts give the same words. */
export type Judgement =
  /** Measured, and nothing to be done. */
  | { readonly kind: 'fine' }
  /** What is missing to say anything, one sentence each. */
  | { readonly kind: 'unknown'; readonly missing: readonly string[] }
  | {
      readonly kind: 'proposal';
      readonly changes: readonly [ProposedChange, ...ProposedChange[]];
      readonly because: string;
      readonly evidence: readonly Evidence[];
    };

export type AdviceRule = {
  /** Stable; programs go by it. */
  readonly id: string;
  readonly backend: 'lightrag' | 'graphrag';
  /** What is looked at, and from when on something is proposed: one sentence of the guide. */
  readonly looksAt: string;
  /** What is proposed then. */
  readonly proposes: string;
  readonly effect: string;
  /** What ends the proposal. */
  readonly withdrawnWhen: string;
  readonly parameters: readonly string[];
  judge(facts: AdviceFacts): Judgement;
};

export const fine: Judgement = { kind: 'fine' };
export const unknown = (...missing: readonly string[]): Judgement => ({ kind: 'unknown', missing });

/** Sentences about what nobody could see, the same in every rule. */
export const notSeen = {
  queues: 'The queues of the backend: it tells them to an authenticated caller alone (LIGHTRAG_API_KEY).',
  queueSamples: (least: number): string => `At least ${least} looks at the queues since ragwarden started.`,
  traffic: (least: number, what: string): string => `At least ${least} ${what} through the gateway in the window.`,
  calls: (least: number, what: string): string =>
    `At least ${least} ${what} through the door of providers (gateway.providers) in the window.`,
  value: (parameter: string): string =>
    `What ${parameter} the backend runs with: neither /health nor an environment file that is visible here tells it.`,
  index: 'The files of the index: none were inspected here.',
  storages: 'Which storages the backend uses: it tells them to an authenticated caller alone.',
} as const;
