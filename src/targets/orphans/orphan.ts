export const orphanKinds = [
  'text-without-document',
  'chunk-without-document',
  'vector-without-chunk',
  'vector-without-entity',
  'vector-without-relation',
  'entity-without-vector',
  'relation-without-vector',
  'temporary-file',
  'stale-cache',
  'vectors-of-older-model',
  'graphrag-update-folder',
] as const;
export type OrphanKind = (typeof orphanKinds)[number];

/** What lies in the stores of a backend and belongs to nothing any more: one kind in one place. */
export type OrphanFinding = {
  readonly targetId: string;
  /** The unnamed one is ''. */
  readonly workspace: string;
  readonly store: 'files' | 'postgres';
  readonly kind: OrphanKind;
  /** File, folder or table it stands in, relative to the store. */
  readonly place: string;
  readonly count: number;
  /** What it takes; null where that cannot be told. */
  readonly bytes: number | null;
  /** At most a hundred ids or relative paths, for people. */
  readonly examples: readonly string[];
  /** Whether a cleanup may remove it; `reason` says why, or why not. */
  readonly removable: boolean;
  readonly reason: string;
};

/** One search through the stores of a target. */
export type OrphanSearch = {
  readonly targetId: string;
  readonly atMs: number;
  readonly findings: readonly OrphanFinding[];
  /** Every store was read whole, and nothing changed under the reading. */
  readonly complete: boolean;
  /** What is missing of that. */
  readonly why: string | null;
};

export const orphanBytes = (findings: readonly OrphanFinding[]): number =>
  findings.reduce((sum, one) => sum + (one.bytes ?? 0), 0);

/** Why each kind may go, or may not; what holds in files and in databases alike. */
export const orphanReasons: Readonly<Record<OrphanKind, { readonly removable: boolean; readonly reason: string }>> = {
  'text-without-document': {
    removable: true,
    reason: 'No document has this text any more. It goes while the backend is stopped.',
  },
  'chunk-without-document': {
    removable: true,
    reason: 'No document has this chunk any more. It goes while the backend is stopped.',
  },
  'vector-without-chunk': {
    removable: true,
    reason: 'A search can hit it and finds no text behind it. It goes while the backend is stopped.',
  },
  'vector-without-entity': {
    removable: true,
    reason: 'A search can hit it and finds no entity behind it. It goes while the backend is stopped.',
  },
  'vector-without-relation': {
    removable: true,
    reason: 'A search can hit it and finds no relation behind it. It goes while the backend is stopped.',
  },
  'entity-without-vector': {
    removable: false,
    reason:
      'Nothing is left over here, something is missing: no search finds the entity. Insert its documents anew, or restore.',
  },
  'relation-without-vector': {
    removable: false,
    reason:
      'Nothing is left over here, something is missing: no search finds the relation. Insert its documents anew, or restore.',
  },
  'temporary-file': {
    removable: true,
    reason: 'A write that was broken off left it more than an hour ago. LightRAG removes it at its next start.',
  },
  'stale-cache': { removable: true, reason: 'The cache never forgets by itself.' },
  'vectors-of-older-model': {
    removable: false,
    reason:
      'The backend reads the table of its present model. Drop it by hand, when no other backend uses it and going back is out of the question.',
  },
  'graphrag-update-folder': {
    removable: true,
    reason: 'GraphRAG keeps the tables before each update and never removes them.',
  },
};
