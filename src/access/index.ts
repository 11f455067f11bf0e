/**
 * Who may do what: tokens, keys of the gateway, one-time login links, dashboard sessions, throttled failures.
 * Owns the tables `access_token`, `gateway_key`, `login_link` and `session`, and the file `local-token`. Invariants: only hashes of
 * secrets are kept; a session never outlives the token it came from; every change is audited in its own transaction.
 */
export type { AccessToken, TokenState } from './access.ts';
export {
  type Access,
  type AccessOptions,
  createAccess,
  type LoginCredentials,
  type OpenedSession,
} from './access-control.ts';
export { boundedLogins } from './access-growth.ts';
export { createAccessExpiry, createTokenUseJob } from './access-jobs.ts';
export { accessRoutes } from './access-routes.ts';
export { createAccessTrail } from './access-trail.ts';
export { gatewayKeyRoutes } from './gateway-key-routes.ts';
export { createGatewayKeys, type GatewayKeys, type StoredGatewayKey } from './gateway-keys.ts';
export { adminTokenFile, localTokenFile, writeSecretFile } from './secret-files.ts';
export type { NewToken } from './tokens.ts';
