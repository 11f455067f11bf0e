import type { RagwardenClient } from './client.ts';
import { RagwardenError } from './ragwarden-error.ts';
import type { HealthWord } from './wire.ts';

/** One of the systems of document 003: its word, a sentence, and its figures; null where nothing was measured. */
export type Subsystem = { readonly status: HealthWord; readonly message: string } & Readonly<
  Record<string, string | number | null>
>;

const hourMs = 3_600_000;
/** So many violations are read at most; far beyond the last limit. */
const mostViolations = 200;

/** Above the first limit it is degraded, above the second unhealthy; the limits are the document's. */
const wordAbove = (value: number, [degraded, unhealthy]: readonly [number, number]): HealthWord =>
  value > unhealthy ? 'unhealthy' : value > degraded ? 'degraded' : 'healthy';

/** Of no runs nothing is known. */
const wordOfShare = (share: number | null): HealthWord =>
  share === null ? 'unknown' : share < 0.5 ? 'unhealthy' : share < 0.8 ? 'degraded' : 'healthy';

/**
 * The five systems of document 003 by its names, from what they tell of themselves. One that is switched off, or cannot tell, is
 * unknown: the others are told all the same, which counts most while something is wrong.
 */
export async function readSubsystems(
  { metrics, analytics, quotas, cleanup }: Pick<RagwardenClient, 'metrics' | 'analytics' | 'quotas' | 'cleanup'>,
  { nowMs, signal }: { readonly nowMs: number; readonly signal?: AbortSignal | undefined },
): Promise<Readonly<Record<string, Subsystem>>> {
  const call = signal === undefined ? {} : { signal };
  const global = metrics.global(call);
  // Quotas hold with the metrics off too.
  const checks = global.then(
    ({ quota_status: seen }) => seen?.metrics.total_checks ?? null,
    (err) => unlessRefused(err, () => null),
  );
  const reads: Readonly<Record<string, Promise<Subsystem>>> = {
    resource_manager: global.then(({ resource_summary: seen }) => {
      if (seen === null) return { status: 'unknown', message: 'There is no registry of resources.' };
      const leaks = seen.total_leaks;
      return {
        ...{ status: wordAbove(leaks, [10, 50]), message: `${leaks} of ${seen.total_resources} resources leak.` },
        ...{ resources_tracked: seen.total_resources, active_leaks: leaks },
      };
    }),
    metrics_collector: global.then(({ enhanced_metrics: seen }) => ({
      status: wordAbove(seen.active_alerts ?? 0, [5, 20]),
      message: `${seen.total_metrics} metrics are defined; ${seen.active_alerts ?? 'unknown'} alerts fire.`,
      ...{ metrics_defined: seen.total_metrics, active_alerts: seen.active_alerts },
    })),
    resource_analyzer: Promise.all([
      analytics.patterns({ limit: 1, ...call }),
      analytics.recommendations({ limit: 1, ...call }),
    ]).then(([{ total: patterns }, { total: recommendations }]) => ({
      ...{ status: 'healthy', message: `${patterns} patterns, ${recommendations} recommendations.` },
      ...{ patterns_detected: patterns, recommendations },
    })),
    quota_manager: Promise.all([checks, quotas.violations({ limit: mostViolations, ...call })]).then(
      ([total, { items }]) => {
        const recent = items.filter(({ last_time: at }) => Date.parse(at) > nowMs - hourMs).length;
        return {
          ...{ status: wordAbove(recent, [10, 50]), message: `${recent} violations in the last hour.` },
          ...{ total_checks: total, recent_violations: recent },
        };
      },
    ),
    cleanup_scheduler: cleanup.history({ limit: 1, ...call }).then(({ totals }) => ({
      status: wordOfShare(totals.success_rate),
      message: totals.success_rate === null ? 'Nothing ran yet.' : `${totals.total_failed_runs} runs failed.`,
      ...{ tasks_configured: totals.total_tasks, success_rate: totals.success_rate },
    })),
  };
  const read = Object.entries(reads).map(async ([name, one]) => [name, await one.catch(unknown)] as const);
  return Object.fromEntries(await Promise.all(read));
}

const unknown = (err: unknown): Subsystem =>
  unlessRefused(err, ({ detail }) => ({ status: 'unknown', message: detail }));

/** What the caller ended, and what is a mistake here, is no answer of ragwarden. */
function unlessRefused<T>(err: unknown, answer: (refusal: RagwardenError) => T): T {
  if (err instanceof RagwardenError) return answer(err);
  throw err;
}
