// The conversations with a running LightRAG, in the order in which they build on each other.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cafe, harbour, hitQuery, later, rivers, tokyo, upload } from './documents.mjs';
import { waitFor } from './lightrag-process.mjs';

const UNFINISHED = ['pending', 'parsing', 'analyzing', 'processing', 'preprocessed'];

export async function readCounts(api) {
  return (await api.ask('GET', '/documents/status_counts')).body.status_counts;
}

/** Waits until nothing runs and no document is on its way. */
export async function waitUntilIdle(api) {
  const read = async () => ({
    counts: await readCounts(api),
    pipeline: (await api.ask('GET', '/documents/pipeline_status')).body,
  });
  const idle = ({ counts, pipeline }) =>
    !pipeline.busy && !pipeline.pending_enqueues && UNFINISHED.every((status) => !counts[status]);
  return waitFor('an idle pipeline', read, idle);
}

export function asText({ text, source }) {
  return { body: { text, file_source: source } };
}

export function asUpload({ text, source }, contentType = 'text/plain') {
  return { multipart: { name: 'file', filename: source, contentType, content: text } };
}

const noKey = { 'X-API-Key': undefined };

/** What a server with `LIGHTRAG_API_KEY` says before the first document. `api` sends the key. */
export async function recordEmptyServer({ record }) {
  await record('health-anonymous', 'GET', '/health', { headers: noKey });
  await record('health-with-key', 'GET', '/health');
  await record('health-wrong-key', 'GET', '/health', { headers: { 'X-API-Key': 'wrong' } });
  await record('health-own-workspace', 'GET', '/health', { headers: { 'LIGHTRAG-WORKSPACE': 'library' } });
  await record('health-unknown-workspace', 'GET', '/health', { headers: { 'LIGHTRAG-WORKSPACE': 'elsewhere' } });
  await record('health-unknown-workspace-anonymous', 'GET', '/health', {
    headers: { ...noKey, 'LIGHTRAG-WORKSPACE': 'elsewhere' },
  });
  const { body: status } = await record('auth-status-key-mode', 'GET', '/auth-status', { headers: noKey });
  const guest = { ...noKey, Authorization: `Bearer ${status.access_token}` };
  await record('key-mode-guest-token', 'GET', '/documents/status_counts', { headers: guest });
  await record('auth-verify-key-mode', 'GET', '/auth/verify');
  await record('auth-verify-no-key', 'GET', '/auth/verify', { headers: noKey });
  await record('no-key', 'GET', '/documents/status_counts', { headers: noKey });
  await record('wrong-key', 'GET', '/documents/status_counts', { headers: { 'X-API-Key': 'wrong' } });
  await record('unknown-path', 'GET', '/no/such/path');
  await record('metrics-is-not-there', 'GET', '/metrics');
  await record('method-not-allowed', 'GET', '/query');
  await record('root', 'GET', '/');
  await record('status-counts-empty', 'GET', '/documents/status_counts');
  await record('pipeline-status-empty', 'GET', '/documents/pipeline_status');
  await record('paginated-empty', 'POST', '/documents/paginated', { body: {} });
  await record('documents-list-empty', 'GET', '/documents');
  await record('supported-file-types', 'GET', '/documents/supported_file_types');
  await record('source-conflicts-empty', 'GET', '/documents/source_conflicts');
  await record('label-list-empty', 'GET', '/graph/label/list');
  await record('query-empty-workspace', 'POST', '/query', { body: { query: hitQuery } });
  await record('query-empty-workspace-naive', 'POST', '/query', { body: { query: hitQuery, mode: 'naive' } });
  await record('query-stream-empty-workspace', 'POST', '/query/stream', { body: { query: hitQuery } });
  await record('query-data-empty-workspace', 'POST', '/query/data', { body: { query: hitQuery } });
  await record('cancel-pipeline-not-busy', 'POST', '/documents/cancel_pipeline');
  await record('scan-status-unknown', 'GET', '/documents/scan/status/scan_20261122_000000_00000000');
  await record('track-status-unknown', 'GET', '/documents/track_status/insert_20261122_000000_00000000');
}

/** Inserts while the model is held, so that "busy" lasts as long as it is looked at. */
export async function recordIngest({ record, ask }, llm) {
  const release = llm.hold('extract');
  const { body: inserted } = await record('insert-text', 'POST', '/documents/text', asText(harbour));
  const before = llm.calls.extract;
  await waitFor(
    'the first extraction call',
    () => llm.calls.extract,
    (calls) => calls > before,
  );
  await record('status-counts-busy', 'GET', '/documents/status_counts');
  await record('pipeline-status-busy', 'GET', '/documents/pipeline_status');
  await record('health-busy-anonymous', 'GET', '/health', { headers: noKey });
  await record('health-busy-with-key', 'GET', '/health');
  const tracked = `/documents/track_status/${inserted.track_id}`;
  const { body: track } = await record('track-status-busy', 'GET', tracked);
  await record('insert-text-duplicate-while-busy', 'POST', '/documents/text', asText(harbour));
  await record('insert-text-while-busy', 'POST', '/documents/text', asText(rivers));
  await record('upload-while-busy', 'POST', '/documents/upload', asUpload(upload));
  await record('scan-while-busy', 'POST', '/documents/scan');
  await record('delete-document-while-busy', 'DELETE', '/documents/delete_document', {
    body: { doc_ids: [track.documents[0].id] },
  });
  await record('clear-documents-while-busy', 'DELETE', '/documents');
  await record('paginated-busy', 'POST', '/documents/paginated', { body: { sort_field: 'updated_at' } });
  release();
  await waitUntilIdle({ ask });

  await record('status-counts-idle', 'GET', '/documents/status_counts');
  await record('pipeline-status-idle', 'GET', '/documents/pipeline_status');
  await record('track-status-processed', 'GET', tracked);
  await record('insert-text-duplicate', 'POST', '/documents/text', asText(harbour));
  await record('insert-text-same-content', 'POST', '/documents/text', asText({ ...harbour, source: 'copy.txt' }));
  await record('insert-text-without-source', 'POST', '/documents/text', { body: { text: harbour.text } });
  await record('insert-text-empty', 'POST', '/documents/text', { body: { text: '', file_source: 'empty.txt' } });
  const texts = [tokyo, cafe];
  const { body: two } = await record('insert-texts', 'POST', '/documents/texts', {
    body: { texts: texts.map((d) => d.text), file_sources: texts.map((d) => d.source) },
  });
  await record('insert-texts-too-few-sources', 'POST', '/documents/texts', {
    body: { texts: ['One text.', 'Another text.'], file_sources: ['one.txt'] },
  });
  await record('insert-texts-partly-duplicate', 'POST', '/documents/texts', {
    body: { texts: [harbour.text, 'The Windmill stands in Skagen.'], file_sources: [harbour.source, 'windmill.txt'] },
  });
  await waitUntilIdle({ ask });
  await record('track-status-two-documents', 'GET', `/documents/track_status/${two.track_id}`);
  await record(
    'upload',
    'POST',
    '/documents/upload',
    asUpload({ source: 'fjord.md', text: 'Fjord Cruise visits Øresund.' }),
  );
  await waitUntilIdle({ ask });
  await record('upload-duplicate', 'POST', '/documents/upload', asUpload(upload));
  await record('upload-wrong-type', 'POST', '/documents/upload', asUpload({ source: 'tool.exe', text: 'MZ' }));
  await record('upload-without-file', 'POST', '/documents/upload', { form: { other: 'field' } });
  await record('paginated', 'POST', '/documents/paginated', {
    body: { page: 1, page_size: 10, sort_field: 'updated_at', sort_direction: 'desc' },
  });
  await record('paginated-processed', 'POST', '/documents/paginated', { body: { status_filter: 'processed' } });
  await record('paginated-page-size-too-small', 'POST', '/documents/paginated', { body: { page_size: 1 } });
  await record('paginated-unknown-status', 'POST', '/documents/paginated', { body: { status_filter: 'gone' } });
  await record('documents-list', 'GET', '/documents');
}

/** Scans the input folder; `inputs` is the workspace's own. */
export async function recordScan({ record, ask }, inputs) {
  await mkdir(inputs, { recursive: true });
  await writeFile(join(inputs, 'found-by-scan.txt'), 'Scan Harbour lies beside the Kattegat.');
  const { body } = await record('scan', 'POST', '/documents/scan');
  const path = `/documents/scan/status/${body.track_id}`;
  const read = async () => (await ask('GET', path)).body;
  await waitFor('the end of the scan', read, ({ status }) => status !== 'running');
  await record('scan-status', 'GET', path);
  await waitUntilIdle({ ask });
  await record('track-status-scan', 'GET', `/documents/track_status/${body.track_id}`);
}

/** A document that fails, a run that is cancelled, and the way back from both. */
export async function recordFailures({ record, ask }, llm) {
  llm.setFault({ what: 'status', status: 400, kind: 'extract' });
  await ask('POST', '/documents/text', asText(later[0]));
  await waitFor(
    'a failed document',
    () => readCounts({ ask }),
    (counts) => counts.failed > 0,
  );
  await waitUntilIdle({ ask });
  llm.setFault(undefined);
  await record('status-counts-failed', 'GET', '/documents/status_counts');
  await record('paginated-failed', 'POST', '/documents/paginated', { body: { status_filter: 'failed' } });
  await record('pipeline-status-after-failure', 'GET', '/documents/pipeline_status');
  await record('reprocess-failed', 'POST', '/documents/reprocess_failed');
  await waitFor(
    'the retried document',
    () => readCounts({ ask }),
    (counts) => !counts.failed || counts.failed === 1,
  );
  await waitUntilIdle({ ask });

  const release = llm.hold('extract');
  const before = llm.calls.extract;
  await ask('POST', '/documents/texts', {
    body: { texts: later.slice(1).map((d) => d.text), file_sources: later.slice(1).map((d) => d.source) },
  });
  await waitFor(
    'an extraction call',
    () => llm.calls.extract,
    (calls) => calls > before,
  );
  await record('cancel-pipeline', 'POST', '/documents/cancel_pipeline');
  await record('pipeline-status-cancelling', 'GET', '/documents/pipeline_status');
  release();
  await waitUntilIdle({ ask });
  await record('pipeline-status-cancelled', 'GET', '/documents/pipeline_status');
  await record('paginated-cancelled', 'POST', '/documents/paginated', { body: { status_filters: ['failed'] } });
  await ask('POST', '/documents/reprocess_failed');
  await waitFor(
    'the retried documents',
    () => readCounts({ ask }),
    (counts) => counts.processed >= 12,
  );
  await waitUntilIdle({ ask });
}

export async function recordQueries({ record }, llm) {
  for (const mode of ['local', 'global', 'hybrid', 'naive', 'mix', 'bypass']) {
    await record(`query-${mode}`, 'POST', '/query', { body: { query: hitQuery, mode } });
  }
  await record('query-cached', 'POST', '/query', { body: { query: hitQuery, mode: 'mix' } });
  const full = {
    include_references: true,
    include_chunk_content: true,
    hl_keywords: ['guard'],
    ll_keywords: ['Kattegat'],
  };
  await record('query-with-chunk-content', 'POST', '/query', { body: { query: hitQuery, ...full } });
  await record('query-without-references', 'POST', '/query', { body: { query: hitQuery, include_references: false } });
  await record('query-context-only', 'POST', '/query', { body: { query: hitQuery, only_need_context: true } });
  await record('query-prompt-only', 'POST', '/query', {
    body: { query: hitQuery, mode: 'naive', only_need_prompt: true },
  });
  const nothing = { query: 'zzyzx zzrt', hl_keywords: ['zzyzx'], ll_keywords: ['zzrt'] };
  await record('query-nothing-found', 'POST', '/query', { body: nothing });
  await record('query-data-hit', 'POST', '/query/data', { body: { query: hitQuery } });
  await record('query-data-hit-naive', 'POST', '/query/data', { body: { query: hitQuery, mode: 'naive' } });
  await record('query-nothing-found-naive', 'POST', '/query', { body: { ...nothing, mode: 'naive' } });
  await record('query-data-miss', 'POST', '/query/data', { body: nothing });
  await record('query-too-short', 'POST', '/query', { body: { query: 'hi' } });
  await record('query-unknown-mode', 'POST', '/query', { body: { query: hitQuery, mode: 'psychic' } });
  await record('query-without-query', 'POST', '/query', { body: {} });
  await record('query-bad-json', 'POST', '/query', { raw: '{"query": ' });
  await record('query-no-key', 'POST', '/query', { body: { query: hitQuery }, headers: noKey });
  const fresh = { query: 'Where does the Spree reach the Havel?' };
  await record('query-stream', 'POST', '/query/stream', { body: fresh });
  await record('query-stream-progress', 'POST', '/query/stream', {
    body: { query: 'Which tower holds the Old Observatory?', include_progress: true },
  });
  await record('query-stream-cached', 'POST', '/query/stream', { body: { query: hitQuery, mode: 'mix' } });
  await record('query-stream-not-streaming', 'POST', '/query/stream', {
    body: { query: 'Which sea does Øresund join?', stream: false },
  });
  await record('query-stream-nothing-found', 'POST', '/query/stream', { body: nothing });
  await record('query-stream-too-short', 'POST', '/query/stream', { body: { query: 'hi' } });
  llm.setFault({ what: 'status', status: 400, kind: 'answer' });
  await record('query-model-refuses', 'POST', '/query', { body: { query: 'Who guards the Baltic Sea?' } });
  await record('query-stream-model-refuses', 'POST', '/query/stream', {
    body: { query: 'Who guards the Baltic Sea?' },
  });
  llm.setFault({ what: 'break-stream', kind: 'answer' });
  await record('query-stream-model-breaks-off', 'POST', '/query/stream', {
    body: { query: 'Who watches the Baltic Sea?' },
  });
  llm.setFault({ what: 'status', status: 400, kind: 'embedding' });
  await record('query-embedding-refuses', 'POST', '/query', { body: { query: 'Who sails the Baltic Sea?' } });
  await record('query-data-embedding-refuses', 'POST', '/query/data', { body: { query: 'Who sails the Baltic Sea?' } });
  llm.setFault(undefined);
}

export async function recordOllamaRoutes({ record }, llm) {
  const model = 'lightrag:latest';
  const say = (content, more = {}) => ({ body: { model, messages: [{ role: 'user', content }], ...more } });
  await record('api-version', 'GET', '/api/version', { headers: noKey });
  await record('api-tags', 'GET', '/api/tags', { headers: noKey });
  await record('api-ps', 'GET', '/api/ps', { headers: noKey });
  await record('api-chat', 'POST', '/api/chat', {
    ...say('/mix What does the Spree reach?', { stream: false }),
    headers: noKey,
  });
  await record('api-chat-stream', 'POST', '/api/chat', {
    ...say('/local What is beside the Kattegat?'),
    headers: noKey,
  });
  await record(
    'api-chat-context',
    'POST',
    '/api/chat',
    say('/context What is beside the Kattegat?', { stream: false }),
  );
  await record('api-chat-bypass', 'POST', '/api/chat', say('/bypass Say hello', { stream: false }));
  await record('api-chat-nothing-found', 'POST', '/api/chat', say('/naive zzyzx zzrt', { stream: false }));
  await record('api-chat-no-messages', 'POST', '/api/chat', { body: { model, messages: [] } });
  await record('api-generate', 'POST', '/api/generate', { body: { model, prompt: 'Say hello', stream: false } });
  await record('api-generate-stream', 'POST', '/api/generate', { body: { model, prompt: 'Say hello', stream: true } });
  llm.setFault({ what: 'status', status: 400, kind: 'answer' });
  await record('api-chat-model-refuses', 'POST', '/api/chat', say('Who guards the Baltic Sea?', { stream: false }));
  llm.setFault({ what: 'break-stream', kind: 'answer' });
  await record('api-chat-stream-model-breaks-off', 'POST', '/api/chat', say('Who watches the Baltic Sea?'));
  llm.setFault(undefined);
}

export async function recordGraph({ record }) {
  const graphOf = (label, more = '') => `/graphs?label=${encodeURIComponent(label)}${more}`;
  await record('label-list', 'GET', '/graph/label/list');
  await record('label-popular', 'GET', '/graph/label/popular?limit=3');
  await record('label-search', 'GET', '/graph/label/search?q=katte&limit=5');
  await record('graphs', 'GET', graphOf('Kattegat', '&max_depth=1&max_nodes=50'));
  await record('graphs-unicode', 'GET', graphOf('隅田川'));
  await record('graphs-truncated', 'GET', graphOf('*', '&max_nodes=3'));
  await record('graphs-unknown-label', 'GET', graphOf('No Such Thing'));
  await record('graphs-without-label', 'GET', '/graphs');
  await record('entity-exists', 'GET', '/graph/entity/exists?name=Kattegat');
  await record('entity-exists-not', 'GET', '/graph/entity/exists?name=Nothing');
  const entity = (name, entity_data) => ({ body: { entity_name: name, entity_data } });
  const buoy = entity('Red Buoy', { description: 'A buoy.', entity_type: 'object' });
  await record('entity-create', 'POST', '/graph/entity/create', buoy);
  await record('entity-create-again', 'POST', '/graph/entity/create', buoy);
  await record('relation-create', 'POST', '/graph/relation/create', {
    body: {
      source_entity: 'Red Buoy',
      target_entity: 'Kattegat',
      relation_data: { description: 'floats in', keywords: 'floats', weight: 1 },
    },
  });
  await record('entity-edit', 'POST', '/graph/entity/edit', {
    body: { entity_name: 'Red Buoy', updated_data: { description: 'A red buoy.' } },
  });
  await record('relation-delete', 'DELETE', '/graph/relation/delete', {
    body: { source_entity: 'Red Buoy', target_entity: 'Kattegat' },
  });
  await record('entity-delete', 'DELETE', '/graph/entity/delete', { body: { entity_name: 'Red Buoy' } });
  await record('entity-delete-unknown', 'DELETE', '/graph/entity/delete', { body: { entity_name: 'Red Buoy' } });
}

/** What takes away: last, because it does. */
export async function recordRemovals({ record, ask }) {
  const { documents } = (await ask('POST', '/documents/paginated', { body: { page_size: 200 } })).body;
  const victim = documents.find((d) => d.file_path === harbour.source);
  await record('delete-document', 'DELETE', '/documents/delete_document', { body: { doc_ids: [victim.id] } });
  await waitFor(
    'the deletion',
    () => readCounts({ ask }),
    (counts) => counts.all === documents.length - 1,
  );
  await waitUntilIdle({ ask });
  await record('pipeline-status-after-deletion', 'GET', '/documents/pipeline_status');
  await record('delete-document-unknown', 'DELETE', '/documents/delete_document', { body: { doc_ids: ['doc-none'] } });
  await waitUntilIdle({ ask });
  await record('delete-document-no-ids', 'DELETE', '/documents/delete_document', { body: { doc_ids: [] } });
  await record('clear-cache', 'POST', '/documents/clear_cache', { body: {} });
  await record('clear-documents', 'DELETE', '/documents');
  await record('status-counts-cleared', 'GET', '/documents/status_counts');
}

/**
 * A retry asked for while an insert runs the pipeline. In 1.5.7 it never ends: the retry waits for the insert's
 * reservation, which the insert holds until the pipeline is done. Cancelling frees it but keeps the retry queued; a second
 * retry, asked for while idle, settles both.
 */
export async function recordRetryWhileBusy({ record, ask }, llm) {
  const release = llm.hold('extract');
  const before = llm.calls.extract;
  await ask('POST', '/documents/text', asText(harbour));
  await waitFor(
    'an extraction call',
    () => llm.calls.extract,
    (calls) => calls > before,
  );
  await record('reprocess-failed-while-busy', 'POST', '/documents/reprocess_failed');
  release();
  const readScheduling = async () => (await ask('GET', '/health')).body.scheduling;
  await waitFor('the drain', readScheduling, ({ manual_phase }) => manual_phase === 'drain_to_idle');
  await waitFor(
    'the document',
    () => readCounts({ ask }),
    ({ processed }) => processed === 1,
  );
  await record('health-draining', 'GET', '/health');
  await record('pipeline-status-draining', 'GET', '/documents/pipeline_status');
  await record('insert-text-while-draining', 'POST', '/documents/text', asText(later[0]));
  await record('upload-while-draining', 'POST', '/documents/upload', asUpload(upload));
  await ask('POST', '/documents/cancel_pipeline');
  await waitUntilIdle({ ask });
  await record('health-retry-left-queued', 'GET', '/health');
  await ask('POST', '/documents/reprocess_failed');
  await waitFor('no queued retry', readScheduling, ({ manual_retries_queued }) => manual_retries_queued === 0);
  await waitUntilIdle({ ask });
}
