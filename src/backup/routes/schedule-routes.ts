import { z } from 'zod';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { type BackupRoutesDeps, who } from './route-deps.ts';

const switched = z.object({
  message: z.string(),
  before: z.enum(['on', 'off']).describe('The state that was found.'),
  now: z.enum(['on', 'off']),
  was_running: z.boolean().describe('Whether the schedule was on.'),
  running: z.boolean().describe('Whether the schedule is on.'),
  run_under_way: z.boolean().describe('Whether a point is being taken; switching the schedule off lets it end.'),
});

/** The switch of the schedule. */
export const scheduleRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { schedule } = deps;

    for (const [path, on] of [
      ['/api/v1/backup/start', true],
      ['/api/v1/backup/stop', false],
    ] as const)
      app.post(
        path,
        {
          config: {
            access: 'admin',
            activity: on ? 'start schedule' : 'stop schedule',
            problems: ['feature/disabled'],
          },
          schema: {
            tags: ['backup'],
            summary: on ? 'Switch the schedule on' : 'Switch the schedule off; survives a restart',
            response: { 200: switched },
          },
        },
        async (request) => {
          const { before, now, underWay } = await schedule.switchTo(on, who(request));
          return {
            message:
              before === now
                ? `The schedule was ${on ? 'on' : 'off'} already.`
                : `The schedule is ${on ? 'on' : 'off'} now.`,
            before: before ? ('on' as const) : ('off' as const),
            now: now ? ('on' as const) : ('off' as const),
            was_running: before,
            running: now,
            run_under_way: underWay,
          };
        },
      );
  };
