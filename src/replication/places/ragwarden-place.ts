import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Repository } from '../../backup/index.ts';
import { type ChildProcesses, systemSearchPath } from '../../platform/child-processes/index.ts';
import { isoInstant } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import type { PointCopy, SyncPlan } from '../plan-sync.ts';
import { mostPartBytes, receivedBody, uploadBody } from '../receive/receive-routes.ts';
import { digestOf } from '../receive/receiver.ts';
import type { Place, PlaceCall } from './place.ts';

const listAnswer = z.object({
  items: z.array(receivedBody),
  received_bytes: z.number().nullable(),
  /** An older one does not tell it. */
  keep: z.number().optional(),
});
const problemAnswer = z.object({ code: z.string(), detail: z.string().default('') });
const verifyAnswer = z.object({ points: z.number(), findings: z.array(z.string()) });
const below = '/api/v1/backup-replication/backup/snapshots';

/**
 * Another ragwarden. It gets a whole point as a repository of its own, packed into one file and as sealed as it is here: the
 * receiver can look at its digest and not into it. Each point is sent whole, since nothing is shared between two of them there.
 */
export function createRagwardenPlace(options: {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly http: HttpRequester;
  readonly source: Repository;
  /** Where a point is packed; what lies there is used again after a kill, so that the bytes stay the same. */
  readonly spool: string;
  readonly children: ChildProcesses;
  /** A repository in a folder, with the password of the source. */
  repositoryAt(folder: string): Repository;
  /** How much goes in one request. */
  readonly partBytes?: number;
}): Place {
  const { baseUrl, source, spool, partBytes = mostPartBytes } = options;

  const ask = async <T>(
    schema: z.ZodType<T>,
    path: string,
    query: Readonly<Record<string, string>>,
    call: PlaceCall,
    more: { readonly body?: Uint8Array; readonly type?: string; readonly timeoutMs?: number } = {},
  ): Promise<T> => {
    const answer = await options.http.request({
      url: `${baseUrl}${below}${path}?${new URLSearchParams(query)}`,
      method: more.body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${options.apiKey}`,
        accept: 'application/json',
        ...(more.body === undefined ? {} : { 'content-type': more.type ?? 'application/octet-stream' }),
      },
      ...(more.body === undefined ? {} : { body: more.body }),
      timeoutMs: more.timeoutMs ?? 55_000,
      maxBytes: 32 * 1024 * 1024,
      signal: call.signal,
    });
    const document = readJson(answer.text());
    if (answer.status !== 200) throw refusal(baseUrl, answer.status, document);
    const parsed = schema.safeParse(document);
    if (parsed.success) return parsed.data;
    throw new AppError('outgoing/failed', `${baseUrl} does not answer as a ragwarden does.`, { cause: parsed.error });
  };

  /** Packed once; a second time only when it is not there any more. */
  const pack = async (
    { point, streams, manifest }: PointCopy,
    call: PlaceCall,
  ): Promise<{ file: string; dataHash: string; bytes: number }> => {
    const file = join(spool, `${point.id}.tar`);
    if (!(await stat(file).catch(() => undefined))) {
      const folder = join(spool, `${point.id}.repository`);
      await rm(folder, { recursive: true, force: true });
      await mkdir(spool, { recursive: true, mode: 0o700 });
      const packed = options.repositoryAt(folder);
      await packed.init({ ...call, like: source });
      // In no order: nobody sees it before all of it is packed.
      const snapshotIds = [...streams, ...(manifest === undefined ? [] : [manifest])];
      await packed.copyFrom({ ...call, from: source, snapshotIds });
      const { exitCode, stderr } = await options.children.run({
        program: 'tar',
        args: ['-cf', `${file}.new`, '-C', folder, '.'],
        env: { PATH: systemSearchPath },
        purpose: 'packing a point',
        signal: call.signal,
      });
      if (exitCode !== 0) throw new AppError('child/failed', `The point could not be packed: ${stderr.slice(0, 300)}`);
      await rename(`${file}.new`, file);
      await rm(folder, { recursive: true, force: true });
    }
    return { file, dataHash: await digestOf(file), bytes: (await stat(file)).size };
  };

  return {
    repository: undefined,
    async look(_known, call) {
      const { items, keep = null } = await ask(listAnswer, '/received', {}, call);
      return { repositoryId: null, storedBytes: items.reduce((sum, one) => sum + one.size_bytes, 0), keep };
    },

    async plan(points, call) {
      const { items, keep } = await ask(listAnswer, '/received', {}, call);
      const there = new Map(items.map((one) => [`${one.graph_id} ${one.backup_id}`, one]));
      const here = await source.snapshots(call);
      const copy: PointCopy[] = [];
      const held: SyncPlan['held'][number][] = [];
      const conflicts: SyncPlan['conflicts'][number][] = [];
      const seen = new Map<string, number>();
      for (const point of [...points].sort((one, other) => other.takenMs - one.takenMs)) {
        const newer = seen.get(point.targetId) ?? 0;
        seen.set(point.targetId, newer + 1);
        // It would go there at once.
        if (keep !== undefined && newer >= keep) continue;
        const mine = here.filter((one) => one.tags.includes(`rp:${point.id}`));
        const manifest = mine.find((one) => one.tags.includes('manifest') && !one.tags.includes('rejected'));
        if (!manifest) continue;
        const found = there.get(`${point.targetId} ${point.id}`);
        if (!found) {
          const streams = mine.filter((one) => !one.tags.includes('manifest')).map(({ id }) => id);
          copy.push({ point, streams, manifest: manifest.id, treeId: manifest.tree });
        } else if (found.tree_id === manifest.tree) {
          held.push({ point, treeId: manifest.tree });
          // Its last answer was lost.
          await rm(join(spool, `${point.id}.tar`), { force: true });
        } else conflicts.push({ pointId: point.id, here: manifest.tree, there: found.tree_id ?? found.data_hash });
      }
      return { copy, held, conflicts, listed: new Set(items.map((one) => one.backup_id)) };
    },

    async bring(item, limitKiB, call) {
      // One is packed at a time: whatever else lies there was left by a point that is there by now, or is not wanted any more.
      for (const name of await readdir(spool).catch((): string[] => []))
        if (!name.startsWith(`${item.point.id}.`)) await rm(join(spool, name), { recursive: true, force: true });
      const { file, dataHash, bytes } = await pack(item, call);
      const { point, treeId } = item;
      const about = { graph_id: point.targetId, backup_id: point.id, data_hash: dataHash };
      const known = await ask(listAnswer, '/received', about, call);
      let offset = known.received_bytes ?? 0;
      const handle = await open(file, 'r');
      try {
        for (;;) {
          const part = Buffer.alloc(Math.min(partBytes, bytes - offset));
          await handle.read(part, 0, part.length, offset);
          const beganMs = performance.now();
          const query = {
            ...about,
            total_bytes: String(bytes),
            offset: String(offset),
            tree_id: treeId,
            taken_at: isoInstant(point.takenMs),
          };
          // The other side reads all of it before it answers the last part.
          const last = offset + part.length >= bytes;
          const answer = await ask(uploadBody, '/upload', query, call, {
            body: part,
            ...(last ? { timeoutMs: 600_000 } : {}),
          });
          offset += part.length;
          if (answer.data_hash !== dataHash || answer.received_bytes !== offset)
            throw new AppError('outgoing/failed', `${baseUrl} says that it has something else than was sent.`);
          if (answer.status === 'validated') break;
          if (offset >= bytes)
            throw new AppError('outgoing/failed', `${baseUrl} took all of ${point.id} and does not list it.`);
          await slowDown(part.length, limitKiB, performance.now() - beganMs, call.signal);
        }
      } finally {
        await handle.close();
      }
      await rm(file, { force: true });
      return { treeId, bytes, dataHash };
    },

    // It keeps as many as it was told to.
    forget: async () => [],
    async verify(percent, call) {
      const body = Buffer.from(JSON.stringify({ percent }));
      const { findings } = await ask(verifyAnswer, '/received/verify', {}, call, {
        body,
        type: 'application/json',
        timeoutMs: 600_000,
      });
      return { ok: findings.length === 0, findings };
    },
  };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the other side refuses keeps its code, so that a conflict there is one here. */
function refusal(baseUrl: string, status: number, document: unknown): AppError {
  const told = problemAnswer.safeParse(document);
  if (status === 401 || status === 403)
    return new AppError('access/forbidden', `${baseUrl} does not take this key (${status}).`);
  if (!told.success) return new AppError('outgoing/failed', `${baseUrl} answered ${status}.`);
  const detail = `${baseUrl}: ${told.data.detail}`;
  switch (told.data.code) {
    case 'replication/conflict':
    case 'replication/digest-mismatch':
    case 'storage/full':
    case 'request/too-large':
      return new AppError(told.data.code, detail);
    case 'feature/disabled':
      return new AppError('conflict/state', detail);
    default:
      return new AppError('outgoing/failed', detail);
  }
}

async function slowDown(bytes: number, limitKiB: number, tookMs: number, signal: AbortSignal): Promise<void> {
  const dueMs = limitKiB > 0 ? (bytes / (limitKiB * 1_024)) * 1_000 - tookMs : 0;
  if (dueMs > 0) await sleep(dueMs, undefined, { signal });
}
