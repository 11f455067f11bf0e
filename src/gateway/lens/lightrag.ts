import type { ExchangeReader, Lens, Reading, RequestHead } from '../lens.ts';
import { type AnswerReader, createAnswerReader, framingOf } from './answer-reader.ts';
import { createDecodedBody, type DecodedBody } from './decoded-body.ts';
import { headerOf } from './header-of.ts';
import { createJsonPicker, type Picked, planPicks } from './json-picker.ts';
import { type Asked, readChat, readQuery } from './lightrag-request.ts';
import { type AnswerShape, findLightragRoute, type LightragRoute } from './lightrag-routes.ts';

const queryPlan = planPicks(['mode', 'stream', 'only_need_context', 'only_need_prompt']);
/** The beginning of the last message says what is wanted; Open WebUI's own requests show what they are some way in. */
const chatPlan = planPicks(['stream', ['messages.*.content', 16_384]]);
const answerPlans: Readonly<Record<AnswerShape, ReturnType<typeof planPicks>>> = {
  query: planPicks(['response', 'error', 'llm_generated']),
  data: planPicks(['status', 'metadata.failure_reason']),
  chat: planPicks(['message.content', 'response', 'error']),
  insert: planPicks(['status', ['track_id', 200]]),
  admin: planPicks(['status']),
  none: planPicks([]),
};

/** What LightRAG's HTTP API does and says, of the versions 1.4 and 1.5. */
export const lightragLens: Lens = {
  classify: ({ method, path }) => {
    const { operation, route, writes } = findLightragRoute(method, path);
    return { operation, route, writes };
  },
  open: (head) => openReader(head, findLightragRoute(head.method, head.path)),
};

function openReader(head: RequestHead, route: LightragRoute): ExchangeReader {
  const isChat = route.answer === 'chat';
  const asksBody = isChat || route.answer === 'query' || route.answer === 'data';
  const request = asksBody ? createJsonPicker(isChat ? chatPlan : queryPlan) : undefined;
  const judge = createJudge(route);
  let status = 0;
  let streamed: boolean | undefined;
  let reader: AnswerReader | undefined;
  let body: DecodedBody | undefined;
  let nowMs = 0;

  return {
    request(chunk) {
      request?.write(chunk);
    },
    answer(answered, headers) {
      status = answered;
      const framing = framingOf(headerOf(headers, 'content-type'));
      if (framing !== undefined) streamed = framing !== 'json';
      if (framing === undefined || route.answer === 'none' || status >= 300 || head.method === 'HEAD') return;
      reader = createAnswerReader(framing, answerPlans[route.answer], judge.piece);
      body = createDecodedBody(headerOf(headers, 'content-encoding'), (chunk) => reader?.write(chunk, nowMs));
    },
    response(chunk, sinceMs) {
      nowMs = sinceMs;
      body?.write(chunk);
    },
    end() {
      const conclude = (): Reading => {
        const picked = request?.picked ?? new Map<string, Picked>();
        const asked = isChat ? readChat(route, picked) : readQuery(route, picked);
        return judge.conclude(asksBody ? asked : { operation: route.operation, mode: null, stream: false }, streamed);
      };
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

const noContext = '[no-context]';
/** The server's own words where a model gave no answer, as 1.5.7 was recorded. */
const unanswered: ReadonlySet<string> = new Set(['No relevant context found for the query.', 'No response generated']);

const words: Readonly<Record<string, Pick<Reading, 'outcome' | 'reason'>>> = {
  busy: { outcome: 'busy', reason: 'busy' },
  scanning_skipped_pipeline_busy: { outcome: 'busy', reason: 'busy' },
  failure: { outcome: 'hidden_error', reason: 'failure' },
  fail: { outcome: 'hidden_error', reason: 'failure' },
  error: { outcome: 'hidden_error', reason: 'failure' },
  partial_success: { outcome: null, reason: 'partial' },
  duplicated: { outcome: 'client_error', reason: 'duplicate' },
  not_allowed: { outcome: 'client_error', reason: 'not-allowed' },
};

/** Puts together what the pieces of an answer say. */
function createJudge({ answer }: LightragRoute) {
  let firstContentMs: number | null = null;
  let failed = false;
  let text = '';
  let textEnd = '';
  let generated: boolean | undefined;
  let status: string | undefined;
  let failure: string | undefined;
  let trackId: string | null = null;

  const outcomeOf = (asked: Asked): Pick<Reading, 'outcome' | 'reason'> => {
    if (failed) return { outcome: 'hidden_error', reason: 'error-line' };
    if (answer === 'data' && status === 'failure' && failure === 'no_results')
      return { outcome: 'empty', reason: 'no-results' };
    if (status !== undefined) return words[status] ?? { outcome: null, reason: null };
    if (textEnd.endsWith(noContext)) return { outcome: 'empty', reason: 'no-context' };
    const wantsAnswer = asked.operation === 'query' || asked.operation === 'llm';
    if (wantsAnswer && generated === false) return { outcome: 'hidden_error', reason: 'no-answer' };
    if (wantsAnswer && generated === undefined && unanswered.has(text))
      // Before 1.5 the same words also stood for a retrieval that found nothing.
      return { outcome: answer === 'chat' ? 'hidden_error' : 'empty', reason: 'no-answer' };
    return { outcome: null, reason: null };
  };

  return {
    piece(picked: ReadonlyMap<string, Picked>, sinceMs: number): void {
      const error = picked.get('error');
      if (error !== undefined && error.kind !== 'null') failed = true;
      const content = picked.get('message.content') ?? picked.get('response');
      if (content?.kind === 'string' && content.size > 0) {
        if (error === undefined) firstContentMs ??= sinceMs;
        text = text === '' && textEnd === '' ? content.text : '';
        textEnd = `${textEnd}${content.tail}`.slice(-noContext.length);
      }
      const told = picked.get('llm_generated')?.kind;
      if (told === 'true' || told === 'false') generated = told === 'true';
      status = picked.get('status')?.text ?? status;
      failure = picked.get('metadata.failure_reason')?.text ?? failure;
      trackId = picked.get('track_id')?.text || trackId;
    },
    conclude(asked: Asked, streamed: boolean | undefined): Reading {
      const { outcome, reason } = outcomeOf(asked);
      const stream = streamed ?? asked.stream;
      return {
        operation: asked.operation,
        mode: asked.mode,
        stream,
        outcome,
        reason,
        firstContentMs: stream ? firstContentMs : null,
        trackId: outcome === null ? trackId : null,
        llm: null,
      };
    },
  };
}
