import { createHash } from 'node:crypto';
import { z } from 'zod';

/**
 * What a drill leaves behind for whoever has to believe it. `audit` is the head of the audit trail when the drill began, `previous`
 * the evidence of the drill before; the audit trail in turn gets an entry with the `sha256` of this document. So neither can be made
 * up or left out afterwards without the other showing it.
 */
export const evidenceSchema = z.object({
  format: z.literal('ragwarden-drill-evidence'),
  version: z.literal(1),
  drill_id: z.string(),
  kind: z.enum(['restore', 'chaos']),
  target_id: z.string(),
  warden_version: z.string(),
  tools: z.record(z.string(), z.string()),
  requested_by: z.string(),
  started_at: z.string(),
  finished_at: z.string(),
  point: z.object({
    id: z.string(),
    chosen: z.string().describe('Why this one.'),
    taken_at: z.string().nullable(),
    grade: z.string().nullable(),
    partial: z.boolean().nullable(),
    manifest_sha256: z.string().nullable(),
    core_version: z.string().nullable(),
    embedding_model: z.string().nullable(),
    embedding_dimension: z.number().nullable(),
  }),
  components: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      files: z.number(),
      bytes: z.number(),
      tree_sha256: z.string(),
      counts: z.record(z.string(), z.number()).nullable(),
      expected_counts: z.record(z.string(), z.number()).nullable(),
      facts: z.record(z.string(), z.json()),
      problems: z.array(z.string()),
      not_rehearsed: z.string().nullable(),
    }),
  ),
  phases: z.array(
    z.object({
      name: z.string(),
      component: z.string().nullable(),
      seconds: z.number(),
      times_in_restore: z.number(),
    }),
  ),
  rto: z.object({
    measured_seconds: z.number().nullable(),
    objective_seconds: z.number(),
    met: z.boolean().nullable(),
    leaves_out: z.array(z.string()),
  }),
  check_command: z.object({ exit_code: z.number().nullable(), seconds: z.number() }).nullable(),
  damages: z
    .array(
      z.object({
        what: z.string(),
        where: z.string(),
        detected: z.boolean(),
        by: z.string().nullable().describe('What the check said.'),
      }),
    )
    .nullable()
    .describe('Only of a chaos drill: what was damaged on purpose, and whether it was seen.'),
  verdict: z.enum(['passed', 'failed', 'error']),
  reasons: z.array(z.string()),
  audit: z.object({ seq: z.number(), hash: z.string() }),
  previous: z.object({ drill_id: z.string(), sha256: z.string() }).nullable(),
  sha256: z.string().describe('Of this document as JSON without this field, keys in the order they stand in.'),
});

export type Evidence = z.infer<typeof evidenceSchema>;

export const sealEvidence = (evidence: Omit<Evidence, 'sha256'>): Evidence => ({
  ...evidence,
  sha256: digestOf(evidence),
});

/** Whether the document is what was sealed. */
export function isSealIntact(evidence: Evidence): boolean {
  const { sha256, ...rest } = evidence;
  return digestOf(rest) === sha256;
}

const digestOf = (evidence: Omit<Evidence, 'sha256'>): string =>
  createHash('sha256').update(JSON.stringify(evidence)).digest('hex');
