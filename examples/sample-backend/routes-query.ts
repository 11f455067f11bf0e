import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from './backend.ts';
import { readJsonBody } from './body.ts';
import { type Exchange, type Route, sendJson } from './http.ts';
import { answerQuery, answerReferences, keywordsOf, readQuery, retrieveFor } from './query.ts';

const progressSteps = [
  'extracting_keywords',
  'retrieving_entities',
  'retrieving_relations',
  'retrieving_chunks',
  'reranking',
  'generating_response',
];

/** `/query`, `/query/stream` and `/query/data`. */
export function queryRoutes(backend: Backend): Route[] {
  const { shape, faults } = backend;

  async function query({ request, response }: Exchange): Promise<void> {
    const startedMs = performance.now();
    const asked = readQuery(await readJsonBody(request));
    const { text, found, ...rest } = await answerQuery(backend, asked, true);
    const took = shape === '1.5' ? { response_time: secondsSince(startedMs), llm_generated: found } : {};
    const references = asked.withReferences ? answerReferences(asked, rest.retrieval, found, true) : null;
    sendJson(response, 200, { response: text, references, ...took });
  }

  async function stream({ request, response, gone }: Exchange): Promise<void> {
    const startedMs = performance.now();
    const asked = readQuery(await readJsonBody(request));
    const { text, retrieval, cached, found } = await answerQuery(backend, asked, !asked.stream);
    const line = startLines(response, gone, faults.stream_pause_ms);
    if (asked.withProgress) for (const progress of progressSteps) await line({ progress });
    const listed = asked.withReferences ? { references: answerReferences(asked, retrieval, found, false) } : {};
    const generated = shape === '1.5' ? { llm_generated: found } : {};
    if (cached || !found || !asked.stream) await line({ response: text, ...generated, ...listed });
    else {
      if (asked.withReferences) await line(listed);
      const pieces = text.match(/.{1,24}(?:\s|$)|\S{1,24}|\s+/gsu) ?? [text];
      for (const [index, response] of pieces.entries()) {
        if (faults.query_error_mid_stream && index === Math.min(2, pieces.length - 1)) {
          await line({ error: 'Connection error.' });
          break;
        }
        await line({ response });
      }
    }
    if (asked.withProgress) await line({ response_time: secondsSince(startedMs) });
    response.end();
  }

  async function data({ request, response }: Exchange): Promise<void> {
    const asked = readQuery(await readJsonBody(request));
    const { entities, relationships, chunks, references, totals } = retrieveFor(backend, asked);
    if (entities.length + relationships.length + chunks.length === 0) {
      sendJson(response, 200, {
        status: 'failure',
        message: 'Query returned no results',
        data: {},
        metadata: { failure_reason: 'no_results', mode: asked.mode },
      });
      return;
    }
    const { highLevel, lowLevel } = keywordsOf(asked);
    sendJson(response, 200, {
      status: 'success',
      message: 'Query processed successfully',
      data: {
        entities,
        relationships,
        chunks: chunks.map(({ reference_id, ...rest }) => ({ ...rest, reference_id })),
        references,
      },
      metadata: {
        query_mode: asked.mode,
        keywords: { high_level: highLevel, low_level: lowLevel },
        processing_info: {
          total_entities_found: totals.entities,
          total_relations_found: totals.relations,
          entities_after_truncation: entities.length,
          relations_after_truncation: relationships.length,
          merged_chunks_count: totals.chunks,
          final_chunks_count: chunks.length,
        },
      },
    });
  }

  return [
    { method: 'POST', path: '/query', handle: query },
    { method: 'POST', path: '/query/stream', handle: stream },
    { method: 'POST', path: '/query/data', handle: data },
  ];
}

function secondsSince(startedMs: number): number {
  return Math.round(performance.now() - startedMs) / 1000;
}

/**
 * Begins an NDJSON answer. The function it returns writes one line, waits while the client is slow, and throws when the
 * client has gone, which ends the query as it does in the real server.
 */
export function startLines(
  response: Exchange['response'],
  gone: AbortSignal,
  pauseMs: number,
): (line: unknown) => Promise<void> {
  response.writeHead(200, {
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-cache',
    connection: 'keep-alive',
    'x-accel-buffering': 'no',
  });
  return async (line) => {
    gone.throwIfAborted();
    if (!response.write(`${JSON.stringify(line)}\n`)) await once(response, 'drain', { signal: gone });
    // Yields even without a pause, so that each line is a chunk of its own.
    await sleep(pauseMs, undefined, { signal: gone });
  };
}
