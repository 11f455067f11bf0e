import type { Forecast } from './forecast.ts';
import type { KnownPattern } from './known-pattern.ts';
import type { LeakFact } from './leak-fact.ts';
import type { Profile } from './profile.ts';

export const optimizationTypes = [
  'cleanup',
  'quota_adjustment',
  'scheduling',
  'caching',
  'pooling',
  'compression',
  'architecture',
] as const;
export type OptimizationType = (typeof optimizationTypes)[number];
export const priorities = ['low', 'medium', 'high', 'critical'] as const;
export type Priority = (typeof priorities)[number];
export const efforts = ['low', 'medium', 'high'] as const;

export type State = Readonly<Record<string, string | number | null>>;

/** What to do about a pattern, with the figures that it rests on. */
export type Recommendation = {
  /** Of the rule and of what it is about: the same cause has the same one. */
  readonly rule: string;
  readonly key: string;
  readonly resourceType: string;
  readonly isShared: boolean;
  readonly title: string;
  readonly description: string;
  readonly optimizationType: OptimizationType;
  readonly priority: Priority;
  /** `amount` null: it cannot be told in figures, and `basis` says why. */
  readonly savings: { readonly amount: number | null; readonly unit: string; readonly basis: string };
  readonly effort: (typeof efforts)[number];
  readonly currentState: State;
  readonly recommendedState: State;
  readonly steps: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  /** Ids of patterns; never empty. */
  readonly evidence: readonly string[];
};

/** What the machine has, so that a share of it can be told in what one buys; undefined: nobody knows. */
export type Machine = { readonly cores: number; readonly memoryBytes: number; readonly diskBytes: number | undefined };

/** What a rule may rest on beside its pattern. */
export type Ground = {
  /** Of the trend alone. */
  readonly trends: readonly Forecast[];
  readonly profiles: readonly Profile[];
  readonly leaks: readonly LeakFact[];
  readonly machine: Machine | undefined;
  readonly nowMs: number;
};

export const about = (pattern: KnownPattern) => ({
  key: pattern.key,
  resourceType: pattern.resourceType,
  isShared: pattern.isShared,
  evidence: [pattern.id],
  tags: { pattern: pattern.type },
});
export const figure = (pattern: KnownPattern, name: string): number => pattern.metrics[name] ?? 0;
export const word = (pattern: KnownPattern, name: string): string => String(pattern.metadata[name] ?? '');
/** What there is of a share, in bytes; undefined where it is no share of the machine, or nobody knows. */
export const bytesOf = (resourceType: string, machine: Machine | undefined): number | undefined =>
  resourceType === 'disk' ? machine?.diskBytes : resourceType === 'memory' ? machine?.memoryBytes : undefined;
export const hoursOfMonth = 720;
