import { z } from 'zod';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { type BackupRoutesDeps, who } from './route-deps.ts';

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
            response: { 200: z.object({ message: z.string(), was_running: z.boolean(), running: z.boolean() }) },
          },
        },
        async (request) => {
          const { before, now } = await schedule.switchTo(on, who(request));
          return {
            message:
              before === now
                ? `The schedule was ${on ? 'on' : 'off'} already.`
                : `The schedule is ${on ? 'on' : 'off'} now.`,
            was_running: before,
            running: now,
          };
        },
      );
  };
