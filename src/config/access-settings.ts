import { env, setting } from './setting.ts';
import { hostName, httpUrl, secretText, text, words } from './value-parsers.ts';

/** Whose JWTs are accepted, and who is an admin by them. */
export const accessSettings = {
  adminUserIds: setting({
    key: 'access.admin_user_ids',
    env: env('ADMIN_USER_IDS'),
    parser: words,
    fallback: [] as readonly string[],
    about: 'Whose JWT makes an admin: values of `sub` at the configured issuer. Empty: nobody by JWT.',
  }),
  jwtSecret: setting({
    key: 'access.jwt.secret',
    env: env('RAGWARDEN_JWT_SECRET'),
    parser: secretText,
    fallback: undefined,
    secret: true,
    about: 'Accept JWTs signed with this shared secret (HS256 only), at least 32 bytes.',
  }),
  jwtJwksUrl: setting({
    key: 'access.jwt.jwks_url',
    env: env('RAGWARDEN_JWT_JWKS_URL'),
    parser: httpUrl,
    fallback: undefined,
    example: 'https://id.example.org/.well-known/jwks.json',
    about: 'Accept JWTs signed with a key that this JSON Web Key Set lists (asymmetric algorithms only).',
  }),
  auth0Domain: setting({
    key: 'access.jwt.auth0_domain',
    env: env('AUTH0_DOMAIN'),
    parser: hostName,
    fallback: undefined,
    example: 'tenant.eu.auth0.com',
    about: 'Short for the key set and the issuer of an Auth0 tenant.',
  }),
  jwtIssuer: setting({
    key: 'access.jwt.issuer',
    env: env('RAGWARDEN_JWT_ISSUER'),
    parser: text,
    fallback: undefined,
    example: 'https://id.example.org/',
    about: 'What `iss` of a JWT must be, to the letter. Required with a key set.',
  }),
  jwtAudience: setting({
    key: 'access.jwt.audience',
    env: env('RAGWARDEN_JWT_AUDIENCE', 'AUTH0_API_AUDIENCE'),
    parser: text,
    fallback: undefined,
    example: 'https://rag.example.org/api',
    about: 'What `aud` of a JWT must be or hold. Required with a key set.',
  }),
  jwtWorkspacesClaim: setting({
    key: 'access.jwt.workspaces_claim',
    env: env('RAGWARDEN_JWT_WORKSPACES_CLAIM'),
    parser: text,
    fallback: undefined,
    example: 'workspaces',
    about: 'Claim of a JWT that lists the workspaces of its user. Unset: none.',
  }),
  sealKey: setting({
    key: 'access.seal_key',
    env: env('RAGWARDEN_SEAL_KEY'),
    parser: secretText,
    fallback: undefined,
    secret: true,
    about:
      'Key that secrets taken over the API are sealed with, 32 bytes in base64. Unset: seal.key in the data folder.',
  }),
} as const;
