import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

type Schema = {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly enum?: readonly unknown[];
  readonly propertyNames?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
};
type Operation = {
  readonly parameters?: readonly { readonly name: string; readonly schema: Schema }[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: Schema }>> }>>;
};

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
/** The generated description; `test/docs.test.ts` holds it to the server, whose answers are checked against it. */
const described = JSON.parse(read('docs/openapi.json')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};
const shapes = read('test/fixtures/document-shapes.txt')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [route = '', fields = ''] = line.split(' | ');
    return { route, fields };
  });
/** What is told on purpose in another way, as docs/http.md has it for whoever comes from the documents. */
const told = [...read('docs/http.md').matchAll(/^\| `([A-Z]+ \/\S+)` \| (`.+`) \| .+ \|$/gm)].map(
  ([, route = '', fields = '']) => ({ route, fields: [...fields.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one) }),
);

/** Only for admins, only where it is known, or only when something is wrong; each is in a test of its route. */
const sometimes = [
  /^GET \/api\/v1\/monitoring\/system disk\.data_dir/,
  /^GET \/api\/v1\/monitoring\/health (checks\.\w+\.percent|metrics)$/,
  /^GET \/api\/v1\/backup\/(status|history) error$/,
  /^GET \/health database/,
  /^GET \/api\/v1\/metrics\/performance message$/,
  // A condition of absence has none.
  /^GET \/api\/v1\/metrics\/alerts\/rules threshold$/,
];

/** `a, b{c, d{*{e}}}` as `a`, `b`, `b.c`, `b.d`, `b.d.*`, `b.d.*.e`. */
function pathsOf(fields: string): string[] {
  const paths: string[] = [];
  const within: string[] = [];
  for (const [, name = '', sign] of fields.matchAll(/([\w*]*)\s*([{},]|$)/g)) {
    if (name !== '') paths.push([...within, name].join('.'));
    if (sign === '{') within.push(name);
    if (sign === '}') within.pop();
  }
  return paths;
}

/** The alternatives that a schema is, those that lists hold among them. */
function alternatives(schema: Schema): readonly Schema[] {
  if (schema.$ref !== undefined)
    return alternatives(described.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {});
  const parts = [
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
    ...(schema.allOf ?? []),
    ...(schema.items ? [schema.items] : []),
  ];
  return [schema, ...parts.flatMap(alternatives)];
}

/** What stands at a path, and whether it is always there; undefined: nothing does. */
function find(schema: Schema, path: readonly string[]): { schema: Schema; always: boolean } | undefined {
  const [name = '', ...rest] = path;
  if (path.length === 0) return { schema, always: true };
  for (const one of alternatives(schema)) {
    const map = typeof one.additionalProperties === 'object' ? one.additionalProperties : undefined;
    const inner = name === '*' ? map : (one.properties?.[name] ?? map);
    const found = inner && find(inner, rest);
    if (found) return { ...found, always: found.always && (name === '*' || (one.required ?? []).includes(name)) };
  }
  return undefined;
}

function answersOf(route: string): Schema[] {
  const [method = '', path = ''] = route.split(' ');
  const operation = described.paths[path]?.[method.toLowerCase()];
  expect(operation, `${route} is described`).toBeDefined();
  return Object.entries(operation?.responses ?? {}).flatMap(([status, { content = {} }]) =>
    status.startsWith('2') ? Object.values(content).map(({ schema }) => schema) : [],
  );
}

function isThere(route: string, field: string): boolean {
  for (const schema of answersOf(route))
    for (const path of [field.split('.'), ['items', ...field.split('.')]]) {
      const found = find(schema, path);
      if (found) return found.always || sometimes.some((one) => one.test(`${route} ${field}`));
    }
  return false;
}

describe('the answers that the documents show', () => {
  test('are read as they are written', () => {
    expect(pathsOf('a, b{c, d{*{e}}}, f')).toEqual(['a', 'b', 'b.c', 'b.d', 'b.d.*', 'b.d.*.e', 'f']);
    expect(shapes.length).toBeGreaterThan(75);
    expect(isThere('GET /api/v1/backup/status', 'no_such_field')).toBe(false);
    expect(isThere('GET /api/v1/backup/status', 'backup_count')).toBe(true);
  });

  test.each(shapes)('have each of their fields, or it is told what stands instead: $route', ({ route, fields }) => {
    const missing = pathsOf(fields).filter((field) => !isThere(route, field));
    expect(missing).toEqual(told.find((one) => one.route === route)?.fields ?? []);
  });

  test('are told to be otherwise only where they are', () => {
    expect(told.length).toBeGreaterThan(3);
    expect(told.filter(({ route }) => !shapes.some((one) => one.route === route))).toEqual([]);
  });
});

const metrics = '/api/v1/metrics';
const copies = '/api/v1/backup-replication';
const ofResources = [
  ...['memory', 'file_handle', 'network_connection', 'database_connection', 'async_task', 'thread', 'process'],
  ...['cache', 'lock', 'temporary_file'],
];

/** Route, field or parameter, and each word of the documents that it may say. */
const words: readonly (readonly [string, string, readonly string[]])[] = [
  [`GET ${metrics}/resources/leaks`, 'resource_type', ofResources],
  [`GET ${metrics}/resources/leaks`, 'severity', ['low', 'medium', 'high', 'critical']],
  [`GET ${metrics}/resources/leaks`, 'resource_info.status', ['active', 'idle', 'leaked', 'cleaned_up', 'error']],
  [`GET ${metrics}/definitions`, 'type', ['counter', 'gauge', 'histogram', 'timer', 'rate']],
  [
    `GET ${metrics}/definitions`,
    'category',
    ['system', 'performance', 'business', 'security', 'reliability', 'resource', 'user', 'agent'],
  ],
  [`GET ${metrics}/query`, 'aggregation', ['sum', 'average', 'min', 'max', 'p50', 'p95', 'p99', 'count']],
  [`GET ${metrics}/alerts/rules`, 'condition', ['gt', 'lt', 'eq', 'gte', 'lte']],
  [`GET ${metrics}/alerts/rules`, 'severity', ['info', 'warning', 'error', 'critical']],
  [`GET ${metrics}/quotas`, 'quotas.*.quota_type', ['hard', 'soft', 'burst', 'dynamic']],
  [`GET ${metrics}/quotas`, 'quotas.*.period', ['second', 'minute', 'hour', 'day', 'week', 'month', 'forever']],
  [`GET ${metrics}/quotas`, 'quotas.*.action', ['block', 'warn', 'throttle', 'queue', 'escalate']],
  [
    `GET ${metrics}/cleanup/tasks`,
    'trigger_type',
    ['scheduled', 'threshold_based', 'manual', 'event_driven', 'health_check'],
  ],
  [`GET ${metrics}/cleanup/tasks`, 'priority', ['low', 'medium', 'high', 'critical']],
  [
    `GET ${metrics}/analytics/patterns`,
    'pattern_type',
    ['gradual_growth', 'periodic_spikes', 'memory_leak', 'underutilization'],
  ],
  [
    `GET ${metrics}/analytics/recommendations`,
    'optimization_type',
    ['cleanup', 'quota_adjustment', 'scheduling', 'caching', 'pooling', 'compression', 'architecture'],
  ],
  [`GET ${metrics}/analytics/recommendations`, 'priority', ['low', 'medium', 'high', 'critical']],
  [`GET ${metrics}/analytics/recommendations`, 'implementation_effort', ['low', 'medium', 'high']],
  ['GET /api/v1/backup/status', 'status', ['idle', 'scheduled', 'running', 'error']],
  [
    `GET ${copies}/backup/graphs/{graph_id}/snapshots`,
    'status',
    ['pending', 'in_progress', 'completed', 'failed', 'archived', 'restored'],
  ],
  [`GET ${copies}/replication/targets`, 'status', ['healthy', 'degraded', 'unreachable', 'unknown']],
  [`GET ${copies}/replication/logs`, 'status', ['pending', 'in_progress', 'completed', 'failed', 'validated']],
  [`GET ${copies}/replication/logs`, 'operation_type', ['sync', 'validate', 'health_check']],
  [`GET ${copies}/recovery/health`, 'graphs.*.status', ['healthy', 'degraded', 'offline', 'unknown']],
  ['GET /api/v1/health-dashboard/graphs/{graph_id}/status', 'status', ['HEALTHY', 'DEGRADED', 'OFFLINE']],
  ['POST /api/system/config/validate', 'config_type', ['provider', 'graphrag', 'workspace', 'all']],
];

test.each(words)('%s may say each word of the documents as %s', (route, field, wanted) => {
  const said = answersOf(route).flatMap((schema) =>
    [field.split('.'), ['items', ...field.split('.')]].flatMap((path) => {
      const found = find(schema, path);
      return found ? alternatives(found.schema).flatMap((one) => one.enum ?? []) : [];
    }),
  );
  const [method = '', path = ''] = route.split(' ');
  const asked = (described.paths[path]?.[method.toLowerCase()]?.parameters ?? [])
    .filter(({ name }) => name === field)
    .flatMap(({ schema }) => alternatives(schema).flatMap((one) => one.enum ?? []));
  expect(wanted.filter((word) => ![...said, ...asked].includes(word))).toEqual([]);
});
