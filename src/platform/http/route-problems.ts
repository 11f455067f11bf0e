import { type ErrorCode, errorCatalogue } from '../errors.ts';
import type { ApiResponse, Reference } from './openapi.ts';
import type { RequestHeader, RouteEntry } from './route-description.ts';

/** What may befall any request, whatever the route does; told once, in the `default` answer. */
export const connectionCodes: readonly ErrorCode[] = [
  'request/not-found',
  'request/method-not-allowed',
  'request/headers-too-large',
  'request/timeout',
  'request/aborted',
  // `If-Match` where nothing has an `ETag`; a route that heeds it tells the code itself.
  'request/precondition-failed',
];

const safe = (route: RouteEntry): boolean => ['GET', 'HEAD'].includes(route.method);

/** Every code a route may be refused with: what befalls all of its kind, and what it told (`config.problems`). Sorted. */
export function problemCodesOf(route: RouteEntry, headers: readonly RequestHeader[]): ErrorCode[] {
  const { params, querystring, body } = route.schema;
  const codes = new Set<ErrorCode>([
    'request/unreadable',
    'request/misdirected',
    'internal/unexpected',
    'internal/stopping',
    'storage/unavailable',
    ...route.problems,
  ]);
  if (route.access !== 'public')
    for (const code of [
      'access/ambiguous',
      'access/unauthenticated',
      'access/forbidden',
      'access/throttled',
      'access/issuer-unreachable',
    ] as const)
      codes.add(code);
  if (!safe(route))
    for (const code of ['request/too-large', 'request/unsupported-media-type', 'storage/full'] as const)
      codes.add(code);
  if (!safe(route) && route.access !== 'public') codes.add('access/csrf');
  if (params || querystring || body) codes.add('request/invalid');
  if (headers.includes('last-event-id')) codes.add('request/too-many-streams');
  if (headers.includes('if-match')) codes.add('request/precondition-failed');
  if (headers.includes('idempotency-key')) codes.add('request/idempotency-conflict');
  return [...codes].sort();
}

const shared = {
  Unreadable: ['request/unreadable'],
  UnreadableOrAmbiguous: ['access/ambiguous', 'request/unreadable'],
  Unauthenticated: ['access/unauthenticated'],
  Forbidden: ['access/forbidden'],
  ForbiddenChange: ['access/csrf', 'access/forbidden'],
  TooLarge: ['request/too-large'],
  UnsupportedMediaType: ['request/unsupported-media-type'],
  Misdirected: ['request/misdirected'],
  Invalid: ['request/invalid'],
  InvalidOrRepeated: ['request/idempotency-conflict', 'request/invalid'],
  Throttled: ['access/throttled'],
  Unexpected: ['internal/unexpected'],
  Unavailable: ['internal/stopping', 'storage/unavailable'],
  UnavailableOrUnsure: ['access/issuer-unreachable', 'internal/stopping', 'storage/unavailable'],
  Full: ['storage/full'],
} as const satisfies Record<string, readonly ErrorCode[]>;

/** Refusals that many routes share, by the names their references use. */
export function sharedProblems(): Record<string, ApiResponse> {
  return {
    ...Object.fromEntries(Object.entries(shared).map(([name, codes]) => [name, problemAnswer(codes)])),
    Refused: {
      ...problemAnswer(connectionCodes),
      description: `Any other refusal, whatever the route: ${sentences(connectionCodes)}`,
    },
  };
}

/** The refusals of one route by status, and `default` for what no route decides. */
export function describeProblems(
  route: RouteEntry,
  headers: readonly RequestHeader[],
): Record<string, ApiResponse | Reference> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of problemCodesOf(route, headers)) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const own = (route.schema.response as Record<string, unknown> | undefined) ?? {};
  const told: Record<string, ApiResponse | Reference> = {};
  for (const [status, codes] of [...byStatus].sort(([a], [b]) => a - b)) {
    // A route that answers this status in its own shape (a probe: 503) told it already.
    if (String(status) in own) continue;
    const name = Object.entries(shared).find(([, these]) => these.join() === codes.join())?.[0];
    told[status] = name === undefined ? problemAnswer(codes) : { $ref: `#/components/responses/${name}` };
  }
  return { ...told, default: { $ref: '#/components/responses/Refused' } };
}

const sentences = (codes: readonly ErrorCode[]): string =>
  codes.map((code) => `\`${code}\` (${errorCatalogue[code].title})`).join(', ');

function problemAnswer(codes: readonly ErrorCode[]): ApiResponse {
  const statuses = new Set(codes.map((code) => errorCatalogue[code].status));
  const names = ['X-Request-Id'];
  if (statuses.has(401)) names.push('WWW-Authenticate');
  if (statuses.has(429) || statuses.has(503)) names.push('Retry-After');
  return {
    description: sentences(codes),
    headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
}
