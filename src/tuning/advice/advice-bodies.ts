import { z } from 'zod';
import { isoInstant } from '../../platform/clock.ts';
import type { FoundValue } from '../found-values.ts';
import { tuningClasses } from '../parameter.ts';
import { valueSchema } from '../tuning-bodies.ts';
import type { Advice, Proposal } from './advise.ts';

const proposalSchema = z.object({
  graph_id: z.string(),
  rule: z.string().describe('Which rule of the tuning guide.'),
  class: z.enum(tuningClasses).describe('The dearest of what changes.'),
  changes: z.array(z.object({ parameter: z.string(), from: valueSchema, to: valueSchema })),
  already_set: z
    .boolean()
    .describe('Somebody set it here, and the backend does not run with it yet: it waits to be applied.'),
  because: z.string(),
  evidence: z.array(
    z.object({
      what: z.string(),
      value: z.union([z.number(), z.boolean(), z.string()]),
      unit: z.enum(['ms', 'share', 'bytes', 'count']).nullable(),
    }),
  ),
  effect: z.string(),
  withdrawn_when: z.string(),
});
export type AdviceProposalBody = z.infer<typeof proposalSchema>;

export const adviceSchema = z.object({
  items: z.array(proposalSchema).describe('What costs nothing first.'),
  next_cursor: z.null(),
  backends: z.array(
    z.object({
      graph_id: z.string(),
      from: z.string().describe('From when on traffic is counted: what passed earlier is forgotten.'),
      to: z.string(),
      fine: z.array(z.string()).describe('Rules that had all they need and propose nothing.'),
      unknown: z.array(z.object({ rule: z.string(), missing: z.array(z.string()) })),
    }),
  ),
});
export type AdviceBody = z.infer<typeof adviceSchema>;

/** Whether somebody set this value for this backend. */
export type IsSet = (graphId: string, parameter: string, value: RunningValueBody['wanted']) => boolean;

const shapeProposal = (
  { graphId, withdrawnWhen, changes, evidence, ...one }: Proposal,
  isSet: IsSet,
): AdviceProposalBody => ({
  graph_id: graphId,
  ...one,
  changes: changes.map((change) => ({ ...change })),
  already_set: changes.every(({ parameter, to }) => isSet(graphId, parameter, to)),
  evidence: evidence.map((line) => ({ ...line })),
  withdrawn_when: withdrawnWhen,
});

export const shapeAdvice = (all: readonly Advice[], isSet: IsSet): AdviceBody => ({
  items: all.flatMap(({ proposals }) => proposals.map((one) => shapeProposal(one, isSet))),
  next_cursor: null,
  backends: all.map(({ graphId, fromMs, toMs, fine, unknown }) => ({
    graph_id: graphId,
    from: isoInstant(fromMs),
    to: isoInstant(toMs),
    fine: [...fine],
    unknown: unknown.map(({ rule, missing }) => ({ rule, missing: [...missing] })),
  })),
});

export const runningSchema = z.object({
  graph_id: z.string(),
  parameter: z.string(),
  backend_name: z.string().nullable(),
  value: valueSchema.nullable().describe('Null: it cannot be seen from here.'),
  found_in: z
    .enum(['backend', 'environment-file', 'settings-file', 'index', 'backend-default'])
    .nullable()
    .describe('`backend-default`: its file is visible and does not name it.'),
  wanted: valueSchema.nullable().describe('What somebody set here; null: nobody did.'),
});
export type RunningValueBody = z.infer<typeof runningSchema>;

export const shapeRunning = (
  graphId: string,
  { parameter, value, in: where }: FoundValue,
  wanted: RunningValueBody['wanted'],
): RunningValueBody => ({
  graph_id: graphId,
  parameter: parameter.name,
  backend_name: parameter.backendName,
  value,
  found_in: where,
  wanted,
});
