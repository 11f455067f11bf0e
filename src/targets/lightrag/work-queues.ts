import { z } from 'zod';
import type { WorkQueue } from '../observation.ts';

/** As with the rest of the answer, nothing may be assumed of a fork: a queue that does not say these is left out. */
const queue = z.looseObject({
  queue_name: z.string().max(100),
  queued: z.number().nonnegative(),
  running: z.number().nonnegative(),
  max_async: z.number().nonnegative(),
  max_queue_size: z.number().nonnegative(),
  submitted_total: z.number().nonnegative().optional().catch(undefined),
  failed_total: z.number().nonnegative().optional().catch(undefined),
  rejected_total: z.number().nonnegative().optional().catch(undefined),
});

export const queueFields = {
  llm_queue_status: z.record(z.string(), z.unknown()).optional().catch(undefined),
  embedding_queue_status: z.unknown().optional(),
  rerank_queue_status: z.unknown().optional(),
  pipeline_pending_enqueues: z.number().optional().catch(undefined),
};
type QueueFields = z.infer<z.ZodObject<typeof queueFields>>;

/** More are not of LightRAG. */
const mostQueues = 20;

/** The queues before the models, of the health call with a key; undefined when the backend does not tell. */
export function readWorkQueues(body: QueueFields): readonly WorkQueue[] | undefined {
  const roles = Object.entries(body.llm_queue_status ?? {}).slice(0, mostQueues);
  const all = [...roles, ['embedding', body.embedding_queue_status], ['rerank', body.rerank_queue_status]] as const;
  const found = all.flatMap(([name, value]): WorkQueue[] => {
    const read = queue.safeParse(value);
    if (!read.success) return [];
    const { queued, running, max_async, max_queue_size, submitted_total, failed_total, rejected_total } = read.data;
    return [
      {
        ...{ name, queued, running, mostRunning: max_async, mostQueued: max_queue_size },
        ...(submitted_total === undefined ? {} : { submitted: submitted_total }),
        ...{ failed: failed_total, rejected: rejected_total },
      },
    ];
  });
  return found.length === 0 ? undefined : found;
}
