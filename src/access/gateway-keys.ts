import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { localSubject, secretHash } from './access.ts';
import {
  findKey,
  type GatewayKeyTables,
  insertKey,
  markKeyRevoked,
  markKeyUsed,
  selectKeys,
  selectUsableKeys,
} from './gateway-key-store.ts';

/** A credential for going through the gateway: it opens no route of the API, and a token of the API opens nothing there. */
export type StoredGatewayKey = {
  readonly id: string;
  /** SHA-256 of the key, hex; the key itself is kept nowhere. */
  readonly digest: string;
  readonly subject: string;
  readonly targetId: string;
  /** Null: any workspace of the target. */
  readonly workspace: string | null;
  readonly label: string;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly revokedMs: number | null;
  /** In minutes, as they are written down. */
  readonly lastUsedMs: number | null;
};

export type NewGatewayKey = {
  /** A name inside this installation; the subject becomes `local:<name>`. */
  readonly name: string;
  readonly targetId: string;
  readonly workspace: string | null;
  readonly label: string;
  readonly expiresMs: number | null;
};

export type GatewayKeys = {
  /** The key is returned once and never again. */
  create(actor: string, wanted: NewGatewayKey): Promise<{ readonly stored: StoredGatewayKey; readonly key: string }>;
  /** Newest first. */
  list(page: { limit: number; beforeId?: string | undefined }): Promise<StoredGatewayKey[]>;
  /**
   * It opens nothing from now on, and what it has under way ends; revoking twice is no error.
   * @throws AppError `request/not-found`
   */
  revoke(actor: string, id: string): Promise<void>;
  noteUse(id: string, atMs: number): void;
  /** Hands over what opens something whenever that changed, here or on another instance; writes down uses. */
  readonly job: Reconciler;
};

/** Another instance hears of a revocation after this long at most; this one at once. */
const lookMs = 10_000;
const minuteMs = 60_000;

export function createGatewayKeys(options: {
  db: Database;
  clock: Clock;
  random: RandomSource;
  log: Logger;
  events: EventRecorder;
  /** Told of all keys that open something, at the start and whenever they changed. */
  onChange(keys: readonly StoredGatewayKey[]): void;
}): GatewayKeys {
  const { db, clock, random, events } = options;
  /** Minute of the last use, of those that are not written down yet. */
  const used = new Map<string, number>();
  let told: string | undefined;

  const handOver = async (): Promise<void> => {
    const usable = await selectUsableKeys(db.reader<GatewayKeyTables>(), clock.now());
    const mark = usable.map(({ id }) => id).join(' ');
    if (mark === told) return;
    told = mark;
    options.onChange(usable);
  };

  const writeDownUse = async (): Promise<void> => {
    if (used.size === 0) return;
    const uses = [...used];
    used.clear();
    await db.unit(async (tx) => {
      for (const [id, atMs] of uses) await markKeyUsed(tx, id, atMs);
    });
  };

  const job = createReconciler({
    name: 'gateway keys',
    intervalMs: lookMs,
    clock,
    log: options.log,
    async run() {
      await handOver();
      await writeDownUse();
    },
  });

  return {
    job,
    async create(actor, wanted) {
      const nowMs = clock.now();
      const key = `rw_gw_${random(32).toString('base64url')}`;
      const { name, targetId, workspace, label, expiresMs } = wanted;
      const stored: StoredGatewayKey = {
        id: newId('key', nowMs, random),
        digest: secretHash(key),
        subject: localSubject(name),
        targetId,
        workspace,
        label,
        createdMs: nowMs,
        expiresMs,
        revokedMs: null,
        lastUsedMs: null,
      };
      await db.unit(async (tx) => {
        await insertKey(tx, stored);
        const data = { subject: stored.subject, target_id: targetId, workspace, label };
        await events.audit(tx, { actor, action: 'gateway.create-key', object: stored.id, outcome: 'done', data });
        await events.record(tx, {
          type: 'access.gateway-key-created',
          severity: 'info',
          targetId,
          ...(workspace === null ? {} : { workspace }),
          message: `A key of the gateway was made for ${stored.subject}.`,
          data: { key_id: stored.id, subject: stored.subject },
        });
      });
      await handOver();
      return { stored, key };
    },
    list: ({ limit, beforeId }) => selectKeys(db.reader<GatewayKeyTables>(), limit, beforeId),
    async revoke(actor, id) {
      await db.unit(async (tx) => {
        const key = await findKey(tx.as<GatewayKeyTables>(), id);
        if (!key) throw new AppError('request/not-found', `There is no key ${id}.`);
        if (!(await markKeyRevoked(tx, id, clock.now()))) return;
        await events.audit(tx, { actor, action: 'gateway.revoke-key', object: id, outcome: 'done' });
        await events.record(tx, {
          type: 'access.gateway-key-revoked',
          severity: 'info',
          targetId: key.targetId,
          message: `The gateway key of ${key.subject} was revoked.`,
          data: { key_id: id, subject: key.subject },
        });
      });
      await handOver();
    },
    noteUse(id, atMs) {
      used.set(id, Math.floor(atMs / minuteMs) * minuteMs);
    },
  };
}
