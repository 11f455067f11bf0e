import type { Observation } from '../../targets/index.ts';
import type { AdviceFacts, QueueFacts, ReplyFacts } from './facts.ts';

/** One look is kept for so long, so often at most: some hundred kilobytes for a backend, however often it is probed. */
const keptMs = 6 * 3_600_000;
const apartMs = 30_000;
const most = keptMs / apartMs;

type Look = {
  readonly atMs: number;
  readonly latencyMs: number | undefined;
  readonly busy: boolean | undefined;
  readonly queues: Observation['queues'];
};

export type LookSamples = {
  note(seen: Observation): void;
  queues(): readonly QueueFacts[] | undefined;
  replies(): AdviceFacts['replies'];
  /** How often the backend handed something to a queue since the look before `sinceMs`; undefined when it does not tell or was restarted. */
  submitted(queue: string, sinceMs: number): { readonly calls: number; readonly fromMs: number } | undefined;
};

/** What the probes of one backend saw, for as long as advice looks back. In memory: after a restart advice has to wait. */
export function createLookSamples(): LookSamples {
  let looks: Look[] = [];
  return {
    note(seen) {
      if (!seen.reachable) return;
      const last = looks.at(-1);
      if (last !== undefined && seen.atMs - last.atMs < apartMs) return;
      looks.push({
        atMs: seen.atMs,
        latencyMs: seen.latencyMs,
        busy: seen.pipelineActive ?? seen.pipelineBusy,
        queues: seen.queues,
      });
      if (looks.length > most) looks = looks.slice(-most);
      while ((looks[0]?.atMs ?? seen.atMs) < seen.atMs - keptMs) looks.shift();
    },
    queues() {
      const names = looks.at(-1)?.queues?.map(({ name }) => name);
      return names?.map((name) => queueFacts(name, looks));
    },
    replies() {
      const of = (busy: boolean): ReplyFacts => {
        const times = looks.flatMap((one) => (one.busy === busy && one.latencyMs !== undefined ? [one.latencyMs] : []));
        return { samples: times.length, p95Ms: p95Of(times) };
      };
      return looks.length === 0 ? undefined : { busy: of(true), idle: of(false) };
    },
    submitted(queue, sinceMs) {
      const totals = looks.flatMap(({ atMs, queues }) => {
        const total = queues?.find(({ name }) => name === queue)?.submitted;
        return total === undefined ? [] : [{ atMs, total }];
      });
      const from = totals.findLast(({ atMs }) => atMs <= sinceMs) ?? totals[0];
      const to = totals.at(-1);
      if (from === undefined || to === undefined || from === to) return undefined;
      // It counts from its own start: one that is lower than the one before began anew.
      const between = totals.filter(({ atMs }) => atMs >= from.atMs);
      if (between.some(({ total }, at) => at > 0 && total < (between[at - 1]?.total ?? 0))) return undefined;
      return { calls: to.total - from.total, fromMs: from.atMs };
    },
  };
}

function queueFacts(name: string, looks: readonly Look[]): QueueFacts {
  const seen = looks.flatMap(({ atMs, queues }) => {
    const queue = queues?.find((one) => one.name === name);
    return queue === undefined ? [] : [{ atMs, ...queue }];
  });
  const saturated = seen.filter((one) => one.mostRunning > 0 && one.running >= one.mostRunning && one.queued > 0);
  return {
    name,
    samples: seen.length,
    fromMs: seen[0]?.atMs ?? 0,
    toMs: seen.at(-1)?.atMs ?? 0,
    mostRunning: seen.at(-1)?.mostRunning ?? 0,
    saturated: saturated.length,
    meanQueued: seen.length === 0 ? 0 : seen.reduce((sum, { queued }) => sum + queued, 0) / seen.length,
  };
}

/** Nearest rank, as everywhere. */
export function p95Of(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(0.95 * sorted.length) - 1)];
}
