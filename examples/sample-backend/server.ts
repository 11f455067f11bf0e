import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthentication } from './auth.ts';
import type { Backend } from './backend.ts';
import { ordinaryLimit } from './body.ts';
import { noFaults, setFaults, startRewriter } from './faults.ts';
import { HttpError, matchRoute, type Route, readBody, sendJson } from './http.ts';
import type { ServerOptions } from './options.ts';
import { createPipeline } from './pipeline.ts';
import { documentAdminRoutes } from './routes-document-admin.ts';
import { documentStateRoutes } from './routes-document-state.ts';
import { insertRoutes } from './routes-documents.ts';
import { graphRoutes } from './routes-graph.ts';
import { ollamaRoutes } from './routes-ollama.ts';
import { queryRoutes } from './routes-query.ts';
import { systemRoutes } from './routes-system.ts';
import { openWorkspace, workspaceFolder } from './store/workspace.ts';

export type SampleBackend = {
  readonly url: string;
  readonly backend: Backend;
  /** Stops the pipeline where it is, lets what is being written finish, and closes every connection. */
  close(): Promise<void>;
};

/** Tokens are never renewed on the paths a web page polls. */
const withoutRenewal = new Set(['/health', '/documents/paginated', '/documents/pipeline_status']);

/**
 * Loads a workspace and serves it on 127.0.0.1.
 * @throws Error in the words of the real loaders when the workspace cannot be read
 */
export async function startSampleBackend(options: ServerOptions, log: (line: string) => void): Promise<SampleBackend> {
  const shape = options.version.startsWith('1.4') ? '1.4' : '1.5';
  const workspace = openWorkspace({
    folder: workspaceFolder(options.workingDir, options.workspace),
    embeddingDimension: options.embeddingDimension,
    shape,
    writerMode: options.writerMode,
    warn: (line) => log(`WARNING: ${line}`),
  });
  const inputFolder = workspaceFolder(options.inputDir, options.workspace);
  mkdirSync(inputFolder, { recursive: true });
  const faults = noFaults();
  const { documentDelayMs, chunkTokens, overlapTokens } = options;
  const backend: Backend = {
    version: options.version,
    apiVersion: shape === '1.5' ? '0344' : '0289',
    shape,
    workspaceName: options.workspace,
    workingDir: options.workingDir,
    inputDir: options.inputDir,
    inputFolder,
    workspace,
    pipeline: createPipeline({
      workspace,
      shape,
      inputFolder,
      documentDelayMs,
      chunkTokens,
      overlapTokens,
      faults,
      log,
    }),
    authentication: createAuthentication(options.apiKey, options.accounts, randomBytes(32).toString('hex')),
    faults,
  };
  const routes: readonly Route[] = [
    ...systemRoutes(backend),
    ...insertRoutes(backend),
    ...documentStateRoutes(backend),
    ...documentAdminRoutes(backend),
    ...queryRoutes(backend),
    ...graphRoutes(backend),
    ...ollamaRoutes(backend),
  ];
  const closing = new AbortController();

  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => fail(request, response, error));
  });

  function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (response.destroyed || response.headersSent) {
      response.destroy();
      return;
    }
    if (error instanceof HttpError) {
      sendJson(response, error.status, { detail: error.detail }, error.headers);
      return;
    }
    const id = randomBytes(6).toString('hex');
    log(`ERROR: ${request.method} ${request.url} (error_id: ${id}): ${error instanceof Error ? error.stack : error}`);
    sendJson(response, 500, { detail: `Internal server error (error_id: ${id})` });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (options.faults && url.pathname === '/__faults') {
      await answerFaults(request, response);
      return;
    }
    if (await answerByFault(url.pathname, response)) return;
    const matched = matchRoute(routes, request.method ?? 'GET', url.pathname);
    if (!matched.found) {
      if (matched.allowed.length === 0) throw new HttpError(404, 'Not Found');
      throw new HttpError(405, 'Method Not Allowed', { allow: matched.allowed.join(', ') });
    }
    if (matched.route.open !== true) {
      const claims = backend.authentication.require(request);
      const token =
        claims === undefined || withoutRenewal.has(url.pathname) ? undefined : backend.authentication.renewed(claims);
      if (token !== undefined) response.setHeader('X-New-Token', token);
    }
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    await matched.route.handle({
      request,
      response,
      method: request.method ?? 'GET',
      url,
      params: matched.params,
      gone: gone.signal,
    });
  }

  /** True when a switched-on fault was the answer. */
  async function answerByFault(path: string, response: ServerResponse): Promise<boolean> {
    if (path === '/health') await pause(faults.health_delay_ms);
    if (!path.startsWith(faults.only)) return false;
    await pause(faults.delay_ms);
    if (faults.answer === 'hang') return true;
    if (faults.answer === 'close') response.destroy();
    else if (faults.answer === 'html')
      sendText(response, 'text/html', '<html><body><h1>502 Bad Gateway</h1></body></html>');
    else if (faults.answer === 'nonsense') sendText(response, 'text/plain', 'moo');
    else if (faults.answer === 'invalid_json') sendText(response, 'application/json', '{"status": "healt');
    else if (faults.status !== 0) throw new HttpError(faults.status, `Fault: status ${faults.status}`);
    else return false;
    return true;
  }

  function sendText(response: ServerResponse, type: string, text: string): void {
    response.writeHead(faults.status === 0 ? 200 : faults.status, { 'content-type': type });
    response.end(text);
  }

  async function pause(milliseconds: number): Promise<void> {
    if (milliseconds > 0) await sleep(milliseconds, undefined, { signal: closing.signal });
  }

  /** GET tells the switches, POST sets some, DELETE switches all off. */
  async function answerFaults(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'DELETE') Object.assign(faults, noFaults());
    else if (request.method === 'POST') {
      const wrong = setFaults(faults, JSON.parse((await readBody(request, ordinaryLimit)).toString()));
      if (wrong !== undefined) throw new HttpError(422, wrong);
    }
    workspace.writer.setPauseMs(faults.write_pause_ms);
    if (!faults.hold_busy && backend.pipeline.state.request_pending) backend.pipeline.kick();
    sendJson(response, 200, faults);
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const stopRewriter = options.faults ? startRewriter(faults, workspace, options.writerMode) : async () => undefined;
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    url: `http://127.0.0.1:${port}`,
    backend,
    async close() {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      const written = workspace.writer.close();
      await Promise.all([stopRewriter(), backend.pipeline.stop(), written, closed]);
    },
  };
}
