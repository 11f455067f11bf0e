import { z } from 'zod';
import { abilities, type CheckResult, healthWords } from './health-check.ts';

/** A figure that is none (a share of nothing) is not known. */
const fact = z.preprocess(
  (value) => (typeof value === 'number' && !Number.isFinite(value) ? null : value),
  z.union([z.number(), z.string().max(2_000), z.boolean(), z.null()]),
);
const facts = z.record(z.string(), fact);

const look = z.object({
  status: z.enum(healthWords),
  message: z.string().transform((text) => text.slice(0, 2_000)),
  observedValue: z.union([z.number(), z.string()]).exactOptional(),
  observedUnit: z.string().exactOptional(),
  details: facts.exactOptional(),
  checks: z.record(z.string(), facts).exactOptional(),
  metrics: z.record(z.string(), facts).exactOptional(),
  blocks: z.array(z.enum(abilities)).exactOptional(),
});

/** What a check gave back, which may be anything: programs of others stand behind it. */
export function readLook(found: unknown, atMs: number): CheckResult {
  const parsed = look.safeParse(found);
  if (parsed.success) return { ...parsed.data, atMs };
  return { status: 'unknown', message: 'What the check gave back makes no sense.', atMs };
}
