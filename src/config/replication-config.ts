import { resolve } from 'node:path';
import { z } from 'zod';
import type { SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';
import {
  findNamedCredentials,
  findNamedSecret,
  namedCredentials,
  type StoreCredentials,
  type StoreSecret,
  variableName,
} from './store-credentials.ts';

const replicaId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes');
const zone = z.string().min(1).max(100);
const replicaEntry = z
  .strictObject({
    id: replicaId,
    name: z.string().min(1).max(200).optional(),
    /** A repository, as BACKUP_DIR takes it and elsewhere. */
    location: z.string().min(1).max(2_000).optional(),
    /** Another ragwarden. */
    base_url: z.url({ protocol: /^https?$/ }).optional(),
    api_key_env: variableName.optional(),
    api_key_file: z.string().min(1).optional(),
    credentials: namedCredentials.optional(),
    password_file: z.string().min(1).optional(),
    ca_file: z.string().min(1).optional(),
    zone: zone.optional(),
    offline: z.boolean().optional(),
    enabled: z.boolean().optional(),
    limit_kib_per_second: z.int().min(0).max(100_000_000).optional(),
    max_concurrent: z.int().min(1).max(20).optional(),
  })
  .refine((one) => (one.location === undefined) !== (one.base_url === undefined), 'needs a location or a base_url');

/** Where points are copied to, and how many copies there shall be. */
export const replicationStructure = z.strictObject({
  targets: z
    .array(replicaEntry)
    .max(100)
    .refine((list) => new Set(list.map(({ id }) => id)).size === list.length, 'names one id twice')
    .optional(),
  placement: z
    .strictObject({
      /** Repositories that hold the newest point, the first one counted. */
      copies: z.int().min(1).max(100).optional(),
      zones: z.int().min(1).max(100).optional(),
      /** One of the copies lies where nobody reaches it by wire. */
      offline: z.boolean().optional(),
      /** Where the repository itself lies. */
      zone: zone.optional(),
      within_seconds: z.number().min(0).max(31_536_000).optional(),
      offline_within_seconds: z.number().min(0).max(315_360_000).optional(),
    })
    .optional(),
});
type ReplicationStructure = z.infer<typeof replicationStructure>;

export type ReplicaConfig = {
  readonly id: string;
  readonly name: string;
  readonly place: { readonly location: string } | { readonly baseUrl: string };
  readonly apiKey: StoreSecret | undefined;
  /** By the name of the variable that the tool reads. */
  readonly credentials: StoreCredentials;
  /** Undefined: the password of the repository that is copied from. */
  readonly passwordFile: string | undefined;
  /** Certificates that vouch for it, instead of those that the system trusts. */
  readonly caFile: string | undefined;
  readonly zone: string | null;
  readonly offline: boolean;
  readonly enabled: boolean;
  /** KiB per second; undefined: as the setting says. */
  readonly limitKiB: number | undefined;
  /** It is begun while fewer places are worked on; undefined: as the setting says. */
  readonly maxConcurrent: number | undefined;
};

export type PlacementConfig = {
  readonly copies: number;
  readonly zones: number;
  readonly offline: boolean;
  readonly zone: string | null;
  /** How old a point may be before the rule asks for it. */
  readonly withinMs: number;
  readonly offlineWithinMs: number;
};

export type ReplicationConfig = {
  readonly enabled: boolean;
  readonly checkIntervalMs: number;
  readonly intervalMs: number;
  readonly maxTargets: number;
  readonly maxConcurrent: number;
  readonly limitKiB: number;
  readonly verifyIntervalMs: number;
  readonly verifyPercent: number;
  readonly keepForgottenMs: number;
  readonly receive: {
    readonly enabled: boolean;
    readonly maxBytes: number;
    readonly totalBytes: number;
    readonly keep: number;
  };
  /** Of targets that name none. */
  readonly caFile: string | undefined;
  readonly targets: readonly ReplicaConfig[];
  /** Undefined: nothing is asked for. */
  readonly placement: PlacementConfig | undefined;
};

export function buildReplication(
  values: SettingValues,
  structure: ReplicationStructure,
  { env, cwd, problems }: { env: Readonly<Record<string, string | undefined>>; cwd: string; problems: Problem[] },
): ReplicationConfig {
  const given = structure.targets ?? [];
  if (given.length > values.replicationMaxTargets)
    problems.push({
      place: 'replication.targets',
      message: `${given.length} targets are more than replication.max_targets allows (${values.replicationMaxTargets})`,
      mend: 'Name fewer, or raise it.',
    });
  const { placement } = structure;
  const caFile = values.replicationCaFile === undefined ? undefined : resolve(cwd, values.replicationCaFile);
  return {
    enabled: values.replicationEnabled,
    checkIntervalMs: values.replicationCheckIntervalSeconds * 1_000,
    intervalMs: values.replicationIntervalSeconds * 1_000,
    maxTargets: values.replicationMaxTargets,
    maxConcurrent: values.replicationMaxConcurrent,
    limitKiB: values.replicationLimitKiB,
    verifyIntervalMs: values.replicationVerifyIntervalSeconds * 1_000,
    verifyPercent: values.replicationVerifyPercent,
    keepForgottenMs: values.replicationKeepForgottenDays * 86_400_000,
    receive: {
      enabled: values.replicationReceive,
      maxBytes: values.replicationReceiveMaxBytes,
      totalBytes: values.replicationReceiveTotalBytes,
      keep: values.replicationReceiveKeep,
    },
    caFile,
    targets: given.map((one) => buildReplica(one, { env, cwd, problems, caFile })),
    placement: placement && {
      copies: placement.copies ?? 1,
      zones: placement.zones ?? 1,
      offline: placement.offline ?? false,
      zone: placement.zone ?? null,
      withinMs: (placement.within_seconds ?? 3_600) * 1_000,
      offlineWithinMs: (placement.offline_within_seconds ?? 8 * 86_400) * 1_000,
    },
  };
}

function buildReplica(
  given: z.infer<typeof replicaEntry>,
  shared: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly cwd: string;
    readonly problems: Problem[];
    readonly caFile: string | undefined;
  },
): ReplicaConfig {
  const { env, cwd, problems } = shared;
  const place = `replication.targets ${given.id}`;
  const around = { env, cwd, problems };
  const apiKey = findNamedSecret(place, { name: given.api_key_env, file: given.api_key_file }, around);
  if (given.base_url !== undefined && apiKey === undefined)
    problems.push({
      place,
      message: 'needs the key of the other ragwarden',
      mend: 'Name it in api_key_env or api_key_file.',
    });
  return {
    id: given.id,
    name: given.name ?? given.id,
    place: given.base_url === undefined ? { location: given.location ?? '' } : { baseUrl: given.base_url },
    apiKey,
    credentials: findNamedCredentials(place, given.credentials ?? {}, around),
    passwordFile: given.password_file === undefined ? undefined : resolve(cwd, given.password_file),
    caFile: given.ca_file === undefined ? shared.caFile : resolve(cwd, given.ca_file),
    zone: given.zone ?? null,
    offline: given.offline ?? false,
    enabled: given.enabled ?? true,
    limitKiB: given.limit_kib_per_second,
    maxConcurrent: given.max_concurrent,
  };
}
