import { createFloorCollector } from '../../src/resources/observed/floor-collector.ts';
import { assessGrowth, floorHours, type LeakLevel } from '../../src/resources/observed/growth.ts';
import { type Bench, median } from '../report.ts';
import { type LabelledSeries, labelledSeries, sampleSeconds } from './labelled-series.ts';

/** Never one that anything was tuned on. */
const seed = 'judged-2026';

type Flag = { readonly hours: number; readonly perHour: number; readonly value: number } | undefined;

/** As the observer follows a process: floors of quarters of an hour, judged seldomer as they grow old. */
function follow({ kind, values, upSeconds }: LabelledSeries, level: LeakLevel): Flag {
  const collector = createFloorCollector({ kind, floorMs: floorHours * 3_600_000 });
  let since = 0;
  for (const [at, value] of values.entries()) {
    if (!collector.add(value, upSeconds[at] ?? 0, at * sampleSeconds * 1_000)) continue;
    since += 1;
    const count = collector.floors().length;
    if (since < (count <= 8 ? 1 : count <= 48 ? 2 : 4)) continue;
    since = 0;
    const found = assessGrowth(collector.floors(), kind);
    if (found.level === 'confirmed' || found.level === level)
      return { hours: (at * sampleSeconds) / 3_600, perHour: found.perHour, value };
  }
  return undefined;
}

/** What a flag is worth: a clean series 1 unless flagged; a leaking one less by what leaked until then, of twice its base. */
export function judge(perFamily: number, level: LeakLevel, of = seed) {
  const counts = { hits: 0, missed: 0, falseAlarms: 0, quiet: 0 };
  const families = new Map<string, { right: number; of: number }>();
  const delays: number[] = [];
  const leakedByThen: number[] = [];
  const rateErrors: number[] = [];
  let worth = 0;
  let series = 0;
  let ms = 0;
  for (const one of labelledSeries(perFamily, of)) {
    const cpu = process.cpuUsage();
    const flag = follow(one, level);
    const used = process.cpuUsage(cpu);
    ms += (used.user + used.system) / 1_000;
    series += 1;
    const { leak, family } = one;
    const hours = flag === undefined || leak === undefined ? undefined : flag.hours - leak.onsetHours;
    const isRight = leak === undefined ? flag === undefined : hours !== undefined && hours >= 0;
    const tally = families.get(family) ?? { right: 0, of: 0 };
    families.set(family, { right: tally.right + (isRight ? 1 : 0), of: tally.of + 1 });
    if (leak === undefined) {
      if (isRight) worth += 1;
      if (isRight) counts.quiet += 1;
      else counts.falseAlarms += 1;
      continue;
    }
    if (!isRight || flag === undefined || hours === undefined) {
      counts.missed += 1;
      if (flag) counts.falseAlarms += 1;
      continue;
    }
    counts.hits += 1;
    worth += Math.max(0, 1 - (leak.sharePerHour * hours) / 2);
    delays.push(hours);
    leakedByThen.push(100 * leak.sharePerHour * hours);
    rateErrors.push(Math.abs(Math.log2(Math.max(flag.perHour, 1e-9) / (leak.sharePerHour * leak.base))));
  }
  return {
    ...counts,
    series,
    score: 200 * (worth / series - 0.5),
    recallPercent: (100 * counts.hits) / (counts.hits + counts.missed),
    falsePercent: (100 * counts.falseAlarms) / (counts.falseAlarms + counts.quiet),
    rateFactor: 2 ** median(rateErrors),
    medianDelayHours: median(delays),
    medianLeakedPercent: median(leakedByThen),
    msPerSeries: ms / series,
    families,
  };
}

export const leakDetection: Bench = {
  name: 'leak-detection',
  async run(size) {
    const perFamily = size === 'full' ? 20 : 1;
    const confirmed = judge(perFamily, 'confirmed');
    const suspected = judge(perFamily, 'suspected');
    const share = (name: string): string => {
      const of = (found: ReturnType<typeof judge>) => found.families.get(name);
      return `${of(confirmed)?.right} of ${of(confirmed)?.of}`;
    };
    const line = (name: string, found: ReturnType<typeof judge>) => [
      ...[name, found.hits, found.missed, found.falseAlarms, found.quiet],
      ...[found.score, found.medianDelayHours, found.medianLeakedPercent, found.rateFactor],
    ];
    return {
      row: 'Leaks of processes, on labelled series',
      target:
        'a score of at least 65, at most 2 % false alarms, at least 98 % of the leaks, their rate within a factor of 1.15, at most 20 ms for two days of one process, at least 90 % of the families with restarts and with slow collections.',
      method: `${confirmed.series} made-up series of 48 h (bench/leaks/labelled-series.ts), half of them harmless, of a seed that nothing was tuned on. The score is 100 for a perfect detector and 0 for one that never speaks. Right, by family: ${[...confirmed.families.keys()].map((name) => `${name} ${share(name)}`).join(', ')}.`,
      columns: [
        ...['level', 'leaks found', 'missed', 'false alarms', 'harmless and quiet'],
        ...['score', 'median delay, h', 'leaked by then, %', 'rate error, times'],
      ],
      lines: [line('confirmed', confirmed), line('suspected or confirmed', suspected)],
      figures: [
        { what: 'score', value: confirmed.score, limit: 65, atLeast: true, unit: '' },
        { what: 'leaks that are found', value: confirmed.recallPercent, limit: 98, atLeast: true, unit: '%' },
        { what: 'false alarms', value: confirmed.falsePercent, limit: 2, unit: '%' },
        { what: 'rate, within a factor of', value: confirmed.rateFactor, limit: 1.15, unit: 'times' },
        { what: 'CPU for two days of one process', value: confirmed.msPerSeries, limit: 20, unit: 'ms' },
        ...(['restarts', 'slow collections'] as const).map((name) => {
          const { right = 0, of = 1 } = confirmed.families.get(name) ?? {};
          return { what: `right, ${name}`, value: (100 * right) / of, limit: 90, atLeast: true, unit: '%' };
        }),
      ],
    };
  },
};
