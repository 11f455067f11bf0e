import { join } from 'node:path';
import { createOwnSnapshots, createQdrantRestorer, createQdrantSource, workspaceInPayload } from '../backup/index.ts';
import type { TargetQdrant } from '../config/index.ts';
import type { HttpClient } from '../platform/http-client.ts';
import type { ProtectedStore } from './protected-target.ts';

/** The backend's Qdrant as recovery points see it. */
export function protectQdrant(
  qdrant: TargetQdrant,
  options: {
    /** That the target serves. */
    readonly workspace: string;
    /** All of the target's that are known here. */
    workspaces(): readonly string[];
    readonly http: HttpClient;
    readonly dataDir: string;
  },
): ProtectedStore {
  const { workspace: targetWorkspace, http, dataDir } = options;
  const name = 'qdrant';
  const place = { url: qdrant.url, apiKey: qdrant.apiKey, timeoutMs: qdrant.timeoutMs };
  /** As the backend names a workspace of the target there. */
  const named = (workspace: string): string => (workspace === targetWorkspace ? qdrant.workspace : workspace);
  const inPayload = (workspaces: readonly string[]): string[] => [
    ...new Set(workspaces.map((workspace) => workspaceInPayload(named(workspace)))),
  ];
  const own = createOwnSnapshots(join(dataDir, 'qdrant-snapshots.json'));
  return {
    name,
    kind: 'qdrant',
    source: ({ workspace }) =>
      createQdrantSource({
        ...{ name, http, place, own },
        // What is not told apart by workspace belongs to the whole target.
        named: workspace === undefined ? qdrant.collections : [],
        workspaces: () => inPayload(workspace === undefined ? [targetWorkspace, ...options.workspaces()] : [workspace]),
        only: workspace !== undefined,
      }),
    restorer: createQdrantRestorer({ name, http, place, own, named, folder: join(dataDir, 'qdrant-undo') }),
    holds: (storageClass) => /^Qdrant[A-Z]/.test(storageClass),
  };
}
