import { z } from 'zod';
import type { RoutePlugin } from '../../platform/http/index.ts';
import type { Running } from '../drift.ts';
import { findValues } from '../found-values.ts';
import type { TuningValue } from '../parameter.ts';
import type { Tuning } from '../tuning.ts';
import { adviceSchema, runningSchema, shapeAdvice, shapeRunning } from './advice-bodies.ts';
import { advise } from './advise.ts';
import type { AdviceFacts } from './facts.ts';

export type RunningBackend = {
  readonly graphId: string;
  /** Undefined: a kind whose parameters nobody here knows. */
  readonly kind: 'lightrag' | 'graphrag' | undefined;
  readonly running: Running;
};

/** What the backends run with, and what their figures suggest. Changes nothing. */
export const adviceRoutes =
  (deps: {
    readonly tuning: Pick<Tuning, 'effective'>;
    running(): Promise<readonly RunningBackend[]>;
    facts(windowMs: number): Promise<readonly AdviceFacts[]>;
  }): RoutePlugin =>
  async (app) => {
    const tags = ['tuning'];
    type Wishes = ReadonlyMap<string, TuningValue | null>;
    /** What somebody set for a backend. */
    const wishesFor = async (graphId: string): Promise<Wishes> =>
      new Map(
        (await deps.tuning.effective({ graphId })).flatMap(({ parameter, value, origin }) =>
          origin === 'built-in' ? [] : [[parameter.name, value] as const],
        ),
      );

    app.get(
      '/api/v1/tuning/advice',
      {
        config: { access: 'admin', activity: 'tuning.advice' },
        schema: {
          tags,
          summary: 'What the figures of the backends suggest to change, with the figures',
          description:
            'Nothing is proposed that was not measured: a rule that lacks something says what. What is proposed is set with `PUT /api/v1/tuning/values` by whoever thinks so too.',
          querystring: z.object({
            window: z.coerce
              .number()
              .int()
              .min(600)
              .max(7 * 86_400)
              .default(86_400)
              .describe('Seconds of traffic that are looked at.'),
          }),
          response: { 200: adviceSchema },
        },
      },
      async (request) => {
        const all = (await deps.facts(request.query.window * 1_000)).map((facts) => advise(facts));
        const wishes = new Map<string, Wishes>();
        for (const { graphId } of all) wishes.set(graphId, await wishesFor(graphId));
        return shapeAdvice(all, (graphId, parameter, value) => wishes.get(graphId)?.get(parameter) === value);
      },
    );

    app.get(
      '/api/v1/tuning/running',
      {
        config: { access: 'admin', activity: 'tuning.running' },
        schema: {
          tags,
          summary: 'What the backends are seen to run with, parameter by parameter, and where that was seen',
          response: { 200: z.object({ items: z.array(runningSchema), next_cursor: z.null() }) },
        },
      },
      async () => {
        const all = await Promise.all(
          (await deps.running()).map(async ({ graphId, kind, running }) => {
            if (kind === undefined) return [];
            const wanted = await wishesFor(graphId);
            return findValues(kind, running).map((one) =>
              shapeRunning(graphId, one, wanted.get(one.parameter.name) ?? null),
            );
          }),
        );
        return { items: all.flat(), next_cursor: null };
      },
    );
  };
