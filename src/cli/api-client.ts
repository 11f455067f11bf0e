import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type Environment, readConfig } from '../config/index.ts';
import { AppError, isAppError, systemCode } from '../platform/errors.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { createClient, type RagwardenClient, RagwardenError } from '../sdk/index.ts';
import { readEndpoint } from './endpoint-file.ts';
import { ServerRefusal } from './exit-code.ts';

/** Where ragwarden answers, and what lets us in. */
export type Connection = { readonly api: string; readonly token: string };

export type ApiCall = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** A list is sent as one parameter per value. */
  readonly query?: Readonly<Record<string, string | number | readonly string[] | undefined>>;
  readonly body?: unknown;
  /** Milliseconds; half a minute unless told. */
  readonly timeoutMs?: number;
};

export type ApiClient = {
  readonly api: string;
  /**
   * The parsed body, as it came; undefined for an empty one.
   * @throws ServerRefusal with the server's code; AppError `server/unreachable`; the signal's reason
   */
  call(path: string, call?: ApiCall): Promise<unknown>;
  /** An answer that is a file. @throws as `call` */
  bytes(path: string): Promise<Uint8Array>;
  /** Every document of an export, as it comes in. @throws as `call`, also in the middle of it */
  documents(
    open: (client: RagwardenClient, call: { signal: AbortSignal }) => AsyncIterable<unknown>,
  ): AsyncIterable<unknown>;
  /** Events from now on, reconnecting by itself. @throws when they cannot be read */
  events(signal: AbortSignal): AsyncIterable<unknown>;
  close(): Promise<void>;
};

const problemSchema = z.object({
  code: z.string(),
  status: z.number(),
  detail: z.string(),
  errors: z.array(z.object({ at: z.string(), message: z.string() })).optional(),
});

const greatestAnswerBytes = 64 * 1024 * 1024;

/**
 * A `--data-dir` that was typed names the instance; else `RAGWARDEN_URL` does; else the data folder of the configuration.
 * @throws AppError `config/invalid`, `server/unreachable` with what to do
 */
export async function findConnection(sources: {
  env: Environment;
  cwd: string;
  flags: { readonly 'data-dir'?: string | undefined; readonly config?: string | undefined };
  localTokenFile(dataDir: string): Promise<string>;
}): Promise<Connection> {
  const { env, flags } = sources;
  const url = env.RAGWARDEN_URL ?? '';
  const token = env.RAGWARDEN_TOKEN ?? '';
  if (url !== '' && flags['data-dir'] === undefined) {
    const parsed = URL.parse(url);
    if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.password !== '')
      throw new AppError('config/invalid', 'RAGWARDEN_URL is an http:// or https:// URL without credentials in it.');
    if (token === '')
      throw new AppError(
        'config/invalid',
        'RAGWARDEN_URL is set and RAGWARDEN_TOKEN is not. Set it to an admin token.',
      );
    return { api: `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, ''), token };
  }
  // Problems of other settings do not matter here; the server is the one that heeds them.
  const { dataDir } = readConfig({ env, flags, cwd: sources.cwd }).config;
  const endpoint = readEndpoint(dataDir);
  if (!endpoint || !isRunning(endpoint.pid))
    throw new AppError(
      'server/unreachable',
      `No ragwarden runs on the data folder ${dataDir}. Start it with \`ragwarden up\` or \`ragwarden serve\`, name its folder with --data-dir, or set RAGWARDEN_URL and RAGWARDEN_TOKEN.`,
    );
  return { api: endpoint.api, token: token === '' ? readLocalToken(await sources.localTokenFile(dataDir)) : token };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    // Somebody else's process is a process too.
    return systemCode(err) === 'EPERM';
  }
}

function readLocalToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (err) {
    throw new AppError(
      'access/unauthenticated',
      `${path} cannot be read (${systemCode(err) ?? 'unknown error'}). Run this as the user who runs ragwarden, or set RAGWARDEN_TOKEN.`,
      { cause: err },
    );
  }
}

export function createApiClient(connection: Connection, signal: AbortSignal): ApiClient {
  const client = createHttpClient();
  return {
    api: connection.api,
    close: () => client.close(),
    events: (stop) => createClient({ url: connection.api, token: connection.token }).events.stream({ signal: stop }),
    async bytes(path) {
      const response = await client.request({
        url: `${connection.api}${path}`,
        method: 'GET',
        headers: { authorization: `Bearer ${connection.token}` },
        timeoutMs: 120_000,
        maxBytes: greatestAnswerBytes,
        signal,
      });
      if (response.status < 300) return response.bytes;
      const problem = problemSchema.safeParse(parsed(response.text()));
      if (problem.success) throw new ServerRefusal(problem.data);
      throw new AppError('server/unreachable', `What answers at ${connection.api} is not ragwarden.`);
    },
    async *documents(open) {
      try {
        yield* open(createClient({ url: connection.api, token: connection.token }), { signal });
      } catch (err) {
        if (!(err instanceof RagwardenError)) throw err;
        const { code, detail, status } = err;
        if (status === undefined) throw new AppError('server/unreachable', detail, { cause: err });
        throw new ServerRefusal({ code, detail, status });
      }
    },
    async call(path, { method = 'GET', query = {}, body, timeoutMs = 30_000 } = {}) {
      const search = new URLSearchParams(
        Object.entries(query).flatMap(([name, value]) =>
          value === undefined ? [] : [value].flat().map((one) => [name, String(one)]),
        ),
      ).toString();
      let response: Awaited<ReturnType<typeof client.request>>;
      try {
        response = await client.request({
          url: `${connection.api}${path}${search === '' ? '' : `?${search}`}`,
          method,
          headers: {
            accept: 'application/json',
            authorization: `Bearer ${connection.token}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          timeoutMs,
          maxBytes: greatestAnswerBytes,
          signal,
        });
      } catch (err) {
        if (isAppError(err) && err.code.startsWith('outgoing/'))
          throw new AppError('server/unreachable', `ragwarden does not answer: ${err.detail} Is it running?`, {
            cause: err,
          });
        throw err;
      }
      if (response.status === 204) return undefined;
      const answer = parsed(response.text());
      if (response.status < 300 && answer !== undefined) return answer;
      const problem = problemSchema.safeParse(answer);
      if (problem.success) throw new ServerRefusal(problem.data);
      throw new AppError(
        'server/unreachable',
        `What answers at ${connection.api} is not ragwarden (HTTP ${response.status}). Check RAGWARDEN_URL.`,
      );
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
