import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { etagOf, type RoutePlugin, requireIfMatch } from '../platform/http/index.ts';
import type { Scope } from './revision.ts';
import { promisedNames, type Tuning } from './tuning.ts';
import { type LightragConfigBody, lightragConfigSchema, valuesBody } from './tuning-bodies.ts';

const messageSchema = z.object({ message: z.string() });
const asking = z.object({
  confirm: z.stringbool().default(false).describe('What an index would suffer was seen, and is meant.'),
  reason: z
    .string()
    .max(500)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'holds control characters')
    .optional()
    .describe('Why; kept with the revision.'),
});

/** A caller's own parameters, and those of everybody who set none: paths and fields as they were promised. */
export const lightragConfigRoutes =
  (deps: { readonly tuning: Tuning }): RoutePlugin =>
  async (app) => {
    const { tuning } = deps;
    const tags = ['tuning'];
    const subjectOf = (request: FastifyRequest): string => {
      if (!request.principal) throw new AppError('access/unauthenticated', 'Nobody stands behind this request.');
      return request.principal.subject;
    };
    const scopeFor = (request: FastifyRequest, whose: 'own' | 'default'): Scope =>
      whose === 'own' ? { kind: 'user', subject: subjectOf(request) } : { kind: 'default' };
    const askedBy = (request: FastifyRequest, { reason, confirm }: z.infer<typeof asking>) => ({
      actor: subjectOf(request),
      reason: reason ?? null,
      confirm,
      admit: (etagSource: string) => requireIfMatch(request, etagOf(etagSource)),
    });
    const answer = async (scope: Scope, reply: FastifyReply): Promise<LightragConfigBody> => {
      reply.header('etag', etagOf(await tuning.etagSource(scope)));
      const values = await tuning.effective(scope.kind === 'user' ? { subject: scope.subject } : {});
      return Object.fromEntries(
        values.flatMap(({ parameter, value, origin }) =>
          value !== null && (promisedNames.includes(parameter.name) || origin !== 'built-in')
            ? [[parameter.name, value]]
            : [],
        ),
      ) as LightragConfigBody;
    };

    for (const { path, whose, access, what } of [
      { path: '/api/v1/config/lightrag', whose: 'own', access: 'user', what: "the caller's own parameters" },
      { path: '/api/v1/config/lightrag/default', whose: 'default', access: 'admin', what: 'the default parameters' },
    ] as const) {
      app.get(
        path,
        {
          config: { access, activity: `tuning.read-${whose}` },
          schema: {
            tags,
            summary: `Read ${what}`,
            description: 'What is the own counts more than the default, which counts more than environment and file.',
            response: { 200: lightragConfigSchema },
          },
        },
        async (request, reply) => answer(scopeFor(request, whose), reply),
      );

      app.put(
        path,
        {
          config: {
            access,
            activity: `tuning.set-${whose}`,
            headers: ['if-match'],
            problems: ['conflict/confirmation-required'],
          },
          schema: {
            tags,
            summary: `Set some of ${what}`,
            description: 'What is left out stays as it is. All are set or, with one that cannot be, none.',
            querystring: asking,
            body: valuesBody,
            response: { 200: lightragConfigSchema },
          },
        },
        async (request, reply) => {
          const scope = scopeFor(request, whose);
          await tuning.set(scope, request.body, askedBy(request, request.query));
          return answer(scope, reply);
        },
      );

      app.delete(
        path,
        {
          config: {
            access,
            activity: `tuning.reset-${whose}`,
            headers: ['if-match'],
            problems: ['conflict/confirmation-required'],
          },
          schema: {
            tags,
            summary:
              whose === 'own'
                ? 'Take all own parameters away'
                : 'Restore the default, and clear what every user and workspace set',
            querystring: asking,
            response: { 200: messageSchema },
          },
        },
        async (request) => {
          const { revision } = await tuning.reset(scopeFor(request, whose), askedBy(request, request.query));
          const restored =
            whose === 'own'
              ? 'Your parameters are those of the default.'
              : 'The default is restored, and nobody has other parameters.';
          return { message: revision ? `${restored} Revision ${revision.number}.` : `${restored} Nothing was set.` };
        },
      );
    }
  };
