/** A leak as the resources slice found it, which alone judges it. */
export type LeakFact = {
  readonly key: string;
  readonly resourceType: string;
  readonly subject: string;
  readonly measure: string;
  readonly unit: string;
  readonly level: 'suspected' | 'confirmed';
  readonly confidence: number;
  readonly perHour: number;
  readonly grownPercent: number;
  readonly hours: number;
  readonly runs: number;
  readonly sinceMs: number;
  readonly seenMs: number;
  readonly description: string;
  readonly action: string;
  readonly closestHarmless: string | null;
};
