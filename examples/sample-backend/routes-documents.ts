import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { Backend } from './backend.ts';
import { findUploadedFile, readJsonBody, textLimit, uploadLimit } from './body.ts';
import { type Exchange, HttpError, type Route, readBody, sendJson } from './http.ts';
import { trackId } from './records.ts';

const extensions =
  '.bat .c .conf .cpp .css .csv .go .h .hpp .htm .html .ini .java .js .json .less .log .md .mdx .php .properties .py .rb .rtf .scss .sh .sql .swift .tex .ts .txt .xml .yaml .yml'.split(
    ' ',
  );

type Scan = {
  track_id: string;
  status: 'completed';
  counts: Record<string, number>;
  counters_dropped: number;
  samples: Record<string, { items: string[]; truncated: boolean; dropped: number }>;
  created_at: number;
  updated_at: number;
  version: number;
  message: string;
};

/** What brings documents in: text, texts, upload, scan. */
export function insertRoutes(backend: Backend): Route[] {
  const { pipeline, workspace, faults, inputFolder, shape } = backend;
  const scans = new Map<string, Scan>();
  const newTrackId = (kind: 'insert' | 'upload' | 'scan'): string =>
    trackId(kind, Date.now(), randomBytes(4).toString('hex'));

  function admit(): void {
    if (faults.refuse_documents)
      throw new HttpError(503, 'Pipeline recovery is required before new documents are accepted.');
    if (faults.admission_full)
      throw new HttpError(
        429,
        'Pipeline is at capacity: 1 document(s) already active or reserved, 1 requested, capacity 1. Retry once documents finish processing.',
        { 'retry-after': '30' },
      );
    if (pipeline.isExclusive())
      throw new HttpError(409, 'Cannot accept documents: an exclusive pipeline job is running. Please retry later.');
  }

  /** The document that has this file name already. */
  function findByFile(filePath: string): string | undefined {
    for (const [id, row] of workspace.docStatus.rows) if (row.file_path === filePath) return id;
    return undefined;
  }

  function refuseKnownFile(filePath: string, what: 'inserting' | 'uploading'): void {
    const id = findByFile(filePath);
    if (id === undefined) return;
    const status = workspace.docStatus.rows.get(id)?.status;
    const again = `Delete the existing record before re-${what}.`;
    throw new HttpError(409, `Document storage already contains '${filePath}' (Status: ${status}). ${again}`);
  }

  function insertAll(texts: readonly string[], sources: readonly string[], isOnly: boolean): { track_id: string } {
    admit();
    const track = newTrackId('insert');
    const named = texts.map((content, index) => ({ content, filePath: sourceOf(sources[index], isOnly) }));
    if (shape === '1.5') for (const { filePath } of named) refuseKnownFile(filePath, 'inserting');
    for (const { content, filePath } of named) pipeline.enqueueText(content, filePath, track);
    pipeline.kick();
    return { track_id: track };
  }

  function sourceOf(source: string | undefined, isOnly: boolean): string {
    if (source !== undefined && source.trim() !== '') return basename(source.trim());
    if (shape === '1.4') return 'unknown_source';
    throw new HttpError(400, `A valid file_source is required for ${isOnly ? 'text insertion' : 'each text'}`);
  }

  async function insertText({ request, response }: Exchange): Promise<void> {
    const body = await readJsonBody(request, textLimit);
    const text = body.string('text', { min: 1 });
    const source = body.string('file_source', { optional: true, nullable: true });
    body.done();
    const message = 'Text successfully received. Processing will continue in background.';
    sendJson(response, 200, { status: 'success', message, ...insertAll([text], [source], true) });
  }

  async function insertTexts({ request, response }: Exchange): Promise<void> {
    const body = await readJsonBody(request, textLimit);
    const texts = body.strings('texts', { min: 1, itemMin: 1 });
    const sources = body.strings('file_sources', { optional: true });
    body.done();
    const message = 'Texts successfully received. Processing will continue in background.';
    sendJson(response, 200, { status: 'success', message, ...insertAll(texts, sources, false) });
  }

  async function upload({ request, response }: Exchange): Promise<void> {
    const bytes = await readBody(request, uploadLimit);
    const file = findUploadedFile(request.headers['content-type'] ?? '', bytes);
    const name = basename(file.fileName.replaceAll('\\', '/')).trim();
    if (name === '' || name === '.' || name === '..') throw new HttpError(400, 'Invalid filename');
    if (!extensions.includes(extname(name).toLowerCase()))
      throw new HttpError(
        400,
        `Unsupported file type. Supported types: (${extensions.map((name) => `'${name}'`).join(', ')})`,
      );
    admit();
    refuseKnownFile(name, 'uploading');
    if (existsSync(join(inputFolder, name)))
      throw new HttpError(409, `File '${name}' already exists in the input directory.`);
    mkdirSync(inputFolder, { recursive: true });
    writeFileSync(join(inputFolder, name), file.content);
    const track = newTrackId('upload');
    pipeline.enqueueFile(name, track);
    pipeline.kick();
    const message = `File '${name}' uploaded successfully. Processing will continue in background.`;
    sendJson(response, 200, { status: 'success', message, track_id: track });
  }

  function scan({ response }: Exchange): void {
    const track = newTrackId('scan');
    if (pipeline.state.busy || faults.hold_busy) {
      const message =
        'Pipeline is currently busy processing documents. Wait for the running job to finish before triggering another scan.';
      sendJson(response, 200, { status: 'scanning_skipped_pipeline_busy', message, track_id: track });
      return;
    }
    const names = existsSync(inputFolder)
      ? readdirSync(inputFolder, { withFileTypes: true })
          .filter((entry) => entry.isFile() && extensions.includes(extname(entry.name).toLowerCase()))
          .map(({ name }) => name)
          .sort()
      : [];
    const fresh = names.filter((name) => findByFile(name) === undefined);
    for (const name of fresh) pipeline.enqueueFile(name, track);
    const now = Date.now() / 1000;
    const none = { items: [], truncated: false, dropped: 0 };
    scans.set(track, {
      track_id: track,
      status: 'completed',
      counts: { claimed_new: fresh.length, discovered: names.length },
      counters_dropped: 0,
      samples: { processed: none, warning: none, error: none },
      created_at: now,
      updated_at: now,
      version: 1,
      message: `Scanning process completed: ${names.length} discovered, ${fresh.length} enqueued, 0 resuming, ${names.length - fresh.length} already processed.`,
    });
    // A scan also takes up what an earlier process left unfinished.
    pipeline.kick();
    const message = 'Scanning process has been initiated in the background';
    sendJson(response, 200, { status: 'scanning_started', message, track_id: track });
  }

  function scanStatus({ response, params }: Exchange): void {
    const found = scans.get(params.track_id ?? '');
    if (found === undefined) throw new HttpError(404, `No scan job found for track_id ${params.track_id}`);
    sendJson(response, 200, found);
  }

  const supported: Route = {
    method: 'GET',
    path: '/documents/supported_file_types',
    handle: ({ response }) =>
      sendJson(response, 200, { supported_extensions: extensions, engines: { legacy: extensions, native: ['.md'] } }),
  };
  const status: Route = { method: 'GET', path: '/documents/scan/status/{track_id}', handle: scanStatus };
  return [
    { method: 'POST', path: '/documents/text', handle: insertText },
    { method: 'POST', path: '/documents/texts', handle: insertTexts },
    { method: 'POST', path: '/documents/upload', handle: upload },
    { method: 'POST', path: '/documents/scan', handle: scan },
    ...(shape === '1.5' ? [supported, status] : []),
  ];
}
