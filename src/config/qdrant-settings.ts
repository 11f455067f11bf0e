import { env, setting } from './setting.ts';
import { httpUrl, patternText, secretText, wholeNumber, words } from './value-parsers.ts';

/** The Qdrant that the backend keeps its vectors in. */
export const qdrantSettings = {
  qdrantUrl: setting({
    key: 'target.qdrant_url',
    env: env('QDRANT_URL'),
    parser: httpUrl,
    fallback: undefined,
    example: 'http://127.0.0.1:6333',
    about: 'The backend’s Qdrant, by its HTTP port: part of every recovery point.',
  }),
  qdrantApiKey: setting({
    key: 'target.qdrant_api_key',
    env: env('QDRANT_API_KEY'),
    parser: secretText,
    fallback: undefined,
    secret: true,
    about: 'A key for it that may read and write the collections and make snapshots.',
  }),
  qdrantWorkspace: setting({
    key: 'target.qdrant.workspace',
    env: env('QDRANT_WORKSPACE'),
    parser: patternText(
      'letters, digits and underscores',
      '^[A-Za-z0-9_]+$',
      'may hold letters, digits and underscores only, as the backend allows',
    ),
    fallback: undefined,
    example: 'library',
    about: 'The workspace under which the backend keeps its points there, when it is another than target.workspace.',
  }),
  qdrantCollections: setting({
    key: 'target.qdrant.collections',
    env: env('RAGWARDEN_QDRANT_COLLECTIONS'),
    parser: words,
    fallback: [] as readonly string[],
    about:
      'Further collections that belong to the backend, each captured and restored whole. LightRAG’s own are known by their names.',
  }),
  qdrantTimeoutSeconds: setting({
    key: 'target.qdrant.timeout_seconds',
    env: env('RAGWARDEN_QDRANT_TIMEOUT'),
    parser: wholeNumber(1, 86_400),
    fallback: 600,
    unit: 'seconds',
    about: 'How long making or taking in one snapshot may last there without a sign.',
  }),
} as const;
