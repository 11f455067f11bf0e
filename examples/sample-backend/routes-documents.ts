import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { Backend } from './backend.ts';
import { findUploadedFile, readJsonBody, textLimit, uploadLimit } from './body.ts';
import { type Exchange, HttpError, type Route, readBody, sendJson } from './http.ts';
import { documentId, isoFormat, trackId } from './records.ts';

const extensions = [
  '.txt',
  '.md',
  '.html',
  '.json',
  '.csv',
  '.xml',
  '.yaml',
  '.yml',
  '.log',
  '.rtf',
  '.tex',
  '.py',
  '.js',
];

type Scan = {
  track_id: string;
  status: string;
  counts: Record<string, number>;
  samples: Record<string, string[]>;
  created_at: string;
  updated_at: string;
  version: number;
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
      throw new HttpError(429, 'Too many pending documents. Please retry later.', { 'retry-after': '30' });
    if (pipeline.state.busy && pipeline.state.job_name !== 'Default Job')
      throw new HttpError(409, 'Cannot accept documents: an exclusive pipeline job is running. Please retry later.');
  }

  /** The document that has this file name already. */
  function findByFile(filePath: string): string | undefined {
    for (const [id, row] of workspace.docStatus.rows) if (row.file_path === filePath) return id;
    return undefined;
  }

  function refuseKnownFile(filePath: string): void {
    const id = findByFile(filePath);
    if (id === undefined) return;
    const status = workspace.docStatus.rows.get(id)?.status;
    throw new HttpError(409, `File name '${filePath}' already exists (status: ${status}).`);
  }

  function insertAll(texts: readonly string[], sources: readonly string[]): { track_id: string } {
    admit();
    const track = newTrackId('insert');
    const named = texts.map((content, index) => ({ content, filePath: sourceOf(sources[index]) }));
    if (shape === '1.5') for (const { filePath } of named) refuseKnownFile(filePath);
    let added = 0;
    for (const { content, filePath } of named) {
      if (workspace.docStatus.rows.has(documentId(shape, filePath, content))) continue;
      pipeline.enqueueText(content, filePath, track);
      added += 1;
    }
    if (added > 0) pipeline.kick();
    return { track_id: track };
  }

  function sourceOf(source: string | undefined): string {
    if (source !== undefined && source.trim() !== '') return basename(source.trim());
    if (shape === '1.4') return 'unknown_source';
    throw new HttpError(400, 'file_source is required');
  }

  async function insertText({ request, response }: Exchange): Promise<void> {
    const body = await readJsonBody(request, textLimit);
    const text = body.string('text', { min: 1 });
    const source = body.string('file_source', { optional: true, nullable: true });
    body.done();
    const message = 'Text successfully received. Processing will continue in background.';
    sendJson(response, 200, { status: 'success', message, ...insertAll([text], [source]) });
  }

  async function insertTexts({ request, response }: Exchange): Promise<void> {
    const body = await readJsonBody(request, textLimit);
    const texts = body.strings('texts', { min: 1, itemMin: 1 });
    const sources = body.strings('file_sources', { optional: true });
    body.done();
    const message = 'Texts successfully received. Processing will continue in background.';
    sendJson(response, 200, { status: 'success', message, ...insertAll(texts, sources) });
  }

  async function upload({ request, response }: Exchange): Promise<void> {
    const bytes = await readBody(request, uploadLimit);
    const file = findUploadedFile(request.headers['content-type'] ?? '', bytes);
    const name = basename(file.fileName.replaceAll('\\', '/')).trim();
    if (name === '' || name === '.' || name === '..') throw new HttpError(400, 'Invalid filename');
    if (!extensions.includes(extname(name).toLowerCase()))
      throw new HttpError(400, `Unsupported file type. Supported types: ${extensions.join(', ')}`);
    admit();
    refuseKnownFile(name);
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
      const message = 'Pipeline is busy, scan skipped.';
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
    const now = isoFormat(Date.now());
    scans.set(track, {
      track_id: track,
      status: 'completed',
      counts: { discovered: names.length, enqueued: fresh.length, skipped: names.length - fresh.length },
      samples: { enqueued: fresh.slice(0, 10) },
      created_at: now,
      updated_at: now,
      version: 1,
    });
    // A scan also takes up what an earlier process left unfinished.
    pipeline.kick();
    const message = 'Scanning process has been initiated in the background';
    sendJson(response, 200, { status: 'scanning_started', message, track_id: track });
  }

  function scanStatus({ response, params }: Exchange): void {
    const found = scans.get(params.track_id ?? '');
    if (found === undefined) throw new HttpError(404, `Scan job '${params.track_id}' not found`);
    sendJson(response, 200, found);
  }

  const supported: Route = {
    method: 'GET',
    path: '/documents/supported_file_types',
    handle: ({ response }) =>
      sendJson(response, 200, { supported_extensions: extensions, engines: { legacy: extensions } }),
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
