import type { CleanupParams, CleanupPlanSummary, CleanupTask, PlannedItem } from '../../api/cleanup-wire.ts';
import { formatBytes, formatPercent, plural } from '../../format.ts';

/** What a person typed: `days_to_keep=14 folder=exports`. @returns the word that is none of that kind as a string */
export function readParams(typed: string): CleanupParams | string {
  const params: CleanupParams = {};
  for (const word of typed.trim().split(/\s+/)) {
    if (word === '') continue;
    const at = word.indexOf('=');
    if (at < 1) return word;
    params[word.slice(0, at)] = readFact(word.slice(at + 1));
  }
  return params;
}

function readFact(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

export const paramsText = (params: CleanupParams): string =>
  Object.entries(params)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

/** The schedules that most tasks have, in words; any other as it is written. */
export function sayCron(expression: string): string {
  const [minute = '', hour = '', ...rest] = expression.trim().split(/\s+/);
  if (rest.join(' ') !== '* * *' || !/^\d{1,2}$/.test(minute)) return expression;
  const past = minute.padStart(2, '0');
  if (hour === '*') return minute === '0' ? 'every hour' : `every hour at :${past}`;
  const every = /^\*\/(\d{1,2})$/.exec(hour)?.[1];
  if (every !== undefined) return `every ${every} h${minute === '0' ? '' : ` at :${past}`}`;
  return /^\d{1,2}$/.test(hour) ? `daily at ${hour.padStart(2, '0')}:${past}` : expression;
}

/** What begins a task. */
export function triggerOf(task: CleanupTask): string {
  switch (task.trigger_type) {
    case 'scheduled':
      return `${sayCron(task.schedule_expression ?? '')} ${task.time_zone ?? ''}`.trim();
    case 'threshold_based':
      return task.threshold_condition ?? 'a threshold';
    case 'event_driven':
      return (task.event_types ?? []).join(', ');
    case 'health_check':
      return `${task.health?.check ?? 'health'} becomes ${(task.health?.becomes ?? []).join(', ')}`;
    case 'manual':
      return 'by hand';
  }
}

/** Of tasks that never ran nobody knows how they do. */
export const successOf = ({ run_count, success_rate }: Pick<CleanupTask, 'run_count' | 'success_rate'>): string =>
  success_rate === null ? 'never ran' : `${formatPercent(success_rate * 100)} of ${plural(run_count, 'run')}`;

const containments: Readonly<Record<PlannedItem['contained']['state'], string>> = {
  contained: 'yes',
  missing: 'no',
  unknown: 'unknown',
  'not-data': 'no data',
};
/** Whether the newest verified recovery point holds it. */
export const containedOf = ({ contained }: Pick<PlannedItem, 'contained'>): string => containments[contained.state];

/** What carrying out a plan does, before it is asked once more. */
export function questionOf(
  plan: Pick<CleanupPlanSummary, 'item_count' | 'size_bytes' | 'undo'>,
  onlyContained: boolean,
): string {
  const what = `${plural(plan.item_count, 'item')} (${formatBytes(plan.size_bytes)})`;
  const which = onlyContained ? `Of ${what} those that the newest point holds go` : `${what} go`;
  return plan.undo === 'quarantine'
    ? `${which}, into the quarantine, from where they can come back for a while.`
    : `${which} for good: this cannot be undone.`;
}
