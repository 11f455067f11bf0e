import type { RecoveryPoint } from './point.ts';
import { leftOutPrefix } from './selection.ts';

/** What the target has and the point lacks, parts and parts of parts; what was left out as asked is not missed. */
export const countMissing = ({ manifest }: Pick<RecoveryPoint, 'manifest'>): number =>
  manifest === null
    ? 0
    : manifest.missing.filter(({ reason }) => !reason.startsWith(leftOutPrefix)).length +
      manifest.components.filter(({ partial }) => partial).length;
