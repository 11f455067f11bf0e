import { createRedisRestorer, createRedisSource } from '../backup/index.ts';
import type { TargetRedis } from '../config/index.ts';
import type { ChildProcesses } from '../platform/child-processes/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { ProtectedStore } from './protected-target.ts';

/** The backend's Redis as recovery points see it. */
export function protectRedis(
  redis: TargetRedis,
  options: { readonly workspace: string; readonly children: ChildProcesses; readonly clock: Clock },
): ProtectedStore {
  const { workspace: targetWorkspace, children, clock } = options;
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
    restorer: createRedisRestorer({ url: redis.url, workspace: redis.workspace, named, children, clock }),
    holds: (storageClass) => /^Redis[A-Z]/.test(storageClass),
  };
}
