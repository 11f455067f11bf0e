import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type SampleBackend, startSampleBackend } from '../../examples/sample-backend/server.ts';

/** How a backend is that was started at a place. */
export type Manner =
  | { readonly kind: 'right' }
  /** Nothing comes up, and the start says that it did. */
  | { readonly kind: 'never-up' }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'hung' | 'errors' | 'nonsense' | 'page' }
  /** Another folder lies behind it; `liar` says that it were this one. */
  | { readonly kind: 'stranger' | 'liar'; readonly folder: string };

/** One place of a target, with its backend in this process. */
export type Place = {
  readonly workspace: string;
  readonly inputs: string;
  readonly url: string;
  /** Of the next start. */
  manner: Manner;
  /** What the service that starts and stops it refuses. */
  refuses: 'stop' | 'start' | undefined;
  backend(): SampleBackend | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
};

export async function createPlace(folder: string): Promise<Place> {
  const port = await freePort();
  let running: SampleBackend | undefined;
  const place: Place = {
    workspace: join(folder, 'rag_storage'),
    inputs: join(folder, 'inputs'),
    url: `http://127.0.0.1:${port}`,
    manner: { kind: 'right' },
    refuses: undefined,
    backend: () => running,
    async start() {
      const { manner } = place;
      if (running || manner.kind === 'never-up') return;
      const elsewhere = manner.kind === 'stranger' || manner.kind === 'liar';
      running = await startSampleBackend(
        {
          ...{ port, workspace: '', apiKey: undefined, accounts: [], version: '1.5.7', writerMode: 'atomic' },
          ...{
            documentDelayMs: 0,
            embeddingDimension: undefined,
            chunkTokens: 1200,
            overlapTokens: 100,
            faults: false,
          },
          workingDir: elsewhere ? manner.folder : place.workspace,
          inputDir: place.inputs,
        },
        () => undefined,
      );
      const { backend } = running;
      if (manner.kind === 'slow') backend.faults.delay_ms = manner.ms;
      if (manner.kind === 'hung') backend.faults.answer = 'hang';
      if (manner.kind === 'errors') backend.faults.status = 500;
      if (manner.kind === 'nonsense') backend.faults.answer = 'nonsense';
      if (manner.kind === 'page') backend.faults.answer = 'html';
      if (manner.kind === 'liar') Object.assign(backend, { workingDir: place.workspace });
    },
    async stop() {
      const ending = running;
      running = undefined;
      await ending?.close();
    },
  };
  return place;
}

/** What a settings file names as the webhooks that stop and start the backends of places. */
export async function serveLifecycles(
  places: Readonly<Record<string, Place>>,
): Promise<{ webhook(place: string, verb: 'stop' | 'start'): string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const [, name = '', verb] = (request.url ?? '').split('/');
    const place = places[name];
    const work = async (): Promise<number> => {
      if (!place || (verb !== 'stop' && verb !== 'start')) return 404;
      if (place.refuses === verb) return 503;
      await place[verb]();
      return 200;
    };
    work().then(
      (status) => response.writeHead(status).end(),
      // A workspace that cannot be loaded keeps the real one from starting, too.
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    webhook: (place, verb) => `http://127.0.0.1:${port}/${place}/${verb}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo; // as above
  await new Promise((done) => server.close(done));
  return port;
}
