import type { EventRecorder } from '../events/index.ts';
import { type Clock, isoInstant } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Role } from '../platform/http/index.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import {
  type AccessToken,
  expiryNoticeMs,
  isExpiryNear,
  localSubject,
  secretHash,
  tokenState,
  type Workspaces,
} from './access.ts';
import {
  type AccessTables,
  findToken,
  firstStartPrefix,
  hasUsableAdminToken,
  insertToken,
  markTokenRevoked,
  markTokenWarned,
  replaceTokenHash,
  selectExpiring,
  selectFirstStartTokens,
  selectTokens,
  shortenSessions,
} from './access-store.ts';

export type NewToken = {
  /** A name inside this installation; the subject becomes `local:<name>`. */
  readonly name: string;
  readonly role: Role;
  readonly workspaces: Workspaces;
  readonly label: string;
  /** Epoch milliseconds; undefined never expires. */
  readonly expiresMs?: number | undefined;
};

export type Tokens = {
  /** The secret is returned once and never again. */
  createToken(actor: string, wanted: NewToken): Promise<{ readonly token: AccessToken; readonly secret: string }>;
  /** Newest first. */
  listTokens(page: { limit: number; beforeId?: string | undefined }): Promise<AccessToken[]>;
  /**
   * Ends the token and every session that came from it; revoking twice is no error.
   * @throws AppError `request/not-found`
   */
  revokeToken(actor: string, id: string): Promise<void>;
  /**
   * A new secret under the same id. The one from before is good for `graceMs` longer (0: ends now, and so do the sessions
   * that it opened). `expiresMs` undefined leaves the end as it is.
   * @throws AppError `request/not-found`, `conflict/state` for a token that has ended
   */
  rotateToken(
    actor: string,
    id: string,
    wanted: { graceMs: number; expiresMs?: number | null | undefined },
  ): Promise<{ readonly token: AccessToken; readonly secret: string }>;
  /** Tells once of each token that comes near its end; at most `limit`; returns how many. */
  warnExpiring(limit: number): Promise<number>;
  /** Makes an admin token when no stored one is usable. */
  createFirstToken(): Promise<string | undefined>;
  /** Ends what first starts made: a configured token takes its place. */
  revokeFirstTokens(): Promise<void>;
};

export function createTokens(options: {
  db: Database;
  clock: Clock;
  random: RandomSource;
  events: EventRecorder;
  /** Called after something that was open may have to close. */
  onEnded(): void;
}): Tokens {
  const { db, clock, random, events, onEnded } = options;
  const newSecret = (role: Role): string => `rw_${role}_${random(32).toString('base64url')}`;

  const create = async (
    actor: string,
    idPrefix: string,
    wanted: NewToken,
  ): Promise<{ token: AccessToken; secret: string }> => {
    const nowMs = clock.now();
    const secret = newSecret(wanted.role);
    const token: AccessToken = {
      id: newId(idPrefix, nowMs, random),
      subject: localSubject(wanted.name),
      role: wanted.role,
      workspaces: wanted.workspaces,
      label: wanted.label,
      createdMs: nowMs,
      expiresMs: wanted.expiresMs ?? null,
      revokedMs: null,
      previousUntilMs: null,
      rotatedMs: null,
      lastUsedMs: null,
    };
    await db.unit(async (tx) => {
      await insertToken(tx, token, secretHash(secret));
      const data = { subject: token.subject, role: token.role, label: token.label };
      await events.audit(tx, { actor, action: 'access.create-token', object: token.id, outcome: 'done', data });
      await events.record(tx, {
        type: 'access.token-created',
        severity: 'info',
        message: `A token of role ${token.role} was made for ${token.subject}.`,
        data: { token_id: token.id, subject: token.subject, role: token.role },
      });
    });
    return { token, secret };
  };

  const revoke = async (tx: Tx, actor: string, token: AccessToken): Promise<void> => {
    if (!(await markTokenRevoked(tx, token.id, clock.now()))) return;
    tx.afterCommit(onEnded);
    await events.audit(tx, { actor, action: 'access.revoke-token', object: token.id, outcome: 'done' });
    await events.record(tx, {
      type: 'access.token-revoked',
      severity: 'info',
      message: `The ${token.role} token of ${token.subject} was revoked.`,
      data: { token_id: token.id, subject: token.subject, role: token.role },
    });
  };

  const rotate: Tokens['rotateToken'] = (actor, id, { graceMs, expiresMs }) =>
    db.unit(async (tx) => {
      const token = await findToken(tx.as<AccessTables>(), id);
      if (!token) throw new AppError('request/not-found', `There is no token ${id}.`);
      const nowMs = clock.now();
      const state = tokenState(token, nowMs);
      if (state !== 'active')
        throw new AppError('conflict/state', `The token is ${state}. Make a new one instead of rotating it.`);
      const secret = newSecret(token.role);
      const rotated: AccessToken = {
        ...token,
        expiresMs: expiresMs === undefined ? token.expiresMs : expiresMs,
        rotatedMs: nowMs,
        previousUntilMs: graceMs > 0 ? nowMs + graceMs : null,
      };
      await replaceTokenHash(tx, rotated, secretHash(secret));
      await shortenSessions(tx, id, nowMs + graceMs);
      const data = { grace_seconds: graceMs / 1_000 };
      await events.audit(tx, { actor, action: 'access.rotate-token', object: id, outcome: 'done', data });
      await events.record(tx, {
        type: 'access.token-rotated',
        severity: 'info',
        message: `The ${token.role} token of ${token.subject} got a new secret; ${graceMs > 0 ? `the old one is good until ${isoInstant(nowMs + graceMs)}` : 'the old one has ended'}.`,
        data: { token_id: id, subject: token.subject, role: token.role, ...data },
      });
      tx.afterCommit(onEnded);
      return { token: rotated, secret };
    });

  return {
    rotateToken: rotate,
    async warnExpiring(limit) {
      const nowMs = clock.now();
      const near = (
        await selectExpiring(db.reader<AccessTables>(), { nowMs, untilMs: nowMs + expiryNoticeMs, limit })
      ).filter((token) => isExpiryNear(token, nowMs));
      if (near.length === 0) return 0;
      await db.unit(async (tx) => {
        for (const token of near) {
          if (!(await markTokenWarned(tx, token.id, nowMs))) continue;
          await events.record(tx, {
            type: 'access.token-expiring',
            severity: 'warning',
            message: `The ${token.role} token of ${token.subject} expires at ${isoInstant(token.expiresMs ?? nowMs)}. \`ragwarden token rotate ${token.id} --expires …\` renews it.`,
            data: { token_id: token.id, subject: token.subject, role: token.role },
          });
        }
      });
      return near.length;
    },
    createToken: (actor, wanted) => create(actor, 'tok', wanted),
    listTokens: ({ limit, beforeId }) => selectTokens(db.reader<AccessTables>(), limit, beforeId),
    revokeToken: (actor, id) =>
      db.unit(async (tx) => {
        const token = await findToken(tx.as<AccessTables>(), id);
        if (!token) throw new AppError('request/not-found', `There is no token ${id}.`);
        await revoke(tx, actor, token);
      }),
    async createFirstToken() {
      if (await hasUsableAdminToken(db.reader<AccessTables>(), clock.now())) return undefined;
      const { secret } = await create('ragwarden', firstStartPrefix, {
        name: 'admin',
        role: 'admin',
        workspaces: 'all',
        label: 'made at the first start',
      });
      return secret;
    },
    async revokeFirstTokens() {
      if ((await selectFirstStartTokens(db.reader<AccessTables>())).length === 0) return;
      await db.unit(async (tx) => {
        for (const token of await selectFirstStartTokens(tx.as<AccessTables>())) await revoke(tx, 'ragwarden', token);
      });
    },
  };
}
