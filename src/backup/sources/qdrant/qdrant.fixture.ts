import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pointIdOf } from './lightrag-collections.ts';

type Point = { id: string | number; payload: Record<string, unknown>; vector: unknown };
type Collection = Map<string, Point>;
type Snapshot = { bytes: Buffer; at: string };

/** What a test may do to a server; each is asked at every request. */
type Mishaps = {
  /** Another answer in place of the true one. */
  answer?: (method: string, path: string) => { status: number; body: unknown } | undefined;
  /** The answer waits for it. */
  hold?: (method: string, path: string) => Promise<void> | undefined;
  /** Bytes of a snapshot on their way out. */
  spoil?: (bytes: Buffer) => Buffer;
};

/**
 * Test support: stands in for a Qdrant, of which no server can be had here. It answers as api.qdrant.tech has it (Service, Collections,
 * Points, Snapshots, Aliases, Distributed; v1.9 to v1.19) and names and keeps snapshots as `src/actix/api/snapshot_api.rs` of its source
 * does: one that is uploaded stays under the name of its file. What it makes of a snapshot is its own.
 */
export type StandInQdrant = {
  readonly url: string;
  readonly collections: Map<string, Collection>;
  readonly aliases: Map<string, string>;
  /** By collection and name; also of collections that are gone. */
  readonly snapshots: Map<string, Map<string, Snapshot>>;
  readonly requests: string[];
  mishaps: Mishaps;
  key: string | undefined;
  version: string;
  peers: number;
  /** Fills a collection as LightRAG does. */
  fill(collection: string, workspace: string, ids: readonly string[], mark?: string): void;
  /** Everything that counts, in an order that does not change. */
  content(wants?: (collection: string) => boolean): unknown;
  close(): Promise<void>;
};

export async function startStandInQdrant(): Promise<StandInQdrant> {
  const collections = new Map<string, Collection>();
  const aliases = new Map<string, string>();
  const snapshots = new Map<string, Map<string, Snapshot>>();
  const requests: string[] = [];
  let made = 0;
  const server = createServer((request, response) => {
    answer(request, response).catch((err: unknown) => {
      response.statusCode = 500;
      response.end(JSON.stringify({ status: { error: `Service internal error: ${String(err)}` }, time: 0.001 }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port was given');

  const standIn: StandInQdrant = {
    url: `http://127.0.0.1:${address.port}`,
    ...{ collections, aliases, snapshots, requests },
    mishaps: {},
    key: undefined,
    version: '1.15.4',
    peers: 1,
    fill(name, workspace, ids, mark = '') {
      const points: Collection = collections.get(name) ?? new Map();
      collections.set(name, points);
      for (const [index, id] of ids.entries()) {
        const key = pointIdOf(id, workspace);
        const payload = { id, workspace_id: workspace, created_at: 1_795_000_000, content: `${id} ${mark}` };
        points.set(key, { id: key, payload, vector: [0.1, index / 3, -0.25] });
      }
    },
    content: (wants = () => true) => ({
      collections: [...collections]
        .filter(([name]) => wants(name))
        .map(([name, points]) => [name, [...points.values()].sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1))])
        .sort(),
      aliases: [...aliases].sort(),
    }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://x');
    const path = decodeURIComponent(url.pathname);
    const method = request.method ?? 'GET';
    requests.push(`${method} ${path}`);
    const body = await bodyOf(request);
    await standIn.mishaps.hold?.(method, path);
    const json = (status: number, answered: unknown): void => {
      response.statusCode = status;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answered));
    };
    const ok = (result: unknown): void => json(200, { result, status: 'ok', time: 0.002 });
    const failed = (status: number, error: string): void => json(status, { status: { error }, time: 0.001 });
    const mishap = standIn.mishaps.answer?.(method, path);
    if (mishap) return json(mishap.status, mishap.body);
    if (standIn.key !== undefined && request.headers['api-key'] !== standIn.key) {
      response.statusCode = 401;
      response.end('Must provide an API key or an Authorization bearer token');
      return;
    }
    if (path === '/')
      return json(200, { title: 'qdrant - vector search engine', version: standIn.version, commit: '0'.repeat(40) });
    if (path === '/cluster')
      return ok(
        standIn.peers === 1
          ? { status: 'disabled' }
          : {
              ...{
                status: 'enabled',
                peer_id: 1,
                raft_info: {},
                consensus_thread_status: {},
                message_send_failures: {},
              },
              peers: Object.fromEntries(
                Array.from({ length: standIn.peers }, (_, i) => [`${i + 1}`, { uri: `http://p${i}` }]),
              ),
            },
      );
    if (path === '/collections') return ok({ collections: [...collections.keys()].map((name) => ({ name })) });
    if (path === '/aliases')
      return ok({ aliases: [...aliases].map(([alias_name, collection_name]) => ({ alias_name, collection_name })) });
    if (path === '/collections/aliases') {
      for (const { create_alias: one } of JSON.parse(body.toString()).actions)
        aliases.set(one.alias_name, one.collection_name);
      return ok(true);
    }
    const [, name = '', rest = ''] = /^\/collections\/([^/]+)(.*)$/.exec(path) ?? [];
    const points = collections.get(name);
    const kept = snapshots.get(name) ?? new Map<string, Snapshot>();
    snapshots.set(name, kept);
    const described = (snapshot: string): unknown => {
      const { bytes, at } = kept.get(snapshot) as Snapshot;
      return { name: snapshot, creation_time: at, size: bytes.length, checksum: sha256(bytes) };
    };
    if (method === 'POST' && rest === '/snapshots/upload') {
      const { file, content } = formFile(request, body);
      if (url.searchParams.get('checksum') !== sha256(content))
        return failed(400, 'Bad request: Snapshot checksum mismatch');
      kept.set(file, { bytes: content, at: '2026-11-30T00:00:00' });
      const { points: taken } = JSON.parse(content.toString()) as { points: Point[] };
      collections.set(name, new Map(taken.map((point) => [String(point.id), point])));
      return ok(true);
    }
    if (method === 'DELETE' && rest.startsWith('/snapshots/'))
      return kept.delete(rest.slice('/snapshots/'.length)) ? ok(true) : failed(404, 'Not found: Snapshot');
    if (method === 'DELETE' && rest === '') return ok(collections.delete(name));
    if (!points) return failed(404, `Not found: Collection \`${name}\` doesn't exist!`);
    if (rest === '/snapshots' && method === 'GET') return ok([...kept.keys()].map(described));
    if (rest === '/snapshots' && method === 'POST') {
      made += 1;
      const snapshot = `${name}-7907145935075663-2026-11-30-00-00-${String(made).padStart(2, '0')}.snapshot`;
      const bytes = Buffer.from(JSON.stringify({ collection: name, points: [...points.values()] }));
      kept.set(snapshot, { bytes, at: '2026-11-30T00:00:00' });
      return ok(described(snapshot));
    }
    if (rest.startsWith('/snapshots/')) {
      const found = kept.get(rest.slice('/snapshots/'.length));
      if (!found) return failed(404, 'Not found: Snapshot');
      response.setHeader('content-type', 'application/octet-stream');
      response.end(standIn.mishaps.spoil?.(found.bytes) ?? found.bytes);
      return;
    }
    const asked = body.length === 0 ? {} : JSON.parse(body.toString());
    const matching = [...points.values()].filter((point) => fits(point, asked.filter ?? {}));
    if (rest === '/points/count') return ok({ count: matching.length });
    if (rest === '/points/delete') {
      for (const { id } of matching) points.delete(String(id));
      return ok({ operation_id: 1, status: 'completed' });
    }
    if (rest === '/points/scroll') {
      const sorted = matching.sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
      const from = asked.offset === undefined ? 0 : sorted.findIndex(({ id }) => id === asked.offset);
      const next = sorted[from + asked.limit];
      return ok({ points: sorted.slice(from, from + asked.limit), next_page_offset: next?.id ?? null });
    }
    if (rest === '/points' && method === 'PUT') {
      for (const point of asked.points as Point[]) points.set(String(point.id), point);
      return ok({ operation_id: 2, status: 'completed' });
    }
    return failed(404, 'Not found');
  }
  return standIn;
}

type Condition = { key: string; match: { any: unknown[] } };
function fits({ payload }: Point, filter: { must?: Condition[]; must_not?: Condition[] }): boolean {
  const holds = ({ key, match }: Condition): boolean => match.any.includes(payload[key]);
  return (filter.must ?? []).every(holds) && !(filter.must_not ?? []).some(holds);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The one file of a form. */
function formFile({ headers }: IncomingMessage, body: Buffer): { file: string; content: Buffer } {
  const mark = /boundary=(.+)$/.exec(headers['content-type'] ?? '')?.[1] ?? '';
  const head = body.indexOf('\r\n\r\n');
  const { file = '' } =
    /name="snapshot"; filename="(?<file>[^"]+)"/.exec(body.toString('latin1', 0, head))?.groups ?? {};
  return { file, content: body.subarray(head + 4, body.indexOf(`\r\n--${mark}--`, head)) };
}
