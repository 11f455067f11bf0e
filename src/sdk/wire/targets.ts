/** One line that only some kinds of target have. */
export type TargetFact = {
  readonly name: string;
  readonly value: string | number | boolean | null;
  readonly unit: string | null;
};

/** One RAG installation, as it was last seen. */
export type TargetBody = {
  readonly id: string;
  /** The bundled stand-in, not a backend of yours. */
  readonly sample: boolean;
  readonly status: 'HEALTHY' | 'DEGRADED' | 'OFFLINE' | 'UNKNOWN';
  readonly reasons: readonly { readonly code: string; readonly message: string }[];
  /** What answered; null before the first look, `unknown` for something else than was expected. */
  readonly kind: string | null;
  readonly configured_kind: 'lightrag' | 'graphrag' | 'custom';
  /** Whether somebody said it, the folder showed it, or nothing says otherwise. */
  readonly kind_from: 'settings' | 'detected' | 'default';
  readonly core_version: string | null;
  readonly api_version: string | null;
  readonly endpoints: readonly { readonly url: string; readonly workspace: string }[];
  readonly stores: readonly {
    readonly name: string;
    readonly kind: string;
    readonly path: string;
    /** How it keeps workspaces apart. */
    readonly separation: string;
  }[];
  readonly observed_at: string | null;
  readonly latency_ms: number | null;
  /** Number of documents by status. */
  readonly documents: Readonly<Record<string, number>> | null;
  readonly pipeline: {
    readonly busy: boolean;
    readonly job_name: string;
    readonly latest_message: string;
    readonly unflushed: boolean | null;
    readonly recovery_required: boolean;
  } | null;
  /** What only this kind of target has. */
  readonly facts: readonly TargetFact[];
  /** What ragwarden does not do for this kind of target. */
  readonly not_applicable: readonly {
    readonly what: 'documents' | 'canary' | 'content-audit' | 'workspaces';
    readonly reason: string;
  }[];
  readonly sizes: readonly {
    readonly store: string;
    readonly bytes: number;
    readonly files: number;
    readonly counted_at: string;
  }[];
  /** How it is stopped and started for a restore. */
  readonly lifecycle: { readonly automatic: boolean; readonly stop: string; readonly start: string };
};

/** What a look into the files of a workspace, of a project or of folders found. */
export type InspectionBody = {
  readonly kind: 'lightrag' | 'graphrag' | 'custom';
  readonly at: string;
  readonly duration_ms: number;
  readonly bytes_read: number;
  readonly folder: string;
  readonly workspace: string;
  /** Nothing was ever stored there. */
  readonly fresh: boolean;
  readonly files: readonly {
    readonly name: string;
    readonly kind: string;
    readonly bytes: number;
    readonly state: string;
    readonly detail: string | null;
  }[];
  /** Rows per store by the names of the backend's files, or of tables, or files in folders; what was not read has none. */
  readonly counts: Readonly<Record<string, number>>;
  readonly documents: Readonly<Record<string, number>>;
  /** Null for a kind of target whose documents are not followed. */
  readonly stuck_documents: {
    readonly total: number;
    readonly documents: readonly { readonly id: string; readonly status: string; readonly updated_at: string | null }[];
  } | null;
  readonly embedding: readonly { readonly file: string; readonly dimension: number; readonly rows: number }[];
  /** Temporary files; of a GraphRAG project the folders that updates left. */
  readonly orphans: { readonly total: number; readonly bytes: number };
  readonly facts: readonly TargetFact[];
  readonly faults: readonly { readonly code: string; readonly severity: string; readonly message: string }[];
};
