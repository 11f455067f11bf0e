import { rm } from 'node:fs/promises';
import type { FastifyRequest } from 'fastify';
import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { AppError, isAppError } from '../platform/errors.ts';
import type { Principal, Role } from '../platform/http/index.ts';
import { type RandomSource, systemRandom } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import {
  credentialOf,
  csrfToken,
  decideCsrf,
  isOwnOrigin,
  localSubject,
  sameHash,
  secretHash,
  tokenState,
} from './access.ts';
import {
  type AccessTables,
  deleteEnded,
  endSession,
  findSession,
  findToken,
  findTokenByHash,
  insertLink,
  insertSession,
  type Session,
  spendLink,
} from './access-store.ts';
import { localTokenFile, writeSecretFile } from './secret-files.ts';
import { sessionMs, sessionSecretOf } from './sessions.ts';
import { createThrottle, throttleAddress, throttleLimits } from './throttle.ts';
import { createTokens, type Tokens } from './tokens.ts';

export type AccessOptions = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
  /** Where `local-token` lies while ragwarden runs. */
  readonly dataDir: string;
  /** The configured admin token; another value at the next start ends this one and its sessions. */
  readonly adminToken?: string | undefined;
  readonly random?: RandomSource;
};

export type OpenedSession = {
  readonly principal: Principal;
  /** Goes into the cookie; kept nowhere. */
  readonly secret: string;
  readonly csrfToken: string;
  readonly expiresMs: number;
};

export type LoginCredentials = { readonly code: string } | { readonly token: string };

export type Access = Omit<Tokens, 'createFirstToken' | 'revokeFirstTokens'> & {
  /**
   * Before the first request: writes `local-token` and sees to an admin token.
   * @returns `created`: the admin token that was just made, to be shown or written down once by the caller
   */
  open(): Promise<{ readonly created: string | undefined }>;
  /** Takes `local-token` away. May be called twice. */
  close(): Promise<void>;
  /**
   * Who stands behind a request; undefined when it carries no credentials.
   * @throws AppError `access/unauthenticated`, `access/csrf`, `access/throttled`
   */
  authenticate(request: FastifyRequest): Promise<Principal | undefined>;
  /**
   * The same by token alone, for listeners without sessions.
   * @param address of the caller's socket
   */
  authenticateHeaders(
    headers: Readonly<Record<string, string | string[] | undefined>>,
    address: string,
  ): Promise<Principal | undefined>;
  /** @throws AppError `access/login-used`, `access/unauthenticated`, `access/forbidden`, `access/csrf`, `access/throttled` */
  login(request: FastifyRequest, credentials: LoginCredentials): Promise<OpenedSession>;
  logout(request: FastifyRequest): Promise<void>;
  /** Of the request's cookie; undefined when it was let in by a token. */
  describeSession(
    request: FastifyRequest,
  ): Promise<{ readonly expiresMs: number; readonly csrfToken: string } | undefined>;
  /** One use, ten minutes; the secret goes behind `/#login=`. */
  createLoginLink(actor: string, link: { subject: string; role: Role }): Promise<{ code: string; expiresMs: number }>;
  /** Removes what ended long ago, at most `limit` rows of each kind; returns how many. */
  removeEnded(limit: number): Promise<number>;
};

export const loginLinkMs = 10 * 60_000;
const dayMs = 24 * 3_600_000;

/** A token that was recognised: whose it is, what its sessions are tied to, how long it lives. */
type Recognised = { readonly principal: Principal; readonly tokenId: string; readonly expiresMs: number | null };

const wrong = (detail: string): AppError => new AppError('access/unauthenticated', detail);

export function createAccess(options: AccessOptions): Access {
  const { db, clock, log, events, dataDir } = options;
  const random = options.random ?? systemRandom;
  const { createFirstToken, revokeFirstTokens, ...tokens } = createTokens({ db, clock, random, events });
  const throttle = createThrottle();
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

  /** Undefined: nobody's. Throws for one that was somebody's. */
  const recognise = async (secret: string): Promise<Recognised | undefined> => {
    const hash = secretHash(secret);
    for (const known of memoryTokens())
      if (sameHash(known.hash, hash)) return { principal: admin(known.via), tokenId: known.tokenId, expiresMs: null };
    if (!secret.startsWith('rw_')) return undefined;
    const token = await findTokenByHash(reader(), hash);
    if (!token) return undefined;
    const state = tokenState(token, clock.now());
    if (state !== 'active')
      throw wrong(`The token has ${state === 'revoked' ? 'been revoked' : 'expired'}. Ask for a new one.`);
    const { subject, role, workspaces } = token;
    return { principal: { subject, role, workspaces, via: 'token' }, tokenId: token.id, expiresMs: token.expiresMs };
  };

  /** The workspaces of a session's token; throws when that token no longer opens the door. */
  const sessionWorkspaces = async (session: Session): Promise<Principal['workspaces']> => {
    const ended = () => wrong('The token behind this session is no longer valid. Log in again.');
    // Links carry no workspaces: an admin has all, anybody else gets none by link.
    if (session.tokenId === null) return session.role === 'admin' ? 'all' : [];
    if (session.tokenId.includes(':')) {
      if (memoryTokens().some((known) => known.tokenId === session.tokenId)) return 'all';
      throw ended();
    }
    const token = await findToken(reader(), session.tokenId);
    if (!token || tokenState(token, clock.now()) !== 'active') throw ended();
    return token.workspaces;
  };

  const requireSession = async (secret: string): Promise<Session> => {
    const session = await findSession(reader(), secretHash(secret));
    if (!session || session.endedMs !== null || session.expiresMs <= clock.now())
      throw wrong('The session has ended. Log in again.');
    return session;
  };

  const authenticateSession = async (request: FastifyRequest, secret: string): Promise<Principal> => {
    const session = await requireSession(secret);
    const workspaces = await sessionWorkspaces(session);
    const csrfHeader = request.headers['x-csrf-token'];
    const decision = decideCsrf(
      {
        method: request.method,
        origin: request.headers.origin,
        host: request.host,
        csrfHeader: typeof csrfHeader === 'string' ? csrfHeader : undefined,
      },
      session.csrfHash,
    );
    if (decision !== 'fine')
      throw new AppError(
        'access/csrf',
        decision === 'foreign-origin'
          ? 'Changes by session are only taken from pages of this server (Origin).'
          : 'Send the csrf_token of `GET /api/v1/access/session` as `x-csrf-token`.',
      );
    return { subject: session.subject, role: session.role, workspaces, via: 'session' };
  };

  const throttled = (seconds: number): AppError =>
    new AppError('access/throttled', `Too many failed attempts from this address. Try again in ${seconds} s.`, {
      retryAfterSeconds: seconds,
    });

  /** Failures are told to the log and the trail, never in the way of the answer. */
  const tell = async (write: (tx: Tx) => Promise<unknown>): Promise<void> => {
    try {
      await db.unit(write);
    } catch (err) {
      log.warn({ err }, 'a failed attempt could not be recorded');
    }
  };
  const tellThrottled = (address: string, what: string): Promise<void> =>
    tell(async (tx) => {
      await events.audit(tx, { actor: address, action: 'access.throttle', object: what, outcome: 'refused' });
      await events.record(tx, {
        type: 'access.throttled',
        severity: 'warning',
        message: `${throttleLimits.failures} failed attempts (${what}) came from ${address} within ${throttleLimits.windowMs / 60_000} minutes.`,
        data: { address, what },
      });
    });

  const authenticateToken = async (from: string, secret: string): Promise<Principal> => {
    const recognised = await recognise(secret);
    // A right token is never held up: what it carries cannot be guessed, and others may share the address.
    if (recognised) return recognised.principal;
    const address = throttleAddress(from);
    const nowMs = clock.now();
    const blocked = throttle.blockedForSeconds(`token ${address}`, nowMs);
    if (blocked !== undefined) throw throttled(blocked);
    if (throttle.fail(`token ${address}`, nowMs).tripped) await tellThrottled(address, 'token');
    throw wrong('The token is not known.');
  };

  const openSession = async (
    tx: Tx,
    who: { subject: string; role: Role; tokenId: string | null; expiresMs: number | null },
    how: string,
  ): Promise<{ secret: string; csrfToken: string; expiresMs: number }> => {
    const nowMs = clock.now();
    const secret = random(32).toString('base64url');
    const expiresMs = Math.min(nowMs + sessionMs, who.expiresMs ?? Number.POSITIVE_INFINITY);
    const csrf = csrfToken(secret);
    const { subject, role, tokenId } = who;
    await insertSession(tx, {
      hash: secretHash(secret),
      csrfHash: secretHash(csrf),
      tokenId,
      subject,
      role,
      createdMs: nowMs,
      expiresMs,
      endedMs: null,
    });
    await events.audit(tx, { actor: subject, action: 'access.login', object: how, outcome: 'done' });
    await events.record(tx, {
      type: 'access.login',
      severity: 'info',
      message: `${subject} logged in with a ${how}.`,
      data: { subject, role, how },
    });
    return { secret, csrfToken: csrf, expiresMs };
  };

  const loginWithCode = (code: string): Promise<OpenedSession> =>
    db.unit(async (tx) => {
      const link = await spendLink(tx, secretHash(code), clock.now());
      if (!link) throw new AppError('access/login-used', 'Ask for a new login link, or log in with a token.');
      const session = await openSession(tx, { ...link, tokenId: null, expiresMs: null }, 'login link');
      return { principal: { ...link, workspaces: link.role === 'admin' ? 'all' : [], via: 'session' }, ...session };
    });

  const loginWithToken = async (token: string): Promise<OpenedSession> => {
    const recognised = await recognise(token);
    if (!recognised) throw wrong('The token is not known.');
    const { principal, tokenId, expiresMs } = recognised;
    if (principal.role !== 'admin' && principal.role !== 'user')
      throw new AppError('access/forbidden', `A ${principal.role} token is for programs; it opens no dashboard.`);
    const who = { subject: principal.subject, role: principal.role, tokenId, expiresMs };
    const session = await db.unit((tx) => openSession(tx, who, 'token'));
    return { principal: { ...principal, via: 'session' }, ...session };
  };

  return {
    ...tokens,
    async open() {
      const secret = `rw_local_${random(32).toString('base64url')}`;
      await writeSecretFile(localTokenFile(dataDir), secret);
      local = secretHash(secret);
      if (configured === undefined) return { created: await createFirstToken() };
      await revokeFirstTokens();
      return { created: undefined };
    },
    async close() {
      if (local === undefined) return;
      local = undefined;
      await rm(localTokenFile(dataDir), { force: true });
    },
    async authenticate(request) {
      const credential = credentialOf(request.headers);
      if (credential.kind === 'token') return authenticateToken(request.ip, credential.secret);
      const secret = sessionSecretOf(request);
      return secret === undefined ? undefined : authenticateSession(request, secret);
    },
    async authenticateHeaders(headers, address) {
      const credential = credentialOf(headers);
      return credential.kind === 'token' ? authenticateToken(address, credential.secret) : undefined;
    },
    async login(request, credentials) {
      const { origin } = request.headers;
      if (origin !== undefined && !isOwnOrigin(origin, request.host))
        throw new AppError('access/csrf', 'Log in from a page of this server.');
      const address = throttleAddress(request.ip);
      const key = `login ${address}`;
      const blocked = throttle.blockedForSeconds(key, clock.now());
      if (blocked !== undefined) throw throttled(blocked);
      // Counted before it is known, so that many at once are no way around the limit.
      const counted = throttle.fail(key, clock.now());
      try {
        const session = await ('code' in credentials
          ? loginWithCode(credentials.code)
          : loginWithToken(credentials.token));
        throttle.forgive(key);
        return session;
      } catch (err) {
        if (!isAppError(err) || !err.code.startsWith('access/')) {
          throttle.forgive(key);
          throw err;
        }
        const how = 'code' in credentials ? 'login link' : 'token';
        await tell((tx) =>
          events.audit(tx, { actor: address, action: 'access.login', object: how, outcome: 'refused' }),
        );
        if (counted.tripped) await tellThrottled(address, 'login');
        throw err;
      }
    },
    async logout(request) {
      const secret = sessionSecretOf(request);
      const { principal } = request;
      if (secret === undefined || principal?.via !== 'session') return;
      await db.unit(async (tx) => {
        if (!(await endSession(tx, secretHash(secret), clock.now()))) return;
        await events.audit(tx, { actor: principal.subject, action: 'access.logout', object: '', outcome: 'done' });
      });
    },
    async describeSession(request) {
      const secret = sessionSecretOf(request);
      if (secret === undefined || request.principal?.via !== 'session') return undefined;
      const session = await requireSession(secret);
      return { expiresMs: session.expiresMs, csrfToken: csrfToken(secret) };
    },
    async createLoginLink(actor, { subject, role }) {
      const code = random(32).toString('base64url');
      const expiresMs = clock.now() + loginLinkMs;
      await db.unit(async (tx) => {
        await insertLink(tx, { hash: secretHash(code), subject, role, expiresMs });
        await events.audit(tx, {
          actor,
          action: 'access.create-login-link',
          object: subject,
          outcome: 'done',
          data: { role },
        });
      });
      return { code, expiresMs };
    },
    removeEnded(limit) {
      const nowMs = clock.now();
      return db.unit((tx) => deleteEnded(tx, { beforeMs: nowMs - dayMs, tokensBeforeMs: nowMs - 90 * dayMs, limit }));
    },
  };
}
