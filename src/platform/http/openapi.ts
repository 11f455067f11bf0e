import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import type { AccessClass } from './access-class.ts';
import { convertSchema, hoistInto, type JsonSchema } from './json-schema.ts';
import { problemSchema } from './problem.ts';
import type { RequestHeader, RouteEntry } from './route-description.ts';
import { describeProblems, problemCodesOf, sharedProblems } from './route-problems.ts';

export type ApiInfo = {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  /** In the order in which they are shown. */
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly sessionCookie: string;
};

// As much of OpenAPI 3.1 as is written here; a test holds the whole against the standard's own schema.
export type Reference = { readonly $ref: string };
export type ApiParameter = {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
  readonly example?: string;
};
export type ApiResponse = {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Reference>>;
  readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>;
};
export type ApiOperation = {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly 'x-access': AccessClass;
  readonly 'x-codes': readonly ErrorCode[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly ApiParameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>>;
  };
  readonly responses: Readonly<Record<string, ApiResponse | Reference>>;
};
export type ApiDocument = {
  readonly openapi: string;
  readonly info: object;
  readonly servers: readonly object[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, ApiResponse>>;
    readonly headers: Readonly<Record<string, object>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
};

const statusTexts: Readonly<Record<string, string>> = {
  200: 'Done.',
  201: 'Made.',
  202: 'Begun.',
  204: 'Done; there is nothing to tell.',
  302: 'Elsewhere, see `Location`.',
  304: 'Unchanged since the answer that carried this `ETag`.',
};

/**
 * OpenAPI 3.1 of the routes as they are registered; the same routes always give the same document.
 * @throws Error naming the route that lacks a summary, a tag or a schema of its answers
 */
export function describeApi(routes: readonly RouteEntry[], info: ApiInfo): ApiDocument {
  const schemas: Record<string, JsonSchema> = {};
  hoistInto(schemas, convertSchema(problemSchema, 'output'));
  const paths: Record<string, Record<string, ApiOperation>> = {};
  const ids = new Set<string>();
  for (const route of [...routes].sort(byPathAndMethod)) {
    const operation = describeOperation(route, schemas);
    if (ids.has(operation.operationId)) throw new Error(`two operations are called ${operation.operationId}`);
    ids.add(operation.operationId);
    const path = pathTemplate(route.url);
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation;
  }
  const used = new Set(routes.flatMap((route) => [...(textOf(route, 'tags') ?? [])]));
  for (const tag of used)
    if (!info.tags.some(({ name }) => name === tag)) throw new Error(`the tag ${tag} has no description`);
  return {
    openapi: '3.1.0',
    info: {
      title: info.title,
      version: info.version,
      description: info.description,
      license: { name: info.license, identifier: info.license },
    },
    servers: [{ url: '/', description: 'Where this document came from.' }],
    tags: info.tags.filter(({ name }) => used.has(name)).map((tag) => ({ ...tag })),
    paths,
    components: {
      schemas: sorted(schemas),
      responses: sharedProblems(),
      headers: sharedHeaders,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A token of this ragwarden, or a JWT of its issuer.' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same token in another header.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: info.sessionCookie,
          description: 'Of a browser that logged in. Every method but GET and HEAD needs `x-csrf-token` too.',
        },
      },
    },
  };
}

function describeOperation(route: RouteEntry, schemas: Record<string, JsonSchema>): ApiOperation {
  const name = `${route.method} ${route.url}`;
  const summary = textOf(route, 'summary');
  const tags = textOf(route, 'tags');
  if (typeof summary !== 'string' || !Array.isArray(tags)) throw new Error(`${name} has no summary or no tags`);
  const description = textOf(route, 'description');
  const headers = headersOf(route);
  const parameters = [
    ...parametersOf(route.schema.params, 'path', schemas),
    ...parametersOf(route.schema.querystring, 'query', schemas),
    ...headers.map((header) => headerParameters[header]),
  ];
  const body = bodyOf(route, schemas);
  return {
    operationId: operationId(route),
    summary,
    ...(typeof description === 'string' ? { description } : {}),
    tags: [...tags],
    'x-access': route.access,
    'x-codes': problemCodesOf(route, headers),
    security: route.access === 'public' ? [] : [{ bearer: [] }, { apiKey: [] }, { session: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: body } : {}),
    responses: { ...answersOf(route, headers, schemas), ...describeProblems(route, headers) },
  };
}

/** What a route heeds: told by it, else by what it answers. */
export function headersOf(route: RouteEntry): readonly RequestHeader[] {
  if (route.headers) return route.headers;
  const found: RequestHeader[] = [];
  const answers = responsesOf(route);
  if ('202' in answers) found.push('prefer');
  if ('202' in answers && route.method !== 'GET') found.push('idempotency-key');
  if (Object.values(answers).some((answer) => 'text/event-stream' in contentOf(answer))) found.push('last-event-id');
  if ('304' in answers) found.push('if-none-match');
  if ('412' in answers) found.push('if-match');
  return found;
}

function answersOf(
  route: RouteEntry,
  headers: readonly RequestHeader[],
  schemas: Record<string, JsonSchema>,
): Record<string, ApiResponse> {
  const answers = Object.entries(responsesOf(route));
  if (!answers.some(([status]) => /^[23]/.test(status)))
    throw new Error(`${route.method} ${route.url} does not say what it answers (schema.response)`);
  return Object.fromEntries(
    answers.map(([status, answer]) => {
      const content = contentOf(answer);
      const described = answer instanceof z.ZodType ? answer.description : descriptionOf(answer);
      const shown = Object.entries(content).map(([type, schema]) => {
        const converted = hoistInto(schemas, convertSchema(schema, 'output'));
        return [type, { schema: converted }] as const;
      });
      const response: ApiResponse = {
        description: described ?? statusTexts[status] ?? 'See the schema.',
        headers: responseHeaders(route, status, headers),
        ...(shown.length > 0 ? { content: Object.fromEntries(shown) } : {}),
      };
      return [status, response];
    }),
  );
}

/** By media type; empty for an answer without a body. */
function contentOf(answer: unknown): Record<string, z.ZodType> {
  if (answer instanceof z.ZodUndefined || answer instanceof z.ZodVoid) return {};
  if (answer instanceof z.ZodType) return { 'application/json': answer };
  if (typeof answer !== 'object' || answer === null || !('content' in answer)) return {};
  const found: Record<string, z.ZodType> = {};
  for (const [type, media] of Object.entries(answer.content as Record<string, { schema?: unknown }>))
    if (media.schema instanceof z.ZodType) found[type] = media.schema;
  return found;
}

const descriptionOf = (answer: unknown): string | undefined =>
  typeof answer === 'object' && answer !== null && 'description' in answer && typeof answer.description === 'string'
    ? answer.description
    : undefined;

const responsesOf = (route: RouteEntry): Record<string, unknown> =>
  (route.schema.response as Record<string, unknown> | undefined) ?? {};

function textOf(route: RouteEntry, key: 'summary' | 'description'): string | undefined;
function textOf(route: RouteEntry, key: 'tags'): readonly string[] | undefined;
function textOf(route: RouteEntry, key: string): unknown {
  return (route.schema as Record<string, unknown>)[key];
}

function parametersOf(schema: unknown, place: 'path' | 'query', schemas: Record<string, JsonSchema>): ApiParameter[] {
  if (!(schema instanceof z.ZodType)) return [];
  const { properties = {}, required = [] } = hoistInto(schemas, convertSchema(schema, 'input'));
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property;
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function bodyOf(route: RouteEntry, schemas: Record<string, JsonSchema>): ApiOperation['requestBody'] {
  const schema = route.schema.body;
  const byType = contentOf(schema);
  if (!(schema instanceof z.ZodType) && Object.keys(byType).length > 0)
    return {
      required: true,
      content: Object.fromEntries(
        Object.entries(byType).map(([type, one]) => [
          type,
          { schema: hoistInto(schemas, convertSchema(one, 'input')) },
        ]),
      ),
    };
  if (!(schema instanceof z.ZodType)) return undefined;
  const converted = hoistInto(schemas, convertSchema(schema, 'input'));
  return {
    required: !schema.safeParse(undefined).success,
    content: { 'application/json': { schema: converted } },
  };
}

const headerParameters: Readonly<Record<RequestHeader, ApiParameter>> = {
  prefer: {
    name: 'Prefer',
    in: 'header',
    description: '`wait=N` (RFC 7240): answer when the work has ended, after N seconds at the latest; 600 at most.',
    schema: { type: 'string' },
    example: 'wait=120',
  },
  'idempotency-key': {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'For 24 hours the same key with the same request finds the first operation; with another it is 422.',
    schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]{1,255}$' },
  },
  'last-event-id': {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'Go on after this message; `?last_event_id=` does the same where a header cannot be set.',
    schema: { type: 'string', maxLength: 200 },
  },
  'if-none-match': {
    name: 'If-None-Match',
    in: 'header',
    description: 'Answer 304 when the `ETag` is still one of these.',
    schema: { type: 'string' },
  },
  'if-match': {
    name: 'If-Match',
    in: 'header',
    description: 'Change it only while the `ETag` is one of these; else 412.',
    schema: { type: 'string' },
  },
};

const sharedHeaders: Record<string, { description: string; schema: JsonSchema }> = {
  'X-Request-Id': {
    description: 'Of this exchange, also in the log. A request may bring its own (1 to 64 of A-Z a-z 0-9 _ -).',
    schema: { type: 'string' },
  },
  Location: { description: 'Where to follow the operation.', schema: { type: 'string' } },
  'Preference-Applied': { description: 'What of `Prefer` was heeded.', schema: { type: 'string' } },
  ETag: { description: 'Changes when the body does.', schema: { type: 'string' } },
  'Retry-After': { description: 'Seconds to wait before the next attempt.', schema: { type: 'integer', minimum: 0 } },
  'WWW-Authenticate': { description: 'How to authenticate (RFC 9110).', schema: { type: 'string' } },
};

function responseHeaders(
  route: RouteEntry,
  status: string,
  headers: readonly RequestHeader[],
): Record<string, Reference> {
  const names = ['X-Request-Id'];
  if (headers.includes('prefer') && status.startsWith('2')) {
    if ('202' in responsesOf(route)) names.push('Location');
    names.push('Preference-Applied');
  }
  if (headers.includes('if-none-match') || headers.includes('if-match')) names.push('ETag');
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

export const pathTemplate = (url: string): string => url.replaceAll(/:(\w+)/g, '{$1}');

/** `GET /api/v1/backup/points/:backup_id` is `getBackupPointsByBackupId`: it stays as long as the path does. */
export function operationId({ method, url }: Pick<RouteEntry, 'method' | 'url'>): string {
  const words = url
    .replace(/^\/api\/v1\//, '/')
    .replaceAll(/:(\w+)/g, 'by-$1')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '');
  const named = words.length > 0 ? words : ['root'];
  return `${method.toLowerCase()}${named.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join('')}`;
}

const methodOrder = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
function byPathAndMethod(a: RouteEntry, b: RouteEntry): number {
  if (a.url !== b.url) return a.url < b.url ? -1 : 1;
  return methodOrder.indexOf(a.method) - methodOrder.indexOf(b.method);
}

const sorted = <Value>(record: Record<string, Value>): Record<string, Value> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
