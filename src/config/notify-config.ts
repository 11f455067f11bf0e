import { resolve } from 'node:path';
import { z } from 'zod';
import type { SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable');
const file = z.string().min(1);
/** Also the value of a label. */
const receiverId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be lower-case letters, digits and dashes');
const httpUrl = z.url({ protocol: /^https?$/ }).regex(/^[hH][tT][tT][pP][sS]?:\/\//);
const labelName = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, 'must be the name of a label');
/** As the reader of matchers in src/notify takes them. */
const matcher = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*!?=[^\r\n]*$/, 'must be LABEL=VALUE or LABEL!=VALUE');

const every = {
  id: receiverId,
  send_resolved: z.boolean().optional(),
  timeout_seconds: z.number().min(1).max(60).optional(),
};
/** The URL of a webhook often is the secret itself. */
const secretUrl = { url: httpUrl.optional(), url_env: variable.optional(), url_file: file.optional() };

const receiverEntry = z.discriminatedUnion('kind', [
  z.strictObject({
    ...every,
    kind: z.literal('webhook'),
    ...secretUrl,
    signing_key_env: variable.optional(),
    signing_key_file: file.optional(),
  }),
  z.strictObject({ ...every, kind: z.literal('slack'), ...secretUrl, channel: z.string().min(1).max(100).optional() }),
  z.strictObject({
    ...every,
    kind: z.literal('email'),
    host: z.string().regex(/^[A-Za-z0-9.:_-]{1,255}$/, 'must be the name or the address of a mail server'),
    port: z.int().min(1).max(65_535).optional(),
    tls: z.enum(['starttls', 'implicit', 'none']).optional(),
    ca_file: file.optional(),
    username: z.string().min(1).max(200).optional(),
    password_env: variable.optional(),
    password_file: file.optional(),
    from: z.string().min(3).max(300),
    to: z.array(z.string().min(3).max(300)).min(1).max(100),
  }),
  z.strictObject({
    ...every,
    kind: z.literal('alertmanager'),
    url: httpUrl,
    bearer_token_env: variable.optional(),
    bearer_token_file: file.optional(),
    username: z.string().min(1).max(200).optional(),
    password_env: variable.optional(),
    password_file: file.optional(),
  }),
]);
type GivenReceiver = z.infer<typeof receiverEntry>;

const steps = z
  .array(z.strictObject({ after_seconds: z.number().min(1).max(2_592_000), receivers: z.array(receiverId).min(1) }))
  .max(10);
const waits = {
  group_by: z.array(labelName).max(20).optional(),
  group_wait_seconds: z.number().min(0).max(86_400).optional(),
  group_interval_seconds: z.number().min(0).max(86_400).optional(),
  repeat_interval_seconds: z.number().min(60).max(31_536_000).optional(),
  escalate: steps.optional(),
};

/** Who is told, and which of them of what. */
export const notifyStructure = z.strictObject({
  receivers: z.array(receiverEntry).max(200).optional(),
  routes: z
    .array(
      z.strictObject({
        matchers: z.array(matcher).min(1).max(50),
        receivers: z.array(receiverId).min(1),
        continue: z.boolean().optional(),
        ...waits,
      }),
    )
    .max(500)
    .optional(),
  default: z
    .strictObject({
      receivers: z.array(receiverId).min(1).optional(),
      group_by: waits.group_by,
      escalate: waits.escalate,
    })
    .optional(),
});
type NotifyStructure = z.infer<typeof notifyStructure>;

/** A file is read whenever it is needed, so that it may be renewed. */
export type NotifySecret = { readonly value: string } | { readonly file: string };

/** Where somebody is told, and how. Holds secrets. */
export type ReceiverConfig = {
  readonly id: string;
  /** Told of the end too. */
  readonly sendResolved: boolean;
  readonly timeoutMs: number;
} & (
  | {
      readonly kind: 'webhook';
      readonly url: NotifySecret;
      /** `whsec_…`; undefined: not signed. */
      readonly signingKey: NotifySecret | undefined;
    }
  | { readonly kind: 'slack'; readonly url: NotifySecret; readonly channel: string | undefined }
  | {
      readonly kind: 'email';
      readonly host: string;
      readonly port: number;
      readonly tls: 'starttls' | 'implicit' | 'none';
      readonly caFile: string | undefined;
      readonly login: { readonly username: string; readonly password: NotifySecret } | undefined;
      readonly from: string;
      readonly to: readonly string[];
    }
  | {
      readonly kind: 'alertmanager';
      readonly url: string;
      readonly auth:
        | { readonly kind: 'none' }
        | { readonly kind: 'bearer'; readonly token: NotifySecret }
        | { readonly kind: 'basic'; readonly username: string; readonly password: NotifySecret };
    }
);

export type RouteConfig = {
  /** `LABEL=VALUE` or `LABEL!=VALUE`, `*` for any run of characters. */
  readonly matchers: readonly string[];
  /** Undefined: every receiver. */
  readonly receivers: readonly string[] | undefined;
  /** Later routes are looked at too. */
  readonly goOn: boolean;
  readonly groupBy: readonly string[];
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatIntervalMs: number;
  readonly escalate: readonly { readonly afterMs: number; readonly receivers: readonly string[] }[];
};

export type NotifyConfig = {
  readonly receivers: readonly ReceiverConfig[];
  readonly routes: readonly RouteConfig[];
  /** What no route takes. */
  readonly fallback: RouteConfig;
  readonly giveUpMs: number;
  /** Of URLs that were set over the API. */
  readonly allowPrivate: boolean;
};

export type NotifyReading = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly problems: Problem[];
};

const loopback = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

export function buildNotify(values: SettingValues, structure: NotifyStructure, reading: NotifyReading): NotifyConfig {
  const given = structure.receivers ?? [];
  const ids = given.map(({ id }) => id);
  for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at)))
    reading.problems.push({
      place: 'notify.receivers',
      message: `the id ${id} is there twice`,
      mend: 'Give each receiver an id of its own.',
    });
  const routeOf = (one: z.infer<z.ZodObject<typeof waits>>): Omit<RouteConfig, 'matchers' | 'receivers' | 'goOn'> => ({
    groupBy: one.group_by ?? structure.default?.group_by ?? ['alertname'],
    groupWaitMs: (one.group_wait_seconds ?? values.notifyGroupWaitSeconds) * 1_000,
    groupIntervalMs: (one.group_interval_seconds ?? values.notifyGroupIntervalSeconds) * 1_000,
    repeatIntervalMs: (one.repeat_interval_seconds ?? values.notifyRepeatIntervalSeconds) * 1_000,
    escalate: (one.escalate ?? structure.default?.escalate ?? []).map(({ after_seconds, receivers }) => ({
      afterMs: after_seconds * 1_000,
      receivers,
    })),
  });
  return {
    receivers: given.map((one) => buildReceiver(one, reading)),
    routes: (structure.routes ?? []).map((one) => ({
      matchers: one.matchers,
      receivers: one.receivers,
      goOn: one.continue ?? false,
      ...routeOf(one),
    })),
    fallback: { matchers: [], receivers: structure.default?.receivers, goOn: false, ...routeOf({}) },
    giveUpMs: values.notifyGiveUpSeconds * 1_000,
    allowPrivate: values.notifyAllowPrivateAddresses,
  };
}

function buildReceiver(given: GivenReceiver, { env, cwd, problems }: NotifyReading): ReceiverConfig {
  const place = `notify.receivers ${given.id}`;
  const complain = (message: string, mend: string): void => {
    problems.push({ place, message, mend });
  };
  /** At most one of the two. */
  const secretOf = (what: string, name: string | undefined, path: string | undefined): NotifySecret | undefined => {
    if (name !== undefined && path !== undefined)
      complain(`${what} is named twice, as a variable and as a file`, 'Name it once.');
    if (path !== undefined) return { file: resolve(cwd, path) };
    if (name === undefined) return undefined;
    const value = env[name] ?? '';
    if (value === '') complain(`names the variable ${name}, which is not set`, `Set ${name}.`);
    return { value };
  };
  const every = {
    id: given.id,
    sendResolved: given.send_resolved ?? true,
    timeoutMs: (given.timeout_seconds ?? 10) * 1_000,
  };
  const urlOf = (one: { url?: string | undefined; url_env?: string | undefined; url_file?: string | undefined }) => {
    const named = secretOf('the URL', one.url_env, one.url_file);
    if ((named === undefined) === (one.url === undefined))
      complain('needs one URL', 'Write url, or name it in url_env or url_file.');
    if (named && 'value' in named && named.value !== '' && !httpUrl.safeParse(named.value).success)
      complain(`the variable ${one.url_env} holds no http:// or https:// URL`, 'Mend it.');
    return named ?? { value: one.url ?? '' };
  };
  const loginOf = (one: {
    username?: string | undefined;
    password_env?: string | undefined;
    password_file?: string | undefined;
  }) => {
    const password = secretOf('the password', one.password_env, one.password_file);
    if ((password === undefined) !== (one.username === undefined))
      complain('has a user name or a password without the other', 'Name both.');
    return password && one.username !== undefined ? { username: one.username, password } : undefined;
  };
  if (given.kind === 'webhook')
    return {
      ...every,
      kind: 'webhook',
      url: urlOf(given),
      signingKey: secretOf('the signing key', given.signing_key_env, given.signing_key_file),
    };
  if (given.kind === 'slack') return { ...every, kind: 'slack', url: urlOf(given), channel: given.channel };
  if (given.kind === 'email') {
    const tls = given.tls ?? 'starttls';
    if (tls === 'none' && !loopback.test(given.host))
      complain(
        `mail to ${given.host} would travel in the open`,
        'Use tls: starttls or implicit; none is for this machine only.',
      );
    return {
      ...every,
      kind: 'email',
      host: given.host,
      port: given.port ?? (tls === 'implicit' ? 465 : tls === 'starttls' ? 587 : 25),
      tls,
      caFile: given.ca_file === undefined ? undefined : resolve(cwd, given.ca_file),
      login: loginOf(given),
      from: given.from,
      to: given.to,
    };
  }
  const token = secretOf('the bearer token', given.bearer_token_env, given.bearer_token_file);
  const login = loginOf(given);
  if (token && login) complain('has a bearer token and a user name', 'Use one of them.');
  return {
    ...every,
    kind: 'alertmanager',
    url: given.url.replace(/\/+$/, ''),
    auth: token ? { kind: 'bearer', token } : login ? { kind: 'basic', ...login } : { kind: 'none' },
  };
}
