import { postgresSettings } from './postgres-settings.ts';
import { qdrantSettings } from './qdrant-settings.ts';
import { redisSettings } from './redis-settings.ts';
import { env, setting } from './setting.ts';
import { targetKinds } from './target-kind.ts';
import { decimal, file, flag, folder, httpUrl, oneOf, patternText, secretText, text, words } from './value-parsers.ts';

/** The RAG installation under watch, and how it is reached. */
export const targetSettings = {
  targetId: setting({
    key: 'target.id',
    env: env('RAGWARDEN_TARGET_ID'),
    parser: patternText(
      'lower-case letters, digits and dashes',
      '^[a-z0-9][a-z0-9-]{0,62}$',
      'must match [a-z0-9][a-z0-9-]{0,62}; it never changes afterwards',
    ),
    fallback: 'default',
    about: 'Name of the RAG installation under watch; never changed later.',
  }),
  targetKind: setting({
    key: 'target.kind',
    env: env('RAGWARDEN_TARGET_KIND'),
    parser: oneOf(targetKinds),
    fallback: undefined,
    example: 'lightrag' as const,
    about:
      'What is watched: a LightRAG server, a GraphRAG project, or a backend of your own. Default: what the working folder shows, else lightrag.',
  }),
  graphragCache: setting({
    key: 'target.graphrag.cache',
    env: env('RAGWARDEN_GRAPHRAG_CACHE'),
    parser: flag,
    fallback: true,
    about:
      'Whether points hold the cache of a GraphRAG project. Without it they are smaller, and the next index after a restore pays for every answer anew.',
  }),
  targetUrl: setting({
    key: 'target.url',
    env: env('RAGWARDEN_TARGET_URL'),
    flag: 'target-url',
    parser: httpUrl,
    fallback: undefined,
    example: 'http://127.0.0.1:9621',
    about:
      'Base URL of the RAG backend; a GraphRAG project needs none. Without a target the bundled sample backend is watched.',
  }),
  targetApiKey: setting({
    key: 'target.api_key',
    env: env('LIGHTRAG_API_KEY'),
    parser: secretText,
    fallback: undefined,
    secret: true,
    about: 'Key sent to the backend as X-API-Key; without it a protected backend shows less.',
  }),
  targetUsername: setting({
    key: 'target.username',
    env: env('RAGWARDEN_TARGET_USERNAME'),
    parser: text,
    fallback: undefined,
    example: 'ragwarden',
    about: 'Account for a backend that asks for a login.',
  }),
  targetPassword: setting({
    key: 'target.password',
    env: env('RAGWARDEN_TARGET_PASSWORD'),
    parser: secretText,
    fallback: undefined,
    secret: true,
    about: 'Password of that account.',
  }),
  workingDir: setting({
    key: 'target.working_dir',
    env: env('WORKING_DIR'),
    parser: folder,
    fallback: undefined,
    example: '/srv/lightrag/rag_storage',
    about:
      'The backend’s storage folder (its WORKING_DIR), or the folder of a GraphRAG project: inspected, backed up, restored.',
  }),
  inputDir: setting({
    key: 'target.input_dir',
    env: env('INPUT_DIR'),
    parser: folder,
    fallback: undefined,
    example: '/srv/lightrag/inputs',
    about: 'The backend’s folder of source documents (its INPUT_DIR): backed up, restored.',
  }),
  workspace: setting({
    key: 'target.workspace',
    env: env('WORKSPACE'),
    parser: patternText(
      'letters, digits and underscores',
      '^[A-Za-z0-9_]*$',
      'may hold letters, digits and underscores only, as the backend allows',
    ),
    fallback: '',
    about: 'The workspace that the backend serves; empty is the unnamed one.',
  }),
  targetEnvFile: setting({
    key: 'target.env_file',
    env: env('RAGWARDEN_TARGET_ENV_FILE'),
    parser: file,
    fallback: undefined,
    example: '/srv/lightrag/.env',
    about: 'The backend’s own environment file: part of every recovery point.',
  }),
  targetConfigFiles: setting({
    key: 'target.config_files',
    env: env('RAGWARDEN_TARGET_CONFIG_FILES'),
    parser: words,
    fallback: [] as readonly string[],
    about:
      'Further files and folders of the backend’s configuration (compose file, config.ini, prompts): part of every recovery point.',
  }),
  userDataDir: setting({
    key: 'target.data_dir',
    env: env('DATA_DIR'),
    parser: folder,
    fallback: undefined,
    example: '/srv/lightrag/users',
    about: 'Folder whose first-level folders are counted as user directories. Default: the working folder.',
  }),
  probeIntervalSeconds: setting({
    key: 'target.probe_interval_seconds',
    env: env('RAGWARDEN_PROBE_INTERVAL'),
    parser: decimal(0.2, 3600),
    fallback: 10,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two probes of the backend.',
  }),
  probeTimeoutSeconds: setting({
    key: 'target.probe_timeout_seconds',
    env: env('RAGWARDEN_PROBE_TIMEOUT'),
    parser: decimal(0.1, 600),
    fallback: 10,
    unit: 'seconds',
    runtime: true,
    about: 'How long a probe may take. The default stores answer slowly while they rewrite their files.',
  }),
  stopTimeoutSeconds: setting({
    key: 'target.stop_timeout_seconds',
    env: env('RAGWARDEN_TARGET_STOP_TIMEOUT'),
    parser: decimal(1, 3600),
    fallback: 300,
    unit: 'seconds',
    runtime: true,
    about: 'How long the backend may take to stop, or an operator to stop it by hand.',
  }),
  startTimeoutSeconds: setting({
    key: 'target.start_timeout_seconds',
    env: env('RAGWARDEN_TARGET_START_TIMEOUT'),
    parser: decimal(1, 3600),
    fallback: 300,
    unit: 'seconds',
    runtime: true,
    about: 'How long the backend may take until it is healthy after a start.',
  }),
  ...postgresSettings,
  ...redisSettings,
  ...qdrantSettings,
} as const;
