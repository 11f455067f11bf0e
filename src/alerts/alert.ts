import { createHash } from 'node:crypto';
import { type Labels, labelText } from './reading.ts';

/**
 * States of one rule and one set of labels, `inactive` being that there is none:
 *
 *     inactive ──holds──▶ pending ──held for duration──▶ firing ──over for resolve duration──▶ resolved
 *         ▲                  │ over                          │ ▲ holds again
 *         └──────────────────┘                               └─┘ (the time that it was over begins anew)
 *
 * Time is counted in evaluations that took place: a step counts for no more than twice the interval, and none backwards, so a clock that
 * jumps, or a process that was not there, neither fires nor resolves anything.
 */
export type Alert = {
  /** One episode: from pending to resolved. */
  readonly id: string;
  readonly fingerprint: string;
  readonly labels: Labels;
  readonly phase: 'pending' | 'firing';
  /** When the condition began to hold. */
  readonly sinceMs: number;
  /** When it fired; null while pending. */
  readonly firedAtMs: number | null;
  /** How long the condition was seen to hold; no longer counted once it fires. */
  readonly heldMs: number;
  /** How long it was seen to be over, while it fires; null while it holds. */
  readonly calmMs: number | null;
  /** The last that was measured; null where there was nothing to measure. */
  readonly value: number | null;
  /** The furthest from the threshold, so far. */
  readonly worst: number | null;
  /** When a value was last there; null when never. */
  readonly lastDataMs: number | null;
  /** It comes and goes, and is held until it is calm. */
  readonly flapping: boolean;
};

/** Labels that fired lately: how often says whether the next one is flapping. */
export type Remembered = { readonly fingerprint: string; readonly firings: number; readonly endedAtMs: number };

/** What is kept of a rule between two evaluations. */
export type RuleState = {
  readonly alerts: readonly Alert[];
  readonly remembered: readonly Remembered[];
  /** More label sets match than there are alerts. */
  readonly capped: boolean;
};

export const noState: RuleState = { alerts: [], remembered: [], capped: false };

/** The same labels have the same one, in whatever order. */
export function fingerprintOf(labels: Labels): string {
  const text = labelText(labels);
  if (text === '') return '-';
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Of an episode: the same rule and labels that begin at another time are another one. */
export const alertId = (rule: string, fingerprint: string, sinceMs: number): string =>
  `al_${createHash('sha256')
    .update(JSON.stringify([rule, fingerprint, sinceMs]))
    .digest('hex')
    .slice(0, 24)}`;

/** What a notification is known by, whatever its state. */
export const notificationKey = (rule: string, fingerprint: string): string => `alert:${rule}:${fingerprint}`;
