import { resolve } from 'node:path';
import { z } from 'zod';
import type { Origins } from './read-config.ts';
import type { SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';
import type { TargetStructure } from './target-config.ts';

const url = z
  .url({ protocol: /^https?$/ })
  .regex(
    /^[hH][tT][tT][pP][sS]?:\/\/[^@?#\\]*$/,
    'must be http:// or https:// without credentials, query and fragment',
  );
const variable = z
  .string()
  .regex(/^(?!RAGWARDEN_)[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable that is none of ours');
const keyReference = { api_key_env: variable.optional(), api_key_file: z.string().min(1).optional() };

/** A further process of the backend that the gateway leads to; the target's own `url` is the first. */
export const endpointEntry = z.strictObject({
  workspace: z.string().regex(/^[A-Za-z0-9_]+$/, 'may hold letters, digits and underscores only'),
  url,
  ...keyReference,
  /** Requests below it go there, without it. */
  path_prefix: z
    .string()
    .regex(/^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/, 'must be a path such as /site-a, without a slash at its end')
    .refine((path) => path !== '/llm' && !path.startsWith('/llm/'), '/llm is the door of the providers')
    .optional(),
  hosts: z
    .array(z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'must be a host name in lower case, without a port'))
    .optional(),
});

/** A provider of models that the gateway leads to, at `/llm/<id>`. */
const providerEntry = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes'),
  url,
  api: z.enum(['openai', 'ollama']),
  ...keyReference,
});

export const gatewayStructure = z.strictObject({ providers: z.array(providerEntry).optional() });
type GatewayStructure = z.infer<typeof gatewayStructure>;

/** A file is read whenever it is needed, so that it may be renewed. */
export type NamedKey = { readonly value: string } | { readonly file: string };

export type EndpointConfig = {
  readonly workspace: string;
  readonly url: string;
  readonly apiKey: NamedKey | undefined;
  readonly pathPrefix: string | undefined;
  readonly hosts: readonly string[];
};
export type ProviderConfig = {
  readonly id: string;
  readonly url: string;
  readonly api: 'openai' | 'ollama';
  readonly apiKey: NamedKey | undefined;
};

export type GatewayConfig = {
  readonly enabled: boolean;
  readonly host: string;
  readonly port: number;
  readonly requireKey: boolean;
  readonly whileHeld: 'wait' | 'refuse';
  readonly queryOverrides: boolean;
  readonly answerTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  readonly drainMs: number;
  readonly providers: readonly ProviderConfig[];
};

type Reference = { readonly api_key_env?: string | undefined; readonly api_key_file?: string | undefined };
type Reading = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly problems: Problem[];
};

function keyOf(reference: Reference, place: string, { env, cwd, problems }: Reading): NamedKey | undefined {
  const { api_key_env: name, api_key_file: file } = reference;
  if (name !== undefined && file !== undefined)
    problems.push({ place, message: 'names a variable and a file for one key', mend: 'Keep one of them.' });
  if (file !== undefined) return { file: resolve(cwd, file) };
  if (name === undefined) return undefined;
  const value = env[name] ?? '';
  if (value === '')
    problems.push({ place, message: `names the variable ${name}, which is not set`, mend: `Set ${name}.` });
  else if (/[\p{Cc}\p{Cs}]/u.test(value))
    problems.push({
      place,
      message: `the variable ${name} holds control characters`,
      mend: `Set ${name} to one line.`,
    });
  return { value };
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost']);
const withoutSlash = (text: string): string => text.replace(/\/+$/, '');

/** @param own what the target itself serves */
export function buildEndpoints(
  given: TargetStructure['endpoints'],
  own: { readonly workspace: string },
  reading: Reading,
): readonly EndpointConfig[] {
  const { problems } = reading;
  const place = 'target.endpoints';
  const workspaces = new Set([own.workspace]);
  const prefixes = new Set<string>();
  const names = new Set<string>();
  const once = (seen: Set<string>, value: string, what: string): void => {
    if (seen.has(value))
      problems.push({ place, message: `${what} ${value} is there twice`, mend: 'Give each its own.' });
    seen.add(value);
  };
  return (given ?? []).map((entry) => {
    once(workspaces, entry.workspace, 'the workspace');
    if (entry.path_prefix !== undefined) once(prefixes, entry.path_prefix, 'the path prefix');
    for (const host of entry.hosts ?? []) once(names, host, 'the host');
    return {
      workspace: entry.workspace,
      url: withoutSlash(entry.url),
      apiKey: keyOf(entry, place, reading),
      pathPrefix: entry.path_prefix,
      hosts: entry.hosts ?? [],
    };
  });
}

export function buildGateway(
  values: SettingValues,
  given: GatewayStructure,
  target:
    | { readonly apiKey: unknown; readonly username: unknown; readonly endpoints?: readonly EndpointConfig[] }
    | undefined,
  origins: Origins,
  reading: Reading,
): GatewayConfig {
  const { problems } = reading;
  const place = 'gateway.providers';
  const ids = new Set<string>();
  const providers = (given.providers ?? []).map((entry): ProviderConfig => {
    if (ids.has(entry.id))
      problems.push({ place, message: `the id ${entry.id} is there twice`, mend: 'Give each its own.' });
    ids.add(entry.id);
    const { id, api } = entry;
    return { id, api, url: withoutSlash(entry.url), apiKey: keyOf(entry, place, reading) };
  });
  // Without a key of its own the backend answers whoever reaches it, and so far only this machine could.
  const isOpen =
    target !== undefined &&
    ((target.apiKey === undefined && target.username === undefined) ||
      (target.endpoints ?? []).some(({ apiKey }) => apiKey === undefined));
  if (values.gatewayEnabled && !loopback.has(values.gatewayHost) && isOpen && !values.gatewayRequireKey)
    problems.push({
      place: origins.gatewayHost.place,
      message: `listening on ${values.gatewayHost} would open a backend without a key of its own to everybody`,
      mend: 'Set gateway.require_key, or give the backend a key and name it in LIGHTRAG_API_KEY.',
    });
  return {
    enabled: values.gatewayEnabled,
    host: values.gatewayHost,
    port: values.gatewayPort,
    requireKey: values.gatewayRequireKey,
    whileHeld: values.gatewayWhileHeld,
    queryOverrides: values.gatewayQueryOverrides,
    answerTimeoutMs: values.gatewayAnswerTimeoutSeconds * 1_000,
    idleTimeoutMs: values.gatewayIdleTimeoutSeconds * 1_000,
    headersTimeoutMs: values.gatewayHeadersTimeoutSeconds * 1_000,
    connectTimeoutMs: values.gatewayConnectTimeoutSeconds * 1_000,
    maxConnections: values.gatewayMaxConnections,
    maxBodyBytes: values.gatewayMaxBodyBytes,
    drainMs: values.gatewayDrainSeconds * 1_000,
    providers,
  };
}
