import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { env, setting } from './setting.ts';
import { decimal, flag, wholeNumber } from './value-parsers.ts';

const absolute = z.string().min(1).refine(isAbsolute, 'must be an absolute path');

/** Processes that are looked at beside ragwarden's own and the backend's: what names one comes from the file alone. */
export const resourcesStructure = z.strictObject({
  processes: z
    .array(
      z
        .strictObject({
          name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes'),
          pid_file: absolute.optional(),
          port: z.int().min(1).max(65_535).optional(),
          command: z.string().min(3).max(200).optional(),
          temporary_folder: absolute.optional(),
        })
        .refine(
          (one) => [one.pid_file, one.port, one.command].filter((sign) => sign !== undefined).length === 1,
          'takes one of pid_file, port and command',
        ),
    )
    .max(50)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'each takes a name of its own')
    .optional(),
});
export type ResourcesStructure = z.infer<typeof resourcesStructure>;

/** A process by one of three signs. */
export type WatchedProcess = {
  readonly name: string;
  readonly pidFile: string | undefined;
  readonly port: number | undefined;
  readonly command: string | undefined;
  readonly temporaryFolder: string | undefined;
};

export const buildWatchedProcesses = ({ processes = [] }: ResourcesStructure): readonly WatchedProcess[] =>
  processes.map((one) => ({
    ...{ name: one.name, pidFile: one.pid_file, port: one.port, command: one.command },
    temporaryFolder: one.temporary_folder,
  }));

/** What programs register, and how it is looked after. */
export const resourceSettings = {
  leakCheckIntervalSeconds: setting({
    key: 'resources.leak_check_interval_seconds',
    env: env('RAGWARDEN_LEAK_CHECK_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 60,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two searches for registered resources without a live owner.',
  }),
  observeEnabled: setting({
    key: 'resources.observe_enabled',
    env: env('RAGWARDEN_OBSERVE_LEAKS'),
    parser: flag,
    fallback: true,
    about: 'Whether processes and databases are looked at for leaks that nobody tells.',
  }),
  observeIntervalSeconds: setting({
    key: 'resources.observe_interval_seconds',
    env: env('RAGWARDEN_OBSERVE_INTERVAL'),
    parser: decimal(1, 300),
    fallback: 30,
    unit: 'seconds',
    runtime: true,
    about:
      'Time between two looks at what processes and databases hold: a read of /proc each, and a query each. Judged every quarter of an hour, by the lowest of it.',
  }),
  orphanCheckIntervalSeconds: setting({
    key: 'resources.orphan_check_interval_seconds',
    env: env('RAGWARDEN_ORPHAN_CHECK_INTERVAL'),
    parser: decimal(1, 604_800),
    fallback: 3_600,
    unit: 'seconds',
    runtime: true,
    about:
      'Time between two searches for what belongs to nothing any more in the stores of a target; a database compares its tables for it.',
  }),
  trackedResources: setting({
    key: 'resources.max_tracked',
    env: env('RAGWARDEN_MAX_TRACKED_RESOURCES'),
    parser: wholeNumber(1, 10_000_000),
    fallback: 100_000,
    runtime: true,
    about:
      'Most resources that are tracked at once, in memory, about 600 bytes each; beyond them registering is refused.',
  }),
  resourceCleanupIntervalSeconds: setting({
    key: 'resources.cleanup_interval_seconds',
    env: env('RAGWARDEN_RESOURCE_CLEANUP_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 300,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two sweeps of leaked resources; nothing runs while nothing leaks.',
  }),
} as const;
