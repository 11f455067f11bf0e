import { fitColumns } from './least-squares.ts';

/**
 * What the numbers count. `bytes`: memory, which caches fill, collectors free late and allocators keep. `handles`: descriptors, sockets,
 * threads, children, files: they follow the load, and nothing warms them up for hours. `sessions`: of a pool that fills to its bound.
 */
export type MeasureKind = 'bytes' | 'handles' | 'sessions';

/** A story that was fitted to floors; `score` is its BIC, so the least one explains best for what it costs. */
export type Story = {
  readonly name: StoryName;
  readonly score: number;
  /** Growth that does not end, in shares of the base per hour; 0 for a harmless story. */
  readonly slope: number;
  /** Hours from the start of the window after which that growth began. */
  readonly sinceHours: number;
  /** The part of it that comes and goes with the day. */
  readonly day?: (hours: number) => number;
};
export type StoryName =
  | 'constant'
  | 'daily load'
  | 'warm-up'
  | 'warm-up and daily load'
  | 'pool that fills'
  | 'fragmentation'
  | 'rise that ended'
  | 'rise that ended and daily load'
  | 'steps'
  | 'steps and daily load'
  | 'growth'
  | 'growth and daily load'
  | 'growth after warm-up'
  | 'growth since an onset'
  | 'growth since an onset and daily load';
export type Stories = { readonly harmless: readonly Story[]; readonly leaking: readonly Story[] };

/** Below this, in shares of the base per hour, growth is not told from nothing: a hundredth in four hours. */
export const leastSlope = 0.0025;
/** A cache that fills, or a load that is switched on, has ended by then. Hours. */
const longestRise = 10;
/** Greatest swing of a day around its middle, in shares of the mean. */
const greatestSwing: Readonly<Record<MeasureKind, number>> = { bytes: 0.45, handles: 0.3, sessions: 0.35 };
/** Half-lives of what saturates, as time constants in hours. Handles warm up within an hour, or not at all. */
const timeConstants: Readonly<Record<MeasureKind, readonly number[]>> = {
  bytes: [0.25, 0.5, 1, 2, 4, 8],
  handles: [0.25, 0.5, 1],
  sessions: [0.25, 0.5, 1, 2, 4, 8],
};
const mostSteps: Readonly<Record<MeasureKind, number>> = { bytes: 5, handles: 3, sessions: 3 };
/** Before this there is not enough of a day to see one. Hours. */
const leastOfDay = 5;
const omega = Math.PI / 12;

/** BIC without its constants. Neighbours depend on each other, so two of them count as one observation. */
export const scoring =
  (points: number) =>
  (rss: number, parameters: number): number =>
    (points / 2) * Math.log((rss + 1e-7 * points) / points) + parameters * Math.log(points);

/**
 * Fits the harmless stories, and the same with a leak, to one run of a process.
 * @param x hours since the start of the window, rising
 * @param y floors, in shares of the base
 * @param enough how far the best leak must lead before the dear harmless stories are worth their time
 */
export function tellStories(x: Float64Array, y: Float64Array, kind: MeasureKind, enough: number): Stories {
  const points = x.length;
  const span = x[points - 1] ?? 0;
  const stepHours = span / Math.max(1, points - 1);
  const score = scoring(points);
  const column = (of: (hours: number) => number): Float64Array => Float64Array.from(x, of);
  const ones = column(() => 1);
  const [sin, cos] = [column((h) => Math.sin(omega * h)), column((h) => Math.cos(omega * h))];
  const saturating = timeConstants[kind].map((tau) => ({ tau, column: column((h) => 1 - Math.exp(-h / tau)) }));
  const isDay = span > leastOfDay;
  const swing = (greatestSwing[kind] * y.reduce((sum, value) => sum + value, 0)) / points;
  const isCalm = (a = 0, b = 0): boolean => Math.hypot(a, b) < swing;

  const harmless: Story[] = [];
  const leaking: Story[] = [];
  const calmly = (name: StoryName, rss: number, parameters: number): void => {
    harmless.push({ name, score: score(rss, parameters), slope: 0, sinceHours: 0 });
  };

  calmly('constant', fitColumns([ones], y).rss, 1);
  if (isDay) {
    const { rss, coefficients: c } = fitColumns([ones, sin, cos], y);
    if (isCalm(c[1], c[2])) calmly('daily load', rss, 3);
  }
  for (const { tau, column: rise } of saturating) {
    const { rss, coefficients: c } = fitColumns([ones, rise], y);
    // What promises to double the base from here on is no end of a warm-up.
    if (kind === 'sessions' || (c[1] ?? 0) * Math.exp(-span / tau) < 1) calmly('warm-up', rss, 3);
    if (!isDay) continue;
    const both = fitColumns([ones, rise, sin, cos], y);
    if (isCalm(both.coefficients[2], both.coefficients[3])) calmly('warm-up and daily load', both.rss, 5);
    if (kind !== 'sessions') continue;
    const times = (wave: Float64Array): Float64Array => rise.map((value, at) => value * (wave[at] ?? 0));
    calmly('pool that fills', fitColumns([ones, rise, times(sin), times(cos)], y).rss, 5);
  }
  if (kind === 'bytes')
    calmly('fragmentation', fitColumns([ones, column((h) => Math.log1p(6 * (h + skippedHours)))], y).rss, 2);

  const grows = (
    name: StoryName,
    parameters: number,
    growth: Float64Array,
    more: readonly Float64Array[] = [],
    sinceHours = 0,
  ): void => {
    const { rss, coefficients: c } = fitColumns([ones, growth, ...more], y);
    const withDay = more[0] === sin;
    const [a = 0, b = 0] = [c[2], c[3]];
    if (withDay && !isCalm(a, b)) return;
    leaking.push({
      ...{ name, score: score(rss, parameters), slope: c[1] ?? 0, sinceHours },
      ...(withDay ? { day: (h: number) => a * Math.sin(omega * h) + b * Math.cos(omega * h) } : {}),
    });
  };
  grows('growth', 2, x);
  if (span > 8) grows('growth and daily load', 4, x, [sin, cos]);
  for (const tau of [0.25, 0.5, 1, 2]) grows('growth after warm-up', 4, x, [column((h) => 1 - Math.exp(-h / tau))]);
  for (const share of [0.15, 0.3, 0.45, 0.6, 0.75])
    grows(
      'growth since an onset',
      3,
      column((h) => Math.max(0, h - share * span)),
      [],
      share * span,
    );
  if (span > 14)
    for (const share of [0.2, 0.4, 0.6])
      grows(
        ...(['growth since an onset and daily load', 5, column((h) => Math.max(0, h - share * span))] as const),
        ...([[sin, cos], share * span] as const),
      );

  const best = (stories: readonly Story[]): number => Math.min(...stories.map((one) => one.score));
  if (best(harmless) - best(leaking.filter(({ slope }) => slope > leastSlope)) < enough) return { harmless, leaking };

  // The dear ones: only worth their time when a leak leads.
  const rest: readonly (readonly Float64Array[])[] = isDay ? [[ones], [ones, sin, cos]] : [[ones]];
  for (const [at, columns] of rest.entries()) {
    const withDay = at === 1;
    const swingOf = (c: readonly number[]): boolean => !withDay || isCalm(c[1], c[2]);
    const risen = findEndedRise({ x, y, columns, span, stepHours, parts: withDay ? 6 : 8 });
    if (risen && swingOf(risen.coefficients))
      calmly(withDay ? 'rise that ended and daily load' : 'rise that ended', risen.rss, columns.length + 3);
    for (const steps of findSteps({ x, y, columns, span, most: withDay ? 3 : mostSteps[kind] }))
      if (swingOf(steps.coefficients))
        calmly(withDay ? 'steps and daily load' : 'steps', steps.rss, columns.length + 2 * steps.count);
  }
  return { harmless, leaking };
}

/** What a process does first is no sign of anything. Hours. */
export const skippedHours = 0.75;

type Search = {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly columns: readonly Float64Array[];
  readonly span: number;
};
type Found = { readonly rss: number; readonly coefficients: readonly number[] };

/** The best straight rise from one time to another that was over a while ago: on a coarse grid first, then finer around the best. */
function findEndedRise({
  x,
  y,
  columns,
  span,
  stepHours,
  parts,
}: Search & { readonly stepHours: number; readonly parts: number }): Found | undefined {
  const latest = Math.min(span * 0.92, span - 0.75);
  let best: (Found & { readonly from: number; readonly to: number }) | undefined;
  const tryOut = (from: number, to: number): void => {
    if (from < 0 || to > latest || to - from < stepHours || to - from > longestRise) return;
    const rise = Float64Array.from(x, (h) => Math.min(Math.max(h - from, 0), to - from));
    const found = fitColumns([...columns, rise], y);
    if (found.rss < (best?.rss ?? Number.POSITIVE_INFINITY)) best = { ...found, from, to };
  };
  for (let i = 0; i < parts; i += 1)
    for (let j = i + 1; j < parts; j += 1) tryOut((span * i) / parts, (span * j) / parts);
  for (let step = span / parts / 2; best && step > stepHours / 1.5; step /= 2) {
    const { from, to } = best;
    tryOut(from - step, to);
    tryOut(from + step, to);
    tryOut(from, to - step);
    tryOut(from, to + step);
  }
  return best;
}

/** One step more each time, where it helps most. */
function* findSteps({
  x,
  y,
  columns,
  span,
  most,
}: Search & { readonly most: number }): Generator<Found & { readonly count: number }> {
  const places = 16;
  let kept = columns;
  for (let count = 1; count <= most; count += 1) {
    let best: (Found & { readonly step: Float64Array }) | undefined;
    for (let place = 1; place < places; place += 1) {
      const step = Float64Array.from(x, (h) => (h >= (span * place) / places ? 1 : 0));
      const found = fitColumns([...kept, step], y);
      if (found.rss < (best?.rss ?? Number.POSITIVE_INFINITY)) best = { ...found, step };
    }
    if (!best) return;
    kept = [...kept, best.step];
    yield { rss: best.rss, coefficients: best.coefficients, count };
  }
}
