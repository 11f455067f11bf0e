import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { describeError, isAppError } from '../../platform/errors.ts';
import type { HttpRequester, HttpResponse } from '../../platform/http-client.ts';
import type { TargetAdapter } from '../adapter.ts';
import { isSomebodyThere } from '../answering.ts';
import { type DocumentCounts, type Fault, type Pipeline, unreachableObservation } from '../observation.ts';
import type { Endpoint } from '../target.ts';
import { createLightragConnection, type LightragConnection, parseJson } from './lightrag-connection.ts';
import { queueFields, readWorkQueues } from './work-queues.ts';

/** Forks and versions differ and nothing may be assumed: a field that is missing or of another kind counts as not told. */
const text = z.string().optional().catch(undefined);
const flag = z.boolean().optional().catch(undefined);
const healthBody = z.looseObject({
  core_version: text,
  api_version: text,
  auth_mode: text,
  pipeline_busy: flag,
  pipeline_active: flag,
  ...queueFields,
  working_directory: text,
  input_directory: text,
  configuration: z
    .looseObject({
      kv_storage: text,
      doc_status_storage: text,
      graph_storage: text,
      vector_storage: text,
      embedding_model: text,
    })
    .optional()
    .catch(undefined),
});
const countsBody = z.object({ status_counts: z.record(z.string(), z.number().int().nonnegative()) });
const pipelineBody = z.looseObject({
  busy: z.boolean(),
  job_name: text,
  latest_message: text,
  recovery_required: flag,
  pending_enqueues: z.number().optional().catch(undefined),
  update_status: z.record(z.string(), z.array(z.boolean())).optional().catch(undefined),
});

/** Namespaces whose flag means "in memory, not on disk yet"; of the others it means "reload needed". */
const flushedNamespaces = new Set([
  'full_docs',
  'text_chunks',
  'full_entities',
  'full_relations',
  'entity_chunks',
  'relation_chunks',
  'llm_response_cache',
  'doc_status',
]);

/** Longer texts of the backend are cut; a failure may put a whole traceback into one. Characters. */
const maxTextLength = 300;

/** Reads a LightRAG server over its own HTTP API, 1.4 and 1.5 shapes, with API key or login. */
export function createLightragAdapter(options: {
  endpoint: Endpoint;
  http: HttpRequester;
  clock: Clock;
  /** Read at each call. */
  timeoutMs: number;
  /** Shared with others who speak to the same server, so that they share one login. */
  connection?: LightragConnection;
}): TargetAdapter {
  const { endpoint, clock } = options;
  const connection = options.connection ?? createLightragConnection(options);

  const read = async <T>(
    path: string,
    what: string,
    schema: z.ZodType<T>,
    faults: Fault[],
    signal?: AbortSignal,
  ): Promise<T | undefined> => {
    try {
      const response = await connection.call(path, signal ? { signal } : {});
      if (response.status === 401 || response.status === 403)
        faults.push({ kind: 'unauthorised', message: `${what} cannot be read: ${connection.describeRefusal()}` });
      else if (response.status !== 200)
        faults.push({ kind: 'partial', message: `${what} cannot be read: the backend answers ${response.status}.` });
      else {
        const parsed = schema.safeParse(parseJson(response));
        if (parsed.success) return parsed.data;
        faults.push({ kind: 'partial', message: `${what} cannot be read: the answer is not understood.` });
      }
    } catch (err) {
      faults.push({ kind: 'partial', message: `${what} cannot be read: ${describeError(err)}` });
    }
    return undefined;
  };

  return {
    async probe(signal) {
      const atMs = clock.now();
      // A login that fails is no reason not to look; what is closed without it says so itself.
      await connection.prepare(signal).catch(() => undefined);
      const startedAt = clock.monotonic();
      let response: HttpResponse;
      try {
        response = await connection.send('/health', { withCredentials: true, ...(signal ? { signal } : {}) });
      } catch (err) {
        const timedOut = isAppError(err) && err.code === 'outgoing/timeout';
        return unreachableObservation(atMs, {
          kind: timedOut ? 'timeout' : 'unreachable',
          message: timedOut
            ? `The backend does not answer at ${endpoint.url} within ${options.timeoutMs / 1000} s.`
            : `The backend does not answer: ${describeError(err)}`,
        });
      }
      const latencyMs = clock.monotonic() - startedAt;
      const faults: Fault[] = [];
      const health = healthBody.safeParse(parseJson(response));
      const body = response.status === 200 && health.success ? health.data : undefined;
      const isLightrag = body !== undefined && (body.core_version !== undefined || body.pipeline_busy !== undefined);
      if (!isLightrag) faults.push(describeStranger(response));

      let counts: DocumentCounts | undefined;
      let pipeline: Pipeline | undefined;
      if (isLightrag) {
        const [countsRead, pipelineRead] = await Promise.all([
          read('/documents/status_counts', 'Documents by status', countsBody, faults, signal),
          read('/documents/pipeline_status', 'The pipeline', pipelineBody, faults, signal),
        ]);
        if (countsRead) {
          const { all: _sum, ...byStatus } = countsRead.status_counts;
          counts = byStatus;
        }
        if (pipelineRead) pipeline = shapePipeline(pipelineRead);
      }
      const storage = body?.configuration;
      return {
        atMs,
        reachable: true,
        latencyMs,
        kind: isLightrag ? 'lightrag' : faults[0]?.kind === 'not-understood' ? 'unknown' : undefined,
        coreVersion: body?.core_version,
        apiVersion: body?.api_version,
        authMode: body?.auth_mode,
        pipelineBusy: body?.pipeline_busy,
        pipelineActive: body?.pipeline_active,
        documents: counts,
        pipeline,
        queues: body && readWorkQueues(body),
        workingDirectory: body?.working_directory,
        inputDirectory: body?.input_directory,
        embeddingModel: storage?.embedding_model,
        configuration: storage && plainValues(storage),
        storageClasses: storage
          ? Object.fromEntries(
              (['kv_storage', 'doc_status_storage', 'graph_storage', 'vector_storage'] as const).flatMap((name) =>
                storage[name] === undefined ? [] : [[name, storage[name]]],
              ),
            )
          : undefined,
        faults: onceEach(faults),
      };
    },
    answers: (signal) => isSomebodyThere(() => connection.send('/health', signal ? { signal } : {})),
  };
}

/** What is told as one number, switch or word; nested parts are of other slices. */
const plainValues = (of: Readonly<Record<string, unknown>>): Readonly<Record<string, number | boolean | string>> =>
  Object.fromEntries(
    Object.entries(of).flatMap(([name, value]) =>
      typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string' ? [[name, value]] : [],
    ),
  );

function shapePipeline(body: z.infer<typeof pipelineBody>): Pipeline {
  const flags = body.update_status === undefined ? undefined : Object.entries(body.update_status);
  return {
    busy: body.busy,
    jobName: shorten(body.job_name ?? ''),
    latestMessage: shorten(body.latest_message ?? ''),
    unflushed: flags?.some(
      ([name, workers]) => flushedNamespaces.has(name.slice(name.lastIndexOf(':') + 1)) && workers.includes(true),
    ),
    recoveryRequired: body.recovery_required === true,
    pendingEnqueues: body.pending_enqueues,
  };
}

/** What the health call said when it did not speak as LightRAG does. */
function describeStranger({ status, headers }: HttpResponse): Fault {
  if (status >= 500) return { kind: 'server-error', message: `The health call answers ${status}.` };
  if (status === 401 || status === 403)
    return { kind: 'unauthorised', message: `The health call answers ${status}: it wants an API key or a login.` };
  if (status >= 300 && status < 400 && headers.location !== undefined)
    return {
      kind: 'not-understood',
      message: `The health call answers ${status} and points elsewhere; redirects are not followed. Set the URL of the backend itself.`,
    };
  return {
    kind: 'not-understood',
    message: `The health call answers ${status} with something that LightRAG does not say.`,
  };
}

/** The first line, cut to a bearable length. */
function shorten(words: string): string {
  const line = words.split('\n', 1)[0] ?? '';
  return line.length > maxTextLength ? `${line.slice(0, maxTextLength)}…` : line;
}

/** Two calls refused for the same cause are one fault to the operator. */
function onceEach(faults: readonly Fault[]): readonly Fault[] {
  const unauthorised = faults.filter((fault) => fault.kind === 'unauthorised');
  const [first] = unauthorised;
  if (!first || unauthorised.length === 1) return faults;
  const why = first.message.slice(first.message.indexOf(': ') + 2);
  return [
    { kind: 'unauthorised', message: `Documents and pipeline cannot be read: ${why}` },
    ...faults.filter((fault) => fault.kind !== 'unauthorised'),
  ];
}
