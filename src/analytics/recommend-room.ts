import type { KnownPattern } from './known-pattern.ts';
import { about, bytesOf, type Ground, hoursOfMonth, type Priority, type Recommendation } from './recommendation.ts';
import { sayAmount, sayHours } from './say.ts';

const dayMs = 86_400_000;

/** A limit comes nearer: within a month it is worth doing something. */
export function fills(pattern: KnownPattern, { trends, machine, nowMs }: Ground): Recommendation | undefined {
  const forecast = trends.find(({ key }) => key === pattern.key);
  if (forecast?.state !== 'fills' || forecast.reachedAtMs === null || forecast.perHour === null) return undefined;
  const { now, limit, perHour } = forecast;
  const leftMs = forecast.reachedAtMs - nowMs;
  if (leftMs > 30 * dayMs || now === null || limit === null) return undefined;
  const priority: Priority = leftMs < dayMs ? 'critical' : leftMs < 7 * dayMs ? 'high' : 'medium';
  const isQuota = pattern.key.startsWith('quota:');
  const isDisk = pattern.resourceType === 'disk';
  const whole = bytesOf(pattern.resourceType, machine);
  const inUnit = (amount: number): number => (whole === undefined ? amount : Math.round((amount / 100) * whole));
  const unit = whole === undefined ? forecast.unit : 'bytes';
  const tooMuch = Math.max(0, now + perHour.mid * hoursOfMonth - limit);
  // So much more than there is lasts a month; of a quota in whole units.
  const wanted = isQuota ? Math.ceil(limit + tooMuch) : inUnit(limit + tooMuch);
  const id = pattern.key.replace(/^quota:/, '');
  return {
    ...about(pattern),
    ...{ rule: 'fills', priority, effort: isQuota ? 'low' : 'medium' },
    optimizationType: isQuota ? 'quota_adjustment' : isDisk ? 'cleanup' : 'architecture',
    title: `${pattern.key} is full in ${sayHours(leftMs / 3_600_000)}`,
    description: `${forecast.message} ${pattern.description}`,
    savings: {
      ...{ amount: inUnit(tooMuch), unit },
      basis: 'What must go, stay away or be added, so that it is not full within 30 days at the present pace.',
    },
    currentState: {
      ...{ now: inUnit(now), limit: inUnit(limit), growth_per_day: inUnit(perHour.mid * 24), unit },
      full_at: new Date(forecast.reachedAtMs).toISOString(),
    },
    recommendedState: { full_at: 'not within 30 days', limit: wanted, unit },
    steps: isQuota
      ? [
          `Look who uses it: \`ragwarden quota show ${id}\`.`,
          `Try the new limit on what passed: \`ragwarden quota replay ${id} --limit ${wanted}\`.`,
          `Set it: \`ragwarden quota set ${id} --limit ${wanted}\`; or leave it, if those who use more shall be held back.`,
        ]
      : isDisk
        ? [
            'See what ragwarden itself keeps, and what bounds it: `ragwarden growth`.',
            'See what would go: `ragwarden cleanup plan orphans`, `ragwarden cleanup plan llm-cache`, `ragwarden cleanup plan temporary-files`.',
            'Carry out what you agree with: `ragwarden cleanup run STRATEGY`.',
            'Keep fewer days of points: `ragwarden settings set backup.retention_days=N`, then `ragwarden repo prune`.',
            `If it goes on growing: ${sayAmount(inUnit(tooMuch), unit)} more last for 30 days.`,
          ]
        : [
            'See what holds it: `ragwarden resources observed`, and `ragwarden leaks list` for what never gives back.',
            'See what the backend could do with less: `ragwarden tune advise`.',
            `Otherwise provide ${sayAmount(inUnit(tooMuch), unit)} more of it before the date above; that lasts for 30 days.`,
          ],
  };
}
