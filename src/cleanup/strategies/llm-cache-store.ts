import type { OpenQuarantine } from '../quarantine.ts';
import { takeRows } from '../rows-store.ts';
import type { SqlSession } from './database-sessions-store.ts';

const table = 'lightrag_llm_cache';
/** Naive times of UTC, as LightRAG writes them. */
const older = `coalesce(update_time, create_time) < to_timestamp($1::float8 / 1000) at time zone 'utc'`;

/** What of the cache is older, by workspace and kind; nothing where the backend keeps its cache elsewhere. */
export async function cacheRows(
  session: SqlSession,
  { beforeMs, workspace }: { beforeMs: number; workspace: string | undefined },
): Promise<readonly { workspace: string; cache_type: string; rows: number; bytes: number }[]> {
  const [there] = await session.rows<{ there: string | null }>(`select to_regclass($1)::text as there`, [table]);
  if (there?.there == null) return [];
  const found = await session.rows<{ workspace: string; cache_type: string; rows: string; bytes: string }>(
    `select workspace, coalesce(cache_type, '') as cache_type, count(*) as rows,
       sum(coalesce(octet_length(return_value), 0) + coalesce(octet_length(original_prompt), 0)) as bytes
     from ${table} where ${older} and ($2::text is null or workspace = $2)
     group by 1, 2 order by 1, 2`,
    [beforeMs, workspace ?? null],
  );
  return found.map((row) => ({ ...row, rows: Number(row.rows), bytes: Number(row.bytes) }));
}

export const takeCacheRows = (options: {
  session: SqlSession;
  workspace: string;
  cacheType: string;
  beforeMs: number;
  what: string;
  targetId: string;
  quarantine: OpenQuarantine;
  signal: AbortSignal;
  nextFile(): number;
}): Promise<{ rows: number; bytes: number }> =>
  takeRows({
    ...options,
    ...{ table, idColumn: 'id', where: `${older} and workspace = $2 and coalesce(cache_type, '') = $3` },
    parameters: [options.beforeMs, options.workspace, options.cacheType],
  });
