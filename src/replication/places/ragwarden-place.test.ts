import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeCertificate } from '../../../test/setup/certificate.ts';
import { hasPart } from '../../../test/setup/parts.ts';
import type { RecoveryPoint, Repository } from '../../backup/index.ts';
import type { ChildProcesses } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import {
  createHttpClient,
  type HttpClient,
  type HttpRequester,
  type OutgoingRequest,
} from '../../platform/http-client.ts';
import { systemRandom } from '../../platform/ids.ts';
import { openTestReceiver } from '../receive/test-receiver.ts';
import { createRagwardenPlace, type Packed } from './ragwarden-place.ts';

const call = { signal: new AbortController().signal };
const points = [1, 2, 3].map(
  // Of a point, what a plan looks at.
  (takenMs) => ({ id: `p${takenMs}`, targetId: 'default', takenMs }) as RecoveryPoint,
);
const source = {
  snapshots: async () => points.map(({ id }) => ({ id: `s-${id}`, tree: `t-${id}`, tags: [`rp:${id}`, 'manifest'] })),
} as unknown as Repository;

const placeThat = (
  answer: object,
  spool = '/nowhere',
  more: Partial<Parameters<typeof createRagwardenPlace>[0]> = {},
) =>
  createRagwardenPlace({
    ...{ baseUrl: 'http://other', apiKey: 'k', source, spool, repositoryAt: () => source, random: systemRandom },
    clock: systemClock,
    children: {} as ChildProcesses,
    http: { request: async () => ({ status: 200, text: () => JSON.stringify(answer) }) } as unknown as HttpRequester,
    ...more,
  });
const listed = (id: string) => ({
  ...{ sender: 's', graph_id: 'default', backup_id: id, data_hash: 'd'.repeat(64), tree_id: `t-${id}`, taken_at: null },
  ...{ size_bytes: 5, received_at: '2025-01-01T00:00:00Z' },
});

test('of more points than the other keeps only the newest are sent, and it tells what lies there', async () => {
  const place = placeThat({ items: [listed('p3'), listed('old')], received_bytes: null, keep: 2 });
  expect(await place.look(null, call)).toMatchObject({ keep: 2, storedBytes: 10 });
  const plan = await place.plan(points.toReversed(), call);
  expect(plan.copy.map(({ point }) => point.id)).toEqual(['p2']);
  expect(plan.held.map(({ point }) => point.id)).toEqual(['p3']);
  expect([...(plan.listed ?? [])]).toEqual(['p3', 'old']);
});

test('what another installation sent with the same key is told as that, and is none of what lies there of this one', async () => {
  const items = [listed('p3'), { ...listed('foreign'), size_bytes: 70 }];
  const ours = async (ids: readonly string[]) => new Set(ids.filter((id) => points.some((one) => one.id === id)));
  const place = placeThat({ items, received_bytes: null, keep: 2 }, '/nowhere', { ours });
  expect(await place.look(null, call)).toMatchObject({ storedBytes: 5, otherBytes: 70 });
  expect([...((await place.plan(points.toReversed(), call)).listed ?? [])]).toEqual(['p3']);
});

test('one that keeps none is no place for copies', async () => {
  const place = placeThat({ items: [], received_bytes: null, keep: 0 });
  await expect(place.look(null, call)).rejects.toThrow('does not answer as a ragwarden');
});

test('one that does not tell how many it keeps is sent all', async () => {
  const { copy } = await placeThat({ items: [], received_bytes: null }).plan(points.toReversed(), call);
  expect(copy.map(({ point }) => point.id)).toEqual(['p3', 'p2', 'p1']);
});

test('nothing is left packed of a point that is there, or of another one than is sent', async () => {
  const spool = await mkdtemp(join(tmpdir(), 'ragwarden-spool-'));
  try {
    for (const name of ['p3.tar', 'p2.tar', 'old.tar', 'old.tar.new']) await writeFile(join(spool, name), 'packed');
    const place = placeThat({ items: [listed('p3')], received_bytes: null }, spool);
    const { copy } = await place.plan(points.toReversed(), call);
    expect((await readdir(spool)).sort()).toEqual(['old.tar', 'old.tar.new', 'p2.tar']);
    // The other side answers with a list instead of what it took: the point stays packed for the next time.
    await expect(place.bring(copy[0] as (typeof copy)[0], 0, call)).rejects.toMatchObject({ code: 'outgoing/failed' });
    expect(await readdir(spool)).toEqual(['p2.tar']);
  } finally {
    await rm(spool, { recursive: true, force: true });
  }
});

/** Over real sockets: what the other side says is nobody's but its own. */
let folder: string;
let http: HttpClient;
let servers: Server[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ragwarden-place-'));
  http = createHttpClient();
  servers = [];
});
afterEach(async () => {
  await http.close();
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(folder, { recursive: true, force: true });
});

async function serve(answer: RequestListener, server: Server = createServer()): Promise<number> {
  servers.push(server.on('request', answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
/** A point that is packed already, so that sending it is all there is to do. */
async function placeAt(
  baseUrl: string,
  more: { requester?: HttpRequester; partBytes?: number; bytes?: Buffer; tooLarge?: Map<string, Packed> } = {},
) {
  await writeFile(join(folder, 'p1.tar'), more.bytes ?? 'packed');
  return createRagwardenPlace({
    ...{
      baseUrl,
      apiKey: 'far',
      source,
      spool: folder,
      repositoryAt: () => source,
      random: systemRandom,
      clock: systemClock,
      partBytes: more.partBytes ?? 1_000,
    },
    ...(more.tooLarge ? { tooLarge: more.tooLarge } : {}),
    children: {} as ChildProcesses,
    http: more.requester ?? http,
  });
}
const item = { point: points[0] as RecoveryPoint, streams: [], manifest: 's-p1', treeId: 'a'.repeat(64) };

test('a transfer that broke in its middle goes on with the next part, also when an answer was lost', async () => {
  const other = await openTestReceiver();
  try {
    const bytes = randomBytes(10_500);
    const sent: number[] = [];
    let breaks: 'before' | 'after' | 'never' = 'before';
    const requester: HttpRequester = {
      async request(request) {
        const offset = new URL(request.url).searchParams.get('offset');
        if (offset === null) return http.request(request);
        const broken = sent.length === 4 && breaks !== 'never';
        if (broken && breaks === 'before') throw new Error('the line broke');
        const answer = await http.request(request);
        sent.push(Number(offset));
        if (sent.length === 7 && breaks === 'after') throw new Error('the answer was lost');
        return answer;
      },
    };
    const baseUrl = await other.server.listen({ host: '127.0.0.1', port: 0 });
    const place = await placeAt(baseUrl, { requester, bytes });
    await expect(place.bring(item, 0, call)).rejects.toThrow('the line broke');
    expect((await place.plan(points.toReversed(), call)).listed).toEqual(new Set());
    breaks = 'after';
    sent.push(-1);
    await expect(place.bring(item, 0, call)).rejects.toThrow('the answer was lost');
    breaks = 'never';
    const told: object[] = [];
    const onProgress = (one: object) => told.push(one);
    expect(await place.bring(item, 0, { ...call, onProgress })).toMatchObject({ bytes: bytes.length });
    // What is left of it, from where it goes on.
    expect([told[0], told.at(-1)]).toEqual([
      { bytesDone: 0, bytesTotal: 4_500 },
      { bytesDone: 4_500, bytesTotal: 4_500 },
    ]);
    expect(sent).toEqual([0, 1_000, 2_000, 3_000, -1, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000]);
    const [file = ''] = (await readdir(other.folder)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    expect((await readFile(join(other.folder, file))).equals(bytes)).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  } finally {
    await other.remove();
  }
});

const json =
  (document: object): RequestListener =>
  (_, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
  };
const empty = { items: [], received_bytes: null, keep: 5 };
const taken = { success: true, graph_id: 'default', backup_id: 'p1', received_bytes: 6 };

test.each<[string, RequestListener, string]>([
  ['a page of somebody else', (_, response) => response.end('<html>welcome</html>'), 'does not answer as a ragwarden'],
  ['an error without a word', (_, response) => response.writeHead(500).end('<html>oops</html>'), 'answered 500'],
  [
    'a word that it took something else',
    (request, response) =>
      json(request.method === 'GET' ? empty : { ...taken, status: 'validated', data_hash: 'b'.repeat(64) })(
        request,
        response,
      ),
    'has something else than was sent',
  ],
  [
    'an answer that breaks off',
    (_, response) => response.writeHead(200).write('{"items":[', () => response.destroy()),
    'could not be reached',
  ],
  ['no HTTP at all', (_, response) => response.socket?.end('220 mail.example.org ESMTP\r\n'), 'could not be reached'],
])('%s is no success, and the point stays packed', async (_, answer, told) => {
  const place = await placeAt(`http://127.0.0.1:${await serve(answer)}`);
  await expect(place.bring(item, 0, call)).rejects.toMatchObject({
    code: 'outgoing/failed',
    message: expect.stringContaining(told),
  });
  expect(await readdir(folder)).toEqual(['p1.tar']);
});

test('the key goes to nobody but the place itself: a redirect is not followed', async () => {
  const elsewhere: unknown[] = [];
  const port = await serve((request, response) => {
    elsewhere.push(request.headers);
    json(empty)(request, response);
  });
  const first = await serve((request, response) =>
    response.writeHead(307, { location: `http://127.0.0.1:${port}${request.url}` }).end(),
  );
  const place = await placeAt(`http://127.0.0.1:${first}`);
  await expect(place.look(null, call)).rejects.toThrow('answered 307');
  await expect(place.bring(item, 0, call)).rejects.toThrow('answered 307');
  expect(elsewhere).toEqual([]);
});

test.skipIf(!hasPart('openssl'))('a certificate that nobody vouches for is told, and the key is not', async () => {
  const seen: unknown[] = [];
  const { key, cert } = makeCertificate(folder);
  const port = await serve((request) => seen.push(request.headers), createTlsServer({ key, cert }));
  const place = await placeAt(`https://localhost:${port}`);
  await expect(place.bring(item, 0, call)).rejects.toMatchObject({
    code: 'outgoing/failed',
    message: expect.stringContaining('its certificate is self-signed'),
  });
  expect(seen).toEqual([]);
});

test('one that takes the call and never answers is left when the caller gives up', async () => {
  const asked = Promise.withResolvers<void>();
  const place = await placeAt(`http://127.0.0.1:${await serve(() => asked.resolve())}`);
  const patience = new AbortController();
  const looking = place.look(null, { signal: patience.signal });
  await asked.promise;
  patience.abort(new Error('waited long enough'));
  await expect(looking).rejects.toThrow('waited long enough');
});

const verified = { points: 1, findings: [] };
test.each<[string, object, RequestListener, string]>([
  [
    'has not what it lists',
    { data_hash: 'd'.repeat(64) },
    (_, response) =>
      response
        .writeHead(404, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify({ code: 'backup/unknown-point', detail: 'It is not here.' })),
    'is listed and not there',
  ],
  ['gives something else', { data_hash: 'd'.repeat(64) }, (_, response) => response.end('other'), 'and gives'],
  ['gives more than it lists', { size_bytes: 3 }, (_, response) => response.end('other'), 'another number of bytes'],
  ['gives nothing at all', {}, (_, response) => response.end(), 'another number of bytes'],
])('one that says it is sound and %s is found out when it is verified', async (_, listing, content, told) => {
  const place = await placeAt(
    `http://127.0.0.1:${await serve((request, response) => {
      if (request.url?.includes('/received/content')) return content(request, response);
      const all = { ...empty, items: [{ ...listed('p1'), ...listing }] };
      return json(request.method === 'POST' ? verified : all)(request, response);
    })}`,
  );
  const { ok, findings } = await place.verify(100, call);
  expect([ok, findings]).toEqual([false, [expect.stringContaining(told)]]);
  // Nothing of it is left; what waits to be sent is.
  expect(await readdir(folder)).toEqual(['p1.tar']);
});

test('points that another installation sent with the same key are not held against this one', async () => {
  const asked: string[] = [];
  const place = await placeAt(
    `http://127.0.0.1:${await serve((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      return json(request.method === 'POST' ? verified : { ...empty, items: [listed('foreign')] })(request, response);
    })}`,
  );
  expect(await place.verify(100, call, new Set(['p1']))).toEqual({ ok: true, findings: [] });
  expect(asked).toEqual([expect.stringMatching(/^GET .*mine=true/)]);
});

test('a list with a name of a file in place of a digest is no list', async () => {
  const hostile = { ...empty, items: [{ ...listed('p1'), data_hash: '../../../etc/cron.d/here' }] };
  const place = await placeAt(`http://127.0.0.1:${await serve(json(hostile))}`);
  await expect(place.bringBack?.(['p1'], folder, call)).rejects.toThrow('does not answer as a ragwarden');
});

test('a part that is too much for the line is sent in smaller ones, from where the other side is', async () => {
  const other = await openTestReceiver();
  try {
    const bytes = randomBytes(600_000);
    const sizes: number[] = [];
    const requester: HttpRequester = {
      async request(request) {
        if (typeof request.body !== 'object') return http.request(request);
        sizes.push(request.body.length);
        const slow = request.body.length > 100_000;
        // One that was too large got through, and its answer did not.
        const answer = !slow || sizes.length === 2 ? await http.request(request) : undefined;
        if (!answer || slow) throw new AppError('outgoing/timeout', 'no answer in time');
        return answer;
      },
    };
    const baseUrl = await other.server.listen({ host: '127.0.0.1', port: 0 });
    const place = await placeAt(baseUrl, { requester, bytes, partBytes: 8_000_000 });
    expect(await place.bring(item, 0, call)).toMatchObject({ bytes: bytes.length });
    expect(sizes).toEqual([600_000, 150_000, 65_536, 65_536, 65_536, 65_536, 65_536, 65_536, 56_784]);
  } finally {
    await other.remove();
  }
});

const upload = { success: true, graph_id: 'default', backup_id: 'p1', received_bytes: 6 };
const hashOf = (request: { url?: string | undefined }): string =>
  new URL(`http://here${request.url}`).searchParams.get('data_hash') ?? '';

test('a large point is waited for as long as the other side gets further with reading it, and no longer', async () => {
  let ends = true;
  let asked = 0;
  const port = await serve((request, response) => {
    if (request.method === 'GET') return json(empty)(request, response);
    asked += 1;
    const data_hash = hashOf(request);
    if (request.url?.includes('/verify')) {
      const complete = ends && asked > 5;
      return json({ points: 0, findings: [], complete, read_bytes: ends ? asked : 1 })(request, response);
    }
    if (ends && asked > 5) return json({ ...upload, data_hash, status: 'validated' })(request, response);
    return json({ ...upload, data_hash, status: 'receiving', read_bytes: ends ? asked : 1 })(request, response);
  });
  const place = await placeAt(`http://127.0.0.1:${port}`);
  expect(await place.bring(item, 0, call)).toMatchObject({ bytes: 6 });
  expect(asked).toBe(6);
  [ends, asked] = [false, 0];
  const stuck = await placeAt(`http://127.0.0.1:${port}`);
  await expect(stuck.bring(item, 0, call)).rejects.toThrow('does not list it');
  expect(asked).toBe(5);
});

test('a verification goes on as long as the other side gets further, and says so when it does not', async () => {
  let most = 4;
  let asked = 0;
  const port = await serve((request, response) => {
    if (request.method === 'GET') return json({ ...empty, items: [listed('p1')] })(request, response);
    asked += 1;
    const complete = asked > 6;
    const findings = complete ? ['p1 is damaged'] : [];
    return json({ points: 0, findings, complete, read_bytes: Math.min(asked, most) })(request, response);
  });
  const place = await placeAt(`http://127.0.0.1:${port}`);
  expect(await place.verify(100, call)).toEqual({ ok: false, findings: ['p1 is damaged'] });
  [most, asked] = [1, 0];
  await expect(place.verify(100, call)).rejects.toMatchObject({ code: 'outgoing/timeout' });
});

test('one that says it has more than there is is not believed', async () => {
  const place = await placeAt(`http://127.0.0.1:${await serve(json({ ...empty, received_bytes: 7 }))}`);
  await expect(place.bring(item, 0, call)).rejects.toMatchObject({ code: 'outgoing/failed' });
});

test('the clock that dated a point is told with it, and that newer ones are kept instead is a word about that point', async () => {
  const asked: URLSearchParams[] = [];
  const port = await serve((request, response) => {
    if (request.method !== 'POST') return json(empty)(request, response);
    asked.push(new URL(request.url ?? '', 'http://here').searchParams);
    response
      .writeHead(409, { 'content-type': 'application/problem+json' })
      .end(JSON.stringify({ code: 'replication/not-kept', detail: 'Newer ones are here.' }));
  });
  const place = await placeAt(`http://127.0.0.1:${port}`);
  await expect(place.bring(item, 0, call)).rejects.toMatchObject({ code: 'replication/not-kept' });
  expect(asked.map((query) => Number.isNaN(Date.parse(query.get('sent_at') ?? '')))).toEqual([false]);
});

test('what was refused as too large is not packed again before it would be taken', async () => {
  const other = await openTestReceiver();
  try {
    other.limits.maxBytes = 5;
    const tooLarge = new Map<string, Packed>();
    const baseUrl = await other.server.listen({ host: '127.0.0.1', port: 0 });
    const place = await placeAt(baseUrl, { tooLarge });
    for (const times of [1, 2]) {
      // Packing needs what this place has not.
      await expect(place.bring(item, 0, call), `${times}`).rejects.toMatchObject({ code: 'request/too-large' });
      expect(await readdir(folder)).toEqual([]);
    }
    other.limits.maxBytes = 6;
    // As another opening finds it, and with other bytes.
    const again = await placeAt(baseUrl, { tooLarge, bytes: Buffer.from('PACKED') });
    expect(await again.bring(item, 0, call)).toMatchObject({ bytes: 6 });
    expect(tooLarge.size).toBe(0);
  } finally {
    await other.remove();
  }
});

test.each([
  ['more than there is', (asked: number) => asked, 'more of p1 than there is', 20],
  ['a little more and a little less, for ever', (asked: number) => 1 + (asked % 2), '', 80],
])('one that says it has read %s is asked no longer', async (_, read, told, most) => {
  let asked = 0;
  const port = await serve((request, response) => {
    if (request.method === 'GET') return json({ ...empty, items: [listed('p1')] })(request, response);
    asked += 1;
    const read_bytes = read(asked);
    if (request.url?.includes('/verify'))
      return json({ points: 0, findings: Array(9).fill('x'), complete: false, read_bytes })(request, response);
    return json({ ...upload, data_hash: hashOf(request), status: 'receiving', read_bytes })(request, response);
  });
  const place = await placeAt(`http://127.0.0.1:${port}`);
  await expect(place.bring(item, 0, call)).rejects.toThrow(told);
  expect(asked).toBeLessThan(most);
  asked = 0;
  await expect(place.verify(100, call)).rejects.toThrow(told);
  expect(asked).toBeLessThan(most);
});

test('of very many and very long findings of the other side the first are kept, cut', async () => {
  const findings = Array.from({ length: 500 }, () => 'x'.repeat(5_000));
  const answer = { points: 1, findings, complete: true, items: [listed('p1')], received_bytes: null };
  const { findings: kept } = await placeThat(answer).verify(100, call);
  expect([kept.length, kept[0]?.length]).toEqual([50, 1_000]);
});

test('a point is fetched back over a line of a few KiB a second, as long as bytes flow', async () => {
  const bytes = randomBytes(200_000);
  const bytesPerSecond = 2_500;
  const held = {
    ...listed('p1'),
    size_bytes: bytes.length,
    data_hash: createHash('sha256').update(bytes).digest('hex'),
  };
  let secondsTaken = 0;
  const requester = {
    async request({ url, timeoutMs, silenceMs = timeoutMs }: OutgoingRequest) {
      const offset = new URL(url).searchParams.get('offset');
      if (offset === null) return { status: 200, text: () => JSON.stringify({ items: [held], received_bytes: null }) };
      const part = bytes.subarray(Number(offset), Number(offset) + 150_000);
      const seconds = part.length / bytesPerSecond;
      // A piece comes each second.
      if (seconds * 1_000 > timeoutMs || silenceMs < 1_000) throw new AppError('outgoing/timeout', 'too slow');
      secondsTaken += seconds;
      return { status: 200, bytes: part };
    },
  } as unknown as HttpRequester;
  const place = await placeAt('http://other', { requester });
  // Unpacking needs what this place has not.
  await expect(place.bringBack?.(['p1'], join(folder, 'back'), call)).rejects.toThrow(TypeError);
  const [file = ''] = (await readdir(join(folder, 'back'))).filter((name) => name.endsWith('.tar'));
  expect((await readFile(join(folder, 'back', file))).equals(bytes)).toBe(true);
  expect(secondsTaken).toBe(80);
});
