import { join } from 'node:path';
import {
  createCommandRestorer,
  createCommandSource,
  createSqliteRestorer,
  createSqliteSource,
} from '../backup/index.ts';
import type { DumpCommand } from '../config/index.ts';
import type { ChildProcesses } from '../platform/child-processes/index.ts';
import { systemSearchPath } from '../platform/child-processes/index.ts';
import type { ProtectedStore } from './protected-target.ts';

/** A database file of the target; nobody can tell apart what in it belongs to one workspace. */
export const protectSqlite = ({ name, path }: { readonly name: string; readonly path: string }): ProtectedStore => ({
  name,
  kind: 'sqlite',
  source: ({ workspace }) => (workspace === undefined ? createSqliteSource({ name, path }) : undefined),
  restorer: createSqliteRestorer({ path }),
  holds: () => false,
});

/** A program that dumps something of the target, and one that takes it back. */
export function protectCommand(
  command: DumpCommand,
  options: {
    readonly children: ChildProcesses;
    readonly dataDir: string;
    /** What a program gets of our own environment. */
    readonly environment: Readonly<Record<string, string>>;
  },
): ProtectedStore {
  const { name, restore } = command;
  const environment = { PATH: systemSearchPath, ...options.environment };
  return {
    name,
    kind: 'command',
    source: ({ workspace }) => (workspace === undefined ? createCommandSource(command, { environment }) : undefined),
    restorer:
      restore === undefined
        ? undefined
        : createCommandRestorer(
            { ...command, restore },
            { children: options.children, environment, folder: join(options.dataDir, 'command-undo') },
          ),
    holds: (storageClass) => command.holds?.includes(storageClass) ?? false,
  };
}
