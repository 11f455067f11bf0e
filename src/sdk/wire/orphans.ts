export type OrphanBody = {
  readonly workspace: string;
  readonly store: 'files' | 'postgres';
  readonly kind:
    | 'text-without-document'
    | 'chunk-without-document'
    | 'vector-without-chunk'
    | 'vector-without-entity'
    | 'vector-without-relation'
    | 'entity-without-vector'
    | 'relation-without-vector'
    | 'temporary-file'
    | 'stale-cache'
    | 'vectors-of-older-model'
    | 'graphrag-update-folder';
  /** File, folder or table, relative to the store. */
  readonly place: string;
  readonly count: number;
  /** What it takes; null where that cannot be told. */
  readonly bytes: number | null;
  /** At most a hundred. */
  readonly examples: readonly string[];
  readonly removable: boolean;
  readonly reason: string;
};

/** What belongs to nothing any more in the stores of a target, as one search found it. */
export type OrphanSearchBody = {
  readonly target_id: string;
  /** Null: they were not looked for yet. */
  readonly searched_at: string | null;
  /** Every store was read whole, and nothing changed under the reading; `why` says what is missing of that. */
  readonly complete: boolean;
  readonly why: string | null;
  readonly total: number;
  readonly total_bytes: number;
  readonly items: readonly OrphanBody[];
};
