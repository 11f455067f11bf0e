import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { StoredGatewayKey } from '../access/index.ts';
import { writeSecretFile } from '../access/index.ts';
import { type ConfigReading, requireConfig } from '../config/index.ts';
import { createGateway } from '../gateway/index.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { AppError, systemCode } from '../platform/errors.ts';
import { systemRandom } from '../platform/ids.ts';
import { createLifecycle } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler } from '../platform/reconciler.ts';
import { createGatewayAloneQuotas } from './gateway-alone-quotas.ts';
import { gatewaySettings, gatewayState } from './gateway-state.ts';

const keySchema = z.object({
  id: z.string(),
  digest: z.string(),
  subject: z.string(),
  targetId: z.string(),
  workspace: z.string().nullable(),
  label: z.string(),
  createdMs: z.number(),
  expiresMs: z.number().nullable(),
  revokedMs: z.number().nullable(),
  lastUsedMs: z.number().nullable(),
});

/** Digests of the keys that open something, for a gateway in a process of its own; written by the process that has the state. */
const keysFile = (dataDir: string): string => join(dataDir, 'gateway-keys.json');

/**
 * Never throws: the state has the keys, and the next change writes them again. A process that has a gateway of its own
 * only keeps a file true that is there: a revoked key must not open anything because the file is an old one.
 */
export async function writeKeysFile(
  dataDir: string,
  keys: readonly StoredGatewayKey[],
  log: Logger,
  { onlyIfThere = false }: { onlyIfThere?: boolean } = {},
): Promise<void> {
  try {
    if (onlyIfThere && !existsSync(keysFile(dataDir))) return;
    await writeSecretFile(keysFile(dataDir), JSON.stringify(keys));
  } catch (err) {
    log.error({ err }, 'the keys could not be written down for a gateway in a process of its own');
  }
}

export type GatewayAlone = {
  start(): Promise<{ readonly gateway: string }>;
  stop(reason: string): Promise<void>;
};

const lookMs = 1_000;

/**
 * The gateway in a process of its own, beside one with the state whose own gateway is off: the same settings, and the keys
 * that the other writes into the data folder. It takes no lock there; quotas are asked in the same ledger, traffic is not
 * counted, and no recovery point holds it back.
 * @throws AppError `config/invalid` when the settings are not right, or name nothing to lead to
 */
export function createGatewayAlone(options: { reading: ConfigReading; log: Logger; clock?: Clock }): GatewayAlone {
  const { log } = options;
  const clock = options.clock ?? systemClock;
  const config = requireConfig(options.reading);
  const state = (keys: readonly StoredGatewayKey[]) => gatewayState(config, config.target, keys, log);
  const nothing = state([]);
  if (nothing.upstreams.length + nothing.providers.length === 0)
    throw new AppError(
      'config/invalid',
      'There is nothing to lead to: set RAGWARDEN_TARGET_URL, or name providers in gateway.providers.',
    );
  const lifecycle = createLifecycle(log);
  const quotas = createGatewayAloneQuotas({ config, clock, random: systemRandom, log });
  const gateway = createGateway({
    settings: gatewaySettings(config),
    state: nothing,
    quota: quotas.decision,
    observe: quotas.observe,
    onEvent: (event) => log[event.kind === 'died' ? 'error' : 'info']({ ...event }, 'the gateway'),
    clock,
    random: systemRandom,
    log,
  });
  let told: string | undefined;
  let isMissed = false;
  const keys = createReconciler({
    name: 'gateway keys',
    intervalMs: lookMs,
    clock,
    log,
    async run() {
      const text = await readFile(keysFile(config.dataDir), 'utf8').catch((err: unknown) => {
        if (systemCode(err) === 'ENOENT') return undefined;
        throw err;
      });
      if (text === undefined && !isMissed)
        log.warn(
          { path: keysFile(config.dataDir) },
          told === undefined
            ? 'no keys are written down, so none opens anything: run `ragwarden serve` with RAGWARDEN_GATEWAY_ENABLED=false on this data folder'
            : 'the keys that were written down are gone; those that were read last go on',
        );
      isMissed = text === undefined;
      // A data folder that went away takes nobody's access away; whoever revokes a key writes the file.
      if (text === undefined || text === told) return;
      gateway.update(state(z.array(keySchema).parse(JSON.parse(text))));
      told = text;
    },
  });
  return {
    async start() {
      await lifecycle.begin(quotas.part);
      await lifecycle.begin(gateway);
      await lifecycle.begin(keys);
      await keys.runOnce();
      return { gateway: gateway.url() };
    },
    stop: (reason) => lifecycle.stop(reason),
  };
}
