import { z } from 'zod';
import { customTarget } from './custom-target.ts';
import { endpointEntry } from './gateway-config.ts';
import type { Problem } from './settings-file.ts';

const argumentList = z.array(z.string().min(1)).min(1);

/** One way to stop or start the backend. Comes from the file only: it names a program. */
export const lifecycleStep = z.union(
  [
    z.strictObject({ command: argumentList }),
    z.strictObject({ systemd: z.string().regex(/^[A-Za-z0-9@._-]+$/, 'must be the name of a systemd unit') }),
    z.strictObject({ webhook: z.url({ protocol: /^https?$/ }).regex(/^[hH][tT][tT][pP][sS]?:\/\//) }),
  ],
  { error: 'must be {command: [program, argument, …]}, {systemd: unit} or {webhook: URL}' },
);
export type LifecycleStep = z.infer<typeof lifecycleStep>;

const absolute = z.string().regex(/^\//, 'must be a whole path that begins with /');

/** Becomes the name of a component in recovery points. */
const componentName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be lower-case letters, digits, dashes and underscores');

/** A database file that is captured while it is in use. */
export const sqliteFile = z.strictObject({ name: componentName, path: absolute });

/** Whatever has a dump and is not known here: the program's standard output is what goes into a point. */
export const dumpCommand = z.strictObject({
  name: componentName,
  dump: argumentList,
  /** Gets the dump on its standard input. Without it a dump goes back by hand. */
  restore: argumentList.optional(),
  /** Gets the dump on its standard input in every drill, and ends with 0 where it is good. */
  check: argumentList.optional(),
  /** Storage classes of the backend that the dump holds, so that they do not count as missing. */
  holds: z.array(z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/, 'must be the name of a storage class')).optional(),
  /** A dump, a restore or a check that takes longer is ended and has failed. */
  timeout_seconds: z.number().min(1).max(604_800).optional(),
  /** `NAME=value` lines, for what must not stand in an argument list. */
  environment_file: absolute.optional(),
  /** The operator's word, shown as such: it may run while the backend does; its output is of one moment. */
  online: z.boolean().optional(),
  consistent: z.boolean().optional(),
});
export type DumpCommand = z.infer<typeof dumpCommand>;

/** A second place that the target can be brought up at. Its login is that of the first. */
const standbyEntry = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .regex(
      /^[hH][tT][tT][pP][sS]?:\/\/[^@?#\\]*$/,
      'must be http:// or https:// without credentials, query and fragment',
    ),
  /** Where its key is another than that of the target. */
  api_key_env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable')
    .optional(),
  working_dir: absolute,
  input_dir: absolute.optional(),
  lifecycle: z.strictObject({ stop: lifecycleStep, start: lifecycleStep }).optional(),
  zone: z.string().min(1).max(100).optional(),
  /** Components that both places use where they are, such as a database with a high availability of its own. */
  shared: z.array(componentName).optional(),
});
export type StandbyStructure = z.infer<typeof standbyEntry>;

/** What of a target cannot be said in one scalar; the scalars are in settings.ts. */
export const targetStructure = z.strictObject({
  lifecycle: z.strictObject({ stop: lifecycleStep, start: lifecycleStep }).optional(),
  paths: z.record(absolute, absolute).optional(),
  drill_check_command: argumentList.optional(),
  sqlite: z.array(sqliteFile).optional(),
  commands: z.array(dumpCommand).optional(),
  endpoints: z.array(endpointEntry).optional(),
  custom: customTarget.optional(),
  standby: standbyEntry.optional(),
});
export type TargetStructure = z.infer<typeof targetStructure>;

/** Components that every target has, or may have. */
const takenNames = new Set([
  'workspace',
  'project',
  'inputs',
  'database',
  'redis',
  'qdrant',
  'config',
  'ragwarden-state',
]);

/** Two components of one name could not be told apart in a point. */
export function findNameProblems({ sqlite = [], commands = [], custom }: TargetStructure): Problem[] {
  const seen = new Set<string>();
  const named = [
    ...sqlite.map(({ name }) => ['sqlite', name]),
    ...commands.map(({ name }) => ['commands', name]),
    ...(custom?.folders ?? []).map(({ name }) => ['custom.folders', name]),
  ];
  return named.flatMap(([key = '', name = '']) => {
    const place = `target.${key}`;
    if (takenNames.has(name))
      return [{ place, message: `${name} is the name of a component of ragwarden’s own`, mend: 'Take another name.' }];
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [{ place, message: `the name ${name} is there twice`, mend: 'Give each a name of its own.' }];
  });
}
