import { z } from 'zod';

/** One graph of a checkpoint, and the verified point that stands for it. */
export const checkpointGraph = z.object({
  graphId: z.string(),
  targetId: z.string(),
  workspace: z.string(),
  pointId: z.string(),
  takenMs: z.number(),
  /** It is pinned for a checkpoint alone. What somebody pinned himself, before or since, keeps its pin. */
  pinnedHere: z.boolean().optional(),
  /** Its point is about to be pinned. What a kill left so is pinned by the schedule. */
  pinning: z.boolean().optional(),
});
export type CheckpointGraph = z.infer<typeof checkpointGraph>;

/** What the drills of its points proved when it was validated last. */
export const checkpointValidation = z.object({
  valid: z.boolean(),
  drills: z.array(
    z.object({
      pointId: z.string(),
      drillId: z.string().nullable(),
      verdict: z.string(),
      reasons: z.array(z.string()),
    }),
  ),
});
export type CheckpointValidation = z.infer<typeof checkpointValidation>;

/** `scheduled`: made by itself, and given up again when enough newer ones are there. */
export const checkpointCauses = ['manual', 'scheduled'] as const;
export type CheckpointCause = (typeof checkpointCauses)[number];

/** A named set of verified points, one per graph, that are kept, validated and used together. */
export type Checkpoint = {
  readonly id: string;
  readonly cause: CheckpointCause;
  readonly description: string;
  readonly graphs: readonly CheckpointGraph[];
  readonly metadata: Readonly<Record<string, z.core.util.JSONType>>;
  /** Every point was restored in a drill, and every drill passed. */
  readonly validated: boolean;
  readonly validatedMs: number | null;
  readonly validation: CheckpointValidation | null;
  readonly createdBy: string;
  readonly createdMs: number;
};

/** Every point once, in the order of the graphs. */
export const pointsOf = ({ graphs }: Pick<Checkpoint, 'graphs'>): string[] => [
  ...new Set(graphs.map(({ pointId }) => pointId)),
];
