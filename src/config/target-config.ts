import { z } from 'zod';

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

/** What of a target cannot be said in one scalar; the scalars are in settings.ts. */
export const targetStructure = z.strictObject({
  lifecycle: z.strictObject({ stop: lifecycleStep, start: lifecycleStep }).optional(),
  paths: z.record(absolute, absolute).optional(),
  drill_check_command: argumentList.optional(),
});
export type TargetStructure = z.infer<typeof targetStructure>;

/** Keys that hold more than one value; the schema above reads them. */
export const structuredKeys: ReadonlySet<string> = new Set([
  'target.lifecycle',
  'target.paths',
  'target.drill_check_command',
]);
