import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';

const recordings = join(import.meta.dirname, '../../../test/fixtures/lightrag-1.5.7/http');
const recording = z.object({
  request: z.object({ headers: z.record(z.string(), z.string()).optional() }),
  response: z.object({ status: z.number(), headers: z.record(z.string(), z.string()), body: z.unknown() }),
});
export type Recorded = z.infer<typeof recording>;

/** One exchange with the real LightRAG 1.5.7, by its name. */
export const recorded = (name: string): Recorded =>
  recording.parse(JSON.parse(readFileSync(join(recordings, `${name}.json`), 'utf8')));

export type Received = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};
export type RecordedServer = {
  readonly url: string;
  readonly received: readonly Received[];
  close(): Promise<void>;
};

/** Answers on loopback with what a real server said; `choose` names the recording, or answers by itself. */
export async function startRecordedServer(
  choose: (request: Received, response: ServerResponse) => string | undefined,
): Promise<RecordedServer> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
      received.push(one);
      const name = choose(one, response);
      if (name === undefined) return;
      const answer = recorded(name).response;
      const { 'content-length': _length, connection: _connection, ...headers } = answer.headers;
      response.writeHead(answer.status, headers);
      response.end(headers['content-type']?.includes('json') ? JSON.stringify(answer.body) : String(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // listening on a port, so never a string
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
