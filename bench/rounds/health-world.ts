import { mkdirSync, renameSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { generateWorkspace } from '../../examples/sample-backend/generate.ts';
import { memoryFolder } from '../../test/setup/memory-folder.ts';
import { createPlace, type Place } from './place.ts';

/** How a server behaves that something is looked at behind. */
export type Manner =
  | { readonly status?: number; readonly body?: unknown; readonly delayMs?: number }
  | 'hang'
  | 'close'
  | 'down';

/** A server over real HTTP that does what it is told. */
export type Puppet = { readonly port: number; be(manner: Manner): Promise<void>; close(): Promise<void> };

export async function createPuppet(): Promise<Puppet> {
  let manner: Manner = {};
  let server: Server | undefined;
  let port = 0;
  const answer = (response: ServerResponse): void => {
    if (manner === 'hang' || manner === 'down') return;
    if (manner === 'close') {
      response.destroy();
      return;
    }
    const { status = 200, body = {}, delayMs = 0 } = manner;
    setTimeout(() => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    }, delayMs);
  };
  const open = async (): Promise<void> => {
    if (server) return;
    server = createServer((_, response) => answer(response));
    await new Promise<void>((done, failed) => server?.once('error', failed).listen(port, '127.0.0.1', done));
    port = (server.address() as AddressInfo).port; // a TCP server that listens has one
  };
  const shut = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    closing?.closeAllConnections();
    await new Promise<void>((done) => (closing ? closing.close(() => done()) : done()));
  };
  await open();
  return {
    get port() {
      return port;
    },
    async be(next) {
      manner = next;
      await (next === 'down' ? shut() : open());
    },
    close: shut,
  };
}

/** A backend with all that it stands on. */
export type World = {
  readonly base: string;
  readonly place: Place;
  readonly stranger: string;
  readonly provider: Puppet;
  readonly embedder: Puppet;
  readonly store: Puppet;
  readonly database: Puppet;
  /** Takes the files away under the running backend, and brings them back. */
  loseFiles(): void;
  findFiles(): void;
  close(): Promise<void>;
};

export async function createWorld(seed: number): Promise<World> {
  const base = memoryFolder('health');
  const place = await createPlace(join(base, 'home'));
  const generate = (dir: string, inputDir: string) =>
    generateWorkspace({ ...{ dir, inputDir, size: 'tiny', seed, shape: '1.5', workspace: '' } });
  await generate(place.workspace, place.inputs);
  const stranger = join(base, 'stranger');
  await generate(stranger, join(base, 'stranger inputs'));
  const [provider, embedder, store, database] = [
    ...[await createPuppet(), await createPuppet()],
    ...[await createPuppet(), await createPuppet()],
  ];
  if (!provider || !embedder || !store || !database) throw new Error('a server is missing');
  return {
    ...{ base, place, stranger, provider, embedder, store, database },
    loseFiles() {
      renameSync(place.workspace, `${place.workspace}-away`);
      mkdirSync(place.workspace);
    },
    findFiles() {
      renameSync(place.workspace, `${place.workspace}-empty-${performance.now()}`);
      renameSync(`${place.workspace}-away`, place.workspace);
    },
    async close() {
      await place.stop();
      for (const one of [provider, embedder, store, database]) await one.close();
    },
  };
}
