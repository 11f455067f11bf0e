import { z } from 'zod';
import { AppError, describeError } from '../../platform/errors.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import { type Labels, metricName } from '../metric-definition.ts';
import type { QueryRequest } from '../query.ts';
import type { MetricRegistry } from '../registry.ts';
import { endpointHeaders, type StoreEndpoint } from '../store-endpoint.ts';
import { expressPromql } from './promql.ts';
import { findStoreName } from './store-names.ts';

/** A Prometheus-compatible store that answers what our own tiers have no longer. */
export type HistoryStore = {
  /** Without `/api/v1/…`. */
  readonly endpoint: StoreEndpoint;
  /** Labels that our series have there and here not. */
  readonly match: Labels;
  readonly resolutionMs: number;
};

export type StoreAnswer = {
  /** Of ours. */
  readonly name: string;
  readonly times: readonly number[];
  readonly series: readonly { readonly labels: Labels; readonly values: readonly (number | null)[] }[];
};

export type ReadBack = {
  readonly resolutionMs: number;
  /**
   * Whole windows of `stepMs`, the first beginning at or before `fromMs`.
   * @throws AppError `metrics/store-failed` when it does not answer, `request/invalid` for what a store cannot tell
   */
  query(request: QueryRequest & { readonly stepMs: number }, timeoutMs?: number): Promise<StoreAnswer>;
};

const mostBytes = 32 * 1_048_576;
const matrix = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.literal('matrix'),
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(z.tuple([z.number(), z.string()])),
      }),
    ),
  }),
});
const failure = z.object({ error: z.string() });

export function createReadBack(options: {
  store: HistoryStore;
  registry: Pick<MetricRegistry, 'families'>;
  http: HttpRequester;
}): ReadBack {
  const { store, registry, http } = options;
  const { endpoint, match, resolutionMs } = store;

  const ask = async (form: URLSearchParams, timeoutMs: number): Promise<z.infer<typeof matrix>> => {
    const { status, text, json } = await http.request({
      url: `${endpoint.url.replace(/\/$/, '')}/api/v1/query_range`,
      method: 'POST',
      headers: { ...(await endpointHeaders(endpoint)), 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      timeoutMs,
      maxBytes: mostBytes,
    });
    if (status < 200 || status >= 300) {
      const told = failure.safeParse(attempt(json));
      const said = told.success ? told.data.error : text().trim();
      throw new Error(`it answered ${status}${said === '' ? '' : `: ${said.slice(0, 300)}`}`);
    }
    const parsed = matrix.safeParse(attempt(json));
    if (!parsed.success) throw new Error('its answer is not that of a Prometheus-compatible store');
    return parsed.data;
  };

  return {
    resolutionMs,
    async query(request, timeoutMs = endpoint.timeoutMs) {
      const { aggregation, groupBy, stepMs, fromMs, toMs } = request;
      const of = findStoreName(registry, request.name);
      // It becomes part of a query, which must not say anything else.
      if (!metricName.test(of.exposed))
        throw new AppError('request/invalid', `${JSON.stringify(of.exposed)} is no name of a metric.`, {
          violations: [{ at: 'name', message: 'is no name of a metric' }],
        });
      const expression = expressPromql(of, {
        aggregation,
        groupBy,
        stepMs,
        resolutionMs,
        // What is ours there is not for the caller to say: a store may hold what others keep from them.
        match: { ...request.match, ...match },
      });
      if ('unsupported' in expression)
        throw new AppError('request/invalid', `${of.name}: ${expression.unsupported}.`, {
          violations: [{ at: 'aggregation', message: expression.unsupported }],
        });
      const originMs = Math.floor(fromMs / stepMs) * stepMs;
      const windows = Math.floor((toMs - originMs) / stepMs) + 1;
      // A range of a store leaves out its begin and holds its end; windows of ours are the other way round.
      const firstEndMs = originMs + stepMs - 1;
      const form = new URLSearchParams({
        query: expression.promql,
        start: String(firstEndMs / 1_000),
        end: String((firstEndMs + (windows - 1) * stepMs) / 1_000),
        step: String(stepMs / 1_000),
        timeout: `${Math.ceil(timeoutMs / 1_000)}s`,
      });
      const { data } = await ask(form, timeoutMs).catch((cause: unknown) => {
        throw new AppError('metrics/store-failed', `${new URL(endpoint.url).origin}: ${describeError(cause)}`, {
          cause,
        });
      });
      const scale = of.kind === 'distribution' && counts.has(aggregation) ? 1 : of.scale;
      return {
        name: of.name,
        times: Array.from({ length: windows }, (_, i) => originMs + i * stepMs),
        series: data.result.map(({ metric, values }) => {
          const read = new Array<number | null>(windows).fill(null);
          for (const [atSeconds, text] of values) {
            const value = Number(text) / scale;
            const index = Math.round((atSeconds * 1_000 - firstEndMs) / stepMs);
            // Nothing was counted there, which is a gap with us too.
            const nothing =
              of.kind === 'distribution' && value === 0 && (aggregation === 'sum' || counts.has(aggregation));
            if (Number.isFinite(value) && !nothing && index >= 0 && index < windows) read[index] = value;
          }
          return { labels: withoutHidden(metric, match), values: read };
        }),
      };
    },
  };
}

/** Of a distribution these are numbers of values, which have no unit. */
const counts: ReadonlySet<string> = new Set(['count', 'increase', 'rate']);

function withoutHidden(metric: Labels, match: Labels): Labels {
  return Object.fromEntries(
    Object.entries(metric).filter(([name]) => name !== '__name__' && match[name] === undefined),
  );
}

function attempt(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined;
  }
}
