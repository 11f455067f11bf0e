import { env, setting } from './setting.ts';
import { decimal, flag } from './value-parsers.ts';

/** When people are told, how often, and for how long it is tried. Receivers and routes are structures: notify-config.ts. */
export const notifySettings = {
  notifyGroupWaitSeconds: setting({
    key: 'notify.group_wait_seconds',
    env: env('RAGWARDEN_NOTIFY_GROUP_WAIT'),
    parser: decimal(0, 86_400),
    fallback: 30,
    unit: 'seconds',
    runtime: true,
    about: 'How long the first notification of a group waits for others of its kind; longer is fewer and later.',
  }),
  notifyGroupIntervalSeconds: setting({
    key: 'notify.group_interval_seconds',
    env: env('RAGWARDEN_NOTIFY_GROUP_INTERVAL'),
    parser: decimal(0, 86_400),
    fallback: 300,
    unit: 'seconds',
    runtime: true,
    about: 'Least time between two notifications of one group about changes.',
  }),
  notifyRepeatIntervalSeconds: setting({
    key: 'notify.repeat_interval_seconds',
    env: env('RAGWARDEN_NOTIFY_REPEAT_INTERVAL'),
    parser: decimal(60, 31_536_000),
    fallback: 14_400,
    unit: 'seconds',
    runtime: true,
    about: 'After how long what still fires and nobody acknowledged is told again.',
  }),
  notifyGiveUpSeconds: setting({
    key: 'notify.give_up_after_seconds',
    env: env('RAGWARDEN_NOTIFY_GIVE_UP_AFTER'),
    parser: decimal(60, 2_592_000),
    fallback: 86_400,
    unit: 'seconds',
    runtime: true,
    about: 'How long a notification is tried before it becomes a dead letter.',
  }),
  notifyAllowPrivateAddresses: setting({
    key: 'notify.allow_private_addresses',
    env: env('RAGWARDEN_NOTIFY_ALLOW_PRIVATE_ADDRESSES'),
    parser: flag,
    fallback: false,
    about: 'Whether receivers that are set over the API may lie in private ranges; those of the file always may.',
  }),
} as const;
