import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { formatMatcher, type Matcher, parseMatcher } from './matcher.ts';
import { type Silence, silenceState } from './silence.ts';
import type { NewSilence, Silences } from './silences.ts';

const silenceId = z.string().regex(/^sil_[0-9a-z]{1,40}$/, 'is no id of a silence');

const silenceSchema = z.object({
  id: z.string(),
  state: z.enum(['pending', 'active', 'expired']),
  matchers: z
    .array(z.string())
    .describe('LABEL=VALUE or LABEL!=VALUE, with * for any run of characters; all of them hold.'),
  from: z.string(),
  until: z.string(),
  created_by: z.string(),
  created_at: z.string(),
  comment: z.string(),
});

const instant = z.iso.datetime({ offset: true });
const newSilence = z.strictObject({
  matchers: z
    .array(z.string().min(2).max(300))
    .min(1)
    .max(20)
    .describe('At least one with a value: a silence of everything is refused.'),
  from: instant.optional().describe('Now when left out.'),
  until: instant,
  comment: z
    .string()
    .trim()
    .min(1)
    .max(1_000)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'holds control characters'),
});

const longestMs = 366 * 86_400_000;

/** @throws AppError `request/invalid` with every violation */
export function readSilence(body: z.infer<typeof newSilence>, nowMs: number): NewSilence {
  const violations: { at: string; message: string }[] = [];
  const matchers = body.matchers.flatMap((text, index): readonly Matcher[] => {
    const matcher = parseMatcher(text);
    if (!matcher) violations.push({ at: `matchers.${index}`, message: 'must be LABEL=VALUE or LABEL!=VALUE' });
    return matcher ? [matcher] : [];
  });
  // `team=*` and `team!=x` alone hold for nearly everything, also for what nobody thought of.
  if (violations.length === 0 && !matchers.some(({ value, equal }) => equal && value.replaceAll('*', '') !== ''))
    violations.push({ at: 'matchers', message: 'one of them must say what a label is, as severity=warning does' });
  const fromMs = body.from === undefined ? nowMs : Date.parse(body.from);
  const untilMs = Date.parse(body.until);
  if (untilMs <= fromMs) violations.push({ at: 'until', message: 'must be after its beginning' });
  if (untilMs <= nowMs) violations.push({ at: 'until', message: 'has passed' });
  if (untilMs - fromMs > longestMs)
    violations.push({ at: 'until', message: 'is more than a year after its beginning' });
  if (violations.length > 0) throw new AppError('request/invalid', 'The silence is not right.', { violations });
  return { matchers, fromMs, untilMs, comment: body.comment };
}

const shapeSilence = (silence: Silence, nowMs: number): z.infer<typeof silenceSchema> => ({
  id: silence.id,
  state: silenceState(silence, nowMs),
  matchers: silence.matchers.map(formatMatcher),
  from: isoInstant(silence.fromMs),
  until: isoInstant(silence.untilMs),
  created_by: silence.by,
  created_at: isoInstant(silence.createdMs),
  comment: silence.comment,
});

/** What holds notifications back for a while: made, listed, changed, ended. */
export const silenceRoutes =
  ({ silences, now }: { silences: Silences; now: () => number }): RoutePlugin =>
  async (app) => {
    const tags = ['alerts'];
    const path = '/api/v1/metrics/alerts/silences';
    const params = z.object({ id: silenceId });

    app.get(
      path,
      {
        config: { access: 'admin', activity: 'silences' },
        schema: {
          tags,
          summary: 'Silences, newest first',
          querystring: z.object({
            state: z
              .enum(['live', 'all'])
              .default('live')
              .describe('Those that hold something back now or later, or all.'),
            limit: z.coerce.number().int().min(1).max(500).default(100),
            cursor: silenceId.optional(),
          }),
          response: { 200: z.object({ items: z.array(silenceSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { state, limit, cursor } = request.query;
        const page = await silences.list({ live: state === 'live', beforeId: cursor, limit: limit + 1 });
        const items = page.slice(0, limit);
        const last = page.length > limit ? items.at(-1) : undefined;
        return { items: items.map((one) => shapeSilence(one, now())), next_cursor: last?.id ?? null };
      },
    );

    app.get(
      `${path}/:id`,
      {
        config: { access: 'admin', activity: 'silence', problems: ['request/not-found'] },
        schema: { tags, summary: 'One silence', params, response: { 200: silenceSchema } },
      },
      async (request) => shapeSilence(await silences.require(request.params.id), now()),
    );

    app.post(
      path,
      {
        config: { access: 'admin', activity: 'create-silence' },
        schema: {
          tags,
          summary: 'Hold notifications back for a while',
          body: newSilence,
          response: { 201: silenceSchema },
        },
      },
      async (request, reply) => {
        const silence = await silences.create(actorOf(request.principal), readSilence(request.body, now()));
        reply.code(201);
        return shapeSilence(silence, now());
      },
    );

    app.put(
      `${path}/:id`,
      {
        config: { access: 'admin', activity: 'change-silence', problems: ['request/not-found', 'conflict/state'] },
        schema: {
          tags,
          summary: 'Change a silence that is not over',
          params,
          body: newSilence,
          response: { 200: silenceSchema },
        },
      },
      async (request) => {
        const wanted = readSilence(request.body, now());
        return shapeSilence(await silences.change(actorOf(request.principal), request.params.id, wanted), now());
      },
    );

    app.delete(
      `${path}/:id`,
      {
        config: { access: 'admin', activity: 'end-silence', problems: ['request/not-found'] },
        schema: {
          tags,
          summary: 'End a silence now; it stays in the list as expired',
          params,
          response: { 200: silenceSchema },
        },
      },
      async (request) => shapeSilence(await silences.expire(actorOf(request.principal), request.params.id), now()),
    );
  };

/** Routes of an access class always have somebody; the type does not know. */
export const actorOf = (principal: { readonly subject: string } | undefined): string => principal?.subject ?? 'unknown';
