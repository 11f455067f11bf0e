import type { CurrentValues, MetricHistory } from '../metrics/index.ts';
import { type AlertRule, type SeriesChoice, wants } from './alert-rule.ts';
import { createAnomalyReader } from './read-anomaly.ts';
import { labelText, type Reading } from './reading.ts';
import { findShared } from './shared-readings.ts';

/** A rule bound to where its values come from. */
export type RuleReader = {
  /** @throws AppError `request/invalid` for what makes no sense of this metric, such as the rate of a gauge */
  read(view: Pick<MetricHistory, 'query'>, nowMs: number): readonly Reading[] | Promise<readonly Reading[]>;
};

/** So many points through which a line is drawn. */
const linePoints = 20;
/** Label sets that one evaluation looks at. */
const mostReadings = 20_000;
const fineMs = 6 * 3_600_000;

/**
 * @param current what stands in memory of this process; undefined where other processes have series too, which only the store knows
 */
export function createRuleReader(rule: AlertRule, current: CurrentValues | undefined): RuleReader {
  const own = createChoiceReader(rule, rule, current);
  const { anomaly } = rule;
  if (anomaly !== undefined)
    return createAnomalyReader({ ...rule, anomaly }, (view, nowMs) => own.read(view, nowMs), mostReadings);
  const by = rule.divideBy && createChoiceReader(rule, rule.divideBy, current);
  if (by === undefined) return own;
  return {
    async read(view, nowMs) {
      const divisors = new Map((await by.read(view, nowMs)).map(({ labels, value }) => [labelText(labels), value]));
      return (await own.read(view, nowMs)).flatMap(({ labels, value }) => {
        const divisor = divisors.get(labelText(labels));
        // Nothing of nothing is no share of it.
        return divisor === undefined || divisor === 0 ? [] : [{ labels, value: value / divisor }];
      });
    },
  };
}

function createChoiceReader(rule: AlertRule, choice: SeriesChoice, current: CurrentValues | undefined): RuleReader {
  const where = wants(choice);
  if (current === undefined || !asksValue(rule) || rule.aggregation !== 'last' || rule.groupBy !== undefined)
    return createWindowReader(rule, choice, where, current);
  let standing: ReturnType<CurrentValues['choose']>;
  // Made where it is needed: most rules ask for what stands, and what is kept of each of ten thousand counts.
  let otherwise: RuleReader | undefined;
  return {
    read(view, nowMs) {
      standing ??= current.choose(choice.metricName, where);
      if (standing !== undefined) return standing.read();
      otherwise ??= createWindowReader(rule, choice, where, current);
      return otherwise.read(view, nowMs);
    },
  };
}

/** Not how fast it changes or where it goes, for which a line is drawn. */
const asksValue = ({ measure }: AlertRule): boolean => measure === 'value' || measure === 'anomaly';

function createWindowReader(
  rule: AlertRule,
  choice: SeriesChoice,
  where: ReturnType<typeof wants>,
  current: CurrentValues | undefined,
): RuleReader {
  const windows = asksValue(rule) && rule.groupBy === undefined ? current?.windows : undefined;
  const window = windows?.choose({
    ...{ name: choice.metricName, wants: where, near: findNarrow(choice), aggregation: rule.aggregation },
  });
  return {
    read(view, nowMs) {
      const recent = window?.read(nowMs - rule.windowMs + 1, nowMs);
      if (recent !== undefined && recent.length <= mostReadings) return recent;
      return asksValue(rule) ? readValues(rule, choice, view, nowMs) : readLine(rule, choice, view, nowMs);
    },
  };
}

/** The first label of which only some values are wanted. */
function findNarrow(choice: SeriesChoice): { readonly label: string; readonly values: readonly string[] } | undefined {
  for (const [label, { anyOf }] of Object.entries(choice.labels))
    if (anyOf !== undefined) return { label, values: anyOf };
  return undefined;
}

async function readValues(
  rule: AlertRule,
  choice: SeriesChoice,
  view: Pick<MetricHistory, 'query'>,
  nowMs: number,
): Promise<readonly Reading[]> {
  const range = { fromMs: nowMs - rule.windowMs + 1, toMs: nowMs, limit: mostReadings };
  const shared = await findShared(rule, choice, view, range);
  if (shared?.whole) return shared.find(choice);
  const { series } = await view.query({
    ...{ name: choice.metricName, where: wants(choice), groupBy: rule.groupBy, aggregation: rule.aggregation },
    ...range,
  });
  return series.flatMap(({ labels, values: [value] }) =>
    value === null || value === undefined ? [] : [{ labels, value }],
  );
}

/** Between two points of the line; coarser tiers have windows of five minutes. */
export function linePointsMs(windowMs: number): number {
  const stepMs = Math.max(1_000, Math.floor(windowMs / linePoints));
  return windowMs > fineMs ? Math.ceil(stepMs / 300_000) * 300_000 : stepMs;
}

async function readLine(
  rule: AlertRule,
  choice: SeriesChoice,
  view: Pick<MetricHistory, 'query'>,
  nowMs: number,
): Promise<readonly Reading[]> {
  const stepMs = linePointsMs(rule.windowMs);
  const { series, times } = await view.query({
    ...{ name: choice.metricName, where: wants(choice), groupBy: rule.groupBy, aggregation: 'average' },
    ...{ fromMs: nowMs - rule.windowMs + 1, toMs: nowMs, stepMs, limit: mostReadings },
  });
  return series.flatMap(({ labels, values }) => {
    const line = fitLine(times.map((atMs, i) => ({ atMs: atMs + stepMs / 2, value: values[i] ?? null })));
    return line === undefined ? [] : [{ labels, value: measureLine(rule, line, nowMs) }];
  });
}

export type Line = { readonly atMs: number; readonly value: number; readonly perMs: number };

/** Least squares; undefined for fewer than three points, through which any line goes. */
export function fitLine(points: readonly { atMs: number; value: number | null }[]): Line | undefined {
  let count = 0;
  let sumTime = 0;
  let sumValue = 0;
  for (const { atMs, value } of points)
    if (value !== null) {
      count += 1;
      sumTime += atMs;
      sumValue += value;
    }
  if (count < 3) return undefined;
  const meanTime = sumTime / count;
  const meanValue = sumValue / count;
  let cross = 0;
  let square = 0;
  for (const { atMs, value } of points)
    if (value !== null) {
      cross += (atMs - meanTime) * (value - meanValue);
      square += (atMs - meanTime) ** 2;
    }
  return { atMs: meanTime, value: meanValue, perMs: square === 0 ? 0 : cross / square };
}

export const measureLine = (rule: AlertRule, line: Line, nowMs: number): number =>
  rule.measure === 'forecast' ? line.value + line.perMs * (nowMs + rule.forecastMs - line.atMs) : line.perMs * 1_000;
