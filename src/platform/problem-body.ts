import { randomUUID } from 'node:crypto';
import type { AppError, ErrorCode } from './errors.ts';

/** RFC 9457, as every listener of the product writes it. */
export type ProblemBody = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ErrorCode;
  readonly request_id: string;
  errors?: { at: string; message: string }[];
};

/** @param instance the path that was asked for, without its query */
export function problemOf(err: AppError, instance: string, requestId: string): ProblemBody {
  return {
    type: `urn:ragwarden:error:${err.code}`,
    title: err.kind.title,
    status: err.kind.status,
    detail: err.detail,
    instance,
    code: err.code,
    request_id: requestId,
    ...(err.violations.length > 0 ? { errors: [...err.violations] } : {}),
  };
}

/** Ids that callers may choose; anything else is replaced, so that nothing odd reaches log or header. */
export function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(header) ? header : randomUUID();
}

/** `WWW-Authenticate` of every 401. */
export const authenticateChallenge = 'Bearer realm="ragwarden"';
