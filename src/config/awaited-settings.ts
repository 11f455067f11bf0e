import { env, setting } from './setting.ts';
import { decimal } from './value-parsers.ts';

/** Read, checked and shown, so that a deployment can be written whole; the part named in `awaits` gives them their effect. */
export const awaitedSettings = {
  checkpointIntervalSeconds: setting({
    key: 'recovery.checkpoint_interval_seconds',
    env: env({ name: 'LIGHTRAG_RECOVERY_CHECKPOINT_INTERVAL', perUnit: 3600 }),
    parser: decimal(60, 31_536_000),
    fallback: 43_200,
    unit: 'seconds',
    awaits: 'recovery',
    about: 'Time between two checkpoints of all graphs.',
  }),
} as const;
