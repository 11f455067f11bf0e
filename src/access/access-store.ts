import type { Kysely } from 'kysely';
import type { Database, Tx } from '../platform/database/index.ts';
import type { Role } from '../platform/http/index.ts';
import type { AccessToken, Workspaces } from './access.ts';

type TokenRow = {
  id: string;
  hash: string;
  subject: string;
  role: string;
  workspaces: string;
  label: string;
  created_ms: number;
  expires_ms: number | null;
  revoked_ms: number | null;
  previous_hash: string | null;
  previous_until_ms: number | null;
  rotated_ms: number | null;
  last_used_ms: number | null;
  warned_ms: number | null;
};
type LinkRow = {
  hash: string;
  subject: string;
  role: string;
  workspaces: string | null;
  expires_ms: number;
  used_ms: number | null;
};
type SessionRow = {
  hash: string;
  csrf_hash: string;
  token_id: string | null;
  subject: string;
  role: string;
  workspaces: string | null;
  created_ms: number;
  expires_ms: number;
  ended_ms: number | null;
};
export type AccessTables = { access_token: TokenRow; login_link: LinkRow; session: SessionRow };
type Reader = Kysely<AccessTables>;

export type Session = {
  readonly hash: string;
  readonly csrfHash: string;
  /** The token that was typed in, when the session came from one; it lives no longer than that token. */
  readonly tokenId: string | null;
  readonly subject: string;
  readonly role: Role;
  /** Of a session whose workspaces cannot be read from a stored token. */
  readonly workspaces: Workspaces | null;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly endedMs: number | null;
};

const roles: Readonly<Record<string, Role>> = { user: 'user', service: 'service', scrape: 'scrape', admin: 'admin' };
function roleOf(text: string): Role {
  const role = roles[text];
  if (!role) throw new Error(`the access tables hold an unknown role: ${text}`);
  return role;
}

function workspacesOf(text: string): Workspaces {
  const value: unknown = JSON.parse(text);
  if (value === 'all') return 'all';
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}

const workspacesOrNull = (text: string | null): Workspaces | null => (text === null ? null : workspacesOf(text));
const numberOrNull = (value: number | string | null): number | null => (value === null ? null : Number(value));

const tokenOf = (row: TokenRow): AccessToken => ({
  id: row.id,
  subject: row.subject,
  role: roleOf(row.role),
  workspaces: workspacesOf(row.workspaces),
  label: row.label,
  createdMs: Number(row.created_ms),
  expiresMs: numberOrNull(row.expires_ms),
  revokedMs: numberOrNull(row.revoked_ms),
  previousUntilMs: numberOrNull(row.previous_until_ms),
  rotatedMs: numberOrNull(row.rotated_ms),
  lastUsedMs: numberOrNull(row.last_used_ms),
});

/** `previous`: it is the secret from before the last rotation, whose grace period the caller has to look at. */
export async function findTokenByHash(
  db: Reader,
  hash: string,
): Promise<{ token: AccessToken; previous: boolean } | undefined> {
  const row = await db
    .selectFrom('access_token')
    .selectAll()
    .where((eb) => eb.or([eb('hash', '=', hash), eb('previous_hash', '=', hash)]))
    .executeTakeFirst();
  return row && { token: tokenOf(row), previous: row.hash !== hash };
}

export async function findToken(db: Reader, id: string): Promise<AccessToken | undefined> {
  const row = await db.selectFrom('access_token').selectAll().where('id', '=', id).executeTakeFirst();
  return row && tokenOf(row);
}

/** Newest first; ids sort by time. */
export async function selectTokens(db: Reader, limit: number, beforeId: string | undefined): Promise<AccessToken[]> {
  let query = db.selectFrom('access_token').selectAll().orderBy('id', 'desc').limit(limit);
  if (beforeId !== undefined) query = query.where('id', '<', beforeId);
  return (await query.execute()).map(tokenOf);
}

/** Whether any stored admin token still opens the door. */
export async function hasUsableAdminToken(db: Reader, nowMs: number): Promise<boolean> {
  const row = await db
    .selectFrom('access_token')
    .select('id')
    .where('role', '=', 'admin')
    .where('revoked_ms', 'is', null)
    .where((eb) => eb.or([eb('expires_ms', 'is', null), eb('expires_ms', '>', nowMs)]))
    .executeTakeFirst();
  return row !== undefined;
}

export async function insertToken(tx: Tx, token: AccessToken, hash: string): Promise<void> {
  await tx
    .as<AccessTables>()
    .insertInto('access_token')
    .values({
      id: token.id,
      hash,
      subject: token.subject,
      role: token.role,
      workspaces: JSON.stringify(token.workspaces),
      label: token.label,
      created_ms: token.createdMs,
      expires_ms: token.expiresMs,
      revoked_ms: token.revokedMs,
      previous_hash: null,
      previous_until_ms: null,
      rotated_ms: null,
      last_used_ms: null,
      warned_ms: null,
    })
    .execute();
}

/** Of those that a first start made, the ones that still open the door. */
export async function selectFirstStartTokens(db: Reader): Promise<AccessToken[]> {
  const rows = await db
    .selectFrom('access_token')
    .selectAll()
    .where('id', 'like', `${firstStartPrefix}%`)
    .where('revoked_ms', 'is', null)
    .execute();
  return rows.map(tokenOf).filter((token) => token.id.startsWith(`${firstStartPrefix}_`));
}
export const firstStartPrefix = 'first';

/** False: it was revoked before, or is not there. */
export async function markTokenRevoked(tx: Tx, id: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .as<AccessTables>()
    .updateTable('access_token')
    .set({ revoked_ms: nowMs })
    .where('id', '=', id)
    .where('revoked_ms', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** The hash that was there becomes the previous one, in the same statement, when `previousUntilMs` is set. */
export async function replaceTokenHash(tx: Tx, token: AccessToken, hash: string): Promise<void> {
  await tx
    .as<AccessTables>()
    .updateTable('access_token')
    .set((eb) => ({
      previous_hash: token.previousUntilMs === null ? null : eb.ref('hash'),
      hash,
      previous_until_ms: token.previousUntilMs,
      rotated_ms: token.rotatedMs,
      expires_ms: token.expiresMs,
      warned_ms: null,
    }))
    .where('id', '=', token.id)
    .execute();
}

/** Sessions that came from a token end at `untilMs` at the latest. */
export async function shortenSessions(tx: Tx, tokenId: string, untilMs: number): Promise<void> {
  await tx
    .as<AccessTables>()
    .updateTable('session')
    .set({ expires_ms: untilMs })
    .where('token_id', '=', tokenId)
    .where('expires_ms', '>', untilMs)
    .execute();
}

/** Active ones that end before `untilMs` and were not told of. */
export async function selectExpiring(
  db: Reader,
  { nowMs, untilMs, limit }: { nowMs: number; untilMs: number; limit: number },
): Promise<AccessToken[]> {
  const rows = await db
    .selectFrom('access_token')
    .selectAll()
    .where('expires_ms', '>', nowMs)
    .where('expires_ms', '<=', untilMs)
    .where('revoked_ms', 'is', null)
    .where('warned_ms', 'is', null)
    .orderBy('expires_ms')
    .limit(limit)
    .execute();
  return rows.map(tokenOf);
}

/** False: somebody else told of it. */
export async function markTokenWarned(tx: Tx, id: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .as<AccessTables>()
    .updateTable('access_token')
    .set({ warned_ms: nowMs })
    .where('id', '=', id)
    .where('warned_ms', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Never moves back: another instance may have seen it later. */
export async function markTokenUsed(tx: Tx, id: string, atMs: number): Promise<void> {
  await tx
    .as<AccessTables>()
    .updateTable('access_token')
    .set({ last_used_ms: atMs })
    .where('id', '=', id)
    .where((eb) => eb.or([eb('last_used_ms', 'is', null), eb('last_used_ms', '<', atMs)]))
    .execute();
}

export async function insertLink(
  tx: Tx,
  link: { hash: string; subject: string; role: Role; workspaces: Workspaces; expiresMs: number },
): Promise<void> {
  const { hash, subject, role } = link;
  const workspaces = JSON.stringify(link.workspaces);
  await tx
    .as<AccessTables>()
    .insertInto('login_link')
    .values({ hash, subject, role, workspaces, expires_ms: link.expiresMs, used_ms: null })
    .execute();
}

/** One conditional UPDATE, so that two who come at once cannot both get in. Undefined: used up, expired or never made. */
export async function spendLink(
  tx: Tx,
  hash: string,
  nowMs: number,
): Promise<{ subject: string; role: Role; workspaces: Workspaces } | undefined> {
  const row = await tx
    .as<AccessTables>()
    .updateTable('login_link')
    .set({ used_ms: nowMs })
    .where('hash', '=', hash)
    .where('used_ms', 'is', null)
    .where('expires_ms', '>', nowMs)
    .returning(['subject', 'role', 'workspaces'])
    .executeTakeFirst();
  if (!row) return undefined;
  const role = roleOf(row.role);
  return { subject: row.subject, role, workspaces: workspacesOrNull(row.workspaces) ?? withoutWorkspaces(role) };
}

/** Links and sessions from before they carried workspaces. */
export const withoutWorkspaces = (role: Role): Workspaces => (role === 'admin' ? 'all' : []);

export async function insertSession(tx: Tx, session: Session): Promise<void> {
  await tx
    .as<AccessTables>()
    .insertInto('session')
    .values({
      hash: session.hash,
      csrf_hash: session.csrfHash,
      token_id: session.tokenId,
      subject: session.subject,
      role: session.role,
      workspaces: session.workspaces === null ? null : JSON.stringify(session.workspaces),
      created_ms: session.createdMs,
      expires_ms: session.expiresMs,
      ended_ms: session.endedMs,
    })
    .execute();
}

export async function findSession(db: Reader, hash: string): Promise<Session | undefined> {
  const row = await db.selectFrom('session').selectAll().where('hash', '=', hash).executeTakeFirst();
  return (
    row && {
      hash: row.hash,
      csrfHash: row.csrf_hash,
      tokenId: row.token_id,
      subject: row.subject,
      role: roleOf(row.role),
      workspaces: workspacesOrNull(row.workspaces),
      createdMs: Number(row.created_ms),
      expiresMs: Number(row.expires_ms),
      endedMs: numberOrNull(row.ended_ms),
    }
  );
}

export async function endSession(tx: Tx, hash: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .as<AccessTables>()
    .updateTable('session')
    .set({ ended_ms: nowMs })
    .where('hash', '=', hash)
    .where('ended_ms', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** @returns how many open ones ended */
export async function endSessionsOf(tx: Tx, subject: string, nowMs: number): Promise<number> {
  const { numUpdatedRows } = await tx
    .as<AccessTables>()
    .updateTable('session')
    .set({ ended_ms: nowMs })
    .where('subject', '=', subject)
    .where('ended_ms', 'is', null)
    .where('expires_ms', '>', nowMs)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/**
 * Removes what ended before `beforeMs`: links, sessions and, before `tokensBeforeMs`, tokens. At most `limit` of each.
 * @returns how many rows went
 */
export async function deleteEnded(
  tx: Tx,
  { beforeMs, tokensBeforeMs, limit }: { beforeMs: number; tokensBeforeMs: number; limit: number },
): Promise<number> {
  const db = tx.as<AccessTables>();
  const links = db.selectFrom('login_link').select('hash').where('expires_ms', '<', beforeMs).limit(limit);
  const sessions = db
    .selectFrom('session')
    .select('hash')
    .where((eb) => eb.or([eb('expires_ms', '<', beforeMs), eb('ended_ms', '<', beforeMs)]))
    .limit(limit);
  const tokens = db
    .selectFrom('access_token')
    .select('id')
    .where((eb) => eb.or([eb('expires_ms', '<', tokensBeforeMs), eb('revoked_ms', '<', tokensBeforeMs)]))
    .limit(limit);
  const gone = [
    await db.deleteFrom('login_link').where('hash', 'in', links).executeTakeFirst(),
    await db.deleteFrom('session').where('hash', 'in', sessions).executeTakeFirst(),
    await db.deleteFrom('access_token').where('id', 'in', tokens).executeTakeFirst(),
  ];
  return gone.reduce((sum, result) => sum + Number(result.numDeletedRows), 0);
}

/** Sessions and login links, living and ended. */
export async function countLogins(db: Database): Promise<number> {
  const of = async (table: 'session' | 'login_link'): Promise<number> => {
    const row = await db
      .reader<AccessTables>()
      .selectFrom(table)
      .select((eb) => eb.fn.countAll<number>().as('rows'))
      .executeTakeFirstOrThrow();
    return Number(row.rows);
  };
  return (await of('session')) + (await of('login_link'));
}

/** Of those that are over, the ones that would have lasted the shortest; whoever is logged in stays so. @returns how many went */
export async function deleteOldestLogins(tx: Tx, nowMs: number, limit: number): Promise<number> {
  const db = tx.as<AccessTables>();
  const links = await db
    .deleteFrom('login_link')
    .where('hash', 'in', (eb) =>
      eb.selectFrom('login_link').select('hash').where('expires_ms', '<', nowMs).orderBy('expires_ms').limit(limit),
    )
    .executeTakeFirst();
  const left = limit - Number(links.numDeletedRows);
  if (left === 0) return limit;
  const sessions = await db
    .deleteFrom('session')
    .where('hash', 'in', (eb) =>
      eb
        .selectFrom('session')
        .select('hash')
        .where((or) => or.or([or('expires_ms', '<', nowMs), or('ended_ms', 'is not', null)]))
        .orderBy('expires_ms')
        .limit(left),
    )
    .executeTakeFirst();
  return Number(links.numDeletedRows) + Number(sessions.numDeletedRows);
}
