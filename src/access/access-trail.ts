import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Logger } from '../platform/logging.ts';
import { isUnsafe } from './access.ts';

const dayMs = 24 * 3_600_000;
const remembered = 10_000;

/**
 * Who read what, and who was turned away: one audit entry per subject, route and day, so that a page that asks every few
 * seconds does not bury the changes. Changes are not told here: whatever makes one audits it in its own transaction.
 * @returns a hook for after the response
 */
export function createAccessTrail(options: {
  db: Database;
  clock: Clock;
  log: Logger;
  events: EventRecorder;
}): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const { db, clock, log, events } = options;
  /** What was told today; the oldest is forgotten first, and then told once more. */
  const told = new Map<string, number>();

  const isNew = (key: string): boolean => {
    const day = Math.floor(clock.now() / dayMs);
    if (told.get(key) === day) return false;
    told.delete(key);
    told.set(key, day);
    for (const oldest of told.keys()) {
      if (told.size <= remembered) break;
      told.delete(oldest);
    }
    return true;
  };

  return async (request, reply) => {
    const { principal } = request;
    const { url, config } = request.routeOptions;
    if (!principal || url === undefined || config.access === 'public') return;
    const isRead = config.onlyLooks === true || !isUnsafe(request.method);
    const refused = reply.statusCode === 403;
    if (!refused && !(isRead && reply.statusCode < 400)) return;
    const action = refused ? 'access.refused' : 'access.read';
    const object = `${request.method} ${url}`;
    const { subject, role, via } = principal;
    if (!isNew(JSON.stringify([action, object, subject, via]))) return;
    try {
      await db.unit((tx) =>
        events.audit(tx, {
          actor: subject,
          action,
          object,
          outcome: refused ? 'refused' : 'done',
          data: { role, via, address: request.ip },
        }),
      );
    } catch (err) {
      log.warn({ err, object }, 'an access could not be recorded');
    }
  };
}
