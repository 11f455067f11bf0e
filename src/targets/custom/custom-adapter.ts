import type { CustomHealth } from '../../config/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { describeError, isAppError } from '../../platform/errors.ts';
import type { HttpRequester, HttpResponse } from '../../platform/http-client.ts';
import type { TargetAdapter } from '../adapter.ts';
import { isSomebodyThere } from '../answering.ts';
import { type Fault, nothingObserved, type TargetFact, unreachableObservation } from '../observation.ts';

const maxAnswerBytes = 1024 * 1024;
/** What a backend writes into a field is shown to people, and not a whole page of it. */
const shownLength = 100;

/** Looks at a backend of one's own: one call, and what of its answer counts as well stands in the settings. */
export function createCustomAdapter(options: {
  health: CustomHealth;
  /** Sent as `X-API-Key`. */
  apiKey: string | undefined;
  http: HttpRequester;
  clock: Clock;
  /** Read at each call. */
  timeoutMs: number;
}): TargetAdapter {
  const { health, http, clock, apiKey } = options;
  const ask = (signal?: AbortSignal): Promise<HttpResponse> =>
    http.request({
      url: health.url,
      headers: { accept: 'application/json, */*;q=0.5', ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }) },
      timeoutMs: options.timeoutMs,
      maxBytes: maxAnswerBytes,
      ...(signal ? { signal } : {}),
    });

  return {
    async probe(signal) {
      const atMs = clock.now();
      const startedAt = clock.monotonic();
      let answer: HttpResponse;
      try {
        answer = await ask(signal);
      } catch (err) {
        const timedOut = isAppError(err) && err.code === 'outgoing/timeout';
        return unreachableObservation(atMs, {
          kind: timedOut ? 'timeout' : 'unreachable',
          message: timedOut
            ? `The backend does not answer at ${health.url} within ${options.timeoutMs / 1000} s.`
            : `The backend does not answer: ${describeError(err)}`,
        });
      }
      const { faults, facts, version, busy } = judgeHealth(health, answer);
      return {
        ...nothingObserved(atMs),
        reachable: true,
        latencyMs: clock.monotonic() - startedAt,
        kind: 'custom',
        coreVersion: version,
        pipelineBusy: busy,
        facts,
        faults,
      };
    },
    answers: (signal) => isSomebodyThere(() => ask(signal)),
  };
}

/** What one answer says, by the rules of the settings. */
export function judgeHealth(
  health: CustomHealth,
  answer: Pick<HttpResponse, 'status' | 'json'>,
): { faults: readonly Fault[]; facts: readonly TargetFact[]; version: string | undefined; busy: boolean | undefined } {
  const { status } = answer;
  const isGood = health.statuses === undefined ? status >= 200 && status < 300 : health.statuses.includes(status);
  const facts: TargetFact[] = [{ name: 'health_status', value: status }];
  if (!isGood) return { faults: [describeStatus(health, status)], facts, version: undefined, busy: undefined };
  const body = (health.field ?? health.versionField ?? health.busyField) ? bodyOf(answer) : undefined;
  const version = fieldOf(body, health.versionField);
  const busy = fieldOf(body, health.busyField);
  const rest = {
    version: version === undefined ? undefined : String(version).slice(0, shownLength),
    busy: typeof busy === 'boolean' ? busy : undefined,
  };
  if (health.field === undefined) return { faults: [], facts, ...rest };
  const said = fieldOf(body, health.field);
  if (said === undefined)
    return {
      faults: [{ kind: 'not-understood', message: `The health call answers without the field ${health.field}.` }],
      facts,
      ...rest,
    };
  const shown = typeof said === 'string' ? said.slice(0, shownLength) : said;
  facts.push({ name: 'health_says', value: shown });
  if (health.healthy.includes(said)) return { faults: [], facts, ...rest };
  const kind = health.degraded.includes(said) ? 'says-degraded' : 'says-unhealthy';
  return { faults: [{ kind, message: `The backend says of itself: ${health.field} is ${shown}.` }], facts, ...rest };
}

function describeStatus({ statuses }: CustomHealth, status: number): Fault {
  if (status >= 500) return { kind: 'server-error', message: `The health call answers ${status}.` };
  if (status === 401 || status === 403)
    return {
      kind: 'unauthorised',
      message: `The health call answers ${status}: it wants a key (LIGHTRAG_API_KEY is sent as X-API-Key).`,
    };
  return {
    kind: 'says-unhealthy',
    message: `The health call answers ${status}; all is well with ${statuses === undefined ? '200 to 299' : statuses.join(', ')}.`,
  };
}

function bodyOf(answer: Pick<HttpResponse, 'json'>): unknown {
  try {
    return answer.json();
  } catch {
    return undefined;
  }
}

/** A plain value at the end of a path of names; undefined for anything else. */
function fieldOf(body: unknown, path: string | undefined): string | number | boolean | undefined {
  if (path === undefined) return undefined;
  let value: unknown = body;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name]; // asked for just above
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}
