import type { PagePlace } from '../platform/paging.ts';
import { readRepository } from './catalogue/index.ts';
import type { Manifest } from './manifest.ts';
import type { PointStore } from './point-store.ts';
import type { Repository } from './repository/index.ts';

/** The head of the audit trail as a recovery point noted it. */
export type PointAnchor = {
  readonly seq: number;
  readonly hash: string;
  readonly trail: string | undefined;
  readonly where: string;
};

const pageSize = 500;

/** As the catalogue has them: quick, and in the same database as the trail itself. Points that exist, newest first. */
export async function anchorsOfCatalogue(points: PointStore): Promise<readonly PointAnchor[]> {
  const anchors: PointAnchor[] = [];
  let before: PagePlace | undefined;
  for (;;) {
    const page = await points.list({ before, limit: pageSize });
    for (const { id, manifest } of page) if (manifest) anchors.push(anchorOf(id, manifest));
    const last = page.at(-1);
    if (!last || page.length < pageSize) return anchors;
    before = { atMs: last.takenMs, id: last.id };
  }
}

/** As the manifests in the repository say: nobody who writes to the state alone can change these. Starts restic once for each. */
export async function anchorsOfRepository(
  repository: Repository,
  signal: AbortSignal,
): Promise<readonly PointAnchor[]> {
  const { found } = await readRepository(repository, [], { signal, manifests: true });
  return found.flatMap(({ id, manifest }) => (manifest ? [anchorOf(id, manifest)] : []));
}

const anchorOf = (id: string, { audit, taken_at }: Manifest): PointAnchor => ({
  seq: audit.seq,
  hash: audit.hash,
  trail: audit.trail,
  where: `recovery point ${id} of ${taken_at}`,
});
