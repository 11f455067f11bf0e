import { z } from 'zod';
import { answered, ask, type HttpPlace, type Look, type LookDeps, refusalOf, timed, unreached } from './http-look.ts';

export type VectorStoreWish = {
  readonly kind: 'qdrant' | 'milvus' | 'neo4j';
  readonly collection: string | undefined;
};

/** What each is asked, and how the names it has come out of the answer. */
const kinds = {
  qdrant: {
    request: { path: '/collections' },
    names: z
      .object({ result: z.object({ collections: z.array(z.object({ name: z.string() })) }) })
      .transform(({ result }) => result.collections.map(({ name }) => name)),
    what: 'collection',
  },
  milvus: {
    request: { path: '/v2/vectordb/collections/list', method: 'POST', body: {} },
    // 0 since 2.4, 200 before it.
    names: z.object({ code: z.literal([0, 200]), data: z.array(z.string()) }).transform(({ data }) => data),
    what: 'collection',
  },
  neo4j: {
    request: {
      path: '/db/system/tx/commit',
      method: 'POST',
      body: {
        statements: [
          { statement: "SHOW DATABASES YIELD name, currentStatus WHERE currentStatus = 'online' RETURN name" },
        ],
      },
    },
    names: z
      .object({
        errors: z.array(z.unknown()).max(0),
        results: z.array(z.object({ data: z.array(z.object({ row: z.array(z.string()) })) })),
      })
      .transform(({ results }) => results.flatMap(({ data }) => data.flatMap(({ row }) => row))),
    what: 'database',
  },
} as const;

/** A store of vectors or of the graph that answers over HTTP: whether it lets us in and has what the backend keeps there. */
export async function lookAtVectorStore(
  deps: LookDeps,
  place: HttpPlace,
  { kind, collection }: VectorStoreWish,
  signal: AbortSignal,
): Promise<Look> {
  const { request, names, what } = kinds[kind];
  try {
    const seen = await ask(deps, place, request, signal);
    const refusal = refusalOf(seen);
    if (refusal) return refusal;
    const found = names.safeParse(seen.answer.json());
    if (!found.success)
      return { ...timed(seen.tookMs), status: 'unhealthy', message: faultOf(kind, seen.answer.json()) };
    const details = { [`${what}s`]: found.data.length };
    if (collection !== undefined && !found.data.includes(collection))
      return {
        ...timed(seen.tookMs),
        status: 'unhealthy',
        message: `It answers, but has no ${what} ${collection}${kind === 'neo4j' ? ' that is online' : ''}.`,
        details,
      };
    return { ...answered(seen.tookMs, `It answers, with ${found.data.length} ${what}s.`), details };
  } catch (err) {
    if (err instanceof SyntaxError) return { status: 'unhealthy', message: 'It answers, but not with JSON.' };
    return unreached(err);
  }
}

/** Both answer 200 to what they refuse, with a code in it; their texts may hold what was asked, so only the code is told. */
const refused = z.union([
  z.object({ code: z.int() }).transform(({ code }) => String(code)),
  z
    .object({ errors: z.array(z.object({ code: z.string().max(200) })).min(1) })
    .transform(({ errors }) => errors[0]?.code),
]);
const ofCredentials = /^(1800|Neo\.ClientError\.Security\..*)$/;

function faultOf(kind: VectorStoreWish['kind'], body: unknown): string {
  const code = refused.safeParse(body).data;
  if (code === undefined) return `It answers with something that ${kind} does not say.`;
  return ofCredentials.test(code) ? `It refuses the credentials (${code}).` : `It answers with the error ${code}.`;
}
