import { env, setting } from './setting.ts';
import { folder, oneOf, secretText, text, wholeNumber, wordPerName, words } from './value-parsers.ts';

const levels = ['trace', 'debug', 'info', 'warn', 'warning', 'error', 'silent'] as const;

/** Parts whose log can have a level of its own. */
export const logSlices = [
  'access',
  'backup',
  'events',
  'gateway',
  'health',
  'host',
  'http',
  'metrics',
  'operations',
  'platform',
  'system',
  'targets',
] as const;

/** Who may call, where the state lies, what is logged. */
export const serverSettings = {
  profile: setting({
    key: 'profile',
    env: env('RAGWARDEN_PROFILE'),
    parser: oneOf(['production', 'development']),
    fallback: 'production',
    about: 'Set of default intervals: development samples and probes more often and costs more.',
  }),
  dataDir: setting({
    key: 'data_dir',
    env: env('RAGWARDEN_DATA_DIR'),
    flag: 'data-dir',
    parser: folder,
    fallback: 'ragwarden-data',
    about: 'Folder of the state, the staging tree and, unless set elsewhere, the backup repository.',
  }),
  host: setting({
    key: 'server.host',
    env: env('RAGWARDEN_HOST'),
    flag: 'host',
    parser: text,
    fallback: '127.0.0.1',
    about: 'Address to listen on. Anything but loopback needs an admin token of your own.',
  }),
  port: setting({
    key: 'server.port',
    env: env('RAGWARDEN_PORT'),
    flag: 'port',
    parser: wholeNumber(0, 65535),
    fallback: 8710,
    about: 'Port of API and dashboard; 0 takes any free one.',
  }),
  publicHosts: setting({
    key: 'server.public_hosts',
    env: env('RAGWARDEN_PUBLIC_HOSTS'),
    parser: words,
    fallback: [] as readonly string[],
    about: 'Further host names under which clients may call; all others are refused (DNS rebinding).',
  }),
  trustedProxies: setting({
    key: 'server.trusted_proxies',
    env: env('RAGWARDEN_TRUSTED_PROXIES'),
    parser: words,
    fallback: [] as readonly string[],
    about: 'Addresses of proxies whose X-Forwarded-For is believed.',
  }),
  adminToken: setting({
    key: 'server.admin_token',
    env: env('RAGWARDEN_ADMIN_TOKEN'),
    parser: secretText,
    fallback: undefined,
    secret: true,
    about: 'The admin token. Without it the first start makes one.',
  }),
  logLevel: setting({
    key: 'log.level',
    env: env('RAGWARDEN_LOG_LEVEL', 'MONITORING_LOG_LEVEL'),
    flag: 'log-level',
    parser: oneOf(levels),
    fallback: 'info',
    runtime: true,
    about: 'Least severity that is logged.',
  }),
  logLevels: setting({
    key: 'log.levels',
    env: env('RAGWARDEN_LOG_LEVELS'),
    parser: wordPerName(logSlices, levels),
    fallback: {},
    runtime: true,
    about: 'Another level for single parts, such as `backup=debug,http=warn`.',
  }),
} as const;
