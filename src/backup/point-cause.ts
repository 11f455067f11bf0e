/** `safety`: before a restore. `upgrade`: the backend was seen with another version than in the point before. */
export const pointCauses = ['manual', 'scheduled', 'safety', 'upgrade'] as const;
export type PointCause = (typeof pointCauses)[number];
