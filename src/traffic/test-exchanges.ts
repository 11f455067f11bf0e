import type { LlmReading, Observation } from '../gateway/index.ts';

/** Test support: a query that was answered, with what differs. */
export const seen = (differs: Partial<Observation> = {}): Observation => ({
  door: 'backend',
  atMs: 0,
  targetId: 'default',
  workspace: 'library',
  subject: null,
  keyId: null,
  operation: 'query',
  route: 'POST /query',
  mode: 'mix',
  stream: false,
  status: 200,
  outcome: 'ok',
  reason: null,
  requestBytes: 100,
  responseBytes: 1_000,
  firstByteMs: 40,
  firstContentMs: null,
  totalMs: 50,
  trackId: null,
  llm: null,
  ...differs,
});

/** Test support: a call of a model, with what differs. */
export const called = (llm: Partial<LlmReading> = {}, differs: Partial<Observation> = {}): Observation =>
  seen({
    ...{ door: 'llm', operation: 'llm', route: 'POST /v1/chat/completions', mode: null },
    llm: {
      provider: 'openai',
      call: 'chat',
      model: 'gpt-4o-mini',
      role: null,
      promptTokens: 1_000,
      completionTokens: 200,
      cachedTokens: null,
      firstTokenMs: null,
      dimension: null,
      retryAfterMs: null,
      digest: null,
      ...llm,
    },
    ...differs,
  });
