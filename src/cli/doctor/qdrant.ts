import { z } from 'zod';
import type { TargetQdrant } from '../../config/index.ts';
import { describeError } from '../../platform/errors.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import { fail, type Outcome, ok, warn } from './check.ts';
import { isLoopbackHost } from './listeners.ts';

const limits = { timeoutMs: 4_000, maxBytes: 4 * 1024 * 1024 };
const collections = z.object({ result: z.object({ collections: z.array(z.object({ name: z.string() })) }) });
const cluster = z.object({
  result: z.object({ status: z.string(), peers: z.record(z.string(), z.unknown()).optional() }),
});

/** Whether the backend's Qdrant lets us in, has what a point would hold, and keeps all of it on one server. */
export async function lookAtQdrant(http: HttpRequester, qdrant: TargetQdrant, signal: AbortSignal): Promise<Outcome[]> {
  const url = new URL(qdrant.url);
  const headers: Record<string, string> = qdrant.apiKey === undefined ? {} : { 'api-key': qdrant.apiKey };
  const get = (path: string) =>
    http.request({ url: `${qdrant.url.replace(/\/+$/, '')}${path}`, headers, signal, ...limits });
  try {
    const answer = await get('/collections');
    if (answer.status === 401 || answer.status === 403)
      return [
        fail(
          `the Qdrant at ${url.host} refuses the key (${answer.status})`,
          'Set QDRANT_API_KEY to one that may make snapshots.',
        ),
      ];
    const found = collections.safeParse(answer.status === 200 ? answer.json() : undefined);
    if (!found.success)
      return [
        fail(`${url.host} does not answer as a Qdrant (${answer.status})`, 'Set QDRANT_URL to its HTTP port, 6333.'),
      ];
    const names = found.data.result.collections.map(({ name }) => name);
    const ours = names.filter((name) => name.startsWith('lightrag_vdb_') || qdrant.collections.includes(name));
    const spread = await get('/cluster');
    const peers = Object.keys(
      (spread.status === 200 ? cluster.safeParse(spread.json()).data : undefined)?.result.peers ?? {},
    );
    return [
      ours.length === 0
        ? warn(
            `${url.host} answers, and none of its ${names.length} collections is named as LightRAG names them`,
            'Name the backend’s in target.qdrant.collections, or check QDRANT_URL.',
          )
        : ok(`${url.host} answers, with ${ours.length} collections of the backend`),
      ...(peers.length > 1
        ? [
            warn(
              `its collections are spread over ${peers.length} servers: points do not hold them`,
              'Dump them by a command of target.commands.',
            ),
          ]
        : []),
      ...(qdrant.apiKey !== undefined && url.protocol === 'http:' && !isLoopbackHost(url.hostname)
        ? [warn(`its key goes to ${url.host} in clear text`, 'Use https:// in QDRANT_URL.')]
        : []),
    ];
  } catch (err) {
    signal.throwIfAborted();
    return [fail(`the Qdrant does not answer: ${describeError(err)}`, 'Start it, or check QDRANT_URL.')];
  }
}
