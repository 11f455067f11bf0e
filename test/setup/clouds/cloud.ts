import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from '../certificate.ts';

/** What a service holds: by bucket (or container), by name. */
export type Buckets = Map<string, Map<string, Buffer>>;

export type CloudRequest = {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
};
export type CloudAnswer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
};
/** A stand-in of the protocol of one cloud, as far as restic speaks it. */
export type Cloud = (request: CloudRequest, buckets: Buckets) => CloudAnswer;

/**
 * A cloud of a test, reached as the real one is: under its own name, over TLS, through a proxy. What asks needs `proxy` and a trust in
 * `caFile`, and nothing else of it differs.
 */
export type TestCloud = {
  readonly proxy: string;
  readonly caFile: string;
  readonly buckets: Buckets;
  /** `silent`: connections are taken, and nothing ever comes. */
  set(how: 'open' | 'silent'): void;
  /** What came is answered when this is done; nothing else waits for it. */
  hold: ((body: Buffer) => Promise<void>) | undefined;
  close(): Promise<void>;
};

export async function openCloud(cloud: Cloud, hosts: readonly string[]): Promise<TestCloud> {
  const folder = mkdtempSync(join(tmpdir(), 'rw-cloud-'));
  const { key, cert, certFile } = makeCertificate(folder, hosts);
  const buckets: Buckets = new Map();
  let how: 'open' | 'silent' = 'open';
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', headers, url = '/' } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (how === 'silent') return;
    const body = Buffer.concat(chunks);
    const facts = { method, url: new URL(url, `https://${headers.host}`), headers: headers as never, body };
    await opened.hold?.(body);
    const answer = cloud(facts, buckets);
    const sent = Buffer.from(answer.body ?? '');
    response.writeHead(answer.status, { 'content-length': sent.length, ...answer.headers });
    response.end(method === 'HEAD' ? undefined : sent);
  };
  const server = createTlsServer({ key, cert }, (request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  server.on('connection', keep);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy = createServer();
  proxy.on('connection', keep);
  proxy.on('connect', ({ url = '' }: IncomingMessage, near: Socket, head: Buffer) => {
    const known = hosts.some((host) =>
      host.startsWith('*.') ? url.includes(host.slice(1)) : url.startsWith(`${host}:`),
    );
    if (!known) return void near.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    const far = keep(connect(port, '127.0.0.1'));
    near.write('HTTP/1.1 200 OK\r\n\r\n');
    far.write(head);
    near.pipe(far).pipe(near);
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const opened: TestCloud = {
    hold: undefined,
    proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    caFile: certFile,
    buckets,
    set: (to) => {
      how = to;
    },
    async close() {
      const closed = [proxy, server].map((one) => new Promise((resolve) => one.close(resolve)));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return opened;
}

/** `bytes=5-9`, `bytes=5-`; undefined: all of it is asked for. */
export function rangeOf(header: string | undefined, size: number): { first: number; last: number } | undefined {
  const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === '') return undefined;
  return { first: Number(from), last: Math.min(to === '' ? size - 1 : Number(to), size - 1) };
}
