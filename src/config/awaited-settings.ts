import { env, setting } from './setting.ts';
import { decimal, flag } from './value-parsers.ts';

/** Read, checked and shown, so that a deployment can be written whole; the part named in `awaits` gives them their effect. */
export const awaitedSettings = {
  replicationEnabled: setting({
    key: 'replication.enabled',
    env: env('LIGHTRAG_REPLICATION_ENABLED'),
    parser: flag,
    fallback: false,
    awaits: 'replication',
    about: 'Copy recovery points to the replication targets.',
  }),
  replicationCheckIntervalSeconds: setting({
    key: 'replication.health_check_interval_seconds',
    env: env('LIGHTRAG_REPLICATION_HEALTH_CHECK_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 300,
    unit: 'seconds',
    awaits: 'replication',
    about: 'Time between two looks at the replication targets.',
  }),
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
