import { z } from 'zod';
import { looksLikeGraphragProject, type TargetConfig } from '../../config/index.ts';
import { describeError } from '../../platform/errors.ts';
import type { HttpResponse } from '../../platform/http-client.ts';
import { type Check, fail, type Outcome, ok, type Subject, skipped, warn } from './check.ts';
import { isLoopbackHost, listeningReach, type Reach } from './listeners.ts';
import { judgeSkew } from './machine.ts';

const answerLimitMs = 5_000;
const greatestAnswerBytes = 4 * 1024 * 1024;

type Backend = { readonly id: string; readonly url: string };

/** The configured backend or, where none is, the one that the running ragwarden of this machine has brought. */
async function findBackends({ config, server }: Subject): Promise<readonly Backend[]> {
  if (config.target) {
    const { id, url, kind } = config.target;
    // These looks are at what a LightRAG server is known to leave open.
    return url === undefined || kind !== 'lightrag' ? [] : [{ id, url: url.replace(/\/+$/, '') }];
  }
  const view = await server;
  if (view.state !== 'running' || !isLoopbackHost(URL.parse(view.api.api)?.hostname ?? '')) return [];
  return view.targets.flatMap(({ id, endpoints }) => endpoints.map(({ url }) => ({ id, url })));
}

/** Always without credentials: what a stranger would be answered. */
const ask = ({ http }: Subject, url: string, signal: AbortSignal): Promise<HttpResponse> =>
  http.request({ url, timeoutMs: answerLimitMs, maxBytes: greatestAnswerBytes, signal });

const whyNoBackend = ({ config: { target } }: Subject): string =>
  target === undefined || target.kind === 'lightrag'
    ? 'no backend is known'
    : `it is what a LightRAG server is known for, and the target is of the kind ${target.kind}`;

type Look = (backend: Backend, subject: Subject, signal: AbortSignal) => Promise<Outcome>;

/** One outcome per backend; what does not answer at all is told by the check of the target alone. */
const perBackend =
  (look: Look): Check['look'] =>
  async (subject, signal) => {
    const backends = await findBackends(subject);
    if (backends.length === 0) return skipped(whyNoBackend(subject));
    return Promise.all(
      backends.map((backend) =>
        look(backend, subject, signal).catch((err: unknown) => {
          signal.throwIfAborted();
          return skipped(describeError(err));
        }),
      ),
    );
  };

/** Whether others than this machine reach it: by what listens here, else by its address. */
async function reachOfBackend({ url }: Backend): Promise<Reach> {
  const { hostname, port, protocol } = new URL(url);
  if (!isLoopbackHost(hostname)) return 'elsewhere';
  const listening = await listeningReach(Number(port || (protocol === 'https:' ? 443 : 80)));
  // In a container its host's listeners are not seen, and neither is a forwarded port's other end.
  return listening === undefined || listening === 'nobody' ? 'this machine' : listening;
}

type Protection =
  | { readonly kind: 'open' }
  | { readonly kind: 'asks'; readonly for: string }
  | { readonly kind: 'unknown' };

const authStatus = z.looseObject({ auth_mode: z.string().optional() });

/** A cheap route that LightRAG protects is asked for, since its own word on its mode does not know of the API key. */
async function lookAtProtection(backend: Backend, subject: Subject, signal: AbortSignal): Promise<Protection> {
  const { status } = await ask(subject, `${backend.url}/documents/pipeline_status`, signal);
  if (status === 401) return { kind: 'asks', for: 'a login' };
  if (status === 403) return { kind: 'asks', for: 'an API key' };
  if (status < 400) return { kind: 'open' };
  const told = authStatus.safeParse(await jsonOf(ask(subject, `${backend.url}/auth-status`, signal)));
  return told.data?.auth_mode === 'enabled' ? { kind: 'asks', for: 'a login' } : { kind: 'unknown' };
}

const jsonOf = async (answer: Promise<HttpResponse>): Promise<unknown> => {
  try {
    return (await answer).json();
  } catch {
    // No such route, or no JSON: nothing is told.
    return undefined;
  }
};

export const targetExposureCheck: Check = {
  id: 'target-exposure',
  what: 'target access',
  look: perBackend(async (backend, subject, signal) => {
    const [protection, reach] = await Promise.all([
      lookAtProtection(backend, subject, signal),
      reachOfBackend(backend),
    ]);
    if (protection.kind === 'asks') return ok(`${backend.url} asks for ${protection.for}`);
    if (protection.kind === 'unknown') return skipped(`${backend.url} does not answer as a LightRAG server does`);
    return reach === 'this machine'
      ? ok(`${backend.url} answers everybody, and only this machine reaches it`)
      : fail(
          `${backend.url} answers without credentials and can be reached from elsewhere: whoever does may read, add and delete every document`,
          'Set LIGHTRAG_API_KEY (or AUTH_ACCOUNTS with TOKEN_SECRET) for the backend, or HOST=127.0.0.1, and restart it.',
        );
  }),
};

/** LightRAG's default `WHITELIST_PATHS=/health,/api/*` leaves its Ollama routes open although a key is set. */
export const whitelistCheck: Check = {
  id: 'target-whitelist',
  what: 'target /api/*',
  look: perBackend(async (backend, subject, signal) => {
    const [{ status }, protection, reach] = await Promise.all([
      // Of the same family as /api/chat, and it neither calls the model nor changes anything.
      ask(subject, `${backend.url}/api/tags`, signal),
      lookAtProtection(backend, subject, signal),
      reachOfBackend(backend),
    ]);
    if (status === 401 || status === 403) return ok(`${backend.url}/api/* asks for credentials`);
    if (status >= 400) return ok(`${backend.url} has no /api/* routes (HTTP ${status})`);
    if (protection.kind !== 'asks') return skipped('the whole backend is open; see target access');
    const what = `${backend.url}/api/* answers without credentials although the rest asks for them: whoever reaches it can have /api/chat and /api/generate read the knowledge graph out to them and spend your model budget`;
    const mend = 'Set WHITELIST_PATHS=/health in the backend’s .env and restart it.';
    return reach === 'this machine' ? warn(`${what}; only this machine reaches it`, mend) : fail(what, mend);
  }),
};

export const targetClockCheck: Check = {
  id: 'target-clock',
  what: 'target clock',
  look: perBackend(async (backend, subject, signal) => {
    // The first answer opens the connection, so that the second one measures the clock and not the way.
    await ask(subject, `${backend.url}/health`, signal);
    const askedMs = Date.now();
    const { headers } = await ask(subject, `${backend.url}/health`, signal);
    const told = Date.parse(headers.date ?? '');
    if (Number.isNaN(told)) return skipped(`${backend.url} does not tell the time`);
    return judgeSkew(told, [askedMs, Date.now()]);
  }),
};

/** Asked for only where no ragwarden runs that has looked already. */
const healthUrlOf = ({ url, kind, custom }: TargetConfig): string | undefined =>
  url === undefined
    ? undefined
    : (custom?.health.url ?? `${url.replace(/\/+$/, '')}${kind === 'graphrag' ? '/api/health' : '/health'}`);

const kindWords = {
  settings: 'as the settings say',
  detected: 'as its folder or its section of the settings file shows; target.kind says otherwise',
  default: 'since nothing says otherwise; target.kind does',
} as const;

/** What ragwarden takes the target for decides what it looks at and what it asks. */
export const targetKindCheck: Check = {
  id: 'target-kind',
  what: 'target kind',
  look: async ({ config: { target } }) =>
    target === undefined ? skipped('no target is configured') : ok(`${target.kind}, ${kindWords[target.kindFrom]}`),
};

export const targetAnswersCheck: Check = {
  id: 'target',
  what: 'target',
  async look(subject, signal) {
    const view = await subject.server;
    if (view.state === 'running') {
      if (view.targets.length === 0)
        return warn('none is configured', 'Set RAGWARDEN_TARGET_URL and WORKING_DIR, or start with `ragwarden up`.');
      return view.targets.map((target) => {
        const what = `target ${target.id}`;
        const reasons = target.reasons.map((one) => one.message).join(' ');
        if (target.status === 'HEALTHY')
          return ok(
            target.endpoints.length === 0
              ? 'a GraphRAG project, and all is well with it'
              : `${target.kind ?? 'a backend'} answers`,
            what,
          );
        return target.status === 'OFFLINE'
          ? fail(`it does not answer. ${reasons}`, 'Start it, or check RAGWARDEN_TARGET_URL and WORKING_DIR.', what)
          : warn(`${target.status}. ${reasons}`, 'ragwarden target inspect', what);
      });
    }
    const { target } = subject.config;
    if (!target)
      return warn('none is configured; `ragwarden up` brings the sample', 'Set RAGWARDEN_TARGET_URL and WORKING_DIR.');
    const what = `target ${target.id}`;
    const url = healthUrlOf(target);
    if (url === undefined) {
      const { workingDir = '' } = target;
      return looksLikeGraphragProject(workingDir)
        ? ok(`${workingDir} is a GraphRAG project`, what)
        : fail(
            `${workingDir} is no GraphRAG project: it has no settings.yaml with prompts, input or output beside it`,
            'Check WORKING_DIR, or run `graphrag init` there.',
            what,
          );
    }
    try {
      const { status } = await ask(subject, url, signal);
      const isGood =
        target.custom?.health.statuses?.includes(status) ?? (status < 400 || status === 401 || status === 403);
      return isGood
        ? ok(`${url} answers (HTTP ${status})`, what)
        : warn(`${url} answers with HTTP ${status}`, 'Is it the address of a RAG backend? Look into its log.', what);
    } catch (err) {
      signal.throwIfAborted();
      return fail(describeError(err), 'Start it, or check RAGWARDEN_TARGET_URL.', what);
    }
  },
};
