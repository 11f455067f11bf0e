import { findUsual } from '../alerts/index.ts';
import { medianOf } from './middle.ts';
import type { Points } from './trend.ts';

export type Spike = {
  readonly fromHours: number;
  readonly toHours: number;
  readonly atHours: number;
  readonly value: number;
};

/** Spikes that come in a rhythm. */
export type Rhythm = {
  readonly periodHours: number;
  /** What a spike is beyond. */
  readonly threshold: number;
  readonly usual: number;
  /** Median of their tops. */
  readonly height: number;
  readonly spikes: readonly Spike[];
  /** Of the spikes, the share that fell into the rhythm; of its turns, the share that had one. */
  readonly inRhythm: number;
  readonly coverage: number;
  /** How often spikes at random times lie as close to some rhythm that was tried. */
  readonly p: number;
  /** When the next one is due. */
  readonly nextHours: number;
};

/** Spreads beyond the median from which on it is a spike. */
const spikeSpreads = 5;
/** Beyond so much of the time, or of a turn, it is load, not a spike. */
const mostOfTheTime = 0.28;
const longestOfTurn = 0.12;
const fewestSpikes = 4;
const leastCoverage = 0.65;
const leastInRhythm = 0.7;
/** Rhythms that people set, in hours. */
const knownPeriods = [0.5, 1, 2, 3, 4, 6, 8, 12, 24, 168] as const;
/** How many rhythms the one that is read from the gaps stands for. */
const triesOfMeasured = 50;
/** Share of a turn within which spikes are of one rhythm. */
const closeShare = 0.08;
const widest = 0.28;
export const leastRhythmPoints = 24;
/** In such steps nothing that comes more often is seen. Hours. */
export const shortestPeriod = (stepHours: number): number => stepHours / widest;

/** What stands out of what is usual, neighbours together; in the order of time. */
export function findSpikes({
  hours,
  values,
}: Points): { spikes: Spike[]; threshold: number; usual: number } | undefined {
  const usual = values.length < leastRhythmPoints ? undefined : findUsual(values);
  if (!usual) return undefined;
  const { median, spread } = usual;
  const threshold = median + Math.max(spikeSpreads * spread, 0.2 * Math.abs(median));
  const spikes: Spike[] = [];
  let above = 0;
  let open: { from: number; to: number; at: number; value: number; index: number } | undefined;
  for (const [i, value] of values.entries()) {
    if (!(value > threshold)) continue;
    above += 1;
    const hour = hours[i] as number;
    if (open && i - open.index <= 1) {
      if (value > open.value) Object.assign(open, { at: hour, value });
      Object.assign(open, { to: hour, index: i });
      continue;
    }
    if (open) spikes.push({ fromHours: open.from, toHours: open.to, atHours: open.at, value: open.value });
    open = { from: hour, to: hour, at: hour, value, index: i };
  }
  if (open) spikes.push({ fromHours: open.from, toHours: open.to, atHours: open.at, value: open.value });
  return above > mostOfTheTime * values.length ? undefined : { spikes, threshold, usual: median };
}

/**
 * The rhythm of spikes: the known period, or the one of their gaps, at which most begin at the same time of its turn. Tested against
 * spikes at random times: that m of n lie within a share w of a circle happens at most n·C(n−1, m−1)·w^(m−1) of the time, times the
 * rhythms that were tried.
 * @param stepHours between two points: nothing is known to be closer than that
 */
export function findRhythm(points: Points, stepHours: number): Rhythm | undefined {
  const found = findSpikes(points);
  if (!found || found.spikes.length < fewestSpikes) return undefined;
  const { spikes, threshold, usual } = found;
  const begins = spikes.map(({ fromHours }) => fromHours);
  const first = points.hours[0] as number;
  const last = points.hours.at(-1) as number;
  const gaps = begins.slice(1).map((at, i) => at - (begins[i] as number));
  const measured = Math.round(medianOf(gaps) / stepHours) * stepHours;
  const lasts = medianOf(spikes.map(({ fromHours, toHours }) => toHours - fromHours));
  const known: readonly number[] = knownPeriods;
  const tried = [
    ...known.map((periodHours) => ({ periodHours, tries: knownPeriods.length })),
    ...(known.includes(measured) ? [] : [{ periodHours: measured, tries: triesOfMeasured }]),
  ];
  let best: Rhythm | undefined;
  for (const { periodHours, tries } of tried) {
    if (
      periodHours < shortestPeriod(stepHours) ||
      last - first < 3 * periodHours ||
      lasts > longestOfTurn * periodHours
    )
      continue;
    const width = Math.max(closeShare, Math.min(widest, (2 * stepHours) / periodHours));
    const { members, phase } = closest(begins, periodHours, width);
    const [n, m] = [begins.length, members.length];
    const p = Math.min(1, tries * Math.exp(Math.log(n) + logChoose(n - 1, m - 1) + (m - 1) * Math.log(width)));
    const turns = new Set(members.map((at) => Math.floor((at - phase + periodHours / 4) / periodHours)));
    const all = turnsWithin(first, last, phase, periodHours);
    const coverage = Math.min(1, turns.size / Math.max(1, all));
    const inRhythm = m / n;
    if (m < fewestSpikes || p > 0.01 || coverage < leastCoverage || inRhythm < leastInRhythm) continue;
    if (best && best.coverage * best.inRhythm >= coverage * inRhythm) continue;
    const latest = members.at(-1) as number;
    best = {
      ...{ periodHours, threshold, usual, spikes, inRhythm, coverage, p },
      height: medianOf(spikes.map(({ value }) => value)),
      nextHours: latest + periodHours * Math.max(1, Math.ceil((last - latest) / periodHours)),
    };
  }
  return best;
}

/** The arc of that share of the circle that holds most. @returns what lies in it, in the order of time, and its middle */
function closest(begins: readonly number[], period: number, width: number) {
  const phases = begins.map((at) => (((at % period) + period) % period) / period);
  let best: { members: number[]; phase: number } = { members: [], phase: 0 };
  for (const start of phases) {
    const members = begins.filter((_, i) => ((phases[i] as number) - start + 1) % 1 <= width);
    if (members.length > best.members.length) best = { members, phase: (start + width / 2) * period };
  }
  return best;
}

function turnsWithin(first: number, last: number, phase: number, period: number): number {
  const from = Math.ceil((first - phase) / period);
  return Math.floor((last - phase) / period) - from + 1;
}

function logChoose(n: number, k: number): number {
  let sum = 0;
  for (let i = 1; i <= k; i += 1) sum += Math.log((n - k + i) / i);
  return sum;
}
