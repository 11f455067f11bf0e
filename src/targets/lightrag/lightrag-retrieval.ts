import { z } from 'zod';
import { AppError } from '../../platform/errors.ts';
import { type LightragConnection, parseJson } from './lightrag-connection.ts';

const texts = z.array(z.looseObject({ content: z.string().optional(), description: z.string().optional() })).catch([]);
const dataBody = z.looseObject({
  status: z.string(),
  data: z.looseObject({ chunks: texts, entities: texts, relationships: texts }).partial().catch({}),
});
const contextBody = z.looseObject({ response: z.string() });

export type RetrievalMode = 'naive' | 'local' | 'global' | 'hybrid' | 'mix';
export type Retrieval = (
  wish: { readonly question: string; readonly mode: RetrievalMode; readonly timeoutMs: number },
  signal?: AbortSignal,
) => Promise<readonly string[]>;

/**
 * What the backend finds for a question, without an answer of its model; no texts: it found nothing.
 * Keywords are sent along: without them the graph modes ask the model for some, and are given those that it once gave, from the
 * cache. What is found is never cached by LightRAG itself, so every call embeds the question and searches the index.
 * @throws AppError `outgoing/…` when it cannot be asked, or answers with an error
 */
export const createLightragRetrieval =
  (connection: LightragConnection): Retrieval =>
  async ({ question, mode, timeoutMs }, signal) => {
    const keywords = mode === 'naive' ? {} : { hl_keywords: [question], ll_keywords: [question] };
    const init = { method: 'POST', timeoutMs, ...(signal ? { signal } : {}) } as const;
    const data = await connection.call('/query/data', { ...init, json: { query: question, mode, ...keywords } });
    if (data.status === 404 || data.status === 405) {
      // Before 1.4.8 the context is one text.
      const json = { query: question, mode, ...keywords, only_need_context: true };
      const context = await connection.call('/query', { ...init, json });
      const body = contextBody.safeParse(parseJson(context)).data;
      if (context.status !== 200 || body === undefined) throw refused(connection, context.status, context.text());
      return body.response.trimEnd().endsWith('[no-context]') ? [] : [body.response];
    }
    const body = dataBody.safeParse(parseJson(data)).data;
    if (data.status !== 200 || body === undefined) throw refused(connection, data.status, data.text());
    if (body.status !== 'success') return [];
    const { chunks = [], entities = [], relationships = [] } = body.data;
    return [...chunks, ...entities, ...relationships].flatMap(
      ({ content, description }) => content ?? description ?? [],
    );
  };

function refused(connection: LightragConnection, status: number, text: string): AppError {
  if (status === 401 || status === 403)
    return new AppError('outgoing/failed', `Retrieval cannot be asked: ${connection.describeRefusal()}`);
  return new AppError('outgoing/failed', `Retrieval answers ${status}: ${text.split('\n', 1)[0]?.slice(0, 300)}`);
}
