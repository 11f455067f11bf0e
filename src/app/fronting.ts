import type { StoredGatewayKey } from '../access/index.ts';
import type { WriteBarrier } from '../backup/index.ts';
import { noBarrier } from '../backup/index.ts';
import type { TargetConfig } from '../config/index.ts';
import {
  createGateway,
  type Gateway,
  type GatewayEvent,
  type GatewayState,
  type Observation,
  type QueryOverrides,
  type QuotaDecision,
} from '../gateway/index.ts';
import type { HealthCheck } from '../health/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { registerGatewayMetrics } from './gateway-metrics.ts';
import { gatewaySettings, gatewayState } from './gateway-state.ts';
import type { Ground } from './ground.ts';

/** What stands before the backend, as the rest of the product sees it. */
export type Fronting = {
  /** Undefined: switched off, or there is nothing to lead to. */
  readonly gateway: Gateway | undefined;
  /** Why there is none. */
  readonly why: string;
  state(): GatewayState;
  /** Keys changed: the gateway gets the whole anew. */
  setKeys(keys: readonly StoredGatewayKey[]): void;
  /** What is added to queries that leave it open changed. */
  setOverrides(overrides: QueryOverrides): void;
  /** The target lives elsewhere now: the gateway leads there. Requests under way end where they began. */
  follow(): void;
  /** @throws AppError `target/unknown`, `gateway/unknown-workspace` */
  requirePlace(targetId: string, workspace: string | null): { targetId: string };
  /** Told of all that passed, in batches, soon after it ended. Must neither wait nor throw. */
  onObservations(listener: (items: readonly Observation[]) => void): void;
  readonly barrier: WriteBarrier;
  readonly checks: readonly HealthCheck[];
};

/** The gateway with what it leads to. Nothing of it runs yet. */
export function createFronting(
  ground: Ground,
  ports: { readonly target: TargetConfig | undefined; readonly quota: QuotaDecision | undefined },
): Fronting {
  const { config, clock, random, logOf, registry } = ground;
  const { target } = ports;
  const log = logOf('gateway');
  const listeners: ((items: readonly Observation[]) => void)[] = [];
  let keys: readonly StoredGatewayKey[] = [];
  let overrides: QueryOverrides | undefined;
  const build = (): GatewayState => gatewayState(config, target, keys, log, overrides);
  let state = build();
  const leadsNowhere = state.upstreams.length + state.providers.length === 0;
  const why = config.gateway.enabled
    ? 'There is nothing that the gateway could lead to: set RAGWARDEN_TARGET_URL, or name providers in gateway.providers.'
    : 'The gateway is switched off by RAGWARDEN_GATEWAY_ENABLED (gateway.enabled).';
  const shared = {
    why,
    state: () => state,
    requirePlace(targetId: string, workspace: string | null) {
      if (targetId !== target?.id)
        throw new AppError('target/unknown', `There is no target "${targetId}". \`ragwarden target list\` shows them.`);
      if (workspace !== null && !state.upstreams.some((one) => one.workspace === workspace))
        throw new AppError(
          'gateway/unknown-workspace',
          `The gateway leads to no workspace "${workspace}". \`target.workspace\` and \`target.endpoints\` name them.`,
        );
      return { targetId };
    },
    onObservations(listener: (items: readonly Observation[]) => void) {
      listeners.push(listener);
    },
  };
  if (!config.gateway.enabled || leadsNowhere)
    return {
      ...shared,
      gateway: undefined,
      setKeys: () => undefined,
      setOverrides: () => undefined,
      follow: () => undefined,
      barrier: noBarrier,
      checks: [],
    };
  const gateway = createGateway({
    settings: gatewaySettings(config),
    state,
    quota: ports.quota,
    observe(items) {
      for (const listener of listeners) listener(items);
    },
    onEvent: (event) => void record(ground, event, log),
    clock,
    random,
    log,
  });
  registerGatewayMetrics(registry, gateway);
  return {
    ...shared,
    gateway,
    setKeys(next) {
      keys = next;
      state = build();
      gateway.update(state);
    },
    setOverrides(next) {
      overrides = next;
      state = build();
      gateway.update(state);
    },
    follow() {
      state = build();
      gateway.update(state);
    },
    barrier: {
      hold: (request) =>
        request.targetId === target?.id
          ? gateway.hold(request)
          : Promise.resolve({ held: false, reason: 'the gateway does not lead to this target' }),
    },
    checks: [gatewayCheck(gateway)],
  };
}

const sentences: { readonly [Kind in GatewayEvent['kind']]: (event: Extract<GatewayEvent, { kind: Kind }>) => string } =
  {
    died: ({ reason, againInMs }) =>
      `The thread of the gateway died (${reason}) and is started again in ${againInMs} ms. Requests under way were cut off.`,
    back: () => 'The gateway listens again.',
    'upstream-down': ({ upstreamId }) => `The gateway cannot reach ${upstreamId}; it tries again now and then.`,
    'upstream-back': ({ upstreamId }) => `The gateway reaches ${upstreamId} again.`,
  };
const types = {
  died: 'gateway.thread-died',
  back: 'gateway.listens-again',
  'upstream-down': 'gateway.upstream-down',
  'upstream-back': 'gateway.upstream-back',
} as const;

async function record({ db, events }: Ground, event: GatewayEvent, log: Logger): Promise<void> {
  const severity = event.kind === 'died' ? 'error' : event.kind === 'upstream-down' ? 'warning' : 'info';
  // The table above has the sentence of this very kind.
  const message = (sentences[event.kind] as (one: GatewayEvent) => string)(event);
  const { kind, ...data } = event;
  try {
    await db.unit((tx) => events.record(tx, { type: types[kind], severity, message, data }));
  } catch (err) {
    log.warn({ err, kind }, 'an event of the gateway could not be written down');
  }
}

/** Our own part: while it is down, whoever goes through it waits. Upstreams are judged by their own checks. */
const gatewayCheck = (gateway: Gateway): HealthCheck => ({
  name: 'gateway',
  about: 'own',
  read() {
    const { phase, worker, atMs } = gateway.lastStatus();
    const seenMs = atMs ?? undefined;
    if (phase !== 'running')
      return { status: 'degraded', message: 'The gateway is being started again; nothing passes.', atMs: seenMs };
    const dropped = worker?.dropped ?? 0;
    if (dropped > 0)
      return {
        status: 'degraded',
        message: `The gateway works, but ${dropped} observations were dropped: what passed is not counted whole.`,
        atMs: seenMs,
        observedValue: dropped,
      };
    return { status: 'healthy', message: 'The gateway listens and passes on what comes.', atMs: seenMs };
  },
});
