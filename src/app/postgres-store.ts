import {
  createPostgresRestorer,
  createPostgresSource,
  defaultDatabase,
  defaultUser,
  type PostgresConnection,
} from '../backup/index.ts';
import type { TargetDatabase } from '../config/index.ts';
import type { ChildProcesses } from '../platform/child-processes/index.ts';
import type { ProtectedStore } from './protected-target.ts';

/** The backend's PostgreSQL as a store of the target: one component, captured and restored by its own slice of backup. */
export function protectPostgres(
  postgres: TargetDatabase,
  options: {
    readonly workspace: string;
    readonly dump: 'database' | 'lightrag';
    /** All of it is the target's. */
    readonly whole: boolean;
    readonly children: ChildProcesses;
  },
): ProtectedStore {
  const { dump, children, whole } = options;
  const name = 'database';
  const connection = connectionOf(postgres);
  /** As its rows name a workspace of the target. */
  const named = (workspace: string): string =>
    workspace === options.workspace ? (postgres.workspace ?? workspace) : workspace;
  return {
    name,
    kind: 'postgres',
    source: ({ workspace }) =>
      createPostgresSource({
        name,
        connection,
        children,
        dump,
        workspace: workspace === undefined ? undefined : named(workspace),
        ...(whole ? { whole } : { auditWorkspace: named(workspace ?? options.workspace) }),
      }),
    restorer: createPostgresRestorer({ connection, children, named, whole }),
    holds: (storageClass) => /^PG[A-Z]/.test(storageClass),
  };
}

/** Where nothing is said, what LightRAG itself takes. */
export const connectionOf = (postgres: TargetDatabase): PostgresConnection => ({
  host: postgres.host,
  port: postgres.port,
  user: postgres.user ?? defaultUser,
  password: postgres.password,
  database: postgres.database ?? defaultDatabase,
  ...(postgres.tls ? { tls: postgres.tls } : {}),
});
