import type { RoutePlugin } from '../platform/http/index.ts';
import type { InspectionReport } from '../targets/index.ts';
import type { Exchange, Traffic } from '../traffic/index.ts';
import {
  type AdviceFacts,
  adviceRoutes,
  type CallFacts,
  createLookSamples,
  findValues,
  type LookSamples,
  p95Of,
  type TimedFacts,
} from '../tuning/index.ts';
import type { Ground } from './ground.ts';
import type { TuningWiring } from './tuning-wiring.ts';
import type { Watching } from './watching.ts';

export type AdviceWiring = { readonly adviceRoutes: RoutePlugin };

/** More than are remembered. */
const mostCalls = 100_000;

/** What is measured of the backend, put together for the rules of advice when somebody asks. */
export function createAdviceWiring(
  { clock }: Ground,
  watching: Pick<Watching, 'watch' | 'inspections'>,
  tuned: Pick<TuningWiring, 'tuning' | 'running'>,
  traffic: () => Traffic,
): AdviceWiring {
  const looks = createLookSamples();
  watching.watch?.onObservation((seen) => looks.note(seen));

  const facts = async (windowMs: number): Promise<AdviceFacts[]> => {
    const now = clock.now();
    return (await tuned.running()).flatMap(({ graphId, kind, running }): AdviceFacts[] => {
      if (kind === undefined) return [];
      const observation = watching.watch?.watched.observation();
      const summary = traffic().summary({ windowMs, by: 'operation', targetId: graphId });
      const fromMs = summary.countedFromMs;
      const calls = callsSince(traffic(), fromMs, graphId);
      const values = findValues(kind, running).flatMap(({ parameter, value }) =>
        value === null ? [] : [[parameter.name, value] as const],
      );
      const hasReranker = observation?.configuration?.enable_rerank;
      return [
        {
          ...{ graphId, kind },
          window: { fromMs, toMs: now },
          queries: timedFacts(summary, 'query'),
          searches: timedFacts(summary, 'search'),
          chat: callFacts(calls, ['chat', 'completion']),
          embeddings: callFacts(calls, ['embeddings']),
          rerank: callFacts(calls, ['rerank']),
          queues: looks.queues(),
          answers: answersIn(traffic(), looks, { graphId, fromMs, now }),
          replies: looks.replies(),
          index: indexFigures(watching.inspections.last(graphId)),
          storageClasses: observation?.storageClasses,
          hasReranker: typeof hasReranker === 'boolean' ? hasReranker : undefined,
          values: new Map(values),
        },
      ];
    });
  };
  return { adviceRoutes: adviceRoutes({ tuning: tuned.tuning, running: tuned.running, facts }) };
}

function timedFacts(summary: ReturnType<Traffic['summary']>, operation: string): TimedFacts | undefined {
  const row = summary.groups.find(({ key }) => key === operation)?.row;
  if (row === undefined) return undefined;
  const { done, errors, empty, durationMs } = row;
  return { count: done + errors, p95Ms: durationMs.p95 ?? undefined, empty, failed: errors };
}

/** A call whose backend is not known is that of the only one. */
const callsSince = (traffic: Traffic, fromMs: number, graphId: string): Exchange[] =>
  traffic
    .recent({ limit: mostCalls, door: 'llm' })
    .filter((one) => one.atMs >= fromMs && (one.targetId === null || one.targetId === graphId));

function callFacts(all: readonly Exchange[], kinds: readonly string[]): CallFacts | undefined {
  const calls = all.filter(({ llm }) => llm !== null && kinds.includes(llm.call));
  if (calls.length === 0) return undefined;
  const givenUp = calls.filter(({ outcome }) => outcome === 'client_gone').map(({ totalMs }) => totalMs);
  const timed = calls.flatMap(({ outcome, totalMs }) => (outcome === 'ok' ? [totalMs] : []));
  return {
    calls: calls.length,
    rateLimited: calls.filter(({ outcome }) => outcome === 'rate_limited').length,
    p95Ms: p95Of(timed),
    givenUp: givenUp.length,
    givenUpAfterMs: givenUp.toSorted((a, b) => a - b)[Math.floor((givenUp.length - 1) / 2)],
  };
}

/** Both sides of one stretch of time: it begins with the look at the queue, since that is the rarer. */
function answersIn(
  traffic: Traffic,
  looks: LookSamples,
  { graphId, fromMs, now }: { graphId: string; fromMs: number; now: number },
): AdviceFacts['answers'] {
  const submitted = looks.submitted('query', fromMs);
  if (submitted === undefined) return undefined;
  const windowMs = now - submitted.fromMs;
  const { groups } = traffic.summary({ windowMs, by: 'operation', targetId: graphId });
  const row = groups.find(({ key }) => key === 'query')?.row;
  return { queries: row === undefined ? 0 : row.done + row.errors, made: submitted.calls };
}

function indexFigures(report: InspectionReport | undefined): AdviceFacts['index'] {
  if (report === undefined) return undefined;
  const { counts } = report.audit;
  const outdated = report.staleCache.find(({ reason }) => reason === 'outdated');
  return {
    atMs: report.atMs,
    documents: counts.doc_status,
    chunks: counts.text_chunks,
    files: report.files.filter(({ bytes }) => bytes > 0).map(({ name, bytes }) => ({ name, bytes })),
    cacheRows: report.cache?.total,
    cachedAnswers: report.cache?.query,
    outdatedAnswers: report.cache === null ? undefined : (outdated?.count ?? 0),
    outdatedBytes: report.cache === null ? undefined : (outdated?.bytes ?? 0),
  };
}
