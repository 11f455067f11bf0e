import { createHash } from 'node:crypto';
import { roleHeader } from '../headers.ts';
import type { ExchangeReader, Lens, Reading, RequestHead, RouteReading } from '../lens.ts';
import type { LlmReading } from '../observation.ts';
import { type AnswerReader, createAnswerReader, type Framing, framingOf } from './answer-reader.ts';
import { createDecodedBody, type DecodedBody } from './decoded-body.ts';
import { headerOf } from './header-of.ts';
import { createJsonPicker, planPicks } from './json-picker.ts';
import { createLlmJudge, llmAnswerPlan } from './llm-answer.ts';

type Call = LlmReading['call'];

/** By the end of the path, since each provider has its own beginning (`/v1`, `/openai/deployments/NAME`, `/api/paas/v4`). */
const calls: readonly (readonly [ending: string, call: Call])[] = [
  ['/chat/completions', 'chat'],
  ['/completions', 'completion'],
  ['/embeddings', 'embeddings'],
  ['/rerank', 'rerank'],
  ['/reranks', 'rerank'],
  ['/responses', 'other'],
  ['/messages', 'chat'],
  ['/api/chat', 'chat'],
  ['/api/generate', 'completion'],
  ['/api/embed', 'embeddings'],
];
const requestPlan = planPicks([['model', 200], 'stream']);

const callOf = ({
  method,
  path,
}: Pick<RequestHead, 'method' | 'path'>): readonly [ending: string, call: Call] | undefined =>
  method === 'POST' ? calls.find(([ending]) => path.endsWith(ending)) : undefined;

/** What a model was asked for and said about itself: APIs like OpenAI's, and Ollama's own. */
export function createLlmLens(provider: string): Lens {
  return {
    classify(head): RouteReading {
      const found = callOf(head);
      if (found !== undefined) return { operation: 'llm', route: `POST …${found[0]}`, writes: false };
      const reads = ['GET', 'HEAD', 'OPTIONS'].includes(head.method);
      return reads
        ? { operation: 'read', route: 'other', writes: false }
        : { operation: 'llm', route: 'other', writes: true };
    },
    open: (head, route) => openReader(head, route, provider),
  };
}

const role = /^[a-z0-9_-]{1,32}$/;
const longestRetryMs = 86_400_000;

function openReader(head: RequestHead, route: RouteReading, provider: string): ExchangeReader {
  const known = callOf(head);
  const call = known?.[1] ?? 'other';
  const request = createJsonPicker(requestPlan);
  // Of what nobody knows, gigabytes of a model that is uploaded perhaps, it would only cost.
  const hash = known === undefined ? undefined : createHash('sha256');
  const judge = createLlmJudge();
  let framing: Framing | undefined;
  let retryAfterMs: number | null = null;
  let reader: AnswerReader | undefined;
  let body: DecodedBody | undefined;
  let nowMs = 0;

  const conclude = (): Reading => {
    const written = headerOf(head.headers, roleHeader)?.toLowerCase();
    const { outcome, reason, firstTokenMs, promptTokens, completionTokens, cachedTokens, dimension } =
      judge.conclude(framing);
    const stream = framing === undefined ? request.picked.get('stream')?.kind === 'true' : framing !== 'json';
    return {
      operation: route.operation,
      mode: null,
      stream,
      outcome,
      reason,
      firstContentMs: stream ? firstTokenMs : null,
      trackId: null,
      llm: {
        provider,
        call,
        model: request.picked.get('model')?.text || null,
        role: written !== undefined && role.test(written) ? written : null,
        promptTokens,
        completionTokens,
        cachedTokens,
        firstTokenMs: stream ? firstTokenMs : null,
        dimension: call === 'embeddings' ? dimension : null,
        retryAfterMs,
        digest: hash === undefined ? null : hash.copy().digest('base64url').slice(0, 16),
      },
    };
  };

  return {
    request(chunk) {
      request.write(chunk);
      hash?.update(chunk);
    },
    answer(status, headers) {
      if (status === 429 || status === 503) retryAfterMs = readRetryAfter(headerOf(headers, 'retry-after'));
      framing = framingOf(headerOf(headers, 'content-type'));
      // What a refusal says is not counted: its status tells enough.
      if (framing === undefined || status >= 300 || route.operation !== 'llm') return;
      reader = createAnswerReader(framing, llmAnswerPlan, judge.piece, judge.done);
      body = createDecodedBody(headerOf(headers, 'content-encoding'), (chunk) => reader?.write(chunk, nowMs));
    },
    response(chunk, sinceMs) {
      nowMs = sinceMs;
      body?.write(chunk);
    },
    end() {
      if (body === undefined) return conclude();
      const finished = body.end();
      const finish = (): Reading => {
        reader?.end(nowMs);
        return conclude();
      };
      return typeof finished === 'boolean' ? finish() : finished.then(finish);
    },
  };
}

/** Seconds, or a date. Of a date only the time until then is of use, by the clock of who sent it. */
function readRetryAfter(written: string | undefined): number | null {
  if (written === undefined || !/^\d{1,9}(\.\d+)?$/.test(written.trim())) return null;
  return Math.min(longestRetryMs, Number(written) * 1_000);
}
