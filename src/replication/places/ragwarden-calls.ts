import { z } from 'zod';
import { AppError } from '../../platform/errors.ts';
import type { HttpRequester, HttpResponse } from '../../platform/http-client.ts';
import { digest, receivedBody } from '../receive/receive-routes.ts';
import type { PlaceCall } from './place.ts';

export const listAnswer = z.object({
  // It becomes the name of a file here.
  items: z.array(receivedBody.extend({ data_hash: digest, size_bytes: z.int().min(0) })),
  received_bytes: z.int().min(0).nullable(),
  /** An older one does not tell it. None would keep nothing: that is no place for copies. */
  keep: z.int().min(1).optional(),
});
const problemAnswer = z.object({ code: z.string(), detail: z.string().default('') });
export const verifyAnswer = z.object({
  points: z.number(),
  findings: z.array(z.string()),
  /** An older one reads all of it before it answers. */
  complete: z.boolean().default(true),
  read_bytes: z.int().min(0).default(0),
});
const below = '/api/v1/backup-replication/backup/snapshots';

type Asked = {
  readonly body?: Uint8Array;
  readonly type?: string;
  /** For everything. */
  readonly timeoutMs?: number;
  /** The longest silence. */
  readonly silenceMs?: number;
};

/** The API of another ragwarden, as far as it takes points. What it says is nobody's but its own. */
export function createRagwardenCalls({
  baseUrl,
  apiKey,
  http,
}: {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly http: HttpRequester;
}) {
  /** @throws AppError for any other answer than 200 */
  const send = async (
    path: string,
    query: Readonly<Record<string, string>>,
    call: PlaceCall,
    more: Asked = {},
  ): Promise<HttpResponse> => {
    const answer = await http.request({
      url: `${baseUrl}${below}${path}?${new URLSearchParams(query)}`,
      method: more.body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${apiKey}`,
        accept: 'application/json, application/octet-stream',
        ...(more.body === undefined ? {} : { 'content-type': more.type ?? 'application/octet-stream' }),
      },
      ...(more.body === undefined ? {} : { body: more.body }),
      timeoutMs: more.timeoutMs ?? 55_000,
      ...(more.silenceMs === undefined ? {} : { silenceMs: more.silenceMs }),
      maxBytes: 32 * 1024 * 1024,
      signal: call.signal,
    });
    if (answer.status !== 200) throw refusal(baseUrl, answer.status, readJson(answer.text()));
    return answer;
  };
  const ask = async <T>(
    schema: z.ZodType<T>,
    path: string,
    query: Readonly<Record<string, string>>,
    call: PlaceCall,
    more: Asked = {},
  ): Promise<T> => {
    const parsed = schema.safeParse(readJson((await send(path, query, call, more)).text()));
    if (parsed.success) return parsed.data;
    throw new AppError('outgoing/failed', `${baseUrl} does not answer as a ragwarden does.`, { cause: parsed.error });
  };

  return { send, ask };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the other side refuses keeps its code, so that a conflict there is one here. */
function refusal(baseUrl: string, status: number, document: unknown): AppError {
  const told = problemAnswer.safeParse(document);
  if (status === 401 || status === 403)
    return new AppError('access/forbidden', `${baseUrl} does not take this key (${status}).`);
  if (status === 408) return new AppError('outgoing/timeout', `${baseUrl} did not get all of it in time.`);
  if (!told.success) return new AppError('outgoing/failed', `${baseUrl} answered ${status}.`);
  const detail = `${baseUrl}: ${told.data.detail}`;
  switch (told.data.code) {
    case 'replication/conflict':
    case 'replication/digest-mismatch':
    case 'replication/not-kept':
    case 'storage/full':
    case 'backup/unknown-point':
    case 'request/too-large':
      return new AppError(told.data.code, detail);
    case 'feature/disabled':
      return new AppError('conflict/state', detail);
    default:
      return new AppError('outgoing/failed', detail);
  }
}
