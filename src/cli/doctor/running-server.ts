import { createServer } from 'node:net';
import { describeError, isAppError, systemCode } from '../../platform/errors.ts';
import {
  backupStatusAnswer,
  growthAnswer,
  healthAnswer,
  pageOf,
  read,
  repositoryAnswer,
  targetAnswer,
} from '../answers.ts';
import type { ApiClient } from '../api-client.ts';
import { ServerRefusal } from '../exit-code.ts';
import { formatBytes, plural } from '../format.ts';
import { type Check, fail, type Outcome, ok, type ServerView, skipped, warn } from './check.ts';
import { isLoopbackHost, listeningReach } from './listeners.ts';
import { judgeSkew } from './machine.ts';

const callLimitMs = 6_000;

/** Asks the running server once for what the checks need. Never throws. */
export async function viewServer(open: () => Promise<ApiClient>): Promise<ServerView> {
  let api: ApiClient;
  try {
    api = await open();
  } catch (err) {
    // Nobody has left an address there: that is no fault.
    return isAppError(err) && err.code === 'server/unreachable' ? { state: 'absent' } : refused(err);
  }
  try {
    const call = (path: string): Promise<unknown> => api.call(path, { timeoutMs: callLimitMs });
    const [health, targets, backup] = await Promise.all([
      call('/health'),
      call('/api/v1/targets'),
      call('/api/v1/backup/status').then(
        (answer) => read(backupStatusAnswer, answer),
        (err: unknown) => {
          if (err instanceof ServerRefusal && ['feature/disabled', 'target/unknown'].includes(err.code))
            return { refused: err.detail };
          throw err;
        },
      ),
    ]);
    return {
      state: 'running',
      api,
      health: read(healthAnswer, health),
      targets: read(pageOf(targetAnswer), targets).items,
      backup,
    };
  } catch (err) {
    return refused(err);
  }
}

const refused = (err: unknown): ServerView => ({
  state: 'refused',
  detail: isAppError(err) || err instanceof ServerRefusal ? err.detail : describeError(err),
});

export const serverCheck: Check = {
  id: 'server',
  what: 'server',
  async look({ server }) {
    const view = await server;
    switch (view.state) {
      case 'running':
        return ok(`it answers at ${view.api.api}: ${view.health.status}`);
      case 'absent':
        return skipped('none is running, so only this machine was looked at');
      case 'refused':
        return fail(
          view.detail,
          'Check RAGWARDEN_URL and RAGWARDEN_TOKEN, or run this as the user who runs ragwarden.',
        );
    }
  },
};

/** The server tells its own time in its health; another machine's may differ. */
export const serverClockCheck: Check = {
  id: 'server-clock',
  what: 'server clock',
  async look({ server }) {
    const view = await server;
    if (view.state !== 'running') return skipped('no server was asked');
    if (isLoopbackHost(new URL(view.api.api).hostname)) return skipped('the server is on this machine');
    const askedMs = Date.now();
    const { timestamp } = read(healthAnswer, await view.api.call('/health', { timeoutMs: callLimitMs }));
    return judgeSkew(Date.parse(timestamp), [askedMs, Date.now()]);
  },
};

/** What others than this machine can reach, and whether it asks them who they are. */
export const exposureCheck: Check = {
  id: 'exposure',
  what: 'own ports',
  async look({ server, http }, signal) {
    const view = await server;
    if (view.state !== 'running') return skipped('none is open while no server runs');
    const { status } = await http.request({
      url: `${view.api.api}/api/v1/targets`,
      timeoutMs: callLimitMs,
      maxBytes: 1024 * 1024,
      signal,
    });
    if (status < 400)
      return fail(
        `${view.api.api} answers a stranger (HTTP ${status}); something before it adds credentials`,
        'Look at the reverse proxy: it must pass on what the caller sent and nothing else.',
      );
    const { hostname, port, protocol } = new URL(view.api.api);
    if (!isLoopbackHost(hostname) && protocol === 'http:')
      return warn(
        `${view.api.api} is reached from elsewhere without TLS: tokens can be read on the way`,
        'Put a reverse proxy with TLS before it, and listen on 127.0.0.1.',
      );
    const reach = await listeningReach(Number(port || 443));
    return reach === 'elsewhere'
      ? warn(
          `port ${port} is open to other machines without TLS; it asks for a token, which can be read on the way`,
          'Listen on 127.0.0.1 (RAGWARDEN_HOST) with a reverse proxy that has TLS before it.',
        )
      : ok('a stranger is refused, and only this machine reaches the API');
  },
};

export const backupsCheck: Check = {
  id: 'backups',
  what: 'backups',
  async look({ server }) {
    const view = await server;
    if (view.state !== 'running') return skipped('a running server knows');
    const { backup } = view;
    if ('refused' in backup) return warn(backup.refused, 'Nothing is protected while that is so.');
    if (!backup.available)
      return fail(backup.unavailable_reason ?? 'they are unavailable', 'Mend that, then: ragwarden backup create');
    return backup.rpo.met
      ? ok('a verified point meets the objective')
      : warn(backup.error ?? 'no verified point meets the objective', 'ragwarden backup create');
  },
};

/** A point that was taken before says nothing about the repository of today: its disk may be away, its password another one. */
export const repositoryCheck: Check = {
  id: 'repository',
  what: 'repository now',
  async look({ server }) {
    const view = await server;
    if (view.state !== 'running' || 'refused' in view.backup || !view.backup.available)
      return skipped('a running server with backups knows');
    const repository = read(repositoryAnswer, await view.api.call('/api/v1/repository', { timeoutMs: callLimitMs }));
    const at = `${repository.location}: ${repository.state}${repository.reason === null ? '' : `, ${repository.reason}`}`;
    if (repository.state !== 'ok')
      return fail(
        at,
        repository.state === 'unavailable'
          ? 'ragwarden repo status'
          : `ragwarden explain repository/${repository.state}`,
      );
    const [warning] = repository.warnings;
    return warning === undefined ? ok(`${repository.location} opens`) : warn(warning, 'ragwarden repo status');
  },
};

export const recoveryKitCheck: Check = {
  id: 'recovery-kit',
  what: 'recovery kit',
  async look({ server }) {
    const view = await server;
    if (view.state !== 'running' || 'refused' in view.backup) return skipped('a running server with backups knows');
    const kit = view.backup.warnings.find((warning) => warning.includes('recovery kit'));
    return kit === undefined
      ? ok('somebody has confirmed that it is kept elsewhere')
      : warn(kit, 'ragwarden backup kit > kit.txt, keep it elsewhere, then: ragwarden backup kit --confirm');
  },
};

/** From this share of its cap on a kind is worth a look. */
const nearCap = 0.8;

/** What ragwarden itself keeps, each kind against its cap, as the server last measured it. */
export const ownGrowthCheck: Check = {
  id: 'own-growth',
  what: 'own growth',
  async look({ server }) {
    const view = await server;
    if (view.state !== 'running') return skipped('a running server knows');
    const { items } = read(
      pageOf(growthAnswer),
      await view.api.call('/api/v1/system/growth', { timeoutMs: callLimitMs }),
    );
    const shown = (amount: number, unit: string): string =>
      unit === 'bytes' ? formatBytes(amount) : `${amount} ${unit}`;
    // Only what was measured and is bounded can be near its end. The fullest first: the list is long, and the rest is in `growth`.
    const bounded = items
      .flatMap(({ used, cap, ...one }) => (used === null || cap === null ? [] : [{ ...one, used, cap }]))
      .sort((one, other) => other.used / other.cap - one.used / one.cap);
    const line = ({ kind, used, cap, unit }: (typeof bounded)[number]): string =>
      `${kind} ${shown(used, unit)} of ${shown(cap, unit)}`;
    const over = bounded.filter(({ used, cap }) => used > cap);
    const near = bounded.filter(({ used, cap }) => used <= cap && used >= cap * nearCap).map(line);
    if (over.length > 0)
      return warn(
        `above the cap: ${over.map(line).join(', ')}`,
        `ragwarden growth; the caps: ${over.map(({ setting }) => setting).join(', ')}`,
      );
    const all = `${plural(items.length, 'kind')} of records, each below its cap`;
    if (near.length > 0) return ok(`${all}; nearest: ${near.join(', ')}`);
    const [fullest] = bounded;
    return ok(fullest === undefined ? 'nothing was measured yet' : `${all}; fullest: ${line(fullest)}`);
  },
};

/** Only while no server runs, which would hold them itself. */
export const portsCheck: Check = {
  id: 'ports',
  what: 'port',
  async look({ config, server }) {
    if ((await server).state !== 'absent') return skipped('the server holds them');
    return [
      await tryPort(config.server.host, config.server.port, 'port', 'RAGWARDEN_PORT'),
      ...(config.metrics.enabled
        ? [
            await tryPort(
              config.server.host,
              config.metrics.port,
              'metrics port',
              'LIGHTRAG_METRICS_PORT',
              !config.metrics.portChosen,
            ),
          ]
        : []),
      ...(config.gateway.enabled
        ? [await tryPort(config.gateway.host, config.gateway.port, 'gateway port', 'RAGWARDEN_GATEWAY_PORT')]
        : []),
    ];
  },
};

/** @param optional the server starts without it when it is taken */
async function tryPort(host: string, port: number, what: string, setting: string, optional = false): Promise<Outcome> {
  if (port === 0) return ok('any free one', what);
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, resolve);
    });
    return ok(`${port} on ${host} is free`, what);
  } catch (err) {
    const code = systemCode(err);
    const detail =
      code === 'EADDRINUSE'
        ? `${port} on ${host} is taken`
        : `${port} on ${host} cannot be used (${code ?? 'unknown error'})`;
    return optional
      ? warn(`${detail}; metrics are then on the API port only`, `Set ${setting} to another.`, what)
      : fail(detail, `Stop what holds it, or set ${setting} to another.`, what);
  } finally {
    server.close();
  }
}
