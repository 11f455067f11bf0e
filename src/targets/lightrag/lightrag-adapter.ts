import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { describeError, isAppError } from '../../platform/errors.ts';
import type { HttpRequester, HttpResponse } from '../../platform/http-client.ts';
import {
  type DocumentCounts,
  type Fault,
  type Observation,
  type Pipeline,
  unreachableObservation,
} from '../observation.ts';
import type { Endpoint } from '../target.ts';

/** Every field is optional: forks and versions differ, and nothing may be assumed. */
const healthBody = z.looseObject({
  status: z.string().optional(),
  core_version: z.string().optional(),
  api_version: z.string().optional(),
  auth_mode: z.string().optional(),
  pipeline_busy: z.boolean().optional(),
  pipeline_active: z.boolean().optional(),
  working_directory: z.string().optional(),
  input_directory: z.string().optional(),
  configuration: z
    .looseObject({
      kv_storage: z.string().optional(),
      doc_status_storage: z.string().optional(),
      graph_storage: z.string().optional(),
      vector_storage: z.string().optional(),
      embedding_model: z.string().nullish(),
      workspace: z.string().nullish(),
    })
    .optional(),
});
const countsBody = z.object({ status_counts: z.record(z.string(), z.number()) });
const pipelineBody = z.looseObject({
  busy: z.boolean().optional(),
  job_name: z.string().nullish(),
  latest_message: z.string().nullish(),
  recovery_required: z.boolean().nullish(),
  update_status: z.record(z.string(), z.array(z.boolean())).optional(),
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

const maxAnswerBytes = 8 * 1024 * 1024;

export type LightragAdapter = {
  /** Looks once; never throws, what went wrong stands in the observation. */
  probe(signal?: AbortSignal): Promise<Observation>;
  /** Does anything accept a connection and answer there? */
  answers(signal?: AbortSignal): Promise<boolean>;
};

/** Reads a LightRAG server over its own HTTP API, 1.4 and 1.5 shapes, with API key or login. */
export function createLightragAdapter(options: {
  endpoint: Endpoint;
  http: HttpRequester;
  clock: Clock;
  timeoutMs: number;
}): LightragAdapter {
  const { endpoint, http, clock, timeoutMs } = options;
  let bearer: string | undefined;

  const send = (
    path: string,
    init: { method?: 'GET' | 'POST'; headers?: Record<string, string>; body?: string; signal?: AbortSignal } = {},
  ): Promise<HttpResponse> =>
    http.request({
      url: `${endpoint.url}${path}`,
      method: init.method ?? 'GET',
      headers: { accept: 'application/json', ...init.headers },
      timeoutMs,
      maxBytes: maxAnswerBytes,
      ...(init.body === undefined ? {} : { body: init.body }),
      ...(init.signal === undefined ? {} : { signal: init.signal }),
    });

  const credentials = (): Record<string, string> => ({
    ...(endpoint.apiKey === undefined ? {} : { 'x-api-key': endpoint.apiKey }),
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
  });

  const login = async (signal?: AbortSignal): Promise<void> => {
    if (endpoint.username === undefined || endpoint.password === undefined) return;
    const form = new URLSearchParams({ username: endpoint.username, password: endpoint.password });
    const response = await send('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      ...(signal ? { signal } : {}),
    });
    const token = z
      .object({ access_token: z.string() })
      .safeParse(response.status === 200 ? parseJson(response) : null);
    if (token.success) bearer = token.data.access_token;
  };

  const get = async (path: string, signal?: AbortSignal): Promise<HttpResponse> => {
    if (endpoint.username !== undefined && bearer === undefined) await login(signal);
    let response = await send(path, { headers: credentials(), ...(signal ? { signal } : {}) });
    if (response.status === 401 && endpoint.username !== undefined) {
      bearer = undefined;
      await login(signal);
      response = await send(path, { headers: credentials(), ...(signal ? { signal } : {}) });
    }
    const renewed = response.headers['x-new-token'];
    if (typeof renewed === 'string' && bearer !== undefined) bearer = renewed;
    return response;
  };

  const read = async <T>(
    path: string,
    what: string,
    schema: z.ZodType<T>,
    faults: Fault[],
    signal?: AbortSignal,
  ): Promise<T | undefined> => {
    try {
      const response = await get(path, signal);
      if (response.status === 401 || response.status === 403)
        faults.push({
          kind: 'unauthorised',
          message: `${what} cannot be read: the backend wants an API key or a login.`,
        });
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
      const startedAt = clock.monotonic();
      let response: HttpResponse;
      try {
        response = await get('/health', signal);
      } catch (err) {
        const timedOut = isAppError(err) && err.code === 'outgoing/timeout';
        return unreachableObservation(atMs, {
          kind: timedOut ? 'timeout' : 'unreachable',
          message: timedOut
            ? `No answer within ${Math.round(timeoutMs / 1000)} s.`
            : `The backend does not answer at ${endpoint.url}: ${describeError(err)}`,
        });
      }
      const latencyMs = clock.monotonic() - startedAt;
      const faults: Fault[] = [];
      const health = healthBody.safeParse(parseJson(response));
      const body = health.success ? health.data : undefined;
      const isLightrag = body !== undefined && (body.core_version !== undefined || body.pipeline_busy !== undefined);
      if (response.status >= 500)
        faults.push({ kind: 'server-error', message: `The health call answers ${response.status}.` });
      else if (response.status === 401 || response.status === 403)
        faults.push({ kind: 'unauthorised', message: 'The health call wants an API key or a login.' });
      else if (!isLightrag)
        faults.push({
          kind: 'not-understood',
          message: `The health call answers ${response.status} with something that LightRAG does not say.`,
        });

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
        kind: isLightrag ? 'lightrag' : 'unknown',
        coreVersion: body?.core_version,
        apiVersion: body?.api_version,
        authMode: body?.auth_mode,
        pipelineBusy: body?.pipeline_busy,
        pipelineActive: body?.pipeline_active,
        documents: counts,
        pipeline,
        workingDirectory: body?.working_directory,
        inputDirectory: body?.input_directory,
        embeddingModel: storage?.embedding_model ?? undefined,
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
    async answers(signal) {
      try {
        await send('/health', signal ? { signal } : {});
        return true;
      } catch (err) {
        // Late is alive: whoever accepts the connection may still write its files.
        return isAppError(err) && err.code === 'outgoing/timeout';
      }
    },
  };
}

function shapePipeline(body: z.infer<typeof pipelineBody>): Pipeline {
  const flags = body.update_status === undefined ? undefined : Object.entries(body.update_status);
  return {
    busy: body.busy === true,
    jobName: body.job_name ?? '',
    latestMessage: body.latest_message ?? '',
    unflushed: flags?.some(
      ([name, workers]) => flushedNamespaces.has(name.slice(name.lastIndexOf(':') + 1)) && workers.includes(true),
    ),
    recoveryRequired: body.recovery_required === true,
  };
}

function parseJson(response: HttpResponse): unknown {
  try {
    return response.json();
  } catch {
    // Not JSON: the schema that reads it says so.
    return undefined;
  }
}

/** Two calls refused for the same cause are one fault to the operator. */
function onceEach(faults: readonly Fault[]): readonly Fault[] {
  const unauthorised = faults.filter((fault) => fault.kind === 'unauthorised');
  const others = faults.filter((fault) => fault.kind !== 'unauthorised');
  const [first] = unauthorised;
  if (!first || unauthorised.length === 1) return faults;
  return [
    ...others,
    {
      kind: 'unauthorised',
      message: 'Documents and pipeline cannot be read: the backend wants an API key (LIGHTRAG_API_KEY) or a login.',
    },
  ];
}
