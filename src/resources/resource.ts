import { resourceKinds as resourceTypes } from '../config/index.ts';

// Quotas count the same ones, so the file of the settings has the words.
export { resourceTypes };
export type ResourceType = (typeof resourceTypes)[number];

export const resourceStatuses = ['active', 'idle', 'leaked', 'cleaned_up', 'error'] as const;
export type ResourceStatus = (typeof resourceStatuses)[number];

export type ResourceMetadata = Readonly<Record<string, string | number | boolean | null>>;

/** What its holder says of it. */
export type NewResource = {
  readonly id: string;
  readonly type: ResourceType;
  readonly owner: string | null;
  readonly workspaceId: string | null;
  /** The resource that it is a part of. */
  readonly parentId: string | null;
  readonly sizeBytes: number | null;
  /** It is to be gone this long after it was registered, used or not. */
  readonly ttlMs: number | null;
  /** Its holder gives a sign of life at least this often. */
  readonly leaseMs: number | null;
  readonly metadata: ResourceMetadata;
};

/** What a sign of life may change; what is undefined stays. */
export type ResourceChange = {
  readonly sizeBytes?: number | undefined;
  readonly ttlMs?: number | undefined;
  readonly leaseMs?: number | undefined;
};

/** As it is now. Instants are epoch milliseconds of a clock that never jumps. */
export type Resource = NewResource & {
  /** Grows with each registration; where a list goes on. */
  readonly seq: number;
  /** The subject of whoever registered it. */
  readonly registeredBy: string;
  readonly createdAtMs: number;
  /** Used; registering counts as the first use. */
  readonly lastAccessedAtMs: number;
  /** Used, or a sign of life. */
  readonly lastSeenAtMs: number;
  readonly accessCount: number;
  readonly status: ResourceStatus;
  /** Why it could not be freed, as its holder said. */
  readonly error: string | null;
};
