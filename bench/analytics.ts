import { analyse } from '../src/analytics/analyse.ts';
// Below the door of the slice: what is measured is what lies behind it.
import { forecastOf } from '../src/analytics/forecast.ts';
import {
  findGrowth,
  findQuickRhythm,
  findSpikesInRhythm,
  moversOf,
  relationPattern,
} from '../src/analytics/pattern.ts';
import { isProfile, profileOf } from '../src/analytics/profile.ts';
import { readSeries, type WindowOfSeries, windowOf } from '../src/analytics/read-series.ts';
import { findRelations } from '../src/analytics/relation.ts';
import type { ResourceSeries } from '../src/analytics/series.ts';
import {
  beginMs,
  createRandom,
  families,
  hourlyOf,
  lastOf,
  makeRelated,
  makeSeries,
  seriesOf,
  stepHours,
} from '../src/analytics/test-labelled.ts';
import { createMetricRegistry, createMetrics } from '../src/metrics/index.ts';
import { metricsMigrations } from '../src/migrations/index.ts';
import { systemClock } from '../src/platform/clock.ts';
import { migrate, openSqlite } from '../src/platform/database/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { temporaryFolder } from './processes.ts';
import type { Bench } from './report.ts';

const cpuMs = (since: NodeJS.CpuUsage): number => {
  const used = process.cpuUsage(since);
  return (used.user + used.system) / 1_000;
};

/** As many as are looked at together, over which chance is spread. */
const looked = 100;
const hourMs = 3_600_000;

type Told = { readonly growth: number; readonly spikes: number };

/** In steps of a quarter of an hour, as made; nothing looks at a week so closely. */
function tell(series: ResourceSeries): Told {
  const profile = profileOf(series);
  if (!isProfile(profile)) throw new Error(profile.reason);
  const growth = findGrowth(profile, looked);
  const spikes = findSpikesInRhythm(profile, looked);
  return { growth: growth ? 1 : 0, spikes: spikes ? 1 : 0 };
}

/** As a look at a week does it: in steps of an hour, with the highest value of each, and the last two days once more, more closely. */
function tellAsALook(series: ResourceSeries): Told {
  const { growth, spikes } = tell(hourlyOf(series));
  return { growth, spikes: spikes || findQuickRhythm(lastOf(series, 48), 2 * looked) ? 1 : 0 };
}

const noRates = () => ({ nothing: 0, growth: 0, spikes: 0 });

/** A rule of thumb that anybody would write first, and document 003 has: a line with R² above 0.7, three points above mean + 2 σ. */
function tellSimply({ values: given }: ResourceSeries): { growth: number; spikes: number } {
  const values = given.map((value) => value ?? 0);
  const n = values.length;
  const mean = values.reduce((sum, one) => sum + one, 0) / n;
  let [cross, square, total] = [0, 0, 0];
  for (const [i, value] of values.entries()) {
    cross += (i - (n - 1) / 2) * (value - mean);
    square += (i - (n - 1) / 2) ** 2;
    total += (value - mean) ** 2;
  }
  const sd = Math.sqrt(total / n);
  const at = values.flatMap((value, i) => (value > mean + 2 * sd ? [i] : []));
  const gaps = at.slice(1).map((one, i) => one - (at[i] as number));
  const gap = gaps.reduce((sum, one) => sum + one, 0) / Math.max(1, gaps.length);
  const spread = gaps.reduce((sum, one) => sum + (one - gap) ** 2, 0) / Math.max(1, gaps.length);
  return {
    growth: cross > 0 && total > 0 && cross ** 2 / (square * total) > 0.7 ? 1 : 0,
    spikes: at.length >= 3 && spread < gap / 2 ? 1 : 0,
  };
}

/** A store with so many gauges, and how long it takes to read and to judge all of them. */
async function lookAtStore(count: number, hours: number) {
  const clock = { ...systemClock, at: beginMs, now: () => clock.at };
  const folder = temporaryFolder();
  const db = openSqlite({ name: 'metrics', path: `${folder}/m.sqlite`, synchronous: 'NORMAL', log: silentLogger });
  await migrate(db, metricsMigrations);
  const registry = createMetricRegistry({ clock });
  const { recorder, history } = await createMetrics({ registry, db, clock, log: silentLogger, instance: 'i' });
  const gauges = Array.from({ length: count }, (_, i) =>
    recorder.gauge({ name: `thing_${i % 50}`, unit: 'bytes' }).labels({ part: String(Math.floor(i / 50)) }),
  );
  const random = createRandom(1);
  for (let minute = 0; minute < hours * 60; minute += 5) {
    for (const [i, gauge] of gauges.entries()) gauge.set(100 + i + random.normal() + Math.sin(minute / 229));
    await history.sampleOnce();
    clock.at += 300_000;
    if (minute % 30 === 0) await history.rollUpOnce();
  }
  await history.rollUpOnce();
  const breathe = async (): Promise<void> => undefined;
  let begun = process.cpuUsage();
  const window = windowOf(clock.now(), hours * hourMs, await history.beginMs());
  const readOver = (over: WindowOfSeries) =>
    readSeries({
      ...{ view: () => history.view(), definitions: recorder.definitions(), instance: 'i' },
      ...{ others: [], window: over, most: count, breathe },
    });
  const read = await readOver(window);
  const closer = await readOver(windowOf(clock.now(), Math.min(hours, 48) * hourMs, window.fromMs));
  const readMs = cpuMs(begun);
  begun = process.cpuUsage();
  const { profiles, pairs } = await analyse({
    ...{ ...read, quotaForecasts: [], leaks: [], window, breathe },
    closer: closer.series,
  });
  const judgeMs = cpuMs(begun);
  await db.close();
  return { readMs, judgeMs, series: profiles.length, pairs };
}

export const analytics: Bench = {
  name: 'analytics',
  async run(size) {
    const [each, runs, count, hours] = size === 'full' ? [100, 40, 1_000, 168] : [2, 1, 20, 24];
    const lines: (string | number)[][] = [];
    const ways = { look: tellAsALook, quarters: tell, document: tellSimply };
    const rates = { look: noRates(), quarters: noRates(), document: noRates() };
    for (const family of families) {
      const told = {
        look: { growth: 0, spikes: 0 },
        quarters: { growth: 0, spikes: 0 },
        document: { growth: 0, spikes: 0 },
      };
      for (let at = 0; at < each; at += 1) {
        const series = makeSeries(family, 900_001 + 31 * at);
        for (const [name, way] of Object.entries(ways)) {
          const [sum, found] = [told[name as keyof typeof ways], way(series)]; // a name of the same
          sum.growth += (100 * found.growth) / each;
          sum.spikes += (100 * found.spikes) / each;
        }
      }
      lines.push([family.name, family.label, ...Object.values(told).flatMap(({ growth, spikes }) => [growth, spikes])]);
      const same = families.filter(({ label }) => label === family.label).length;
      for (const [name, { growth, spikes }] of Object.entries(told)) {
        const found =
          family.label === 'nothing' ? Math.max(growth, spikes) : family.label === 'growth' ? growth : spikes;
        rates[name as keyof typeof ways][family.label] += found / same; // likewise
      }
    }
    let [hits, wrong, pairs] = [0, 0, 0];
    for (let run = 0; run < runs; run += 1) {
      const strangers = families
        .filter(({ label, name }) => label === 'nothing' && name !== 'saw')
        .flatMap((family, of) => [0, 1].map((at) => makeSeries(family, 300_001 + 41 * run + 7 * of + 1_003 * at)));
      const { series } = makeRelated(400_001 + run);
      const all = [...series, ...strangers];
      pairs += (all.length * (all.length - 1)) / 2;
      for (const relation of findRelations(moversOf(all))) {
        if (!relationPattern(relation, all)) continue;
        const both = [relation.leader, relation.follower].sort().join(' ');
        if (['inserts:t storage:t/files', 'memory query_latency:t'].includes(both)) hits += 1;
        else wrong += 1;
      }
    }
    let within = 0;
    for (let run = 0; run < 2 * each; run += 1) {
      const random = createRandom(500_001 + run);
      const perHour = random.between(0.05, 0.15);
      const noise = random.between(0.1, 1);
      const values = Array.from(
        { length: 168 / stepHours },
        (_, at) => 60 + perHour * at * stepHours + noise * random.normal(),
      );
      const { earliestMs, latestMs } = forecastOf(seriesOf(values, { capacity: 100, kind: 'stock', unit: 'percent' }));
      const trueMs = beginMs + (40 / perHour) * hourMs;
      if ((earliestMs ?? 0) <= trueMs && trueMs <= (latestMs ?? Number.POSITIVE_INFINITY)) within += 1;
    }
    const store = await lookAtStore(count, hours);
    return {
      row: 'F203–F212',
      target: 'nothing is told of what has nothing; what has something is told; a look costs little',
      method: `${each} made series of a week of each family, on seeds that nothing was tuned on, as if ${looked} were looked at together: as a look does it (steps of an hour and their highest values; the last two days more closely), in steps of 15 minutes, and as document 003 does (a line with R² above 0.7; three points above mean + 2 σ at even gaps). Pairs: ${runs} times four that belong together among strangers. CPU: a store with ${count} gauges of ${hours} h.`,
      columns: [
        ...['family', 'has', 'growth told %', 'rhythm told %', '15 minutes: growth %', '15 minutes: rhythm %'],
        ...['document: growth %', 'document: spikes %'],
      ],
      lines,
      figures: [
        { what: 'false alarms, of series with nothing', value: rates.look.nothing, limit: 1, unit: '%' },
        { what: 'the same, as document 003 does it', value: rates.document.nothing, unit: '%' },
        { what: 'growth found', value: rates.look.growth, limit: 90, atLeast: true, unit: '%' },
        { what: 'rhythms found', value: rates.look.spikes, limit: 85, atLeast: true, unit: '%' },
        { what: 'false alarms in steps of 15 minutes', value: rates.quarters.nothing, limit: 1, unit: '%' },
        { what: 'growth found in steps of 15 minutes', value: rates.quarters.growth, unit: '%' },
        { what: 'rhythms found in steps of 15 minutes', value: rates.quarters.spikes, unit: '%' },
        {
          what: 'pairs that belong together, found',
          value: (100 * hits) / (2 * runs),
          limit: 90,
          atLeast: true,
          unit: '%',
        },
        { what: 'pairs of strangers told, in all', value: wrong / runs, limit: 0.1, unit: 'a look' },
        { what: 'pairs compared', value: pairs, unit: 'pairs' },
        {
          what: 'true time within the interval',
          value: (100 * within) / (2 * each),
          limit: 90,
          atLeast: true,
          unit: '%',
        },
        { what: 'CPU to read a series', value: store.readMs / store.series, limit: 20, unit: 'ms' },
        { what: 'CPU to judge a series', value: store.judgeMs / store.series, limit: 20, unit: 'ms' },
        { what: 'CPU of one look', value: (store.readMs + store.judgeMs) / 1_000, unit: 's' },
      ],
    };
  },
};
