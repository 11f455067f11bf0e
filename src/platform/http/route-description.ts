import type { FastifySchema } from 'fastify';
import type { ErrorCode } from '../errors.ts';
import type { AccessClass } from './access-class.ts';

/** Headers of a request that mean something beyond the credentials. */
export type RequestHeader = 'prefer' | 'idempotency-key' | 'last-event-id' | 'if-none-match' | 'if-match';

/** One registered route, as the description of the API and the answer to a wrong method need it. */
export type RouteEntry = {
  readonly method: string;
  /** The pattern, e.g. `/api/v1/targets/:id`. */
  readonly url: string;
  readonly access: AccessClass;
  readonly schema: FastifySchema;
  readonly headers: readonly RequestHeader[] | undefined;
  readonly problems: readonly ErrorCode[];
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Headers the route heeds; left out, its answers tell (202: `prefer` and `idempotency-key`; a stream: `last-event-id`). */
    headers?: readonly RequestHeader[];
    /** What it may be refused with beyond what every route of its class may. */
    problems?: readonly ErrorCode[];
  }
}
