// An OpenAI-shaped model server without a model, so that a real LightRAG can ingest and answer on loopback.
//
// It recognises LightRAG's prompts by their text and answers each the way LightRAG parses: entities are the capitalised
// words and the 「quoted」 terms of the input, relations join neighbours within a sentence. Embeddings are a signed hash
// of the words: texts that share words are near each other. (Random vectors would stay below COSINE_THRESHOLD and every
// query would find nothing.)
//
// Alone: node stand-in-llm.mjs [--port 18080] [--dim 16] [--delay-ms 0]
// In a program: const llm = await startStandInLlm({ dim: 16 }); … await llm.stop();

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const FIELD = '<|#|>';
const DONE = '<|COMPLETE|>';

/** Names in order of appearance: runs of capitalised words, and terms in 「」. */
export function findNames(text) {
  const found = text.match(/「[^」]+」|\p{Lu}[\p{L}\p{M}\p{N}'-]+(?: \p{Lu}[\p{L}\p{M}\p{N}'-]+)*/gu) ?? [];
  return [...new Set(found.map((name) => name.replace(/[「」]/gu, '')))];
}

function splitSentences(text) {
  return text.split(/(?<=[.!?。！？])\s*/u).filter((sentence) => sentence.trim() !== '');
}

/** What the extraction prompt asks for: one record per line, entities first, then the end marker. */
function extractAsText(input) {
  const { entities, relations } = extract(input);
  return [
    ...entities.map((e) => ['entity', e.name, e.type, e.description].join(FIELD)),
    ...relations.map((r) => ['relation', r.source, r.target, r.keywords, r.description].join(FIELD)),
    DONE,
  ].join('\n');
}

function extract(input) {
  const entities = new Map();
  const relations = new Map();
  for (const sentence of splitSentences(input)) {
    const names = findNames(sentence);
    for (const name of names) {
      if (!entities.has(name)) entities.set(name, { name, type: 'concept', description: sentence.trim() });
    }
    for (let i = 1; i < names.length; i++) {
      const [source, target] = [names[i - 1], names[i]];
      relations.set(`${source}\n${target}`, {
        source,
        target,
        keywords: 'mentioned together',
        description: sentence.trim(),
      });
    }
  }
  return { entities: [...entities.values()], relations: [...relations.values()] };
}

/**
 * A unit vector of `dim` numbers: each word adds +1 or −1 at a place given by its hash. The last place belongs to words
 * that begin with "zz": a text of such words alone is at a right angle to all others, so a query can surely find nothing.
 */
export function embed(text, dim) {
  const vector = new Float32Array(dim);
  for (const word of text.toLowerCase().match(/\p{L}[\p{L}\p{M}\p{N}]*/gu) ?? ['']) {
    const hash = createHash('sha1').update(word).digest();
    const place = word.startsWith('zz') ? dim - 1 : hash.readUInt32LE(0) % (dim - 1);
    vector[place] += word.startsWith('zz') || hash[4] & 1 ? 1 : -1;
  }
  if (!vector.some(Boolean)) vector[0] = 1; // words that cancel out; a zero vector cannot be normalised
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function textOf(message) {
  const content = message?.content ?? '';
  return typeof content === 'string' ? content : content.map((part) => part.text ?? '').join('');
}

/** As 1.5 writes it, and as 1.4 did. */
const inputHeading = /---Input Text---|<Input Text>/;

/** Which of LightRAG's requests this is: extract, glean, keywords, summary or answer. */
function recogniseRequest(messages) {
  const all = messages.map(textOf).join('\n');
  const last = textOf(messages.at(-1));
  if (all.includes('high_level_keywords')) return 'keywords';
  if (last.includes('missed or incorrectly')) return 'glean';
  if (inputHeading.test(last)) return 'extract';
  if (/description list/i.test(all) && /synthes|summar/i.test(all)) return 'summary';
  return 'answer';
}

function replyTo(kind, messages, wantsJson) {
  const last = textOf(messages.at(-1));
  switch (kind) {
    case 'keywords': {
      const query = /User Query: ([\s\S]*?)\n+---Output---/.exec(last)?.[1] ?? last;
      const high = query.match(/\p{Ll}{5,}/gu) ?? [];
      return JSON.stringify({ high_level_keywords: [...new Set(high)], low_level_keywords: findNames(query) });
    }
    case 'extract': {
      const input = /(?:---Input Text---|<Input Text>)\n```\n([\s\S]*?)\n```/.exec(last)?.[1] ?? last;
      if (!wantsJson) return extractAsText(input);
      const { entities, relations } = extract(input);
      return JSON.stringify({ entities, relationships: relations });
    }
    case 'glean':
      return wantsJson ? JSON.stringify({ entities: [], relationships: [] }) : DONE;
    case 'summary':
      return 'A merged description written by the stand-in.';
    default:
      return `The stand-in answers: ${last.slice(0, 200)}`;
  }
}

function countWords(text) {
  return text.split(/\s+/u).filter(Boolean).length;
}

/**
 * @param {{ port?: number, dim?: number, delayMs?: number, pieceDelayMs?: number }} options port 0 takes a free one
 * @returns an object with `url` (ends in /v1), `calls` (requests seen by kind), `usage` (tokens told), `setFault`, `hold` and `stop`
 */
export async function startStandInLlm({ port = 0, dim = 16, delayMs = 0, pieceDelayMs = 0 } = {}) {
  const calls = { keywords: 0, extract: 0, glean: 0, summary: 0, answer: 0, embedding: 0 };
  /** As told to callers; of a stream only where they asked for it. */
  const usageTold = { prompt: 0, completion: 0 };
  const gates = new Map();
  let fault;

  function activeFault(kind) {
    return fault && (!fault.kind || fault.kind === kind) ? fault.what : undefined;
  }

  /** True when a fault took the place of an answer. */
  function refuse(kind, response) {
    const what = activeFault(kind);
    if (what === 'status') {
      const error = { message: `stand-in fault ${fault.status}`, type: 'stand_in', param: null, code: null };
      response.writeHead(fault.status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    }
    return what === 'status' || what === 'hang';
  }

  async function complete(body, response) {
    const kind = recogniseRequest(body.messages);
    calls[kind]++;
    await gates.get(kind)?.promise;
    if (delayMs > 0) await sleep(delayMs);
    if (refuse(kind, response)) return;
    const what = activeFault(kind);
    let content = replyTo(kind, body.messages, body.response_format !== undefined);
    if (what === 'empty') content = '';
    if (what === 'truncated') content = content.slice(0, Math.ceil(content.length / 2));
    const finish = what === 'truncated' ? 'length' : 'stop';
    const prompt = countWords(body.messages.map(textOf).join(' '));
    const reply = countWords(content);
    const usage = { prompt_tokens: prompt, completion_tokens: reply, total_tokens: prompt + reply };
    const tell = () => {
      usageTold.prompt += prompt;
      usageTold.completion += reply;
    };
    const base = { id: 'chatcmpl-stand-in', created: Math.floor(Date.now() / 1000), model: body.model };
    if (body.stream !== true) {
      const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: finish }];
      tell();
      return sendJson(response, { ...base, object: 'chat.completion', choices, usage });
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const write = (choices, extra = {}) =>
      response.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices, ...extra })}\n\n`);
    let written = 0;
    for (const piece of content.match(/\S+\s*/gu) ?? []) {
      if (what === 'break-stream' && written === 3) return response.destroy();
      write([{ index: 0, delta: { role: 'assistant', content: piece }, finish_reason: null }]);
      written++;
      // A turn of the event loop at least, so that the pieces leave one by one.
      await sleep(pieceDelayMs);
    }
    write([{ index: 0, delta: {}, finish_reason: finish }]);
    if (body.stream_options?.include_usage) {
      tell();
      write([], { usage });
    }
    response.end('data: [DONE]\n\n');
  }

  async function embedAll(body, response) {
    calls.embedding++;
    await gates.get('embedding')?.promise;
    if (refuse('embedding', response)) return;
    const size = activeFault('embedding') === 'wrong-dimension' ? dim + 1 : dim;
    const inputs = Array.isArray(body.input) ? body.input : [body.input];
    const data = inputs.map((text, index) => {
      const vector = embed(text, size);
      const embedding = body.encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector];
      return { object: 'embedding', index, embedding };
    });
    const tokens = inputs.reduce((sum, text) => sum + countWords(text), 0);
    usageTold.prompt += tokens;
    sendJson(response, {
      object: 'list',
      data,
      model: body.model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
  }

  const server = createServer(async (request, response) => {
    try {
      const parts = [];
      for await (const part of request) parts.push(part);
      const body = JSON.parse(Buffer.concat(parts).toString('utf8') || '{}');
      if (request.url === '/v1/chat/completions') await complete(body, response);
      else if (request.url === '/v1/embeddings') await embedAll(body, response);
      else response.writeHead(404).end();
    } catch (error) {
      if (!response.headersSent) response.writeHead(400).end(String(error));
      else response.destroy();
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    calls,
    usage: usageTold,
    /**
     * Makes requests fail until called again without an argument.
     * @param {{ what: 'status' | 'hang' | 'empty' | 'truncated' | 'break-stream' | 'wrong-dimension', status?: number,
     *   kind?: string } | undefined} next `kind` limits it to one of the keys of `calls`; `status` goes with 'status'
     */
    setFault(next) {
      fault = next;
    },
    /** Makes requests of this kind wait; the function returned lets them all go on. */
    hold(kind) {
      const gate = Promise.withResolvers();
      gates.set(kind, gate);
      return () => {
        gates.delete(kind);
        gate.resolve();
      };
    },
    async stop() {
      for (const gate of gates.values()) gate.resolve();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function sendJson(response, value) {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '18080' },
      dim: { type: 'string', default: '16' },
      'delay-ms': { type: 'string', default: '0' },
    },
  });
  const llm = await startStandInLlm({
    port: Number(values.port),
    dim: Number(values.dim),
    delayMs: Number(values['delay-ms']),
  });
  console.log(`stand-in model server on ${llm.url}`);
}
