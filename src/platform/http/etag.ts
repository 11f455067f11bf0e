import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';

/** A strong entity tag (RFC 9110) of these bytes. */
export const etagOf = (content: string | Uint8Array): string =>
  `"${createHash('sha256').update(content).digest('base64url').slice(0, 27)}"`;

/** The tags of an `If-Match` or `If-None-Match`; `*` alone stands for any. */
function tagsOf(header: string | undefined): readonly string[] | '*' | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return '*';
  return header.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
}

const opaque = (tag: string): string => tag.replace(/^W\//, '');

/** Whether what the caller has is still current: `If-None-Match` compares weakly (RFC 9110 13.1.2). */
export function isUnchanged(header: string | undefined, etag: string): boolean {
  const tags = tagsOf(header);
  return tags === '*' || (tags?.some((tag) => opaque(tag) === opaque(etag)) ?? false);
}

/**
 * For a change that must not go over one it has not seen. Without the header everything goes.
 * @param etag of what is there now; the same that its GET answers
 * @throws AppError `request/precondition-failed`
 */
export function requireIfMatch(request: FastifyRequest, etag: string): void {
  const tags = tagsOf(request.headers['if-match']);
  // `If-Match` compares strongly: a weak tag matches nothing.
  if (tags === undefined || tags === '*' || tags.includes(etag)) return;
  throw new AppError(
    'request/precondition-failed',
    'Somebody changed it since this `ETag` was read. Read it again, and repeat the change if it still makes sense.',
  );
}

/**
 * For routes that list 304 among their answers: tags the answer, unless the route did, and leaves the body out when the
 * caller has it.
 * @returns what is to be sent
 */
export function tagAnswer(request: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
  const answers: unknown = request.routeOptions.schema?.response;
  if (reply.statusCode !== 200 || typeof answers !== 'object' || answers === null || !('304' in answers))
    return payload;
  if (!reply.hasHeader('etag')) {
    if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) return payload;
    reply.header('etag', etagOf(payload));
  }
  if (!isUnchanged(request.headers['if-none-match'], String(reply.getHeader('etag')))) return payload;
  reply.code(304).removeHeader('content-type').removeHeader('content-length');
  return null;
}
