import { env, setting } from './setting.ts';
import { oneOf, patternText, secretUrl, words } from './value-parsers.ts';

/** The Redis that the backend keeps stores in. */
export const redisSettings = {
  redisUrl: setting({
    key: 'target.redis_url',
    env: env('REDIS_URI'),
    parser: secretUrl('URL, redis://user:password@host:port/database', ['redis', 'rediss']),
    fallback: undefined,
    secret: true,
    about: 'The backend’s Redis: part of every recovery point.',
  }),
  redisCapture: setting({
    key: 'target.redis.capture',
    env: env('RAGWARDEN_REDIS_CAPTURE'),
    parser: oneOf(['auto', 'replication', 'keys']),
    fallback: 'auto',
    about:
      'How it is captured: as a replica copies it, whole and at one moment; or the backend’s keys one by one, for servers that refuse that (auto finds out).',
  }),
  redisPrefixes: setting({
    key: 'target.redis.prefixes',
    env: env('RAGWARDEN_REDIS_PREFIXES'),
    parser: words,
    fallback: [] as readonly string[],
    about: 'Beginnings of further keys that belong to the backend. LightRAG’s own are known by their names.',
  }),
  redisWorkspace: setting({
    key: 'target.redis.workspace',
    env: env('REDIS_WORKSPACE'),
    parser: patternText(
      'letters, digits and underscores',
      '^[A-Za-z0-9_]+$',
      'may hold letters, digits and underscores only, as the backend allows',
    ),
    fallback: undefined,
    example: 'library',
    about: 'The workspace under which the backend keeps its keys there, when it is another than target.workspace.',
  }),
} as const;
