import { env, setting } from './setting.ts';
import { decimal, patternText, secretUrl } from './value-parsers.ts';

export const systemSettings = {
  heartbeatUrl: setting({
    key: 'heartbeat.url',
    env: env('RAGWARDEN_HEARTBEAT_URL'),
    parser: secretUrl('URL, https://host/path', ['http', 'https']),
    fallback: undefined,
    secret: true,
    about:
      'Called (GET) after each completed round of the background work, so that somebody elsewhere notices when the calls end.',
  }),
  heartbeatIntervalSeconds: setting({
    key: 'heartbeat.interval_seconds',
    env: env('RAGWARDEN_HEARTBEAT_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 60,
    unit: 'seconds',
    about: 'Time between two calls; whoever is called waits somewhat longer before it raises the alarm.',
  }),
  heartbeatUnhealthySuffix: setting({
    key: 'heartbeat.unhealthy_suffix',
    env: env('RAGWARDEN_HEARTBEAT_UNHEALTHY_SUFFIX'),
    parser: patternText('path such as /fail', '^/[A-Za-z0-9._~/-]{1,100}$', 'is no path that begins with /'),
    fallback: undefined,
    example: '/fail',
    about:
      'Called below the heartbeat URL when a round is not complete. Unset: silence, which is what a dead warden gives too.',
  }),
} as const;
