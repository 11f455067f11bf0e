import { resolve } from 'node:path';
import { z } from 'zod';

const absolute = z.string().regex(/^\//, 'must be a whole path that begins with /');
const componentName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be lower-case letters, digits, dashes and underscores');
const urlPath = z.string().regex(/^\/[^\s?#]*$/, 'must be a path that begins with /, without a query');
const url = z
  .url({ protocol: /^https?$/ })
  .regex(
    /^[hH][tT][tT][pP][sS]?:\/\/[^@?#\\]*$/,
    'must be http:// or https:// without credentials, query and fragment',
  );
/** `status`, or `checks.index.state`: the way to one field of a JSON answer. */
const fieldPath = z.string().regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,7}$/, 'must be names separated by dots');
const word = z.union([z.string().min(1).max(200), z.boolean(), z.number()]);

const health = z
  .strictObject({
    /** Below the URL of the target. */
    path: urlPath.optional(),
    /** For one that answers elsewhere. */
    url: url.optional(),
    /** Without it any 2xx. */
    statuses: z.array(z.int().min(100).max(599)).min(1).max(50).optional(),
    /** A field of the JSON answer that says how it is. */
    field: fieldPath.optional(),
    /** What it says when all is well, and when it answers and is not quite well; anything else is not healthy. */
    healthy: z.array(word).min(1).max(50).optional(),
    degraded: z.array(word).max(50).optional(),
    version_field: fieldPath.optional(),
    /** True there: it is at work, and a recovery point waits for its end as long as it may. */
    busy_field: fieldPath.optional(),
  })
  .refine((one) => one.path === undefined || one.url === undefined, 'names a path and a URL; keep one of them')
  .refine(
    (one) => one.field !== undefined || (one.healthy === undefined && one.degraded === undefined),
    'says what is healthy and not in which field it stands; add field',
  )
  .refine(
    (one) => one.field === undefined || one.healthy !== undefined,
    'names a field and not what it says when all is well; add healthy',
  );

const folder = z.strictObject({
  name: componentName,
  path: absolute,
  /** `replaces`: a finished file is renamed over the old one. `in-place` is the careful default. */
  writer: z.enum(['replaces', 'in-place']).optional(),
  /** Paths below it, with all below them, that stay out of points. */
  leave_out: z
    .array(
      z.string().regex(/^(?!\.{1,2}(\/|$))[^/\0]+(\/(?!\.{1,2}(\/|$))[^/\0]+)*$/, 'must be a path below the folder'),
    )
    .optional(),
});

export const operationWords = ['query', 'search', 'insert', 'admin', 'read', 'llm'] as const;

const operation = z.strictObject({
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  /** Parts in braces are any one part; `/*` at the end is anything below. */
  path: z
    .string()
    .regex(
      /^(\/|(\/([A-Za-z0-9._~-]+|\{[A-Za-z0-9_]+\}))+(\/\*)?|\/\*)$/,
      'must be a path such as /notes/{id} or /files/*, of letters, digits and ._~-',
    )
    .max(300),
  operation: z.enum(operationWords),
  /** Without it inserts and administration write. */
  writes: z.boolean().optional(),
});

/** A backend of one's own: how it shows that it is well, where its data lies, and what its routes do. */
export const customTarget = z.strictObject({
  health: health.optional(),
  folders: z.array(folder).max(50).optional(),
  operations: z.array(operation).max(500).optional(),
});
type CustomTarget = z.infer<typeof customTarget>;

export type CustomHealth = {
  readonly url: string;
  /** Undefined: any 2xx. */
  readonly statuses: readonly number[] | undefined;
  readonly field: string | undefined;
  readonly healthy: readonly (string | number | boolean)[];
  readonly degraded: readonly (string | number | boolean)[];
  readonly versionField: string | undefined;
  readonly busyField: string | undefined;
};

export type CustomFolder = {
  readonly name: string;
  readonly path: string;
  readonly writer: 'replaces' | 'in-place';
  readonly leaveOut: readonly string[];
};

/** One route of the backend, for the gateway. */
export type CustomOperation = {
  readonly method: string;
  readonly path: string;
  readonly operation: (typeof operationWords)[number];
  readonly writes: boolean;
};

export type CustomConfig = {
  readonly health: CustomHealth;
  readonly folders: readonly CustomFolder[];
  readonly operations: readonly CustomOperation[];
};

/** @param targetUrl of the target, without a slash at its end */
export function buildCustom(given: CustomTarget | undefined, targetUrl: string): CustomConfig {
  const { health: wanted = {}, folders = [], operations = [] } = given ?? {};
  return {
    health: {
      url: wanted.url ?? `${targetUrl}${wanted.path ?? '/health'}`,
      statuses: wanted.statuses,
      field: wanted.field,
      healthy: wanted.healthy ?? [],
      degraded: wanted.degraded ?? [],
      versionField: wanted.version_field,
      busyField: wanted.busy_field,
    },
    folders: folders.map(({ name, path, writer = 'in-place', leave_out: leaveOut = [] }) => ({
      ...{ name, path: resolve(path), writer, leaveOut },
    })),
    operations: operations.map(({ writes, ...one }) => ({
      ...one,
      writes: writes ?? (one.operation === 'insert' || one.operation === 'admin'),
    })),
  };
}
