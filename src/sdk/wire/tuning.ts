export type TuningValue = number | boolean | string;

/** What has to happen to an index before a changed parameter means the same for all of it; `hint`: no backend knows it. */
export type TuningClass = 'safe' | 'new-documents' | 're-embed' | 're-extract' | 'never' | 'hint';

/** The six that were promised, always; further ones where somebody set them. */
export type LightragConfigBody = {
  readonly chunk_size: number;
  readonly graph_traversal_depth: number;
  readonly cache_enabled: boolean;
  readonly cache_size: number;
  readonly vector_dimension: number;
  readonly max_token_size: number;
  readonly [further: string]: TuningValue;
};

export type ParameterBody = {
  readonly name: string;
  readonly backend: 'lightrag' | 'graphrag' | 'both';
  /** Variable of the environment, or path in settings.yaml; null: no backend knows it, or only a query carries it. */
  readonly backend_name: string | null;
  /** Under which a query carries it along; null: it does not. */
  readonly query_field: string | null;
  readonly type: 'integer' | 'number' | 'boolean' | 'choice' | 'text';
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly choices: readonly string[] | null;
  readonly default: TuningValue | null;
  readonly default_before: { readonly version: string; readonly value: TuningValue } | null;
  readonly unit: string | null;
  readonly meaning: string;
  readonly class: TuningClass;
  readonly per_user: boolean;
};

export type EffectiveBody = {
  readonly parameter: string;
  readonly value: TuningValue | null;
  readonly origin: 'user' | 'workspace' | 'default' | 'setting' | 'built-in';
  readonly class: TuningClass;
  readonly backend_name: string | null;
};

export type TuningChangeBody = {
  /** `default`, `user:SUBJECT` or `workspace:GRAPH_ID`. */
  readonly scope: string;
  readonly parameter: string;
  /** Null: it was not set. */
  readonly before: TuningValue | null;
  readonly after: TuningValue | null;
};

export type RevisionBody = {
  readonly revision: number;
  readonly at: string;
  readonly actor: string;
  readonly what: 'set' | 'reset' | 'reset-all' | 'rollback';
  readonly reason: string | null;
  readonly changes: readonly TuningChangeBody[];
  readonly rolled_back_to: number | null;
  /** How it went after the backend was last restarted with it; null: it was not applied by itself, or not here. */
  readonly watch: TuningWatchBody | null;
};

/** What one stretch of time was like for whoever asked the backend. */
export type TuningFiguresBody = {
  readonly requests: number;
  readonly failed: number;
  /** By operation: `query`, `search`. */
  readonly answers: Readonly<Record<string, { readonly requests: number; readonly p95_ms: number }>>;
  /** Whether the known question was answered; null: it was not asked. */
  readonly canary: boolean | null;
};

export type TuningWatchBody = {
  readonly target_id: string;
  readonly state:
    | 'unwatched'
    | 'watching'
    | 'kept'
    | 'unjudged'
    | 'worse'
    | 'superseded'
    | 'rolling-back'
    | 'rolled-back'
    | 'rollback-failed';
  readonly from: string;
  readonly until: string;
  readonly reasons: readonly string[];
  readonly before: TuningFiguresBody;
  readonly after: TuningFiguresBody | null;
  /** That applied it. */
  readonly operation_id: string;
};

export type TuningWarningBody = {
  readonly severity: 'error' | 'warning';
  readonly parameters: readonly string[];
  readonly message: string;
};

export type TuningChangedBody = {
  /** Null: everything was so already. */
  readonly revision: RevisionBody | null;
  readonly warnings: readonly TuningWarningBody[];
  readonly consequences: readonly ConsequenceBody[];
};

export type TuningCheckBody = {
  readonly valid: boolean;
  readonly violations: readonly { readonly parameter: string; readonly message: string }[];
  readonly contradictions: readonly TuningWarningBody[];
  readonly consequences: readonly ConsequenceBody[];
};

/** What a change does to an index that exists. */
export type ConsequenceBody = {
  readonly parameter: string;
  readonly class: TuningClass;
  readonly before: TuningValue | null;
  readonly after: TuningValue | null;
  /** Needs `confirm`. */
  readonly destructive: boolean;
  /** Vectors to make anew, chunks to read anew; null where the index could not be looked at. */
  readonly embeddings: number | null;
  readonly extractions: number | null;
  /** Of making it anew, at most, by this backend's own past; a null in it: not known. Null: nothing has to be. */
  readonly estimate: { readonly usd: number | null; readonly seconds: number | null; readonly basis: string } | null;
  readonly message: string;
};

export type DriftBody = {
  readonly graph_id: string;
  readonly parameter: string;
  readonly backend_name: string | null;
  /** Null: nobody set it, and two places contradict each other. */
  readonly wanted: TuningValue | null;
  readonly found: TuningValue | null;
  readonly where: 'backend' | 'environment-file' | 'settings-file' | 'index';
  readonly message: string;
};

export type TuningDriftBody = {
  readonly items: readonly DriftBody[];
  readonly next_cursor: null;
  /** How many of the values that somebody set could be seen somewhere, and those that could not. */
  readonly compared: number;
  readonly unseen: readonly string[];
};

export type ModelProviderHalfBody = {
  readonly binding: string;
  readonly model: string;
  readonly host: string;
  /** A key is named for it; it is never shown. */
  readonly has_key: boolean;
  readonly dimension: number | null;
  readonly check: 'list' | 'call' | 'none';
};

/** A provider of models that the backend can be switched to. */
export type ProviderBody = {
  readonly provider: string;
  /** Null: nobody can tell what the backend asks. */
  readonly current: boolean | null;
  readonly llm: ModelProviderHalfBody | null;
  readonly embedding: ModelProviderHalfBody | null;
};

export type ProviderSwitchBody = {
  /** False: the backend was not switched; `message` says why, and what stands now. */
  readonly success: boolean;
  readonly previous_provider: string | null;
  readonly current_provider: string | null;
  readonly message: string;
  readonly validation_result: {
    readonly valid: boolean;
    readonly checks: readonly {
      readonly of: 'llm' | 'embedding';
      readonly status: 'passed' | 'failed' | 'skipped';
      readonly message: string;
    }[];
  };
  readonly provider_config: {
    readonly llm: ModelProviderHalfBody | null;
    readonly embedding: ModelProviderHalfBody | null;
  };
  readonly revision: number | null;
};

/** What applying would write into the backend's environment file. */
export type ApplyPlanBody = {
  readonly target_id: string;
  /** Null: nobody said where it is. */
  readonly environment_file: string | null;
  readonly changes: readonly {
    readonly parameter: string;
    readonly variable: string;
    /** As it stands there; null: it does not. */
    readonly before: string | null;
    /** Null: it was written here, nobody wants it any more, and nothing stood there before. */
    readonly after: string | null;
  }[];
  readonly consequences: readonly ConsequenceBody[];
  /** A recovery point is taken first. */
  readonly takes_point: boolean;
  /** Not `automatic`: an operator has to stop and start the backend, and the operation waits. */
  readonly restart: { readonly automatic: boolean; readonly stop: string; readonly start: string };
  readonly blockers: readonly string[];
};

/** What the figures of a backend suggest, with the figures. */
export type AdviceProposalBody = {
  readonly graph_id: string;
  /** Which rule of the tuning guide. */
  readonly rule: string;
  /** The dearest of what changes. */
  readonly class: TuningClass;
  readonly changes: readonly { readonly parameter: string; readonly from: TuningValue; readonly to: TuningValue }[];
  /** Somebody set it here, and the backend does not run with it yet: it waits to be applied. */
  readonly already_set: boolean;
  readonly because: string;
  readonly evidence: readonly {
    readonly what: string;
    readonly value: TuningValue;
    readonly unit: 'ms' | 'share' | 'bytes' | 'count' | null;
  }[];
  readonly effect: string;
  readonly withdrawn_when: string;
};

export type AdviceBody = {
  /** What costs nothing first. */
  readonly items: readonly AdviceProposalBody[];
  readonly next_cursor: null;
  readonly backends: readonly {
    readonly graph_id: string;
    /** From when on traffic is counted. */
    readonly from: string;
    readonly to: string;
    /** Rules that had all they need and propose nothing. */
    readonly fine: readonly string[];
    readonly unknown: readonly { readonly rule: string; readonly missing: readonly string[] }[];
  }[];
};

/** What a backend is seen to run with. */
export type RunningValueBody = {
  readonly graph_id: string;
  readonly parameter: string;
  readonly backend_name: string | null;
  /** Null: it cannot be seen from here. */
  readonly value: TuningValue | null;
  /** `backend-default`: its file is visible and does not name it. */
  readonly found_in: 'backend' | 'environment-file' | 'settings-file' | 'index' | 'backend-default' | null;
  /** What somebody set here; null: nobody did. */
  readonly wanted: TuningValue | null;
};
