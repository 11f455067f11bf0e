import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { AskedQuota } from './asked-quota.ts';
import type { Observation } from './observation.ts';
import type { GatewayKey, GatewayState, Upstream } from './ports.ts';
import { createProxy, type ReverseProxy } from './proxy.ts';
import type { GatewaySettings } from './settings.ts';

/** Of a proxy in tests: every bound short, so that what hangs ends within the test. */
export const testSettings: GatewaySettings = {
  host: '127.0.0.1',
  port: 0,
  publicHosts: [],
  trustedProxies: [],
  requireKey: false,
  connectTimeoutMs: 2_000,
  answerTimeoutMs: 5_000,
  idleTimeoutMs: 5_000,
  headersTimeoutMs: 5_000,
  maxConnections: 200,
  maxBodyBytes: 64 * 1024 * 1024,
  whileHeld: 'wait',
  drainMs: 500,
  quotaWaitMs: 250,
  asksQuota: false,
};

export type Stub = { readonly url: string; readonly server: Server; close(): Promise<void> };

/** @param port 0: any free one */
export async function startStub(listener: RequestListener, port = 0): Promise<Stub> {
  const server = createServer({ keepAlive: true }, listener);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const upstreamAt = (url: string, more: Partial<Upstream> = {}): Upstream => ({
  id: `main/${more.workspace ?? ''}`,
  targetId: 'main',
  workspace: '',
  url,
  apiKey: null,
  lens: 'plain',
  pathPrefix: null,
  hosts: [],
  ...more,
});

export const stateOf = (upstreams: readonly Upstream[], more: Partial<GatewayState> = {}): GatewayState => ({
  upstreams,
  providers: [],
  keys: [],
  ...more,
});

export type RunningProxy = {
  readonly proxy: ReverseProxy;
  readonly port: number;
  readonly url: string;
  readonly seen: Observation[];
  /** The next exchange that ends from now on. */
  next(): Promise<Observation>;
};

export async function startProxy(
  state: GatewayState,
  settings: Partial<GatewaySettings> = {},
  quota?: AskedQuota,
  now?: () => number,
): Promise<RunningProxy> {
  const seen: Observation[] = [];
  const waiting: ((one: Observation) => void)[] = [];
  const proxy = createProxy({
    settings: { ...testSettings, ...settings },
    state,
    quota,
    ...(now === undefined ? {} : { now }),
    observe(one) {
      seen.push(one);
      for (const tell of waiting.splice(0)) tell(one);
    },
  });
  const { port } = await proxy.start();
  return {
    proxy,
    port,
    url: `http://127.0.0.1:${port}`,
    seen,
    next: () => new Promise((resolve) => waiting.push(resolve)),
  };
}

/**
 * Sends exact bytes and gives back what came until the other side closed.
 * @param more.end also closes our side, as a client that has said all
 */
export function raw(port: number, bytes: string, more: { end?: boolean } = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
      if (more.end) socket.end(bytes, 'latin1');
      else socket.write(bytes, 'latin1');
    });
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
    });
    socket.on('end', () => socket.end());
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(got));
  });
}

export type Answer = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: string;
};

/** One request on a connection of its own. */
export function ask(
  url: string,
  options: {
    method?: string;
    path?: string;
    headers?: Record<string, string | string[]>;
    body?: string | Buffer;
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const to = new URL(url);
    const request = httpRequest(
      {
        host: to.hostname,
        port: to.port,
        method: options.method ?? 'GET',
        path: options.path ?? '/',
        headers: options.headers ?? {},
        agent: false,
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            rawHeaders: answer.rawHeaders,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(options.body);
  });
}

export const keyOf = (id: string, digest: string, more: Partial<GatewayKey> = {}): GatewayKey => ({
  id,
  digest,
  subject: `local:${id}`,
  targetId: 'main',
  workspace: null,
  expiresMs: null,
  ...more,
});
