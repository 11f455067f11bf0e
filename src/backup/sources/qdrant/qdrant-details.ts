import { z } from 'zod';

/** What the manifest keeps of captured collections, for their restorer. Version 1; readers refuse newer ones. */
export const qdrantDetails = z.object({
  version: z.literal(1),
  qdrant_version: z.string(),
  collections: z.array(
    z.object({
      name: z.string().min(1),
      /** Which store of LightRAG it is; null: a collection that the settings name, which goes back whole. */
      store: z.enum(['vdb_chunks', 'vdb_entities', 'vdb_relationships']).nullable(),
      stream: z.string(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      bytes: z.number(),
      /** Points in all, whoever's. */
      points: z.number(),
      /** Of each workspace of the target, as the payload names it. */
      workspaces: z.record(z.string(), z.number()),
      aliases: z.array(z.string()),
    }),
  ),
});
export type QdrantDetails = z.infer<typeof qdrantDetails>;
export type CapturedCollection = QdrantDetails['collections'][number];
