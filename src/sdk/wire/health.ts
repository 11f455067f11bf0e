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
};
