import { z } from 'zod';
import { describeError, isAppError } from '../../platform/errors.ts';
import type { HttpRequester, HttpResponse } from '../../platform/http-client.ts';
import { isSomebodyThere } from '../answering.ts';
import type { Fault, TargetFact } from '../observation.ts';
import type { Endpoint } from '../target.ts';

/** What the service before a project was seen to say. */
export type ServiceSeen = {
  readonly reachable: boolean;
  readonly latencyMs: number | undefined;
  readonly speaks: boolean;
  readonly version: string | undefined;
  /** Jobs that it works on; undefined when it does not say. */
  readonly runningJobs: number | undefined;
  readonly facts: readonly TargetFact[];
  readonly faults: readonly Fault[];
};

export type GraphragService = {
  look(signal?: AbortSignal): Promise<ServiceSeen>;
  answers(signal?: AbortSignal): Promise<boolean>;
};

const maxAnswerBytes = 1024 * 1024;
/** Its versions and forks mount their health call at one or the other. */
const healthPaths = ['/api/health', '/health', '/'] as const;

const text = z.string().optional().catch(undefined);
const count = z.number().int().nonnegative().optional().catch(undefined);
const healthBody = z.looseObject({ status: z.string() });
const infoBody = z.looseObject({ name: text, version: text, provider: text });
const jobsBody = z.looseObject({ running_jobs: count, queued_jobs: count, failed_jobs: count });

const wellWords = new Set(['healthy', 'ok', 'up', 'alive']);

/** Reads graphrag-api, a service that others put before GraphRAG, over its own HTTP API. */
export function createGraphragService(options: {
  endpoint: Endpoint;
  http: HttpRequester;
  monotonic(): number;
  /** Read at each call. */
  timeoutMs: number;
}): GraphragService {
  const { endpoint, http } = options;
  const ask = (path: string, signal?: AbortSignal): Promise<HttpResponse> =>
    http.request({
      url: `${endpoint.url}${path}`,
      headers: {
        accept: 'application/json',
        ...(endpoint.apiKey === undefined ? {} : { 'x-api-key': endpoint.apiKey }),
      },
      timeoutMs: options.timeoutMs,
      maxBytes: maxAnswerBytes,
      ...(signal ? { signal } : {}),
    });
  /** What is not there, closed, or written otherwise tells nothing and is no fault: versions differ. */
  const read = async <T>(path: string, schema: z.ZodType<T>, signal?: AbortSignal): Promise<T | undefined> => {
    try {
      const answer = await ask(path, signal);
      return answer.status === 200 ? schema.safeParse(answer.json()).data : undefined;
    } catch {
      return undefined;
    }
  };

  return {
    async look(signal) {
      const startedAt = options.monotonic();
      let answer: HttpResponse | undefined;
      try {
        for (const path of healthPaths) {
          answer = await ask(path, signal);
          if (answer.status !== 404) break;
        }
      } catch (err) {
        const timedOut = isAppError(err) && err.code === 'outgoing/timeout';
        return {
          ...nothingSeen,
          faults: [
            {
              kind: timedOut ? 'timeout' : 'unreachable',
              message: timedOut
                ? `The service does not answer at ${endpoint.url} within ${options.timeoutMs / 1000} s.`
                : `The service does not answer: ${describeError(err)}`,
            },
          ],
        };
      }
      const latencyMs = options.monotonic() - startedAt;
      const { word, fault } = judge(answer);
      if (word === undefined)
        return { ...nothingSeen, reachable: true, latencyMs, faults: fault === undefined ? [] : [fault] };
      const [info, jobs] = await Promise.all([
        read('/api/info', infoBody, signal),
        read('/api/indexing/stats', jobsBody, signal),
      ]);
      return {
        reachable: true,
        latencyMs,
        speaks: true,
        version: info?.version,
        runningJobs: jobs?.running_jobs,
        facts: [
          { name: 'service_status', value: word.slice(0, 60) },
          ...(info?.provider === undefined ? [] : [{ name: 'service_provider', value: info.provider.slice(0, 60) }]),
          ...(['running_jobs', 'queued_jobs', 'failed_jobs'] as const).flatMap((name): TargetFact[] => {
            const value = jobs?.[name];
            return value === undefined ? [] : [{ name: `service_${name}`, value, unit: 'jobs' }];
          }),
        ],
        faults: fault === undefined ? [] : [fault],
      };
    },
    answers: (signal) => isSomebodyThere(() => ask(healthPaths[0], signal)),
  };
}

const nothingSeen: ServiceSeen = {
  reachable: false,
  latencyMs: undefined,
  speaks: false,
  version: undefined,
  runningJobs: undefined,
  facts: [],
  faults: [],
};

function judge(answer: HttpResponse | undefined): { readonly word?: string; readonly fault?: Fault } {
  const status = answer?.status ?? 404;
  if (status >= 500)
    return { fault: { kind: 'server-error', message: `The health call of the service answers ${status}.` } };
  if (status === 401 || status === 403)
    return {
      fault: {
        kind: 'unauthorised',
        message: `The health call of the service answers ${status}: it wants an API key (LIGHTRAG_API_KEY).`,
      },
    };
  const word = status === 200 ? healthBody.safeParse(parsed(answer)).data?.status : undefined;
  if (word === undefined)
    return {
      fault: {
        kind: 'not-understood',
        message: `The health call answers ${status} with something that a GraphRAG service does not say.`,
      },
    };
  if (wellWords.has(word.toLowerCase())) return { word };
  const kind = word.toLowerCase() === 'degraded' ? 'says-degraded' : 'says-unhealthy';
  return { word, fault: { kind, message: `The service says of itself: ${word.slice(0, 60)}.` } };
}

function parsed(answer: HttpResponse | undefined): unknown {
  try {
    return answer?.json();
  } catch {
    return undefined;
  }
}
