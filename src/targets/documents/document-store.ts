import { z } from 'zod';
import type { Database, Tx } from '../../platform/database/index.ts';
import type { DocumentCause, DocumentOutcome } from './document.ts';
import type { Counted } from './document-counting.ts';

type TotalRow = { target_id: string; workspace: string; outcome: string; cause: string; documents: number };
type CountedRow = { target_id: string; workspace: string; up_to_ms: number; recent: string; since_ms: number };
type DocumentTables = { target_document_total: TotalRow; target_document_counted: CountedRow };

export type DocumentTotal = {
  readonly outcome: DocumentOutcome;
  readonly cause: DocumentCause | null;
  readonly documents: number;
};
/** One workspace of one target. */
export type DocumentPlace = { readonly targetId: string; readonly workspace: string };

export const nameOfPlace = ({ targetId, workspace }: DocumentPlace): string =>
  workspace === '' ? targetId : `${targetId}:${workspace}`;

export type DocumentStore = {
  /** Undefined before the first look ever. `sinceMs` is when that was. */
  read(
    place: DocumentPlace,
  ): Promise<
    { readonly counted: Counted; readonly sinceMs: number; readonly totals: readonly DocumentTotal[] } | undefined
  >;
  /** Counts and how far they go, in one transaction: neither is ever without the other. */
  write(tx: Tx, place: DocumentPlace, counted: Counted, more: readonly DocumentTotal[], nowMs: number): Promise<void>;
};

const recentSchema = z.array(z.string());

export function createDocumentStore(db: Database): DocumentStore {
  return {
    async read({ targetId, workspace }) {
      const reader = db.reader<DocumentTables>();
      const row = await reader
        .selectFrom('target_document_counted')
        .selectAll()
        .where('target_id', '=', targetId)
        .where('workspace', '=', workspace)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const totals = await reader
        .selectFrom('target_document_total')
        .selectAll()
        .where('target_id', '=', targetId)
        .where('workspace', '=', workspace)
        .execute();
      return {
        counted: { upToMs: Number(row.up_to_ms), recent: recentSchema.parse(JSON.parse(row.recent)) },
        sinceMs: Number(row.since_ms),
        totals: totals.map(({ outcome, cause, documents }) => ({
          outcome: outcome as DocumentOutcome, // written below
          cause: cause === '' ? null : (cause as DocumentCause), // likewise
          documents: Number(documents),
        })),
      };
    },
    async write(tx, { targetId, workspace }, counted, more, nowMs) {
      const place = { target_id: targetId, workspace };
      const written = { up_to_ms: counted.upToMs, recent: JSON.stringify(counted.recent) };
      await tx
        .as<DocumentTables>()
        .insertInto('target_document_counted')
        .values({ ...place, ...written, since_ms: nowMs })
        .onConflict((on) => on.columns(['target_id', 'workspace']).doUpdateSet(written))
        .execute();
      for (const { outcome, cause, documents } of more)
        await tx
          .as<DocumentTables>()
          .insertInto('target_document_total')
          .values({ ...place, outcome, cause: cause ?? '', documents })
          .onConflict((on) =>
            on
              .columns(['target_id', 'workspace', 'outcome', 'cause'])
              .doUpdateSet((eb) => ({ documents: eb('target_document_total.documents', '+', documents) })),
          )
          .execute();
    },
  };
}
