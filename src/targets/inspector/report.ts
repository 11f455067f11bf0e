/** What the inspector says about one workspace. Plain data: it crosses a thread and is stored and answered as JSON. */
import type { Leftover } from '../audit/audit.ts';
import type { AuditReport } from '../audit/audit-report.ts';
import type { StoreName } from '../audit/store-rows.ts';

export type InspectedFileKind = 'kv' | 'vdb' | 'graphml' | 'other';

/**
 * `empty`: there, with zero bytes. `torn`: ends too early. `invalid`: wrong somewhere, or not what its name says.
 * `changing`: was rewritten in place during every reading. `unreadable`: no plain file, or the system refused it.
 */
export type InspectedFileState = 'ok' | 'missing' | 'empty' | 'torn' | 'invalid' | 'changing' | 'unreadable';

export type InspectedFile = {
  readonly name: string;
  readonly kind: InspectedFileKind;
  readonly bytes: number;
  readonly state: InspectedFileState;
  readonly detail?: string;
  /** For `torn` and `invalid`: where, in bytes from the start. */
  readonly offset?: number;
};

export type CacheRows = {
  readonly total: number;
  readonly extract: number;
  readonly query: number;
  readonly keywords: number;
  readonly summary: number;
  readonly other: number;
};

/** Rows of the cache that answer nothing any more (`chunk-gone`), or with what was known before the newest document (`outdated`). */
export type StaleCacheRows = {
  readonly reason: 'chunk-gone' | 'outdated';
  readonly count: number;
  readonly bytes: number;
  readonly examples: readonly string[];
};

export type StuckDocument = {
  readonly id: string;
  readonly status: string;
  /** As the backend wrote it (ISO 8601); null when it did not. */
  readonly updatedAt: string | null;
};

export type VectorDimension = {
  readonly file: string;
  readonly dimension: number;
  readonly rows: number;
  /** Characters of the base64 matrix, and how many `rows` × `dimension` float32 take. */
  readonly matrixLength: number;
  readonly expectedMatrixLength: number;
  /** Rows whose `__id__` stood in the file before. */
  readonly duplicateRows: number;
};

export type OrphanFile = { readonly name: string; readonly bytes: number; readonly ageMs: number };

export type FaultSeverity = 'info' | 'warning' | 'critical';

export type InspectionFault = {
  readonly code: InspectionFaultCode;
  readonly message: string;
  readonly severity: FaultSeverity;
};

export type InspectionFaultCode =
  | 'file-torn'
  | 'file-invalid'
  | 'file-empty'
  | 'file-missing'
  | 'file-unreadable'
  | 'file-changing'
  | 'dimension-mismatch'
  | 'matrix-length'
  | 'duplicate-vectors'
  | 'texts-missing'
  | 'chunks-missing'
  | 'chunk-vectors-missing'
  | 'orphan-chunks'
  | 'orphan-chunk-vectors'
  | 'orphan-texts'
  | 'edge-ends-missing'
  | 'entity-vectors-missing'
  | 'orphan-entity-vectors'
  | 'relation-vectors-missing'
  | 'orphan-relation-vectors'
  | 'stuck-documents'
  | 'orphan-temporary-files';

export type InspectionReport = {
  /** The folder that was looked at: the storage folder, or the workspace's folder inside it. */
  readonly folder: string;
  readonly workspace: string;
  /** Epoch milliseconds UTC at which the inspection began. */
  readonly atMs: number;
  readonly durationMs: number;
  readonly bytesRead: number;
  /** No file of a workspace is there: nothing was ever stored, or the folder is not the right one. */
  readonly isFresh: boolean;
  readonly files: readonly InspectedFile[];
  /** Rows of the cache by what was asked; null where it could not be read to its end. Rows of every store are in `audit`. */
  readonly cache: CacheRows | null;
  /** Documents between accepted and finished; they are stuck when the pipeline is idle. At most 100 are named. */
  readonly stuck: { readonly total: number; readonly documents: readonly StuckDocument[] };
  readonly dimension: { readonly files: readonly VectorDimension[]; readonly agree: boolean };
  /** What refers to what, across the stores. */
  readonly audit: AuditReport;
  /** The same with what it takes in the files; a row of vectors with its share of the matrix. */
  readonly leftovers: readonly Leftover[];
  readonly staleCache: readonly StaleCacheRows[];
  /** Stores whose rows came from databases, not from files. */
  readonly extracted: readonly StoreName[];
  /** Temporary siblings of atomic writes. At most 100 are named. */
  readonly orphans: { readonly total: number; readonly bytes: number; readonly files: readonly OrphanFile[] };
  /** Files that were replaced while others were still being read: differences between stores then prove nothing. */
  readonly changedMeanwhile: readonly string[];
  readonly faults: readonly InspectionFault[];
};
