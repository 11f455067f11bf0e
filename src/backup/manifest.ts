import { z } from 'zod';
import { auditReportSchema } from '../targets/index.ts';
import { pointCauses } from './point-cause.ts';

const proof = z.object({ grade: z.enum(['consistent', 'crash-consistent', 'fuzzy']), reasons: z.array(z.string()) });

const component = z.object({
  /** Becomes part of paths, and a manifest comes out of a repository: nothing in it may lead elsewhere. */
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/),
  kind: z.enum(['files', 'postgres', 'redis', 'qdrant', 'sqlite', 'config', 'command']),
  /** Name of the file beside the manifest that lists every entry, one JSON line each. */
  entries_file: z.string().regex(/^entries\/[a-z0-9][a-z0-9_-]{0,62}\.jsonl$/),
  entries_sha256: z.string(),
  /** Digest over the whole tree; see docs/formats/recovery-point.md. */
  tree_sha256: z.string(),
  files: z.number(),
  bytes: z.number(),
  /** How many of the files are stored unfolded, and what that takes; absent: none. */
  unfolded: z.object({ files: z.number(), bytes: z.number() }).optional(),
  /** Snapshots of their own, found by the tags `rp:<id>` and `stream:<component>.<name>` and by their tree. */
  streams: z
    .array(
      z.object({
        name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/),
        bytes: z.number(),
        sha256: z.string().nullable(),
        tree: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .optional(),
  /** Rows per store, as the source counted them in what it captured. */
  counts: z.record(z.string(), z.number()).optional(),
  /** What of it belongs to each workspace; only where the target has several. */
  workspaces: z
    .record(z.string(), z.object({ files: z.number(), bytes: z.number(), tree_sha256: z.string() }))
    .optional(),
  /** How long its capture took, in milliseconds. */
  duration_ms: z.number().optional(),
  partial: z.boolean(),
  proof,
  skipped: z.array(z.object({ path: z.string(), reason: z.string(), loss: z.boolean() })),
  damaged: z.array(z.object({ path: z.string(), reason: z.string() })),
  notes: z.array(z.string()),
  restore: z.union([
    z.object({
      by: z.literal('folder-swap'),
      folder: z.string(),
      keep: z.array(z.object({ name: z.string(), reason: z.string() })),
    }),
    z.object({ by: z.literal('restorer'), details: z.record(z.string(), z.json()) }),
    z.object({ by: z.literal('by-hand'), reason: z.string() }),
  ]),
});

/**
 * The commit record of a recovery point: the last file of its last snapshot. A point exists when this exists.
 * Version 2 (streams of databases, one workspace alone, files stored unfolded: a reader of version 1 would miss all three); version 1 is read too, newer ones are refused.
 */
export const manifestSchema = z.object({
  format: z.literal('ragwarden-recovery-point'),
  version: z.union([z.literal(1), z.literal(2)]),
  id: z.string(),
  target: z.object({
    id: z.string(),
    kind: z.string(),
    core_version: z.string().nullable(),
    api_version: z.string().nullable(),
    workspaces: z.array(z.string()),
    storage_classes: z.record(z.string(), z.string()),
    embedding_model: z.string().nullable(),
    embedding_dimension: z.number().nullable(),
  }),
  scope: z.enum(['target', 'workspace']),
  /** Only with scope `workspace`; the unnamed one is ''. */
  workspace: z.string().optional(),
  cause: z.enum(pointCauses),
  /** ISO 8601 UTC: the moment of the capture. */
  taken_at: z.string(),
  grade: z.enum(['consistent', 'crash-consistent', 'fuzzy']),
  reasons: z.array(z.string()),
  /** Absent in version 1, where nothing could hold inserts. */
  barrier: z.object({ held: z.boolean(), held_ms: z.number().nullable(), reason: z.string().nullable() }).optional(),
  partial: z.boolean(),
  /** Of all components, in units of 1024 × 1024 bytes, rounded to three places. */
  total_size_mb: z.number(),
  components: z.array(component),
  /** Components that the target has and this point has not, each with the reason. */
  missing: z.array(z.object({ name: z.string(), reason: z.string() })),
  documents: z.record(z.string(), z.number()).nullable(),
  /** Rows per store as the inspector counted them in the captured files. */
  counts: z.record(z.string(), z.number()).nullable(),
  /** What refers to what across the stores, wherever they lie. Absent in earlier manifests, and where nothing was read. */
  content_audit: auditReportSchema.optional(),
  /** By store of the audit: the component from which it was read. Absent: all were files of `workspace`. */
  content_stores: z.record(z.string(), z.string()).optional(),
  /** What was wrong with the captured files: torn, empty or foreign ones, and what of the audit is no passing state. As above. */
  content_faults: z.array(z.object({ code: z.string(), severity: z.string(), message: z.string() })).optional(),
  /** What whoever asked for the point said of it. */
  metadata: z.record(z.string(), z.json()).optional(),
  audit: z.object({
    seq: z.number(),
    hash: z.string(),
    /** Which trail that is the head of: the hash of its first entry. Absent in points of before. */
    trail: z.string().optional(),
  }),
  warden_version: z.string(),
  /**
   * Points that bear a later date than this one, and were there before it: of the two clocks one was wrong. Absent in manifests of
   * earlier versions, which say nothing of it.
   */
  taken_after: z.array(z.string()).optional(),
  /** Absent in manifests of earlier versions, as is the next. ISO 8601 UTC. */
  started_at: z.string().optional(),
  operation_id: z.string().nullable().optional(),
});

/** Whether this is a manifest that a later ragwarden wrote: it is no damage, and this one must not guess what it holds. */
export const isNewerManifest = (written: unknown): boolean => newerSchema.safeParse(written).success;

const newerSchema = z.object({ format: manifestSchema.shape.format, version: z.number().gt(2) });

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestComponent = z.infer<typeof component>;

export const manifestFile = 'manifest.json';

/** The bytes of a manifest as stored; the same value always gives the same bytes. */
export const renderManifest = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`;
