import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { etagOf, type RoutePlugin, requireIfMatch } from '../platform/http/index.ts';
import { parameters } from './catalogue/index.ts';
import type { Running } from './drift.ts';
import { findDrift } from './drift.ts';
import type { Scope } from './revision.ts';
import type { Changed, Tuning } from './tuning.ts';
import {
  changeSchema,
  consequenceSchema,
  driftSchema,
  effectiveSchema,
  parameterSchema,
  revisionSchema,
  shapeChange,
  shapeConsequence,
  shapeDrift,
  shapeEffective,
  shapeParameter,
  shapeRevision,
  valuesBody,
  warningSchema,
} from './tuning-bodies.ts';
import type { ChangeWatch } from './watch/change-watch.ts';

// PostgreSQL keeps no NUL, and nobody reads the others.
const line = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'holds control characters');
const subject = line(200).min(1);
const graphId = line(200).min(1);
const reason = line(500).nullable().default(null);
const confirm = z.boolean().default(false).describe('What an index would suffer was seen, and is meant.');
const scopeQuery = z.object({
  user: subject.optional().describe('Subject of the user.'),
  graph_id: graphId.optional().describe('`target` or `target:workspace`.'),
});
const scopeBody = z.strictObject({ user: subject.optional(), graph_id: graphId.optional() });
const number = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** @throws AppError `request/invalid` for both at once */
function scopeFrom({ user, graph_id: graph }: z.infer<typeof scopeBody>): Scope {
  if (user !== undefined && graph !== undefined)
    throw new AppError('request/invalid', 'A value is for a user or for a workspace: give `user` or `graph_id`.', {
      violations: [{ at: '/graph_id', message: 'cannot stand beside user' }],
    });
  if (user !== undefined) return { kind: 'user', subject: user };
  return graph === undefined ? { kind: 'default' } : { kind: 'workspace', graphId: graph };
}

/** The catalogue, what counts for whom and why, each change and the way back. */
export const tuningRoutes =
  (deps: {
    readonly tuning: Tuning;
    /** What each backend is seen to run with, and of what file that is. */
    running(): Promise<readonly { readonly graphId: string; readonly running: Running }[]>;
    /** How it went after each of these revisions was applied. */
    watches: ChangeWatch['of'];
  }): RoutePlugin =>
  async (app) => {
    const { tuning } = deps;
    const tags = ['tuning'];
    const askedBy = (request: FastifyRequest, why: string | null, confirm: boolean) => {
      if (!request.principal) throw new AppError('access/unauthenticated', 'Nobody stands behind this request.');
      return {
        actor: request.principal.subject,
        reason: why,
        confirm,
        admit: (etagSource: string) => requireIfMatch(request, etagOf(etagSource)),
      };
    };
    const changed = z.object({
      revision: revisionSchema.nullable().describe('Null: everything was so already.'),
      warnings: z.array(warningSchema),
      consequences: z.array(consequenceSchema),
    });
    const shapeWarnings = (of: readonly { severity: 'error' | 'warning'; of: readonly string[]; message: string }[]) =>
      of.map((one) => ({ severity: one.severity, parameters: [...one.of], message: one.message }));

    const shapeChanged = ({ revision, warnings, consequences }: Changed) => ({
      revision: revision && shapeRevision(revision),
      warnings: shapeWarnings(warnings),
      consequences: consequences.map(shapeConsequence),
    });

    app.get(
      '/api/v1/tuning/parameters',
      {
        config: { access: 'user', activity: 'tuning.parameters' },
        schema: {
          tags,
          summary: 'Every parameter: what it means, what it may be, what changing it costs',
          response: { 200: z.object({ items: z.array(parameterSchema), next_cursor: z.null() }) },
        },
      },
      async () => ({ items: parameters.map(shapeParameter), next_cursor: null }),
    );

    app.get(
      '/api/v1/tuning/effective',
      {
        config: { access: 'admin', activity: 'tuning.effective' },
        schema: {
          tags,
          summary: 'What counts for a user, a workspace, both, or everybody else, with where each value comes from',
          querystring: scopeQuery,
          response: { 200: z.object({ items: z.array(effectiveSchema), next_cursor: z.null() }) },
        },
      },
      async (request) => {
        const { user, graph_id: graph } = request.query;
        const values = await tuning.effective({ subject: user, graphId: graph });
        return { items: values.map(shapeEffective), next_cursor: null };
      },
    );

    app.put(
      '/api/v1/tuning/values',
      {
        config: {
          access: 'admin',
          activity: 'tuning.set',
          headers: ['if-match'],
          problems: ['conflict/confirmation-required'],
        },
        schema: {
          tags,
          summary: 'Set parameters for everybody, a user or a workspace',
          description: 'All of them or none. `PUT /api/v1/config/lightrag` is for a user that sets its own.',
          body: scopeBody.extend({ values: valuesBody, reason, confirm }),
          response: { 200: changed },
        },
      },
      async (request) => {
        const { values, reason: why, confirm: sure, ...scope } = request.body;
        return shapeChanged(await tuning.set(scopeFrom(scope), values, askedBy(request, why, sure)));
      },
    );

    app.delete(
      '/api/v1/tuning/values',
      {
        config: {
          access: 'admin',
          activity: 'tuning.reset',
          headers: ['if-match'],
          problems: ['conflict/confirmation-required'],
        },
        schema: {
          tags,
          summary: 'Take all values of a user or a workspace away; without either those of everybody',
          querystring: scopeQuery.extend({ reason: line(500).optional(), confirm: z.stringbool().default(false) }),
          response: { 200: changed },
        },
      },
      async (request) => {
        const { reason: why, confirm: sure, ...scope } = request.query;
        return shapeChanged(await tuning.reset(scopeFrom(scope), askedBy(request, why ?? null, sure)));
      },
    );

    app.post(
      '/api/v1/tuning/check',
      {
        config: { access: 'admin', activity: 'tuning.check', onlyLooks: true },
        schema: {
          tags,
          summary: 'What would be wrong with these values; changes nothing',
          body: scopeBody.extend({ values: valuesBody }),
          response: {
            200: z.object({
              valid: z.boolean(),
              violations: z.array(z.object({ parameter: z.string(), message: z.string() })),
              contradictions: z.array(warningSchema),
              consequences: z.array(consequenceSchema),
            }),
          },
        },
      },
      async (request) => {
        const { values, ...scope } = request.body;
        const { violations, contradictions, consequences } = await tuning.check(scopeFrom(scope), values);
        return {
          valid: violations.length === 0 && contradictions.every((one) => one.severity === 'warning'),
          violations: violations.map((one) => ({ ...one })),
          contradictions: shapeWarnings(contradictions),
          consequences: consequences.map(shapeConsequence),
        };
      },
    );

    app.get(
      '/api/v1/tuning/drift',
      {
        config: { access: 'admin', activity: 'tuning.drift' },
        schema: {
          tags,
          summary: 'What differs between what somebody set and what the backends run with',
          description:
            'Looks at what the backend tells an authenticated caller, at its environment file and at its index. What nobody set here is never drift.',
          response: {
            200: z.object({
              items: z.array(driftSchema),
              next_cursor: z.null(),
              compared: z.number().int().describe('How many of the values that somebody set could be seen somewhere.'),
              unseen: z.array(z.string()).describe('Those that could be seen nowhere.'),
            }),
          },
        },
      },
      async () => {
        const all = await Promise.all(
          (await deps.running()).map(async ({ graphId, running }) => ({
            graphId,
            report: findDrift(await tuning.effective({ graphId }), running),
          })),
        );
        return {
          items: all.flatMap(({ graphId, report }) => report.drift.map((one) => shapeDrift(graphId, one))),
          next_cursor: null,
          compared: all.reduce((sum, { report }) => sum + report.compared, 0),
          unseen: [...new Set(all.flatMap(({ report }) => report.unseen))],
        };
      },
    );

    app.get(
      '/api/v1/tuning/revisions',
      {
        config: { access: 'admin', activity: 'tuning.history' },
        schema: {
          tags,
          summary: 'Every change, newest first',
          querystring: z.object({
            limit: z.coerce.number().int().min(1).max(500).default(100),
            cursor: z
              .string()
              .regex(/^\d{1,15}$/, 'is no cursor of this list')
              .transform(Number)
              .optional(),
          }),
          response: { 200: z.object({ items: z.array(revisionSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const page = await tuning.revisions({ limit: limit + 1, before: cursor });
        const items = page.slice(0, limit);
        const last = page.length > limit ? items.at(-1) : undefined;
        const watches = await deps.watches(items.map((one) => one.number));
        return {
          items: items.map((one) => shapeRevision(one, watches.get(one.number))),
          next_cursor: last ? String(last.number) : null,
        };
      },
    );

    app.get(
      '/api/v1/tuning/revisions/:revision',
      {
        config: { access: 'admin', activity: 'tuning.revision', problems: ['tuning/unknown-revision'] },
        schema: {
          tags,
          summary: 'One change',
          params: z.object({ revision: number }),
          response: { 200: revisionSchema },
        },
      },
      async ({ params: { revision: of } }) =>
        shapeRevision(await tuning.revision(of), (await deps.watches([of])).get(of)),
    );

    app.get(
      '/api/v1/tuning/diff',
      {
        config: { access: 'admin', activity: 'tuning.diff', problems: ['tuning/unknown-revision'] },
        schema: {
          tags,
          summary: 'What differs between the states after two revisions; 0 is before the first',
          querystring: z.object({ from: number, to: number }),
          response: { 200: z.object({ items: z.array(changeSchema), next_cursor: z.null() }) },
        },
      },
      async (request) => {
        const { from, to } = request.query;
        return { items: (await tuning.diff(from, to)).map(shapeChange), next_cursor: null };
      },
    );

    app.post(
      '/api/v1/tuning/revisions/:revision/rollback',
      {
        config: {
          access: 'admin',
          activity: 'tuning.rollback',
          problems: ['tuning/unknown-revision', 'conflict/confirmation-required'],
        },
        schema: {
          tags,
          summary: 'Bring back the state after a revision, as a new revision; 0 is before the first',
          params: z.object({ revision: number }),
          body: z.strictObject({ reason, confirm }),
          response: {
            200: changed.extend({ left_out: z.array(z.string()).describe('Parameters that do not exist any more.') }),
          },
        },
      },
      async (request) => {
        const { reason: why, confirm: sure } = request.body;
        const made = await tuning.rollback(request.params.revision, askedBy(request, why, sure));
        return { ...shapeChanged(made), left_out: [...made.leftOut] };
      },
    );
  };
