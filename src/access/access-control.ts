import { rm } from 'node:fs/promises';
import type { FastifyRequest } from 'fastify';
import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Principal, Role } from '../platform/http/index.ts';
import type { HttpRequester } from '../platform/http-client.ts';
import { type RandomSource, systemRandom } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import { credentialOf, csrfToken, decideCsrf, isOwnOrigin, secretHash, type Workspaces } from './access.ts';
import {
  type AccessTables,
  deleteEnded,
  endSession,
  endSessionsOf,
  findSession,
  insertLink,
  insertSession,
  type Session,
  spendLink,
} from './access-store.ts';
import { createAttempts } from './attempts.ts';
import { createJwtVerifier, type JwtSettings } from './jwt.ts';
import { createRecogniser } from './recogniser.ts';
import { localTokenFile, writeSecretFile } from './secret-files.ts';
import { sessionMs, sessionSecretOf } from './sessions.ts';
import { createTokenUse } from './token-use.ts';
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
  /** The issuer whose JWTs are accepted; undefined accepts none. */
  readonly jwt?: JwtSettings | undefined;
  /** `sub` of those whose JWT makes an admin. */
  readonly adminUserIds?: readonly string[];
  /** The way to the issuer's keys. */
  readonly http: HttpRequester;
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
  /** Ends every session of a subject; returns how many were open. */
  endSessions(actor: string, subject: string): Promise<number>;
  /** Called after a token or a session ended, so that what it holds open can be closed. */
  onEnded(listener: () => void): void;
  /** Writes down when tokens were last used. */
  writeDownUse(): Promise<void>;
  /** Of the request's cookie; undefined when it was let in by a token. */
  describeSession(
    request: FastifyRequest,
  ): Promise<{ readonly expiresMs: number; readonly csrfToken: string } | undefined>;
  /** One use, ten minutes; the secret goes behind `/#login=`. */
  createLoginLink(
    actor: string,
    link: { subject: string; role: Role; workspaces: Workspaces },
  ): Promise<{ code: string; expiresMs: number }>;
  /** Removes what ended long ago, at most `limit` rows of each kind; returns how many. */
  removeEnded(limit: number): Promise<number>;
};

export const loginLinkMs = 10 * 60_000;
const dayMs = 24 * 3_600_000;

const wrong = (detail: string): AppError => new AppError('access/unauthenticated', detail);

export function createAccess(options: AccessOptions): Access {
  const { db, clock, log, events, dataDir } = options;
  const random = options.random ?? systemRandom;
  const endedListeners = new Set<() => void>();
  const onEnded = (): void => {
    for (const listener of endedListeners) listener();
  };
  const { createFirstToken, revokeFirstTokens, listTokens, ...tokens } = createTokens({
    db,
    clock,
    random,
    events,
    onEnded,
  });
  const use = createTokenUse(db);
  const attempts = createAttempts({ db, clock, log, events });
  const reader = () => db.reader<AccessTables>();
  const jwt =
    options.jwt &&
    createJwtVerifier({
      settings: options.jwt,
      adminUserIds: options.adminUserIds ?? [],
      http: options.http,
      clock,
      onReach: (reachable, why) => void tellReach(reachable, why),
    });
  const tellReach = async (reachable: boolean, why: string): Promise<void> => {
    const message = reachable
      ? 'The issuer’s keys can be fetched again.'
      : `The issuer’s keys cannot be fetched: ${why}`;
    log.warn(message);
    try {
      await db.unit((tx) =>
        events.record(tx, {
          type: reachable ? 'access.issuer-reachable' : 'access.issuer-unreachable',
          severity: reachable ? 'info' : 'warning',
          message,
        }),
      );
    } catch (err) {
      log.warn({ err }, 'the state of the issuer could not be recorded');
    }
  };
  const recogniser = createRecogniser({
    db,
    clock,
    adminToken: options.adminToken,
    jwt,
    onUse: (id) => use.note(id, clock.now()),
  });
  let hasLocalFile = false;

  const requireSession = async (secret: string): Promise<Session> => {
    const session = await findSession(reader(), secretHash(secret));
    if (!session || session.endedMs !== null || session.expiresMs <= clock.now())
      throw wrong('The session has ended. Log in again.');
    return session;
  };

  const authenticateSession = async (request: FastifyRequest, secret: string): Promise<Principal> => {
    const session = await requireSession(secret);
    const principal = await recogniser.principalOf(session);
    const csrfHeader = request.headers['x-csrf-token'];
    const decision = decideCsrf(
      {
        method: request.method,
        origin: request.headers.origin,
        host: request.host,
        secure: request.protocol === 'https',
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
    return principal;
  };

  const authenticateToken = async (from: string, secret: string): Promise<Principal> =>
    (await attempts.token(from, () => recogniser.recognise(secret))).principal;

  const openSession = async (
    tx: Tx,
    who: {
      subject: string;
      role: Role;
      workspaces: Workspaces | null;
      tokenId: string | null;
      expiresMs: number | null;
    },
    how: string,
  ): Promise<{ secret: string; csrfToken: string; expiresMs: number }> => {
    const nowMs = clock.now();
    const secret = random(32).toString('base64url');
    const expiresMs = Math.min(nowMs + sessionMs, who.expiresMs ?? Number.POSITIVE_INFINITY);
    const csrf = csrfToken(secret);
    const { subject, role, workspaces, tokenId } = who;
    await insertSession(tx, {
      hash: secretHash(secret),
      csrfHash: secretHash(csrf),
      tokenId,
      subject,
      role,
      workspaces,
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
      return { principal: { ...link, via: 'session' }, ...session };
    });

  const loginWithToken = async (token: string): Promise<OpenedSession> => {
    const recognised = await recogniser.recognise(token);
    if (!recognised) throw wrong('The token is not known.');
    const { principal, tokenId, expiresMs } = recognised;
    if (principal.role !== 'admin' && principal.role !== 'user')
      throw new AppError('access/forbidden', `A ${principal.role} token is for programs; it opens no dashboard.`);
    const { subject, role, via } = principal;
    // A stored token is asked at each request; what a JWT said is kept with the session.
    const who = { subject, role, workspaces: via === 'jwt' ? principal.workspaces : null, tokenId, expiresMs };
    const session = await db.unit((tx) => openSession(tx, who, 'token'));
    return { principal: { ...principal, via: 'session' }, ...session };
  };

  return {
    ...tokens,
    async listTokens(page) {
      return (await listTokens(page)).map((token) => {
        const lastUsedMs = Math.max(token.lastUsedMs ?? 0, use.lastUsedMs(token.id) ?? 0);
        return { ...token, lastUsedMs: lastUsedMs === 0 ? null : lastUsedMs };
      });
    },
    writeDownUse: () => use.flush(),
    onEnded(listener) {
      endedListeners.add(listener);
    },
    async endSessions(actor, subject) {
      return db.unit(async (tx) => {
        const ended = await endSessionsOf(tx, subject, clock.now());
        await events.audit(tx, {
          actor,
          action: 'access.end-sessions',
          object: subject,
          outcome: 'done',
          data: { ended },
        });
        tx.afterCommit(onEnded);
        return ended;
      });
    },
    async open() {
      const secret = `rw_local_${random(32).toString('base64url')}`;
      await writeSecretFile(localTokenFile(dataDir), secret);
      hasLocalFile = true;
      recogniser.setLocal(secret);
      if (options.adminToken === undefined) return { created: await createFirstToken() };
      await revokeFirstTokens();
      return { created: undefined };
    },
    async close() {
      if (!hasLocalFile) return;
      hasLocalFile = false;
      await use
        .flush()
        .catch((err: unknown) => log.warn({ err }, 'when tokens were last used could not be written down'));
      recogniser.setLocal(undefined);
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
      if (origin !== undefined && !isOwnOrigin(origin, request.host, request.protocol === 'https'))
        throw new AppError('access/csrf', 'Log in from a page of this server.');
      return 'code' in credentials
        ? attempts.login(request.ip, 'login link', () => loginWithCode(credentials.code))
        : attempts.login(request.ip, 'token', () => loginWithToken(credentials.token));
    },
    async logout(request) {
      const secret = sessionSecretOf(request);
      const { principal } = request;
      if (secret === undefined || principal?.via !== 'session') return;
      await db.unit(async (tx) => {
        if (!(await endSession(tx, secretHash(secret), clock.now()))) return;
        await events.audit(tx, { actor: principal.subject, action: 'access.logout', object: '', outcome: 'done' });
        tx.afterCommit(onEnded);
      });
    },
    async describeSession(request) {
      const secret = sessionSecretOf(request);
      if (secret === undefined || request.principal?.via !== 'session') return undefined;
      const session = await requireSession(secret);
      return { expiresMs: session.expiresMs, csrfToken: csrfToken(secret) };
    },
    async createLoginLink(actor, { subject, role, workspaces }) {
      const code = random(32).toString('base64url');
      const expiresMs = clock.now() + loginLinkMs;
      await db.unit(async (tx) => {
        await insertLink(tx, { hash: secretHash(code), subject, role, workspaces, expiresMs });
        await events.audit(tx, {
          actor,
          action: 'access.create-login-link',
          object: subject,
          outcome: 'done',
          data: { role, workspaces },
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
