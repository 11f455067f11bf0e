import type { Backend } from './backend.ts';
import { BodyReader, readJsonBody, textLimit } from './body.ts';
import { type Exchange, HttpError, type Route, sendJson } from './http.ts';
import { answerQuery, readQuery } from './query.ts';
import { startLines } from './routes-query.ts';
import { countTokens } from './text.ts';

const model = {
  name: 'lightrag:latest',
  model: 'lightrag:latest',
  modified_at: '2024-01-15T00:00:00Z',
  size: 7_365_960_935,
  digest: 'sha256:lightrag',
};
const details = {
  parent_model: '',
  format: 'gguf',
  family: 'lightrag',
  families: ['lightrag'],
  parameter_size: '13B',
  quantization_level: 'Q4_0',
};
const { modified_at: _, ...unchanging } = model;
const running = {
  ...unchanging,
  details: { ...details, families: ['llama'], family: 'llama', parameter_size: '7.2B' },
};

/** The routes under `/api`, as Ollama has them. They need no credentials unless the operator took them off the list. */
export function ollamaRoutes(backend: Backend): Route[] {
  const { faults } = backend;

  async function chat({ request, response, gone }: Exchange): Promise<void> {
    const startedNs = process.hrtime.bigint();
    const body = await readJsonBody(request, textLimit);
    const messages = body.body.messages;
    if (!Array.isArray(messages)) body.missing('messages');
    body.string('model', { min: 1 });
    const isStream = body.boolean('stream', true);
    body.done();
    const last: unknown = Array.isArray(messages) ? messages.at(-1) : undefined;
    if (last === undefined) throw new HttpError(400, 'No messages provided');
    const asked = last as { role?: unknown; content?: unknown }; // each field is checked in the next line
    if (asked.role !== 'user' || typeof asked.content !== 'string')
      throw new HttpError(400, 'Last message must be from user role');
    const { query, mode, contextOnly } = readPrefix(asked.content);
    const fields = { query: query.length < 3 ? query.padEnd(3) : query, mode, only_need_context: contextOnly };
    const wanted = new BodyReader(fields);
    const { text } = await answerQuery(backend, readQuery(wanted), !isStream);
    await reply({ response, gone, isStream, startedNs, prompt: query, text }, (content) => ({
      message: { role: 'assistant', content, images: null },
    }));
  }

  async function generate({ request, response, gone }: Exchange): Promise<void> {
    const startedNs = process.hrtime.bigint();
    const body = await readJsonBody(request, textLimit);
    body.string('model', { min: 1 });
    const prompt = body.string('prompt');
    const isStream = body.boolean('stream', false);
    body.done();
    const text = `Without retrieval: ${prompt}`;
    await reply({ response, gone, isStream, startedNs, prompt, text }, (content) => ({ response: content }), {
      context: [],
    });
  }

  type Reply = Pick<Exchange, 'response' | 'gone'> & {
    readonly isStream: boolean;
    readonly startedNs: bigint;
    readonly prompt: string;
    readonly text: string;
  };

  async function reply(
    given: Reply,
    wrap: (content: string) => Record<string, unknown>,
    more: Record<string, unknown> = {},
  ): Promise<void> {
    const { response, gone, isStream, startedNs, prompt, text } = given;
    const stamp = (): Record<string, string> => ({ model: model.name, created_at: model.modified_at });
    const closing = (): Record<string, unknown> => {
      const total = Number(process.hrtime.bigint() - startedNs);
      return {
        done_reason: 'stop',
        done: true,
        ...more,
        total_duration: total,
        load_duration: 0,
        prompt_eval_count: countTokens(prompt),
        prompt_eval_duration: Math.floor(total / 2),
        eval_count: countTokens(text),
        eval_duration: Math.ceil(total / 2),
      };
    };
    if (!isStream) {
      sendJson(response, 200, { ...stamp(), ...wrap(text), ...closing() });
      return;
    }
    const line = startLines(response, gone, faults.stream_pause_ms);
    const pieces = text.match(/.{1,24}(?:\s|$)|\S{1,24}|\s+/gsu) ?? [text];
    for (const [index, content] of pieces.entries()) {
      if (faults.query_error_mid_stream && index === Math.min(2, pieces.length - 1)) {
        await line({ ...stamp(), ...wrap(''), error: 'LLM connection was lost', done: false });
        break;
      }
      await line({ ...stamp(), ...wrap(content), done: false });
    }
    await line({ ...stamp(), ...wrap(''), ...closing() });
    response.end();
  }

  return [
    {
      method: 'GET',
      path: '/api/version',
      open: true,
      handle: ({ response }) => sendJson(response, 200, { version: '0.9.3' }),
    },
    {
      method: 'GET',
      path: '/api/tags',
      open: true,
      handle: ({ response }) => sendJson(response, 200, { models: [{ ...model, details }] }),
    },
    {
      method: 'GET',
      path: '/api/ps',
      open: true,
      handle: ({ response }) =>
        sendJson(response, 200, {
          models: [{ ...running, expires_at: '2050-12-31T14:38:31.83753-07:00', size_vram: model.size }],
        }),
    },
    { method: 'POST', path: '/api/chat', open: true, handle: chat },
    { method: 'POST', path: '/api/generate', open: true, handle: generate },
  ];
}

/** `/local question`, `/context question`, `/naivecontext question`: mode and whether only the context is wanted. */
function readPrefix(content: string): { query: string; mode: string; contextOnly: boolean } {
  const found = /^\/(local|global|hybrid|naive|mix|bypass)?(context)?(?:\[[^\]]*\])?\s+([\s\S]*)$/.exec(content);
  const [, mode, context, query] = found ?? [];
  if (mode === undefined && context === undefined) return { query: content, mode: 'mix', contextOnly: false };
  return { query: query ?? '', mode: mode ?? 'mix', contextOnly: context !== undefined };
}
