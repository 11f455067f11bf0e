import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type AlertRuleBody, alertRuleBody, alertRuleChange } from '../config/index.ts';
import { AppError, isAppError } from '../platform/errors.ts';
import { etagOf, type RoutePlugin, requireIfMatch } from '../platform/http/index.ts';
import { backtestBody, backtestSchema, type KnownAlertRuleBody, ruleBody, ruleSchema } from './alert-bodies.ts';
import { type AlertRule, compare, describeCondition, ruleOrigins } from './alert-rule.ts';
import { backtestRule } from './backtest.ts';
import { exportRules } from './prometheus-rules.ts';
import { createRuleReader } from './read-rule.ts';
import { type AlertRouteDeps, base } from './route-deps.ts';
import { ruleOf } from './rule-body.ts';
import type { KnownRule } from './rule-catalogue.ts';

const dayMs = 86_400_000;
const ofOne = z.object({ rule_name: z.string().min(1).max(100) });
const instant = z.iso.datetime({ offset: true }).optional();

/** Rules: listed, put, removed, tried out on what is stored, and as a rule file for Prometheus. */
export const ruleRoutes =
  (deps: AlertRouteDeps, requireEnabled: () => Promise<void>): RoutePlugin =>
  async (app) => {
    const { alerts, history, current, registry, clock } = deps;
    const { rules, evaluation } = alerts;
    const tags = ['alerts'];
    const shown = (known: KnownRule): KnownAlertRuleBody =>
      ruleBody(
        known,
        known.rule.enabled ? evaluation.status(known.rule.name) : undefined,
        evaluation.alerts().get(known.rule.name) ?? [],
      );
    /** Of what somebody writes: status and origin change by themselves. */
    const etagFor = (known: KnownRule): string => etagOf(JSON.stringify([known.body, known.origin, known.revision]));
    const readNow = (rule: AlertRule) => createRuleReader(rule, current).read(history.view(), clock.now());

    /** A rule that makes no sense of a metric that is there is refused; one on a metric that is not there may wait for it. */
    const requireSense = async (rule: AlertRule): Promise<void> => {
      try {
        await readNow(rule);
      } catch (err) {
        if (isAppError(err) && err.code === 'request/invalid') throw err;
        // Whether it makes sense cannot be told now.
      }
    };
    const put = async (body: AlertRuleBody, request: FastifyRequest, createOnly: boolean) => {
      await requireSense(ruleOf(body));
      const { known, created } = await rules.put(body, request.principal?.subject ?? 'unknown', { createOnly });
      evaluation.job.wake();
      return { known, created };
    };

    app.get(
      `${base}/rules`,
      {
        preHandler: requireEnabled,
        config: { access: 'service', activity: 'alerts.rules', problems: ['feature/disabled'] },
        schema: {
          tags,
          summary: 'Alert rules, by name',
          querystring: z.object({ origin: z.enum(ruleOrigins).optional() }),
          response: { 200: z.object({ items: z.array(ruleSchema), next_cursor: z.null() }) },
        },
      },
      async ({ query: { origin } }) => ({
        items: (await rules.load()).filter((one) => (origin ?? one.origin) === one.origin).map(shown),
        next_cursor: null,
      }),
    );

    app.get(
      `${base}/rules/export`,
      {
        preHandler: requireEnabled,
        config: { access: 'service', activity: 'alerts.export-rules', problems: ['feature/disabled'] },
        schema: {
          tags,
          summary: 'Alert rules as a rule file for Prometheus',
          description:
            'Names and units as on `/metrics`. What a rule file cannot say is told in `left_out`, and in the file.',
          querystring: z.object({ origin: z.enum(ruleOrigins).optional() }),
          response: {
            200: z.object({
              rule_file: z.string().describe('YAML, as `promtool check rules` takes it.'),
              exported: z.number().int(),
              left_out: z.array(z.object({ rule_name: z.string(), reason: z.string() })),
            }),
          },
        },
      },
      async ({ query: { origin } }) => {
        const chosen = (await rules.load()).filter((one) => (origin ?? one.origin) === one.origin);
        const { text, exported, leftOut } = exportRules(
          chosen.map(({ rule }) => rule),
          registry,
        );
        return {
          rule_file: text,
          exported,
          left_out: leftOut.map(({ rule, reason }) => ({ rule_name: rule, reason })),
        };
      },
    );

    app.post(
      `${base}/rules`,
      {
        preHandler: requireEnabled,
        config: { access: 'admin', activity: 'alerts.create-rule', problems: ['feature/disabled', 'conflict/state'] },
        schema: { tags, summary: 'Make an alert rule', body: alertRuleBody, response: { 201: ruleSchema } },
      },
      async (request, reply) => {
        const { known } = await put(request.body, request, true);
        return reply
          .code(201)
          .header('location', `${base}/rules/${known.rule.name}`)
          .header('etag', etagFor(known))
          .send(shown(known));
      },
    );

    app.post(
      `${base}/rules/test`,
      {
        preHandler: requireEnabled,
        config: {
          access: 'admin',
          activity: 'alerts.test-rule',
          problems: ['feature/disabled', 'alerts/unknown-rule'],
        },
        schema: {
          tags,
          summary: 'Run a rule over what is stored: when it would have fired, and for how long',
          description:
            'A rule that is stored, by `rule_name`, or one that is not, as `rule`. Nothing is kept, nobody is told, and no action is done. `value` tries the condition by hand.',
          body: z
            .strictObject({
              rule_name: z.string().max(100).optional(),
              rule: alertRuleBody.optional(),
              from: instant.describe('A day before `to` unless told.'),
              to: instant.describe('Now unless told.'),
              value: z.number().optional().describe('Tells whether this value meets the condition.'),
            })
            .superRefine((body, context) => {
              if ((body.rule === undefined) === (body.rule_name === undefined))
                context.addIssue({
                  code: 'custom',
                  path: ['rule'],
                  message: 'name a stored rule by `rule_name`, or send one',
                });
            }),
          response: { 200: backtestSchema },
        },
      },
      async ({ body }) => {
        const rule = body.rule ? ruleOf(body.rule) : (await rules.require(body.rule_name ?? '')).rule;
        const nowMs = clock.now();
        const toMs = body.to === undefined ? nowMs : Math.min(nowMs, Date.parse(body.to));
        const fromMs = body.from === undefined ? toMs - dayMs : Date.parse(body.from);
        if (fromMs >= toMs)
          throw new AppError('request/invalid', 'The range ends before it begins.', {
            violations: [{ at: 'from', message: 'is not before `to`' }],
          });
        const test = await backtestRule(rule, history, { fromMs, toMs, intervalMs: deps.intervalMs() });
        const readings = await readNow(rule);
        const { condition, threshold } = rule;
        const matches = (value: number): boolean => condition !== 'absent' && compare(condition, value, threshold);
        return {
          ...{ rule_name: rule.name, says: describeCondition(rule) },
          ...backtestBody(test),
          now: {
            readings: readings
              .slice(0, 100)
              .map(({ labels, value }) => ({ labels: { ...labels }, value, matches: matches(value) })),
            label_sets: readings.length,
            matching:
              condition === 'absent'
                ? Number(readings.length === 0)
                : readings.filter(({ value }) => matches(value)).length,
          },
          value: body.value === undefined ? null : { value: body.value, matches: matches(body.value) },
          notes: [...test.notes],
        };
      },
    );

    app.get(
      `${base}/rules/:rule_name`,
      {
        preHandler: requireEnabled,
        config: { access: 'service', activity: 'alerts.rule', problems: ['feature/disabled', 'alerts/unknown-rule'] },
        schema: { tags, summary: 'One alert rule', params: ofOne, response: { 200: ruleSchema } },
      },
      async ({ params }, reply) => {
        const known = await rules.require(params.rule_name);
        reply.header('etag', etagFor(known));
        return shown(known);
      },
    );

    app.put(
      `${base}/rules/:rule_name`,
      {
        preHandler: requireEnabled,
        config: {
          access: 'admin',
          activity: 'alerts.change-rule',
          headers: ['if-match'],
          problems: ['feature/disabled', 'conflict/state'],
        },
        schema: {
          tags,
          summary: 'Put an alert rule in place of the one of this name, or make it',
          description: 'What is left out gets its default. A default rule is replaced by the one that is put.',
          params: ofOne,
          body: alertRuleChange,
          response: { 200: ruleSchema, 201: ruleSchema },
        },
      },
      async (request, reply) => {
        const { rule_name: name } = request.params;
        if (request.body.name !== undefined && request.body.name !== name)
          throw new AppError('request/invalid', 'A rule keeps its name. Make another one instead.', {
            violations: [{ at: 'name', message: `is not "${name}", which the path names` }],
          });
        const before = await rules.find(name);
        if (before !== undefined) requireIfMatch(request, etagFor(before));
        else if (request.headers['if-match'] !== undefined) await rules.require(name);
        const whole = alertRuleBody.safeParse({ ...request.body, name });
        if (!whole.success)
          throw new AppError('request/invalid', 'This is no name of a rule.', {
            violations: whole.error.issues.map(({ path, message }) => ({ at: path.join('.'), message })),
          });
        const { known, created } = await put(whole.data, request, false);
        return reply
          .code(created ? 201 : 200)
          .header('etag', etagFor(known))
          .send(shown(known));
      },
    );

    app.delete(
      `${base}/rules/:rule_name`,
      {
        preHandler: requireEnabled,
        config: {
          access: 'admin',
          activity: 'alerts.delete-rule',
          headers: ['if-match'],
          problems: ['feature/disabled', 'alerts/unknown-rule', 'conflict/state'],
        },
        schema: {
          tags,
          summary: 'Remove an alert rule; what fires because of it is resolved',
          description: 'A default rule that it replaced counts again.',
          params: ofOne,
          response: { 200: ruleSchema },
        },
      },
      async (request) => {
        const { rule_name: name } = request.params;
        const before = await rules.require(name);
        requireIfMatch(request, etagFor(before));
        await rules.remove(name, request.principal?.subject ?? 'unknown');
        evaluation.job.wake();
        return shown(before);
      },
    );
  };
