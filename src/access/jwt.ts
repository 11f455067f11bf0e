import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import type { Clock } from '../platform/clock.ts';
import { AppError, isAppError } from '../platform/errors.ts';
import { readableJson } from '../platform/http/index.ts';
import type { HttpRequester } from '../platform/http-client.ts';
import { secretHash, type Workspaces } from './access.ts';
import { createIssuerKeys } from './issuer-keys.ts';

export type JwtSettings = {
  readonly key: { readonly kind: 'secret'; readonly secret: string } | { readonly kind: 'jwks'; readonly url: string };
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** Exact name of the claim that lists workspaces. */
  readonly workspacesClaim: string | undefined;
};

export type JwtIdentity = {
  /** In the namespace of the issuer, never in the one of local names. */
  readonly subject: string;
  readonly role: 'user' | 'admin';
  readonly workspaces: Workspaces;
  readonly expiresMs: number;
};

export type JwtVerifier = {
  /** Differs when key, issuer or audience differ, so that sessions do not outlive the issuer they came from. */
  readonly fingerprint: string;
  /**
   * Undefined: nobody's, it is no JWT that our key signed.
   * @throws AppError `access/unauthenticated` for one that is genuine and not acceptable, `access/issuer-unreachable`
   */
  verify(token: string): Promise<JwtIdentity | undefined>;
  /** What the administrators' list says now, for sessions that were opened before it changed. */
  roleOf(subject: string): JwtIdentity['role'];
};

/** The algorithms follow from the kind of key that is configured. A token's own word only picks among those of its kind. */
const secretAlgorithms = ['HS256'];
const publicKeyAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Seconds that clocks here and at the issuer may differ. */
const clockToleranceSeconds = 30;
/** Before the `sub` of the issuer; local names have another one, so neither can be taken for the other. */
export const jwtSubjectPrefix = 'jwt:';

/** Three parts in base64url: a signed one. An encrypted one has five and is nobody's. */
export const looksLikeJwt = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);

export function createJwtVerifier(options: {
  settings: JwtSettings;
  adminUserIds: readonly string[];
  http: HttpRequester;
  clock: Clock;
  onReach(reachable: boolean, why: string): void;
}): JwtVerifier {
  const { settings, clock } = options;
  const { key, issuer, audience } = settings;
  const admins = new Set(options.adminUserIds.map((id) => `${jwtSubjectPrefix}${id}`));
  const roleOf = (subject: string): JwtIdentity['role'] => (admins.has(subject) ? 'admin' : 'user');
  const findKey: JWTVerifyGetKey =
    key.kind === 'jwks'
      ? createIssuerKeys({ url: key.url, http: options.http, clock, onReach: options.onReach })
      : async () => new TextEncoder().encode(key.secret);

  return {
    fingerprint: secretHash(JSON.stringify([key, issuer, audience, settings.workspacesClaim])).slice(0, 32),
    roleOf,
    async verify(token) {
      if (!isUnambiguous(token)) return undefined;
      // Loaded when the first one comes: without JWTs it is never needed.
      const { jwtVerify } = await import('jose');
      try {
        const { payload } = await jwtVerify(token, findKey, {
          algorithms: key.kind === 'secret' ? secretAlgorithms : publicKeyAlgorithms,
          currentDate: new Date(clock.now()),
          clockTolerance: clockToleranceSeconds,
          requiredClaims: ['exp', 'sub'],
          ...(issuer === undefined ? {} : { issuer }),
          ...(audience === undefined ? {} : { audience }),
        });
        const subject = subjectOf(payload);
        const role = roleOf(subject);
        return {
          subject,
          role,
          workspaces: role === 'admin' ? 'all' : workspacesOf(payload, settings.workspacesClaim),
          expiresMs: Number(payload.exp) * 1_000,
        };
      } catch (err) {
        if (isAppError(err)) throw err;
        const detail = claimDetail(err);
        if (detail !== undefined) throw new AppError('access/unauthenticated', detail, { cause: err });
        return undefined;
      }
    },
  };
}

/** One name twice in header or claims: two readers could see two tokens, so none is seen (RFC 7519 allows to refuse it). */
function isUnambiguous(token: string): boolean {
  try {
    for (const part of token.split('.', 2)) readableJson(Buffer.from(part, 'base64url'));
    return true;
  } catch {
    return false;
  }
}

/** A sentence when the signature was right and a claim was not; undefined for all that anybody could have made. */
function claimDetail(err: unknown): string | undefined {
  if (!(err instanceof Error) || !('code' in err)) return undefined;
  if (err.code === 'ERR_JWT_EXPIRED') return 'The token has expired. Ask for a new one.';
  if (err.code !== 'ERR_JWT_CLAIM_VALIDATION_FAILED') return undefined;
  const claim = 'claim' in err ? String(err.claim) : '';
  if (claim === 'iss') return 'The token comes from another issuer (`iss`) than the one configured here.';
  if (claim === 'aud') return 'The token is made for another audience (`aud`) than the one configured here.';
  if (claim === 'nbf') return 'The token is not valid yet (`nbf`).';
  return `The token has no usable \`${/^[a-z]{1,20}$/.test(claim) ? claim : 'claim'}\`.`;
}

const isName = (value: unknown, max: number): value is string =>
  typeof value === 'string' && value.length <= max && value.isWellFormed() && !/\p{Cc}/u.test(value);

function subjectOf(payload: JWTPayload): string {
  if (!isName(payload.sub, 255) || payload.sub === '')
    throw new AppError('access/unauthenticated', 'The token has no usable `sub`: text of 1 to 255 characters.');
  return `${jwtSubjectPrefix}${payload.sub}`;
}

/** Whatever is no list of names gives none: too few rights show at once, too many do not. Never `all`. */
function workspacesOf(payload: JWTPayload, claim: string | undefined): readonly string[] {
  if (claim === undefined || !Object.hasOwn(payload, claim)) return [];
  const value = payload[claim];
  const names: unknown[] = Array.isArray(value) ? value : [value];
  return names.filter((name) => isName(name, 200)).slice(0, 1_000);
}
