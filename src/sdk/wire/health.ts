import type { HealthVerdict } from './health-dashboard.ts';

export type HealthBody = {
  readonly status: 'healthy' | 'degraded' | 'unhealthy' | 'critical' | 'unknown';
  readonly timestamp: string;
  /** For admins only. */
  readonly checks?: readonly {
    readonly name: string;
    readonly about: 'watched' | 'own';
    readonly status: string;
    readonly message: string;
    /** When it was looked at; null when never. */
    readonly time: string | null;
    readonly observedValue?: number | string;
    readonly observedUnit?: string;
  }[];
  /** For admins only, like all that follows. */
  readonly reasons?: readonly { readonly check: string; readonly status: string; readonly message: string }[];
  readonly can_answer?: HealthVerdict;
  readonly can_ingest?: HealthVerdict;
  /** Where the backend keeps stores in a PostgreSQL. */
  readonly database?: {
    readonly connected: boolean | null;
    readonly extensions?: { readonly vector: string | null; readonly age: string | null };
    readonly message: string;
  };
};
