import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Principal } from '../platform/http/index.ts';
import { localSubject, sameHash, secretHash, tokenState } from './access.ts';
import { type AccessTables, findToken, findTokenByHash, type Session, withoutWorkspaces } from './access-store.ts';
import { type JwtVerifier, jwtSubjectPrefix, looksLikeJwt } from './jwt.ts';

/** A token that was recognised: whose it is, what its sessions are tied to, how long it lives. */
export type Recognised = {
  readonly principal: Principal;
  /** The stored token's id, or `<kind>:<what it stands and falls with>` of one that is not stored. */
  readonly tokenId: string;
  readonly expiresMs: number | null;
};

export type Recogniser = {
  /**
   * Undefined: nobody's.
   * @throws AppError `access/unauthenticated` for one that was somebody's, `access/issuer-unreachable`
   */
  recognise(secret: string): Promise<Recognised | undefined>;
  /** @throws AppError `access/unauthenticated` when what opened the session no longer opens the door */
  principalOf(session: Session): Promise<Principal>;
  /** The secret of `local-token`; undefined takes it away. */
  setLocal(secret: string | undefined): void;
};

const wrong = (detail: string): AppError => new AppError('access/unauthenticated', detail);

/** Knows every kind of token: configured, of the data folder, stored, signed by the configured issuer. */
export function createRecogniser(options: {
  db: Database;
  clock: Clock;
  adminToken: string | undefined;
  jwt: JwtVerifier | undefined;
  onUse(tokenId: string): void;
}): Recogniser {
  const { db, clock, jwt } = options;
  const reader = () => db.reader<AccessTables>();
  const configured = options.adminToken === undefined ? undefined : secretHash(options.adminToken);
  let local: string | undefined;

  /** Tokens that are held in memory only; the id changes with the secret, so sessions do not outlive it. */
  const memoryTokens = (): readonly { hash: string; tokenId: string; via: Principal['via'] }[] => [
    ...(configured === undefined
      ? []
      : [{ hash: configured, tokenId: `configured:${configured}`, via: 'token' as const }]),
    ...(local === undefined ? [] : [{ hash: local, tokenId: `local:${local}`, via: 'local' as const }]),
  ];
  const admin = (via: Principal['via']): Principal => ({
    subject: localSubject('admin'),
    role: 'admin',
    workspaces: 'all',
    via,
  });

  const recogniseStored = async (hash: string): Promise<Recognised | undefined> => {
    const found = await findTokenByHash(reader(), hash);
    if (!found) return undefined;
    const { token, previous } = found;
    const nowMs = clock.now();
    const state = tokenState(token, nowMs);
    if (state !== 'active')
      throw wrong(`The token has ${state === 'revoked' ? 'been revoked' : 'expired'}. Ask for a new one.`);
    const graceMs = previous ? (token.previousUntilMs ?? 0) : Number.POSITIVE_INFINITY;
    if (graceMs <= nowMs) throw wrong('The token has been rotated; this is its secret from before. Use the new one.');
    options.onUse(token.id);
    const { subject, role, workspaces } = token;
    const endsMs = Math.min(token.expiresMs ?? Number.POSITIVE_INFINITY, graceMs);
    return {
      principal: { subject, role, workspaces, via: 'token' },
      tokenId: token.id,
      expiresMs: Number.isFinite(endsMs) ? endsMs : null,
    };
  };

  return {
    async recognise(secret) {
      const hash = secretHash(secret);
      for (const known of memoryTokens())
        if (sameHash(known.hash, hash)) return { principal: admin(known.via), tokenId: known.tokenId, expiresMs: null };
      if (secret.startsWith('rw_')) return recogniseStored(hash);
      if (!jwt || !looksLikeJwt(secret)) return undefined;
      const identity = await jwt.verify(secret);
      if (!identity) return undefined;
      const { expiresMs, ...who } = identity;
      return { principal: { ...who, via: 'jwt' }, tokenId: `jwt:${jwt.fingerprint}`, expiresMs };
    },
    async principalOf(session) {
      const { subject, role, tokenId } = session;
      const workspaces = session.workspaces ?? withoutWorkspaces(role);
      const ended = (): AppError => wrong('The token behind this session is no longer valid. Log in again.');
      if (subject.startsWith(jwtSubjectPrefix)) {
        if (!jwt || (tokenId !== null && tokenId !== `jwt:${jwt.fingerprint}`)) throw ended();
        // The list of administrators may be another one since.
        const now = jwt.roleOf(subject);
        return { subject, role: now, workspaces: now === role ? workspaces : withoutWorkspaces(now), via: 'session' };
      }
      if (tokenId === null) return { subject, role, workspaces, via: 'session' };
      if (tokenId.includes(':')) {
        if (memoryTokens().some((known) => known.tokenId === tokenId)) return { ...admin('session') };
        throw ended();
      }
      const token = await findToken(reader(), tokenId);
      if (!token || tokenState(token, clock.now()) !== 'active') throw ended();
      return { subject, role, workspaces: token.workspaces, via: 'session' };
    },
    setLocal(secret) {
      local = secret === undefined ? undefined : secretHash(secret);
    },
  };
}
