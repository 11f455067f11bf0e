import { createRedisSource } from '../backup/index.ts';
import type { TargetRedis } from '../config/index.ts';
import type { ProtectedStore } from './protected-target.ts';

/** The backend's Redis as recovery points see it. */
export function protectRedis(redis: TargetRedis, targetWorkspace: string): ProtectedStore {
  /** As its keys name a workspace of the target. */
  const named = (workspace: string): string => (workspace === targetWorkspace ? redis.workspace : workspace);
  return {
    name: 'redis',
    kind: 'redis',
    source: ({ workspace }) =>
      createRedisSource({
        name: 'redis',
        url: redis.url,
        mode: redis.capture,
        prefixes: redis.prefixes,
        workspace: named(workspace ?? targetWorkspace),
        only: workspace !== undefined,
      }),
    restorer: undefined,
    holds: (storageClass) => /^Redis[A-Z]/.test(storageClass),
  };
}
