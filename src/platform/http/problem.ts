import { channel } from 'node:diagnostics_channel';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AppError, type ErrorCode, errorCatalogue, isAppError, type Violation } from '../errors.ts';
import type { Logger } from '../logging.ts';
import { authenticateChallenge, problemOf } from '../problem-body.ts';

/** RFC 9457. `code` is stable; `errors` lists every violated rule of a 422. */
export const problemSchema = z
  .object({
    type: z.string().describe('`urn:ragwarden:error:` and the code.'),
    title: z.string(),
    status: z.number().int().min(400).max(599),
    detail: z.string().describe('What happened and what to do next, for people.'),
    instance: z.string().describe('The path that was asked for.'),
    code: z.enum(Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]]).describe('Stable; what programs go by.'),
    request_id: z.string().describe('Also in `X-Request-Id` and in the log.'),
    errors: z
      .array(z.object({ at: z.string(), message: z.string() }))
      .optional()
      .describe('Every violated rule of the request, with its place.'),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof problemSchema>;

/** Turns whatever was thrown while a request was handled into one of the catalogue; a stranger becomes `internal/unexpected`. */
export function appErrorOf(err: unknown, request?: FastifyRequest): AppError {
  if (isAppError(err)) return err;
  if (hasZodFastifySchemaValidationErrors(err)) {
    const violations = request ? allViolations(err, request) : [];
    const places = violations.map((violation) => violation.at).join(', ');
    return new AppError('request/invalid', `The request does not match its schema: see ${places}.`, { violations });
  }
  const known = frameworkError(err);
  if (known) return new AppError(known.code, known.detail, { cause: err });
  return new AppError('internal/unexpected', 'The log has more under this request id.', { cause: err });
}

const frameworkTexts: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['request/too-large', 'The body is larger than this route takes.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['request/unsupported-media-type', 'Send `Content-Type: application/json`.'],
  FST_ERR_CTP_EMPTY_TYPE: ['request/unsupported-media-type', 'Send `Content-Type: application/json`.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['request/unreadable', 'The body is not as long as its Content-Length says.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['request/unreadable', 'The body is not valid JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['request/unreadable', 'The body is empty.'],
  FST_ERR_BAD_URL: ['request/unreadable', 'The path is not a valid URL path.'],
  FST_ERR_MAX_PARAM_LENGTH: ['request/invalid', 'A part of the path is too long.'],
};

function frameworkError(err: unknown): { code: ErrorCode; detail: string } | undefined {
  if (!(err instanceof Error)) return undefined;
  const { code, statusCode } = err as Partial<FastifyError>;
  const known = frameworkTexts[code ?? ''];
  if (known) return { code: known[0], detail: known[1] };
  // What the server itself refuses while it reads a request (a broken body, poisoned JSON) carries a 4xx status.
  if (
    statusCode !== undefined &&
    statusCode >= 400 &&
    statusCode < 500 &&
    (code?.startsWith('FST_ERR_CTP') || err instanceof SyntaxError)
  )
    return { code: 'request/unreadable', detail: 'The body is not valid JSON.' };
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return { code: 'request/aborted', detail: 'The connection was closed before the request was complete.' };
  return undefined;
}

const places = ['params', 'body', 'querystring', 'headers'] as const;

/** The framework stops at the first place that fails; the caller wants to hear of all of them. */
function allViolations(err: FastifyError, request: FastifyRequest): Violation[] {
  const first = err.validationContext ?? 'body';
  const values = { params: request.params, body: request.body, querystring: request.query, headers: request.headers };
  const valueAt = (place: string): unknown => (place in values ? values[place as keyof typeof values] : undefined);
  const found = violationsOf(first, err.validation ?? [], valueAt(first));
  for (const place of places.slice(places.indexOf(first) + 1)) {
    const validate = request.getValidationFunction(place);
    const outcome: unknown = validate?.(values[place]);
    const error = typeof outcome === 'object' && outcome !== null && 'error' in outcome ? outcome.error : undefined;
    if (Array.isArray(error)) found.push(...violationsOf(place, error, valueAt(place)));
  }
  return found;
}

type Issue = { readonly instancePath: string; readonly keyword?: string; readonly message?: string };

function violationsOf(place: string, issues: readonly Issue[], value: unknown): Violation[] {
  const root = place === 'querystring' ? 'query' : place;
  return issues.map((issue) => {
    const path = issue.instancePath === '/' ? [] : issue.instancePath.split('/').slice(1);
    return {
      at: [root, ...path.filter((name) => name !== '')].join('.'),
      // What a schema makes of nothing (NaN, undefined) tells nobody that nothing was sent.
      message: issue.keyword !== 'custom' && isMissing(value, path) ? 'is required' : (issue.message ?? 'is not valid'),
    };
  });
}

/** Where all above it is there: a name with a slash in it is two names in the path of an issue, and leads nowhere. */
function isMissing(value: unknown, path: readonly string[]): boolean {
  let at: unknown = value ?? undefined;
  for (const name of path) {
    if (typeof at !== 'object' || at === null) return false;
    at = (at as Record<string, unknown>)[name];
  }
  return at === undefined;
}

/** Each answer that was held back is told here, so that whoever tests a route hears of it wherever the route is tested. */
const brokenAnswers = channel('ragwarden.http.broken-answer');

const describeBroken = (err: Error): string => {
  const cause = err.cause instanceof Error ? err.cause.message : '';
  return `${err.message} ${cause}`.trim();
};

/** An answer with a status that the route does not describe: nobody could have checked its body. */
class UndescribedAnswer extends Error {}

/**
 * Before an answer is written out: its status must be one that the route describes, else nothing would check its body.
 * Routes that describe nothing (in tests) are left alone; so are problems, which have one shape everywhere.
 * @throws UndescribedAnswer, which becomes a 500 like any other broken answer
 */
export function refuseUndescribed(request: FastifyRequest, reply: FastifyReply): void {
  const answers: unknown = request.routeOptions.schema?.response;
  if (typeof answers !== 'object' || answers === null || request.is404) return;
  if (String(reply.getHeader('content-type')).startsWith('application/problem+json')) return;
  if (!(String(reply.statusCode) in answers))
    throw new UndescribedAnswer(`the status ${reply.statusCode} is not described`);
}

/** The path without the query: query strings may carry secrets and are not repeated. */
export const pathOf = (url: string): string => url.split('?', 1)[0] ?? url;

/** An error as it is answered, and told in the log. Text of unknown errors goes to the log only. */
export function logRefusal(log: Logger, err: unknown, request: FastifyRequest, reply: FastifyReply): AppError {
  const problem = appErrorOf(err, request);
  const facts = {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url,
    code: problem.code,
    context: problem.context,
  };
  const broken = err instanceof UndescribedAnswer || isResponseSerializationError(err);
  if (broken) {
    const route = `${request.method} ${request.routeOptions.url}`;
    log.error({ ...facts, err }, 'an answer broke its schema and was held back');
    if (brokenAnswers.hasSubscribers) brokenAnswers.publish({ route, reason: describeBroken(err) });
  } else if (problem.code === 'internal/unexpected')
    log.error({ ...facts, err: problem.cause ?? problem }, 'request failed unexpectedly');
  else if (problem.kind.status >= 500) log.warn({ ...facts, err: problem }, 'request failed');
  else log.debug(facts, 'request refused');
  if (problem.retryAfterSeconds !== undefined)
    reply.header('retry-after', String(Math.ceil(problem.retryAfterSeconds)));
  if (problem.kind.status === 401) reply.header('www-authenticate', authenticateChallenge);
  return problem;
}

/** The one place where an error becomes a problem. */
export function sendProblem(log: Logger, err: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = logRefusal(log, err, request, reply);
  return reply
    .code(problem.kind.status)
    .type('application/problem+json; charset=utf-8')
    .serializer((body: unknown) => JSON.stringify(body))
    .send(problemOf(problem, pathOf(request.url), request.id));
}
