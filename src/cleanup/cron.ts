import { Cron } from 'croner';

/** Five fields: minute, hour, day, month, weekday. Steps, lists, ranges and names as cron has them. */
export function findNextRun(expression: string, timeZone: string, afterMs: number): number | null {
  const next = jobOf(expression, timeZone).nextRun(new Date(afterMs));
  return next === null ? null : next.getTime();
}

/** In words why it cannot be followed; undefined: it can. */
export function findCronFault(expression: string, timeZone: string): string | undefined {
  try {
    if (!isTimeZone(timeZone)) return `${timeZone} is no time zone that is known here, such as Europe/Berlin`;
    return findNextRun(expression, timeZone, Date.UTC(2026, 0, 1)) === null ? 'it never comes to pass' : undefined;
  } catch (err) {
    return err instanceof Error ? err.message.replace(/^CronPattern: /, '') : 'it cannot be read';
  }
}

// Made anew each time: it is asked once a minute at most, and a job with a timer of its own is not wanted here.
const jobOf = (expression: string, timeZone: string): Cron =>
  new Cron(expression, { timezone: timeZone, mode: '5-part', paused: true });

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
