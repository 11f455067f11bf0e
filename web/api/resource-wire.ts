/** The answers about resources, leaks and orphans, as the API's description has them. */

export type ObservedLeak = {
  subject: string;
  measure: string;
  level: 'suspected' | 'confirmed';
  severity: string;
  confidence: number;
  suspected_at: string;
  unit: 'bytes' | 'count';
  growth_per_hour: number;
  closest_harmless_story: string | null;
  description: string;
  suggested_action: string;
};

export type RegisteredLeak = {
  resource_id: string;
  severity: string;
  description: string;
  suggested_action: string;
};

export type Leaks = { items: RegisteredLeak[]; total: number; observed: ObservedLeak[] };

export type ObservedSeries = {
  subject: string;
  measure: string;
  unit: 'bytes' | 'count';
  value: number | null;
  floors: number;
  level: 'none' | 'suspected' | 'confirmed';
};

export type Evidence = ObservedSeries & { points: { at: string; value: number; up_seconds: number }[] };

export type ResourceSummary = {
  total_resources: number;
  max_tracked: number;
  total_leaks: number;
  resources_by_type: Record<string, number>;
  leaks_by_type: Record<string, number>;
};

export type OrphanSearch = {
  searched_at: string | null;
  complete: boolean;
  why: string | null;
  total: number;
  total_bytes: number;
  items: {
    workspace: string;
    kind: string;
    place: string;
    count: number;
    bytes: number | null;
    removable: boolean;
    reason: string;
  }[];
};
