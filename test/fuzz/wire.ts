import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import type { Caller, FuzzRequest } from './requests.ts';

export type WireAnswer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };

export type Wire = {
  send(request: FuzzRequest): Promise<WireAnswer>;
  close(): void;
};

/** Sends what `fetch` would tidy up first. A stream is left after its head. */
export function createWire(api: string, credentials: Readonly<Record<Caller, Readonly<Record<string, string>>>>): Wire {
  const { hostname, port } = new URL(api);
  const agent = new Agent({ keepAlive: true });
  return {
    send: (asked) =>
      new Promise((resolve, reject) => {
        const body = asked.body === undefined ? undefined : Buffer.from(asked.body);
        const outgoing = request(
          {
            agent,
            hostname,
            port,
            method: asked.method,
            path: asked.target,
            headers: {
              ...asked.headers,
              ...credentials[asked.caller],
              ...(body === undefined ? {} : { 'content-length': String(body.length) }),
            },
          },
          (incoming) => {
            const { statusCode = 0, headers } = incoming;
            const isStream = headers['content-type']?.startsWith('text/event-stream') ?? false;
            if (isStream) {
              incoming.destroy();
              resolve({ status: statusCode, headers, text: '' });
              return;
            }
            const pieces: Buffer[] = [];
            incoming.on('data', (piece: Buffer) => pieces.push(piece));
            incoming.on('end', () => resolve({ status: statusCode, headers, text: Buffer.concat(pieces).toString() }));
            incoming.on('error', reject);
          },
        );
        outgoing.on('error', reject);
        outgoing.end(body);
      }),
    close: () => agent.destroy(),
  };
}
