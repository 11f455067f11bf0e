import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';

/** One workspace of a target as whoever watches it sees it. Health knows no targets: they are handed in. */
export type GraphFacts = {
  /** The target for its unnamed or only workspace, `target:workspace` for any other. */
  readonly graphId: string;
  readonly targetId: string;
  readonly workspace: string;
  readonly status: 'HEALTHY' | 'DEGRADED' | 'OFFLINE' | 'UNKNOWN';
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  readonly observedAtMs: number | undefined;
  readonly latencyMs: number | undefined;
  /** By status, in the backend's words. */
  readonly documents: Readonly<Record<string, number>> | undefined;
  readonly pipeline: { readonly busy: boolean; readonly jobName: string; readonly latestMessage: string } | undefined;
  readonly stuck:
    | {
        readonly cause: string;
        readonly sinceMs: number;
        readonly documents: number;
        readonly listed: readonly { readonly id: string; readonly status: string; readonly updatedAt: string | null }[];
      }
    | undefined;
  /** What the last inspection of its files found. */
  readonly audit:
    | {
        readonly verdict: string;
        readonly atMs: number;
        readonly counts: Readonly<Record<string, number>>;
        /** Relations that do not hold, with how many rows. */
        readonly dangling: Readonly<Record<string, number>>;
      }
    | undefined;
  readonly sizeBytes: number | undefined;
  readonly backup: { readonly newestVerifiedMs: number | undefined; readonly objectiveMet: boolean } | undefined;
};

export const graphStatusBody = z
  .object({
    graph_id: z.string(),
    target_id: z.string(),
    workspace: z.string(),
    status: z.enum(['HEALTHY', 'DEGRADED', 'OFFLINE', 'UNKNOWN']),
    timestamp: z.string(),
    reasons: z.array(z.object({ code: z.string(), message: z.string() })),
    observed_at: z.string().nullable(),
    latency_ms: z.number().nullable(),
    documents: z.record(z.string(), z.number()).nullable(),
    pipeline: z.object({ busy: z.boolean(), job_name: z.string(), latest_message: z.string() }).nullable(),
    stuck: z
      .object({
        cause: z.string(),
        since: z.string(),
        documents: z.number(),
        listed: z.array(z.object({ id: z.string(), status: z.string(), updated_at: z.string().nullable() })),
      })
      .nullable(),
    audit: z
      .object({
        verdict: z.string(),
        at: z.string(),
        counts: z.record(z.string(), z.number()),
        dangling: z.record(z.string(), z.number()),
      })
      .nullable(),
    size_bytes: z.number().nullable(),
    last_backup: z
      .object({ verified_at: z.string().nullable(), objective_met: z.boolean() })
      .nullable()
      .describe('Null where no recovery points are taken.'),
  })
  .meta({ id: 'GraphStatus' });
export type GraphStatusBody = z.infer<typeof graphStatusBody>;

export const bodyOfGraph = (graph: GraphFacts, nowMs: number): z.input<typeof graphStatusBody> => ({
  ...{ graph_id: graph.graphId, target_id: graph.targetId, workspace: graph.workspace, status: graph.status },
  timestamp: isoInstant(nowMs),
  reasons: graph.reasons.map((one) => ({ ...one })),
  observed_at: isoInstantOrNull(graph.observedAtMs),
  latency_ms: graph.latencyMs ?? null,
  documents: graph.documents === undefined ? null : { ...graph.documents },
  pipeline:
    graph.pipeline === undefined
      ? null
      : {
          busy: graph.pipeline.busy,
          ...{ job_name: graph.pipeline.jobName, latest_message: graph.pipeline.latestMessage },
        },
  stuck:
    graph.stuck === undefined
      ? null
      : {
          ...{ cause: graph.stuck.cause, since: isoInstant(graph.stuck.sinceMs), documents: graph.stuck.documents },
          listed: graph.stuck.listed.map(({ id, status, updatedAt }) => ({ id, status, updated_at: updatedAt })),
        },
  audit:
    graph.audit === undefined
      ? null
      : {
          ...{ verdict: graph.audit.verdict, at: isoInstant(graph.audit.atMs) },
          ...{ counts: { ...graph.audit.counts }, dangling: { ...graph.audit.dangling } },
        },
  size_bytes: graph.sizeBytes ?? null,
  last_backup:
    graph.backup === undefined
      ? null
      : {
          verified_at: isoInstantOrNull(graph.backup.newestVerifiedMs),
          objective_met: graph.backup.objectiveMet,
        },
});
