import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { duplicateRow } from './duplicates.ts';
import type { Faults } from './faults.ts';
import { type IngestDocument, planChunks, storeAnchors, storeChunks, storeKnowledge } from './ingest.ts';
import { chunkOptionsText, defaultChunkOptions, documentId, fullDocRow, isoFormat, summaryOf } from './records.ts';
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
  /** @returns the document's id, or that of the `dup-…` row when the content is known */
  enqueueText(content: string, filePath: string, trackId: string): string;
  /** A file that lies in the input folder already. */
  enqueueFile(fileName: string, trackId: string): string;
  /** Starts on whatever is not finished; with `alsoFailed` on failed documents too. */
  kick(alsoFailed?: boolean): void;
  isExclusive(): boolean;
  /** Runs something that must not meet the pipeline. False when it is busy. */
  exclusive(jobName: string, work: () => Promise<void>): boolean;
  cancel(): boolean;
  idle(): Promise<void>;
  stop(): Promise<void>;
};

const defaultJob = 'Default Job';

const secondNow = (): number => Math.floor(Date.now() / 1000);

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
  const chunkOptions = defaultChunkOptions(chunkTokens, overlapTokens);
  const calls = { extract: 0, query: 0, embedding: 0, failed: 0 };
  /** Whether the running job is one that nothing may be handed in beside: a deletion. */
  let isExclusive = false;
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let retryFailed = false;

  function say(message: string): void {
    state.latest_message = message;
    state.history_messages = [...state.history_messages, message].slice(-1000);
    log(message);
  }

  async function pause(status: DocumentStatus): Promise<void> {
    const stages = shape === '1.5' ? 3 : 1;
    const wait = (milliseconds: number): Promise<void> =>
      sleep(milliseconds, undefined, { signal: stopping.signal }).catch(() => undefined);
    if (documentDelayMs > 0) await wait(documentDelayMs / stages);
    while (faults.hold_at === status && !stopping.signal.aborted && !state.cancellation_requested) await wait(10);
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

  /** @param content undefined: a file that is read when its turn comes */
  function enqueue(id: string, content: string | undefined, filePath: string, trackId: string): string {
    const now = Date.now();
    const full = fullDocRow(shape, 'text', id, content, filePath, chunkOptions, Math.floor(now / 1000));
    fullDocs.set(id, full);
    const source: DocumentMetadata = content === undefined ? { source_file: filePath } : {};
    docStatus.set(id, {
      status: 'pending',
      content_summary: summaryOf(content ?? ''),
      content_length: content?.length ?? 0,
      created_at: isoFormat(now),
      updated_at: isoFormat(now),
      file_path: filePath,
      track_id: trackId,
      ...(shape === '1.5' && content !== undefined ? { content_hash: md5(content) } : {}),
      metadata: shape === '1.5' ? { process_options: 'F', ...source } : {},
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
    fullDocs.set(id, fullDocRow(shape, 'file', id, content, full.file_path, chunkOptions, secondNow()));
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

  async function processDocument(id: string, place: string): Promise<void> {
    const row = docStatus.rows.get(id);
    if (row === undefined) return;
    say(`Parsing (native): ${id}`);
    if (shape === '1.5') {
      await change(id, 'parsing', { metadata: { parse_start_time: secondNow(), kg_write_state: 'pre_graph' } });
      await pause('parsing');
    }
    const wasParsed = fullDocs.rows.get(id)?.parse_format !== 'pending_parse';
    const content = readSource(id);
    await fullDocs.flush();
    if (shape === '1.5') {
      await change(id, 'analyzing', {
        content_summary: summaryOf(content),
        content_length: content.length,
        content_hash: md5(content),
        metadata: {
          ...(wasParsed ? { parse_stage_skipped: true } : { parse_end_time: secondNow() }),
          parse_format: 'raw',
          parse_engine: 'legacy',
          analyzing_start_time: secondNow(),
          analyzing_stage_skipped: true,
        },
        chunks_list: [],
      });
      await pause('analyzing');
    }
    const filePath = row.file_path;
    const document: IngestDocument = { id, filePath, content, shape, chunkTokens, overlapTokens, seconds: secondNow() };
    const planned = planChunks(document);
    await change(id, 'processing', {
      chunks_count: planned.length,
      chunks_list: planned.map((entry) => entry.id),
      metadata:
        shape === '1.5'
          ? {
              process_start_time: secondNow(),
              chunk_method: 'fixed_token',
              chunk_opts: chunkOptionsText(chunkTokens, overlapTokens),
            }
          : { processing_start_time: secondNow() },
    });
    say(`Extracting stage ${place}: ${filePath}`);
    say(`Processing d-id: ${id}`);
    if (faults.fail_extraction)
      throw new Error(`C[1/${planned.length}]: ${planned[0]?.id}: BadRequestError: Error code: 400 - fault`);
    storeChunks(workspace, document, planned);
    calls.extract += planned.length * 2;
    calls.embedding += planned.length;
    await pause('processing');
    say(`Merging stage ${place}: ${filePath}`);
    storeAnchors(workspace, document, planned);
    await Promise.all([workspace.fullEntities.flush(), workspace.fullRelations.flush()]);
    if (shape === '1.5') await change(id, 'processing', { metadata: { kg_write_state: 'graph_mutation_started' } });
    storeKnowledge(workspace, document, planned);
    await workspace.flushData();
    if (stopping.signal.aborted) throw new Stopped();
    await change(id, 'processed', { error_msg: undefined, metadata: endTime() });
  }

  function endTime(): DocumentMetadata {
    return shape === '1.5' ? { process_end_time: secondNow() } : { processing_end_time: secondNow() };
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
    await change(id, 'failed', { error_msg: message, metadata: endTime() });
  }

  /** Takes up every row again from the beginning; what an earlier attempt said about times is forgotten. */
  async function resetRows(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const row = docStatus.rows.get(id);
      if (row === undefined || row.status === 'pending') continue;
      const { process_options, source_file } = row.metadata;
      const kept: DocumentMetadata = {
        process_options: process_options ?? 'F',
        ...(source_file === undefined ? {} : { source_file }),
      };
      const metadata = shape === '1.5' ? kept : {};
      docStatus.set(id, {
        ...row,
        status: 'pending',
        updated_at: isoFormat(Date.now()),
        metadata,
        error_msg: undefined,
      });
    }
    await docStatus.flush();
  }

  async function run(): Promise<void> {
    for (;;) {
      state.request_pending = false;
      const ids = await dropInconsistent(waiting());
      if (ids.length === 0) break;
      const name = `${docStatus.rows.get(ids[0] ?? '')?.file_path}[${ids.length} files]`;
      Object.assign(state, { job_name: name, job_start: isoFormat(Date.now()), docs: ids.length, batchs: ids.length });
      await resetRows(ids);
      say(`Processing ${ids.length} document(s)`);
      for (const [index, id] of ids.entries()) {
        state.cur_batch = index + 1;
        const place = `${index + 1}/${ids.length}`;
        const filePath = docStatus.rows.get(id)?.file_path ?? id;
        try {
          if (state.cancellation_requested) throw new Cancelled();
          await processDocument(id, place);
          say(`Completed processing file ${place}: ${filePath}`);
        } catch (error) {
          if (error instanceof Stopped) return;
          const message = error instanceof Error ? error.message : String(error);
          await fail(id, error instanceof Cancelled ? 'User cancelled' : message);
          say(
            error instanceof Cancelled
              ? `User cancelled: ${filePath}`
              : `Failed to extract document ${place}: ${message}`,
          );
        }
      }
      state.cancellation_requested = false;
      if (!state.request_pending && !retryFailed) break;
      say('Processing additional documents due to pending request');
    }
    say('Enqueued document processing pipeline stopped');
  }

  function occupy(jobName: string, work: () => Promise<void>): void {
    Object.assign(state, { busy: true, job_name: jobName, job_start: isoFormat(Date.now()) });
    isExclusive = jobName !== defaultJob;
    running = work()
      .catch((error: unknown) => say(`${jobName} failed: ${error instanceof Error ? error.message : String(error)}`))
      .finally(() => {
        Object.assign(state, { busy: false, cancellation_requested: false });
        isExclusive = false;
        if (state.request_pending && !stopping.signal.aborted) kick();
      });
  }

  function kick(alsoFailed = false): void {
    retryFailed ||= alsoFailed;
    if (state.busy || faults.hold_busy) state.request_pending = true;
    else if (!stopping.signal.aborted) occupy(defaultJob, run);
  }

  return {
    state,
    calls,
    enqueueText(content, filePath, trackId) {
      const id = documentId(shape, filePath, content);
      const hash = md5(content);
      const known = [...docStatus.rows].find(([other, row]) => other === id || row.content_hash === hash);
      if (known === undefined) return enqueue(id, content, filePath, trackId);
      const [originalId, original] = known;
      const contentLength = content.length;
      const nowMs = Date.now();
      const [key, row] = duplicateRow({ shape, originalId, original, contentLength, filePath, trackId, nowMs });
      docStatus.set(key, row);
      void docStatus.flush();
      return key;
    },
    enqueueFile(fileName, trackId) {
      if (shape === '1.5') return enqueue(documentId(shape, fileName, ''), undefined, fileName, trackId);
      const content = readFileSync(join(inputFolder, fileName), 'utf8');
      archive(fileName);
      return enqueue(documentId(shape, fileName, content), content, fileName, trackId);
    },
    kick,
    isExclusive: () => isExclusive,
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
