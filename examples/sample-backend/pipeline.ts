import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Faults } from './faults.ts';
import { type IngestDocument, planChunks, storeAnchors, storeChunks, storeKnowledge } from './ingest.ts';
import { defaultChunkOptions, documentId, fullDocRow, isoFormat, rowTail, summaryOf } from './records.ts';
import type { DocStatusRow, DocumentMetadata, DocumentStatus, Shape } from './store/rows.ts';
import type { Workspace } from './store/workspace.ts';
import { md5 } from './text.ts';

export type PipelineOptions = {
  readonly workspace: Workspace;
  readonly shape: Shape;
  /** The workspace's own input folder. */
  readonly inputFolder: string;
  readonly documentDelayMs: number;
  readonly chunkTokens: number;
  readonly overlapTokens: number;
  readonly faults: Faults;
  readonly log: (line: string) => void;
};

export type PipelineState = {
  busy: boolean;
  job_name: string;
  job_start: string | null;
  docs: number;
  batchs: number;
  cur_batch: number;
  request_pending: boolean;
  cancellation_requested: boolean;
  latest_message: string;
  history_messages: string[];
};

/**
 * Works through the documents that wait, one after the other:
 * pending → parsing → analyzing → processing → processed or failed (1.4 has no parsing and analyzing).
 * doc_status is written after every change, everything else when a document is complete. A document that a killed process left
 * in between stays there until somebody asks for it: nothing is resumed at start.
 */
export type Pipeline = {
  readonly state: PipelineState;
  /** The LLM calls made since the start. */
  readonly calls: { extract: number; query: number; embedding: number; failed: number };
  enqueueText(content: string, filePath: string, trackId: string): string;
  /** A file that lies in the input folder already. */
  enqueueFile(fileName: string, trackId: string): string;
  /** Starts on whatever is not finished; with `alsoFailed` on failed documents too. */
  kick(alsoFailed?: boolean): void;
  /** Runs something that must not meet the pipeline. False when it is busy. */
  exclusive(jobName: string, work: () => Promise<void>): boolean;
  cancel(): boolean;
  idle(): Promise<void>;
  stop(): Promise<void>;
};

class Stopped extends Error {}
class Cancelled extends Error {}

const unfinished: readonly DocumentStatus[] = ['pending', 'parsing', 'analyzing', 'processing'];

export function createPipeline(options: PipelineOptions): Pipeline {
  const { workspace, shape, inputFolder, documentDelayMs, chunkTokens, overlapTokens, faults, log } = options;
  const { docStatus, fullDocs } = workspace;
  const state: PipelineState = {
    busy: false,
    job_name: '-',
    job_start: null,
    docs: 0,
    batchs: 0,
    cur_batch: 0,
    request_pending: false,
    cancellation_requested: false,
    latest_message: '',
    history_messages: [],
  };
  const calls = { extract: 0, query: 0, embedding: 0, failed: 0 };
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let retryFailed = false;

  function say(message: string): void {
    state.latest_message = message;
    state.history_messages = [...state.history_messages, message].slice(-1000);
    log(message);
  }

  async function pause(): Promise<void> {
    const stages = shape === '1.5' ? 3 : 1;
    if (documentDelayMs > 0)
      await sleep(documentDelayMs / stages, undefined, { signal: stopping.signal }).catch(() => undefined);
    if (stopping.signal.aborted) throw new Stopped();
    if (state.cancellation_requested) throw new Cancelled();
  }

  async function change(id: string, status: DocumentStatus, more: Partial<DocStatusRow>): Promise<void> {
    const row = docStatus.rows.get(id);
    if (row === undefined) return;
    const metadata = { ...row.metadata, ...more.metadata };
    docStatus.set(id, { ...row, ...more, status, updated_at: isoFormat(Date.now()), metadata });
    await docStatus.flush();
  }

  function enqueue(id: string, content: string, filePath: string, trackId: string, isParsed: boolean): string {
    const now = Date.now();
    const seconds = Math.floor(now / 1000);
    const chunkOptions = defaultChunkOptions(chunkTokens, overlapTokens);
    const full = fullDocRow(shape, id, content, filePath, chunkOptions, seconds);
    fullDocs.set(id, isParsed ? full : { ...full, parse_format: 'pending_parse', content_hash: '' });
    docStatus.set(id, {
      status: 'pending',
      content_summary: summaryOf(content),
      content_length: content.length,
      created_at: isoFormat(now),
      updated_at: isoFormat(now),
      file_path: filePath,
      track_id: trackId,
      ...(shape === '1.5' && isParsed ? { content_hash: md5(content) } : {}),
      metadata: shape === '1.5' ? { process_options: 'F' } : {},
    });
    // full_docs reaches the disk before the row that promises it.
    void fullDocs.flush().then(() => docStatus.flush());
    return id;
  }

  /** Reads an uploaded file when its turn comes, and puts it into the archive folder. */
  function readSource(id: string): string {
    const full = fullDocs.rows.get(id);
    if (full === undefined) throw new Error(`Document content not found in full_docs for doc_id: ${id}`);
    if (full.parse_format !== 'pending_parse') return full.content;
    const waiting = join(inputFolder, full.file_path);
    const archived = join(inputFolder, '__parsed__', full.file_path);
    const content = readFileSync(existsSync(waiting) ? waiting : archived, 'utf8');
    const { _id, create_time } = full;
    fullDocs.set(id, {
      ...full,
      content,
      parse_format: 'raw',
      content_hash: md5(content),
      ...rowTail(_id, Math.floor(Date.now() / 1000)),
      create_time,
    });
    archive(full.file_path);
    return content;
  }

  function archive(fileName: string): void {
    const waiting = join(inputFolder, fileName);
    if (!existsSync(waiting)) return;
    // 1.4 archives when a file is queued, 1.5 when it was read.
    const folder = join(inputFolder, shape === '1.4' ? '__enqueued__' : '__parsed__');
    mkdirSync(folder, { recursive: true });
    renameSync(waiting, join(folder, fileName));
  }

  async function processDocument(id: string): Promise<void> {
    const row = docStatus.rows.get(id);
    if (row === undefined) return;
    const second = (): number => Math.floor(Date.now() / 1000);
    if (shape === '1.5') {
      await change(id, 'parsing', { metadata: { parse_start_time: second() } });
      await pause();
    }
    const content = readSource(id);
    await fullDocs.flush();
    if (shape === '1.5') {
      const parsed = { parse_stage_skipped: true, parse_format: 'raw', parse_engine: 'legacy' };
      await change(id, 'analyzing', {
        content_summary: summaryOf(content),
        content_length: content.length,
        content_hash: md5(content),
        metadata: { ...parsed, analyzing_start_time: second() },
      });
      await pause();
    }
    const document: IngestDocument = {
      id,
      filePath: row.file_path,
      content,
      shape,
      chunkTokens,
      overlapTokens,
      seconds: second(),
    };
    const planned = planChunks(document);
    const counted = { chunks_count: planned.length, chunks_list: planned.map((entry) => entry.id) };
    const started: DocumentMetadata =
      shape === '1.5' ? { process_start_time: second() } : { processing_start_time: second() };
    const skipped: DocumentMetadata =
      shape === '1.5' ? { analyzing_stage_skipped: true, kg_write_state: 'pre_graph' } : {};
    await change(id, 'processing', { ...counted, metadata: { ...skipped, ...started } });
    if (faults.fail_extraction) throw new Error('LLM func: extraction worker failed after 3 attempts');
    storeChunks(workspace, document, planned);
    calls.extract += planned.length * 2;
    calls.embedding += planned.length;
    await pause();
    storeAnchors(workspace, document, planned);
    await Promise.all([workspace.fullEntities.flush(), workspace.fullRelations.flush()]);
    if (shape === '1.5') await change(id, 'processing', { metadata: { kg_write_state: 'graph_mutation_started' } });
    storeKnowledge(workspace, document, planned);
    await workspace.flushData();
    if (stopping.signal.aborted) throw new Stopped();
    const chunkOptions = defaultChunkOptions(chunkTokens, overlapTokens);
    const ended: DocumentMetadata =
      shape === '1.5'
        ? { process_end_time: second(), chunk_method: 'fixed_token', chunk_opts: chunkOptions }
        : { processing_end_time: second() };
    await change(id, 'processed', { error_msg: shape === '1.5' ? '' : undefined, metadata: ended });
  }

  function waiting(): string[] {
    const wanted = retryFailed ? [...unfinished, 'failed'] : unfinished;
    retryFailed = false;
    return [...docStatus.rows]
      .filter(([, row]) => wanted.includes(row.status) && row.metadata.is_duplicate !== true)
      .map(([id]) => id);
  }

  /** Rows without a text cannot be worked on; the real server drops them too. */
  async function dropInconsistent(ids: readonly string[]): Promise<string[]> {
    const kept = ids.filter((id) => fullDocs.rows.has(id));
    for (const id of ids) if (!fullDocs.rows.has(id)) docStatus.delete(id);
    if (kept.length < ids.length) {
      say(`Removed ${ids.length - kept.length} inconsistent document entries`);
      await docStatus.flush();
    }
    return kept;
  }

  async function fail(id: string, message: string): Promise<void> {
    calls.failed += 1;
    await change(id, 'failed', { error_msg: message });
  }

  async function run(): Promise<void> {
    for (;;) {
      state.request_pending = false;
      const ids = await dropInconsistent(waiting());
      if (ids.length === 0) return;
      Object.assign(state, {
        job_name: 'Default Job',
        job_start: isoFormat(Date.now()),
        docs: ids.length,
        batchs: ids.length,
      });
      for (const id of ids)
        if (docStatus.rows.get(id)?.status !== 'pending') await change(id, 'pending', { error_msg: '' });
      say(`Processing ${ids.length} document(s)`);
      for (const [index, id] of ids.entries()) {
        state.cur_batch = index + 1;
        say(`Processing file ${index + 1}/${ids.length}: ${docStatus.rows.get(id)?.file_path ?? id}`);
        try {
          if (state.cancellation_requested) throw new Cancelled();
          await processDocument(id);
          say(`Completed processing file ${index + 1}/${ids.length}: ${docStatus.rows.get(id)?.file_path ?? id}`);
        } catch (error) {
          if (error instanceof Stopped) return;
          const message = error instanceof Error ? error.message : String(error);
          await fail(id, error instanceof Cancelled ? 'User cancelled the pipeline' : message);
          say(error instanceof Cancelled ? `User cancelled: ${id}` : `Failed to extract document ${id}: ${message}`);
        }
      }
      state.cancellation_requested = false;
      if (!state.request_pending && !retryFailed) return;
    }
  }

  function occupy(jobName: string, work: () => Promise<void>): void {
    Object.assign(state, { busy: true, job_name: jobName, job_start: isoFormat(Date.now()) });
    running = work()
      .catch((error: unknown) => say(`${jobName} failed: ${error instanceof Error ? error.message : String(error)}`))
      .finally(() => {
        Object.assign(state, { busy: false, cancellation_requested: false });
        if (state.request_pending && !stopping.signal.aborted) kick();
      });
  }

  function kick(alsoFailed = false): void {
    retryFailed ||= alsoFailed;
    if (state.busy || faults.hold_busy) state.request_pending = true;
    else if (!stopping.signal.aborted) occupy('Default Job', run);
  }

  return {
    state,
    calls,
    enqueueText: (content, filePath, trackId) =>
      enqueue(documentId(shape, filePath, content), content, filePath, trackId, true),
    enqueueFile(fileName, trackId) {
      if (shape === '1.5') return enqueue(documentId(shape, fileName, ''), '', fileName, trackId, false);
      const content = readFileSync(join(inputFolder, fileName), 'utf8');
      archive(fileName);
      return enqueue(documentId(shape, fileName, content), content, fileName, trackId, true);
    },
    kick,
    exclusive(jobName, work) {
      if (state.busy || faults.hold_busy) return false;
      occupy(jobName, work);
      return true;
    },
    cancel() {
      if (!state.busy) return false;
      state.cancellation_requested = true;
      say('Pipeline cancellation requested by user');
      return true;
    },
    async idle() {
      while (state.busy) await running;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
