import { z } from 'zod';
import { AppError } from '../../platform/errors.ts';
import type { HttpResponse } from '../../platform/http-client.ts';
import type { BackendDocument } from '../documents/document.ts';
import { type LightragConnection, parseJson } from './lightrag-connection.ts';

const maxErrorLength = 500;
const maxNameLength = 300;
/** The greatest page that the backend gives. */
const pageSize = 200;

const instant = z.string().transform((text, context) => {
  // Up to 1.4 some stores leave the zone out; they write UTC all the same.
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
  if (!Number.isNaN(ms)) return ms;
  context.addIssue('no instant');
  return z.NEVER;
});
const documentRow = z.looseObject({
  id: z.string(),
  status: z.string(),
  created_at: instant,
  updated_at: instant,
  track_id: z.string().nullish().catch(null),
  error_msg: z.string().nullish().catch(null),
  file_path: z.string().nullish().catch(null),
  metadata: z
    .looseObject({ is_duplicate: z.boolean().optional().catch(undefined) })
    .nullish()
    .catch(null),
});
const documentsBody = z.looseObject({ documents: z.array(z.unknown()) });
const pageBody = documentsBody.extend({ pagination: z.looseObject({ has_next: z.boolean() }) });
const insertBody = z.looseObject({ status: z.string(), track_id: z.string().optional() });

export type DocumentPage = { readonly documents: readonly BackendDocument[]; readonly more: boolean };

/** The documents of one server. Each call throws an AppError that says what went wrong, in a sentence for people. */
export type LightragDocuments = {
  /** Those of one insert; none when the backend knows no such insert. */
  track(trackId: string, signal?: AbortSignal): Promise<readonly BackendDocument[]>;
  /**
   * Those that changed last come first; `page` from 1.
   * @returns undefined where the backend has no such list (before 1.4.5)
   */
  newest(page: number, statuses: readonly string[], signal?: AbortSignal): Promise<DocumentPage | undefined>;
  /** Asks for another attempt at everything that is unfinished or failed. Only while nothing works: see `decideReprocess`. */
  reprocess(signal?: AbortSignal): Promise<void>;
  /**
   * Empties the cache of answers, all of it: also what was extracted, without which the backend can no longer rebuild merged
   * descriptions when a document is deleted.
   */
  clearCache(signal?: AbortSignal): Promise<void>;
  /** @returns the track id, or null when a document of that name is there already */
  insert(text: string, fileName: string, signal?: AbortSignal): Promise<string | null>;
};

export function createLightragDocuments(connection: LightragConnection): LightragDocuments {
  const call = async (path: string, init: Parameters<LightragConnection['call']>[1]): Promise<HttpResponse> => {
    const response = await connection.call(path, init);
    if (response.status === 401 || response.status === 403)
      throw new AppError('outgoing/failed', `Documents cannot be reached: ${connection.describeRefusal()}`);
    return response;
  };
  const optional = (signal: AbortSignal | undefined) => (signal ? { signal } : {});

  return {
    async track(trackId, signal) {
      const path = `/documents/track_status/${encodeURIComponent(trackId)}`;
      const response = await call(path, optional(signal));
      if (response.status === 404) return [];
      return readDocuments(bodyOf(response, path));
    },
    async newest(page, statuses, signal) {
      const path = '/documents/paginated';
      const wanted = statuses.length === 0 ? {} : { status_filters: statuses };
      const json = { page, page_size: pageSize, sort_field: 'updated_at', sort_direction: 'desc', ...wanted };
      const response = await call(path, { method: 'POST', json, ...optional(signal) });
      if (response.status === 404 || response.status === 405) return undefined;
      const body = bodyOf(response, path);
      return { documents: readDocuments(body), more: pageBody.safeParse(body).data?.pagination.has_next ?? false };
    },
    async reprocess(signal) {
      const path = '/documents/reprocess_failed';
      bodyOf(await call(path, { method: 'POST', ...optional(signal) }), path);
    },
    async clearCache(signal) {
      const path = '/documents/clear_cache';
      bodyOf(await call(path, { method: 'POST', json: {}, ...optional(signal) }), path);
    },
    async insert(text, fileName, signal) {
      const path = '/documents/text';
      const json = { text, file_source: fileName };
      const response = await call(path, { method: 'POST', json, ...optional(signal) });
      if (response.status === 409 && /already contains/.test(response.text())) return null;
      const body = insertBody.safeParse(bodyOf(response, path)).data;
      // Up to 1.4 a known name is told in an answer of 200.
      if (body?.status === 'duplicated') return null;
      if (body?.track_id === undefined || body.status === 'failure')
        throw new AppError('outgoing/failed', 'The backend did not take the document.');
      return body.track_id;
    },
  };
}

/** Rows that cannot be read (a fork, a half-migrated store) are left out. */
export function readDocuments(body: unknown): readonly BackendDocument[] {
  const rows = documentsBody.safeParse(body).data?.documents ?? [];
  return rows.flatMap((row) => {
    const { data } = documentRow.safeParse(row);
    if (data === undefined) return [];
    return [
      {
        id: data.id,
        status: data.status,
        filePath: (data.file_path ?? '').slice(0, maxNameLength),
        trackId: data.track_id ?? null,
        createdMs: data.created_at,
        updatedMs: data.updated_at,
        error: data.error_msg?.slice(0, maxErrorLength) ?? null,
        isDuplicate: data.metadata?.is_duplicate === true || data.id.startsWith('dup-'),
      },
    ];
  });
}

function bodyOf(response: HttpResponse, path: string): unknown {
  const body = parseJson(response);
  if (response.status === 200 && body !== undefined) return body;
  const detail = z.object({ detail: z.string() }).safeParse(body).data?.detail;
  const words = detail === undefined ? '' : `: ${detail.split('\n', 1)[0]?.slice(0, maxErrorLength)}`;
  throw new AppError('outgoing/failed', `The backend answers ${response.status} to ${path}${words}.`);
}
