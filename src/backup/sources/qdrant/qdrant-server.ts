import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { AppError, describeError, isAppError } from '../../../platform/errors.ts';
import type { HttpClient, StreamedResponse } from '../../../platform/http-client.ts';

/** Where a Qdrant answers over HTTP, and who we are there; holds a secret. */
export type QdrantPlace = {
  readonly url: string;
  readonly apiKey: string | undefined;
  /** The longest that making or taking in one snapshot may be silent. */
  readonly timeoutMs: number;
};

export type QdrantSnapshot = {
  readonly name: string;
  readonly size: number;
  /** SHA-256; servers before 1.8 tell none. */
  readonly checksum: string | undefined;
};

/** A condition as the server takes it. */
export type QdrantFilter = Readonly<Record<string, unknown>>;

export type QdrantPoint = {
  readonly id: string | number;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly vector: unknown;
};

/**
 * The few calls of Qdrant's HTTP API that a point and its restore need, as its own reference tells them (api.qdrant.tech: Service,
 * Collections, Points, Snapshots, Aliases, Distributed). Whatever lies behind a name that is not there is undefined or nothing.
 */
export type QdrantServer = {
  /** In words, without what is secret. */
  readonly place: string;
  version(): Promise<string>;
  /** How many servers hold parts of the collections; 1: this one has all. */
  peers(): Promise<number>;
  collections(): Promise<string[]>;
  aliases(): Promise<{ readonly alias: string; readonly collection: string }[]>;
  addAlias(alias: string, collection: string): Promise<void>;
  /** Counted, not estimated. Undefined: there is no such collection. */
  count(collection: string, filter?: QdrantFilter): Promise<number | undefined>;
  /** Undefined: there is no such collection. */
  snapshots(collection: string): Promise<QdrantSnapshot[] | undefined>;
  /** The server names it. Undefined: there is no such collection. */
  makeSnapshot(collection: string): Promise<QdrantSnapshot | undefined>;
  removeSnapshot(collection: string, name: string): Promise<void>;
  download(collection: string, name: string): AsyncIterable<Uint8Array>;
  /** Replaces all that the collection holds, or makes it. The server keeps the file under `name` until it is removed. */
  upload(collection: string, file: string, facts: { readonly name: string; readonly sha256: string }): Promise<void>;
  removeCollection(collection: string): Promise<void>;
  scroll(collection: string, filter: QdrantFilter): AsyncIterable<readonly QdrantPoint[]>;
  upsert(collection: string, points: readonly QdrantPoint[]): Promise<void>;
  removePoints(collection: string, filter: QdrantFilter): Promise<void>;
};

const ordinaryMs = 30_000;
const mostBytes = 256 * 1024 * 1024;
/** Small enough for vectors of 3,072 dimensions in JSON. */
const pageSize = 64;

const snapshotSchema = z
  .object({ name: z.string().min(1), size: z.number(), checksum: z.string().nullish() })
  .transform(({ name, size, checksum }): QdrantSnapshot => ({ name, size, checksum: checksum ?? undefined }));
const scrolled = z.object({
  points: z.array(
    z.object({
      id: z.union([z.string(), z.number()]),
      payload: z
        .record(z.string(), z.unknown())
        .nullish()
        .transform((payload) => payload ?? {}),
      vector: z.unknown(),
    }),
  ),
  next_page_offset: z.union([z.string(), z.number()]).nullish(),
});

type Call = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly slow?: boolean;
};

/** @param code what a failure is called: of a capture, or of a restore */
export function createQdrantServer(
  http: Pick<HttpClient, 'stream'>,
  place: QdrantPlace,
  options: { readonly code: 'backup/capture-failed' | 'restore/blocked'; readonly signal: AbortSignal },
): QdrantServer {
  const { code, signal } = options;
  const base = place.url.replace(/\/+$/, '');
  const where = `the Qdrant at ${new URL(place.url).host}`;
  const headers: Record<string, string> = place.apiKey === undefined ? {} : { 'api-key': place.apiKey };
  const fail = (what: string, cause?: unknown): AppError =>
    new AppError(code, `${capital(where)} ${what}`, cause === undefined ? {} : { cause });

  const send = async (request: Parameters<HttpClient['stream']>[0], silenceMs: number): Promise<StreamedResponse> => {
    try {
      return await http.stream({ ...request, silenceMs });
    } catch (err) {
      throw told(err, silenceMs);
    }
  };
  const told = (err: unknown, silenceMs: number): unknown => {
    if (signal.aborted) return signal.reason;
    if (isAppError(err) && err.code === 'outgoing/timeout')
      return fail(`was silent for ${silenceMs / 1000} s (target.qdrant.timeout_seconds).`, err);
    return fail(`cannot be asked: ${describeError(err)}`, err);
  };

  /** @returns undefined for 404 */
  const answerOf = async (response: StreamedResponse): Promise<unknown> => {
    const text = await response.text(mostBytes);
    if (response.status === 404) return undefined;
    if (response.status >= 200 && response.status < 300)
      return parseJson(text) ?? raise(fail('answers, but not with JSON.'));
    throw refusal(response.status, text);
  };
  const refusal = (status: number, text: string): AppError => {
    if (status === 401 || status === 403)
      return fail(
        `refuses the key (${status}): QDRANT_API_KEY must be one that may read and write every collection of the backend, and make snapshots.`,
      );
    const words = hideKey(errorIn(text) ?? '', place.apiKey).slice(0, 300);
    if (status === 507 || /no space left|not enough (disk )?space|disk (is )?full/i.test(words))
      return new AppError(
        'storage/full',
        `${capital(where)} has no room for it (${status}${words === '' ? '' : `: ${words}`}).`,
      );
    return fail(`answers ${status}${words === '' ? '' : `: ${words}`}.`);
  };

  const call = async ({ method = 'GET', path, body, slow }: Call): Promise<unknown> => {
    const silenceMs = slow ? place.timeoutMs : Math.min(ordinaryMs, place.timeoutMs);
    const response = await send(
      {
        url: `${base}${path}`,
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal,
        silenceMs,
      },
      silenceMs,
    );
    try {
      return await answerOf(response);
    } catch (err) {
      throw isAppError(err) && !err.code.startsWith('outgoing/') ? err : told(err, silenceMs);
    }
  };
  const ask = async <T>(schema: z.ZodType<T>, request: Call): Promise<T | undefined> => {
    const answer = await call(request);
    if (answer === undefined) return undefined;
    const parsed = z.object({ result: schema }).safeParse(answer);
    if (!parsed.success)
      throw fail(`answers ${request.path.replace(/\?.*/, '')} with something that a Qdrant does not say.`);
    return parsed.data.result as T;
  };
  const must = async <T>(schema: z.ZodType<T>, request: Call): Promise<T> =>
    (await ask(schema, request)) ?? raise(fail(`does not know ${request.path.replace(/\?.*/, '')}.`));
  const at = (collection: string): string => `/collections/${encodeURIComponent(collection)}`;
  const done = z.unknown();

  return {
    place: where,
    async version() {
      const answer = z.object({ version: z.string() }).safeParse(await call({ path: '/' }));
      return answer.success ? answer.data.version : raise(fail('does not say its version: it is no Qdrant.'));
    },
    async peers() {
      const cluster = z.object({ status: z.string(), peers: z.record(z.string(), z.unknown()).optional() });
      // A key for single collections may not ask; servers of one node alone answer 404 or disabled.
      const answer = await ask(cluster, { path: '/cluster' });
      return answer?.status === 'enabled' ? Math.max(1, Object.keys(answer.peers ?? {}).length) : 1;
    },
    async collections() {
      const list = z.object({ collections: z.array(z.object({ name: z.string() })) });
      return (await must(list, { path: '/collections' })).collections.map(({ name }) => name).sort();
    },
    async aliases() {
      const list = z.object({ aliases: z.array(z.object({ alias_name: z.string(), collection_name: z.string() })) });
      const { aliases } = await must(list, { path: '/aliases' });
      return aliases.map(({ alias_name, collection_name }) => ({ alias: alias_name, collection: collection_name }));
    },
    async addAlias(alias, collection) {
      const actions = [{ create_alias: { alias_name: alias, collection_name: collection } }];
      await must(done, { method: 'POST', path: '/collections/aliases', body: { actions } });
    },
    async count(collection, filter) {
      const body = { exact: true, ...(filter === undefined ? {} : { filter }) };
      const path = `${at(collection)}/points/count`;
      return (await ask(z.object({ count: z.number() }), { method: 'POST', path, body, slow: true }))?.count;
    },
    snapshots: (collection) => ask(z.array(snapshotSchema), { path: `${at(collection)}/snapshots` }),
    makeSnapshot: (collection) =>
      ask(snapshotSchema, { method: 'POST', path: `${at(collection)}/snapshots?wait=true`, slow: true }),
    async removeSnapshot(collection, name) {
      const path = `${at(collection)}/snapshots/${encodeURIComponent(name)}?wait=true`;
      await call({ method: 'DELETE', path, slow: true });
    },
    async *download(collection, name) {
      const url = `${base}${at(collection)}/snapshots/${encodeURIComponent(name)}`;
      const response = await send({ url, headers, signal, silenceMs: place.timeoutMs }, place.timeoutMs);
      if (response.status !== 200) {
        const text = await response.text(mostBytes);
        throw response.status === 404
          ? fail(`has no snapshot ${name} of ${collection} any more: somebody removed it, or the collection.`)
          : refusal(response.status, text);
      }
      try {
        yield* response.body;
      } catch (err) {
        throw told(err, place.timeoutMs);
      }
    },
    async upload(collection, file, { name, sha256 }) {
      const { size } = await stat(file);
      const mark = `ragwarden-${sha256.slice(0, 32)}`;
      const head = Buffer.from(
        `--${mark}\r\ncontent-disposition: form-data; name="snapshot"; filename="${name}"\r\ncontent-type: application/octet-stream\r\n\r\n`,
      );
      const tail = Buffer.from(`\r\n--${mark}--\r\n`);
      const body = async function* (): AsyncGenerator<Uint8Array> {
        yield head;
        yield* createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
        yield tail;
      };
      const response = await send(
        {
          url: `${base}${at(collection)}/snapshots/upload?wait=true&priority=snapshot&checksum=${sha256}`,
          method: 'POST',
          headers: {
            ...headers,
            'content-type': `multipart/form-data; boundary=${mark}`,
            'content-length': String(head.length + size + tail.length),
          },
          body: body(),
          signal,
          silenceMs: place.timeoutMs,
        },
        place.timeoutMs,
      );
      if ((await answerOf(response)) === undefined) throw fail('takes no snapshots in.');
    },
    async removeCollection(collection) {
      await call({ method: 'DELETE', path: at(collection), slow: true });
    },
    async *scroll(collection, filter) {
      let offset: string | number | undefined;
      do {
        const body = {
          filter,
          limit: pageSize,
          with_payload: true,
          with_vector: true,
          ...(offset === undefined ? {} : { offset }),
        };
        const page = await must(scrolled, {
          method: 'POST',
          path: `${at(collection)}/points/scroll`,
          body,
          slow: true,
        });
        if (page.points.length > 0) yield page.points;
        offset = page.next_page_offset ?? undefined;
      } while (offset !== undefined);
    },
    async upsert(collection, points) {
      await must(done, { method: 'PUT', path: `${at(collection)}/points?wait=true`, body: { points }, slow: true });
    },
    async removePoints(collection, filter) {
      const path = `${at(collection)}/points/delete?wait=true`;
      await must(done, { method: 'POST', path, body: { filter }, slow: true });
    },
  };
}

function raise(err: AppError): never {
  throw err;
}

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Told as what it is by whoever asked.
    return undefined;
  }
}

const failure = z.object({ status: z.object({ error: z.string() }) });
const errorIn = (text: string): string | undefined => failure.safeParse(parseJson(text)).data?.status.error;

/** A proxy in front of it may answer with what it was sent. */
const hideKey = (text: string, key: string | undefined): string =>
  key === undefined || key === '' ? text : text.replaceAll(key, '***');
