import { type Alert, alertId, fingerprintOf, type Remembered, type RuleState } from './alert.ts';
import { type AlertRule, compare, describeCondition } from './alert-rule.ts';
import { findByLabels, type Labels, labelText, type Reading } from './reading.ts';
import { shortNumber } from './short-number.ts';

/** What changed, and why. */
export type AlertChange =
  | {
      readonly kind: 'pending' | 'cleared' | 'firing' | 'resolved';
      readonly alert: Alert;
      readonly reason: string;
    }
  | { readonly kind: 'capped' | 'uncapped'; readonly matching: number; readonly reason: string };

/** @param stepMs how much of the time since the evaluation before counts, as `evaluationStep` has it */
export type EvaluationTime = { readonly nowMs: number; readonly stepMs: number };

/** A million series must not make a million alerts. */
export const mostAlertsPerRule = 100;
/** Labels that fire again so soon after they were resolved come and go. */
const flapWithinMs = 3_600_000;
/** The firing from which on they are held. */
const flapsAtFiring = 3;
/** So long a flapping one must be over before it is resolved. */
const flapCalmMs = 1_800_000;
/** A value that does not come back is kept so long. */
const keptWithoutDataMs = 86_400_000;

/**
 * How much of the time between two evaluations counts. Nobody looked at what lies between: a step is never longer than two intervals,
 * whatever the clock says, and a clock that was set back counts for nothing.
 */
export function evaluationStep(lastMs: number | null, nowMs: number, intervalMs: number): number {
  if (lastMs === null) return 0;
  return Math.min(Math.max(0, nowMs - lastMs), 2 * intervalMs);
}

/**
 * What becomes of the alerts of a rule, given what its query measures now. A pure function: the same in, the same out.
 * @param readings one per set of labels; none for those without a value
 * @returns the very state that was given where nothing is different, so that a quiet rule costs nothing
 */
export function decideAlerts(
  rule: AlertRule,
  readings: readonly Reading[],
  state: RuleState,
  at: EvaluationTime,
): { readonly state: RuleState; readonly changes: readonly AlertChange[] } {
  const { condition, threshold } = rule;
  const steady = decideSteady(rule, readings, state, at);
  if (steady !== undefined) return { state: steady, changes: none };
  if (isQuiet(rule, readings, state)) return { state, changes: none };
  const holding: Reading[] = [];
  if (condition !== 'absent')
    for (const reading of readings) if (compare(condition, reading.value, threshold)) holding.push(reading);
  const baseHolds = readings.length === 0 && (condition === 'absent' || rule.noData === 'fire');
  const changes: AlertChange[] = [];
  const readingOf = findByLabels(condition === 'absent' ? noReadings : readings);
  const known = findByLabels(state.alerts);
  const base = baseHolds ? labelText(baseLabels(rule)) : '';
  let remembered = state.remembered;
  const alerts: Alert[] = [];

  for (const alert of state.alerts) {
    const isBase = baseHolds && labelText(alert.labels) === base;
    const seen = look(rule, alert, readingOf(alert.labels), isBase, at.nowMs);
    const { next, change } = step(rule, alert, seen, remembered, at);
    if (change !== undefined) changes.push(change);
    if (next !== undefined) alerts.push(next);
    else if (alert.phase === 'firing') remembered = remember(remembered, alert, at.nowMs);
  }

  const begin = (labels: Labels, reading: Reading | undefined): void => {
    const alert = newAlert(rule, labels, reading?.value ?? null, at.nowMs);
    const begun: AlertChange = { kind: 'pending', alert, reason: `${sentence(rule)}${now(alert.value, reading)}.` };
    const seen: Seen = { holds: true, value: alert.value, why: 'value', reading };
    const { next, change } = step(rule, alert, seen, remembered, { ...at, stepMs: 0 });
    // One that fires at once was never pending.
    changes.push(change ?? begun);
    if (next !== undefined) alerts.push(next);
  };
  const fresh = state.alerts.length === 0 ? holding : holding.filter(({ labels }) => known(labels) === undefined);
  // Which of too many are told must not change from one evaluation to the next.
  if (fresh.length > 1) fresh.sort((a, b) => (labelText(a.labels) < labelText(b.labels) ? -1 : 1));
  for (const reading of fresh) if (alerts.length < mostAlertsPerRule) begin(reading.labels, reading);
  // What is gone and holds on says already that there is nothing.
  if (baseHolds && state.alerts.length === 0) begin(baseLabels(rule), undefined);

  const matching = holding.length;
  const capped = state.capped ? matching > mostAlertsPerRule * 0.8 : matching > mostAlertsPerRule;
  if (capped !== state.capped)
    changes.push({
      kind: capped ? 'capped' : 'uncapped',
      matching,
      reason: capped
        ? `${matching} sets of labels match; alerts are kept for ${mostAlertsPerRule} of them. Group by fewer labels.`
        : `${matching} sets of labels match, and all have alerts of their own again.`,
    });
  return { state: { alerts, remembered, capped }, changes };
}

/** One alert, one reading of its labels, and nothing to tell: most of what holds, most of the time. Undefined: look at all of it. */
function decideSteady(
  rule: AlertRule,
  readings: readonly Reading[],
  state: RuleState,
  at: EvaluationTime,
): RuleState | undefined {
  if (state.alerts.length !== 1 || readings.length !== 1 || state.capped || rule.condition === 'absent')
    return undefined;
  const alert = state.alerts[0];
  const reading = readings[0];
  if (alert === undefined || reading === undefined || alert.labels !== reading.labels) return undefined;
  const steady = stillFires(rule, alert, reading, at.nowMs) ?? stepQuietly(rule, alert, reading, state, at);
  return steady && { alerts: [steady], remembered: state.remembered, capped: false };
}

/** What `step` makes of one that fires and goes on to hold, without what it takes to tell anything: undefined where it is not that. */
function stillFires(rule: AlertRule, alert: Alert, { value }: Reading, nowMs: number): Alert | undefined {
  const holds =
    alert.phase === 'firing' &&
    alert.calmMs === null &&
    rule.condition !== 'absent' &&
    compare(rule.condition, value, rule.threshold);
  return holds ? measured(alert, alert.labels, value, worse(rule, alert.worst, value), nowMs) : undefined;
}

/** Undefined: it is over, or there is something to tell. */
function stepQuietly(
  rule: AlertRule,
  alert: Alert,
  reading: Reading,
  state: RuleState,
  at: EvaluationTime,
): Alert | undefined {
  const { next, change } = step(rule, alert, look(rule, alert, reading, false, at.nowMs), state.remembered, at);
  return change === undefined ? next : undefined;
}

/** Nothing holds, and nothing did. */
function isQuiet(rule: AlertRule, readings: readonly Reading[], state: RuleState): boolean {
  if (state.alerts.length > 0 || state.capped) return false;
  const { condition, threshold } = rule;
  if (readings.length === 0) return condition !== 'absent' && rule.noData !== 'fire';
  if (condition === 'absent') return true;
  for (let i = 0; i < readings.length; i += 1) {
    const reading = readings[i];
    if (reading !== undefined && compare(condition, reading.value, threshold)) return false;
  }
  return true;
}

const none: readonly AlertChange[] = [];
const noReadings: readonly Reading[] = [];

/** What an evaluation sees of one alert. `frozen`: nothing is known, and nothing changes. */
type Seen =
  | {
      readonly holds: boolean;
      readonly value: number | null;
      readonly why: 'value' | 'no-data' | 'gone';
      readonly reading?: Reading | undefined;
    }
  | 'frozen';

function look(rule: AlertRule, alert: Alert, reading: Reading | undefined, baseHolds: boolean, nowMs: number): Seen {
  if (rule.condition === 'absent') return { holds: baseHolds, value: null, why: 'value' };
  if (reading !== undefined) {
    const { value } = reading;
    const holds =
      compare(rule.condition, value, rule.threshold) ||
      (alert.phase === 'firing' &&
        rule.resolveThreshold !== undefined &&
        compare(rule.condition, value, rule.resolveThreshold));
    return { holds, value, why: 'value', reading };
  }
  // It was made of nothing being there, and something is there again.
  if (alert.lastDataMs === null) return { holds: baseHolds, value: null, why: 'value' };
  switch (rule.noData) {
    case 'fire':
      return { holds: true, value: null, why: 'no-data' };
    case 'resolve':
      return { holds: false, value: null, why: 'no-data' };
    case 'keep':
      return nowMs - alert.lastDataMs > keptWithoutDataMs ? { holds: false, value: null, why: 'gone' } : 'frozen';
    default:
      return rule.noData satisfies never;
  }
}

/** One evaluation of one alert. `next` undefined: it is over. */
function step(
  rule: AlertRule,
  alert: Alert,
  seen: Seen,
  remembered: readonly Remembered[],
  { nowMs, stepMs }: EvaluationTime,
): { readonly next: Alert | undefined; readonly change?: AlertChange } {
  if (seen === 'frozen') return { next: alert };
  const { holds, value, why, reading } = seen;
  const current =
    value === null
      ? alert
      : measured(alert, reading?.labels ?? alert.labels, value, worse(rule, alert.worst, value), nowMs);

  if (alert.phase === 'pending') {
    if (!holds)
      return { next: undefined, change: { kind: 'cleared', alert: current, reason: overReason(rule, seen, 0) } };
    const heldMs = alert.heldMs + stepMs;
    if (heldMs < rule.durationMs) return { next: stepMs === 0 ? current : { ...current, heldMs } };
    const flapping = rule.dampsFlapping && firingOf(remembered, alert.fingerprint, nowMs) >= flapsAtFiring;
    const next: Alert = { ...current, phase: 'firing', firedAtMs: nowMs, heldMs, flapping };
    const held = rule.durationMs === 0 ? '' : `, held for ${seconds(heldMs)}`;
    const comes = flapping ? ` It comes and goes, and is held until it is calm for ${seconds(flapCalmMs)}.` : '';
    const reason = `${sentence(rule)}${now(current.value, reading)}${held}${why === 'no-data' ? '; there is no value any more' : ''}.${comes}`;
    return { next, change: { kind: 'firing', alert: next, reason } };
  }
  if (holds) return { next: alert.calmMs === null ? current : { ...current, calmMs: null } };
  // The evaluation that first sees it over begins the time, as the first that sees it hold does.
  const calmMs = alert.calmMs === null ? 0 : alert.calmMs + stepMs;
  const needed = alert.flapping ? Math.max(flapCalmMs, rule.resolveDurationMs) : rule.resolveDurationMs;
  if (calmMs < needed) return { next: { ...current, calmMs } };
  return {
    next: undefined,
    change: { kind: 'resolved', alert: current, reason: overReason(rule, seen, calmMs) },
  };
}

/** Written out: a copy by spreading takes several times as long, and this one is made for each that fires at each evaluation. */
const measured = (alert: Alert, labels: Labels, value: number, worst: number, nowMs: number): Alert => ({
  id: alert.id,
  fingerprint: alert.fingerprint,
  // The same ones; those of the reading are found again at once, those that stood on disk are not.
  labels,
  phase: alert.phase,
  sinceMs: alert.sinceMs,
  firedAtMs: alert.firedAtMs,
  heldMs: alert.heldMs,
  calmMs: alert.calmMs,
  value,
  worst,
  lastDataMs: nowMs,
  flapping: alert.flapping,
});

const newAlert = (rule: AlertRule, labels: Labels, value: number | null, nowMs: number): Alert => {
  const fingerprint = fingerprintOf(labels);
  return {
    ...{ id: alertId(rule.name, fingerprint, nowMs), fingerprint, labels, phase: 'pending', sinceMs: nowMs },
    ...{ firedAtMs: null, heldMs: 0, calmMs: null, value, worst: value, lastDataMs: value === null ? null : nowMs },
    flapping: false,
  };
};

/** Labels of an alert that is about nothing being there: those that the rule names one value for. */
export function baseLabels(rule: AlertRule): Labels {
  const known = bases.get(rule);
  if (known !== undefined) return known;
  const named = Object.entries(rule.labels).flatMap(([name, { anyOf }]) =>
    anyOf?.length === 1 && anyOf[0] !== '' ? [[name, anyOf[0]]] : [],
  );
  const labels: Labels = Object.fromEntries(named);
  bases.set(rule, labels);
  return labels;
}
const bases = new WeakMap<AlertRule, Labels>();

/** Which firing within a short time it is. */
function firingOf(remembered: readonly Remembered[], fingerprint: string, firedAtMs: number): number {
  const before = remembered.find((one) => one.fingerprint === fingerprint);
  return before !== undefined && firedAtMs - before.endedAtMs <= flapWithinMs ? before.firings + 1 : 1;
}

function remember(all: readonly Remembered[], alert: Alert, nowMs: number): readonly Remembered[] {
  const { fingerprint } = alert;
  const firings = firingOf(all, fingerprint, alert.firedAtMs ?? nowMs);
  const others = all.filter((one) => one.fingerprint !== fingerprint && nowMs - one.endedAtMs <= flapWithinMs);
  return [...others, { fingerprint, firings, endedAtMs: nowMs }].slice(-mostAlertsPerRule);
}

function worse(rule: AlertRule, worst: number | null, value: number): number {
  if (worst === null) return value;
  return rule.condition === 'lt' || rule.condition === 'lte' ? Math.min(worst, value) : Math.max(worst, value);
}

const sentence = (rule: AlertRule): string => describeCondition(rule);
const now = (value: number | null, reading?: Reading): string =>
  value === null ? '' : ` (now ${shortNumber(value)}${reading?.detail === undefined ? '' : `: ${reading.detail}`})`;
const seconds = (ms: number): string =>
  ms >= 120_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 1_000)} s`;

function overReason(rule: AlertRule, { value, why, reading }: Exclude<Seen, 'frozen'>, calmMs: number): string {
  if (why === 'gone') return `It has had no value for ${keptWithoutDataMs / 3_600_000} h.`;
  if (why === 'no-data') return 'It has no value any more, and the rule says that it is over then.';
  const since = calmMs === 0 ? '' : ` for ${seconds(calmMs)}`;
  if (rule.condition === 'absent' || value === null) return `There is a value again${since}.`;
  return `It is no longer so${since} that ${sentence(rule)}${now(value, reading)}.`;
}
