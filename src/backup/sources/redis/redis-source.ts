import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import type { Clock } from '../../../platform/clock.ts';
import { AppError, describeError, isAppError, storageError } from '../../../platform/errors.ts';
import type { CaptureResult, CompleteContext, PendingCapture, Proof, Source } from '../source.ts';
import { treeDigest } from '../tree.ts';
import { extractCaptured } from './audit-rows.ts';
import { countKey, emptyCensus, type KeyCensus, rowsOf } from './key-census.ts';
import { writeKeyLines } from './key-lines.ts';
import { createRdbKeyReader } from './rdb-keys.ts';
import { openRedis, savesByItself } from './redis-connection.ts';
import type { RedisDetails } from './redis-details.ts';
import { findWarnings, type RedisFacts, readFacts } from './redis-facts.ts';
import { placeInWords, type RedisPlace, readRedisUrl } from './redis-place.ts';
import { ReplicationRefused, startReplication } from './replication-stream.ts';
import { type Spooled, spoolTo } from './spool.ts';

export type RedisCaptureMode = 'auto' | 'replication' | 'keys';

export type RedisSourceOptions = {
  readonly name: string;
  /** Holds a secret. */
  readonly url: string;
  readonly mode: RedisCaptureMode;
  /** Keys that are the backend's although they are not named as LightRAG names them. */
  readonly prefixes: readonly string[];
  /** The workspace whose rows are counted, as the keys name it. */
  readonly workspace: string;
  /** Only what belongs to that workspace: its keys are then read one by one, since a copy is always of everything. */
  readonly only?: boolean;
};

/** With the URL read. */
type Reading = RedisSourceOptions & { readonly place: RedisPlace };

/** What was fixed and how; the bytes lie in the spool file, or are still on their way into it. */
type Fixed = {
  readonly form: RedisDetails['form'];
  readonly facts: RedisFacts;
  readonly offset: number | undefined;
  readonly runId: string | undefined;
  readonly proof: Proof;
  readonly notes: readonly string[];
  readonly spooled: Promise<Spooled>;
  /** Known when the spool is whole. */
  census(): KeyCensus | string;
};

/**
 * The Redis of a backend. By replication: the copy of the whole server that a replica would get, one moment by construction.
 * By keys, where a server hands out no copies: DUMP of the backend's keys, one moment only when nothing was written meanwhile.
 * The copy goes to a file of the staging folder first: a server keeps all that is written since in memory until its copy has
 * been read, and cuts a reader off that is slow.
 */
export function createRedisSource(options: RedisSourceOptions): Source {
  const { name } = options;
  const mode = options.only ? 'keys' : options.mode;
  return {
    name,
    kind: 'redis',
    describe: () => ({
      name,
      kind: 'redis',
      online: true,
      consistent: mode === 'keys' ? 'when-still' : 'always',
      restorableElsewhere: true,
      notes: [
        mode === 'keys'
          ? 'the backend’s keys are read one after the other'
          : mode === 'replication'
            ? 'the whole server is copied as a replica copies it'
            : 'the whole server is copied as a replica copies it; where it refuses that, the backend’s keys are read one after the other',
      ],
    }),
    async capture(into, { signal, clock }) {
      await rm(into, { recursive: true, force: true });
      await mkdir(into, { recursive: true, mode: 0o700 });
      const spool = join(into, 'spool');
      const reading: Reading = { ...options, mode, place: readRedisUrl(options.url) };
      const over = new AbortController();
      const both = AbortSignal.any([signal, over.signal]);
      let fixed: Fixed;
      try {
        fixed = await fix(reading, spool, both, clock);
      } catch (err) {
        over.abort();
        await rm(spool, { force: true });
        throw captureError(err, reading, signal);
      }
      // Whoever lets go of it early does not await it.
      fixed.spooled.catch(() => undefined);
      return {
        async complete(context) {
          try {
            const spooled = await fixed.spooled;
            const stream = fixed.form === 'rdb' ? 'dump.rdb' : 'keys.jsonl';
            const stored = await context.storeStream(stream, { by: 'bytes', chunks: createReadStream(spool) });
            if (stored.bytes !== spooled.bytes || (stored.sha256 ?? spooled.sha256) !== spooled.sha256)
              throw new AppError('backup/capture-failed', `${name}: other bytes were stored than were read.`);
            const result = resultOf(reading, fixed, spooled, { ...stored, sha256: spooled.sha256 });
            return await withExtracts(result, reading, fixed, spool, context);
          } catch (err) {
            throw captureError(err, reading, signal);
          } finally {
            await rm(spool, { force: true });
          }
        },
        async release() {
          over.abort(new Error('the capture was let go of'));
          await fixed.spooled.catch(() => undefined);
          await rm(spool, { force: true }).catch(() => undefined);
        },
      } satisfies PendingCapture;
    },
  };
}

/** What an audit asks of the stores, from the copy that lies here. A point without it is a point, and says why. */
async function withExtracts(
  result: CaptureResult,
  { name, place, workspace }: Reading,
  { form }: Fixed,
  spool: string,
  { auditDir, signal }: CompleteContext,
): Promise<CaptureResult> {
  if (auditDir === undefined) return result;
  try {
    const wanted = { folder: auditDir, name, workspace };
    const extracts = await extractCaptured(spool, { form, database: place.database }, wanted, signal);
    return { ...result, extracts };
  } catch (err) {
    signal.throwIfAborted();
    return { ...result, notes: [...result.notes, `its stores are not in the audit: ${describeError(err)}`] };
  }
}

function captureError(err: unknown, { name, place }: Reading, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (isAppError(err)) return err;
  const full = storageError(err, `capturing ${name}`);
  if (isAppError(full)) return full;
  const what = err instanceof ReplicationRefused ? 'it hands out no copy of itself: ' : '';
  return new AppError('backup/capture-failed', `${name}, ${placeInWords(place)}: ${what}${describeError(err)}.`, {
    cause: err,
  });
}

async function fix(options: Reading, spool: string, signal: AbortSignal, clock: Clock): Promise<Fixed> {
  const { place, mode } = options;
  const { redis, close } = await openRedis(
    place,
    signal,
    (cause, err) =>
      new AppError('backup/capture-failed', `${options.name}: ${placeInWords(place)} does not answer: ${cause}.`, {
        cause: err,
      }),
  );
  try {
    const facts = readFacts(await redis.info());
    if (facts.cluster)
      throw new AppError(
        'backup/capture-failed',
        `${options.name}: ${placeInWords(place)} is one node of a cluster and holds a part only, which is not supported.`,
      );
    if (mode === 'keys') return await fixKeys(options, redis, spool, signal, clock, []);
    try {
      return await fixCopy(options, redis, facts, spool, signal);
    } catch (err) {
      if (!(err instanceof ReplicationRefused) || mode === 'replication') throw err;
      const why = `the server hands out no copy of itself (${err.message}), so the backend’s keys were read one after the other`;
      return await fixKeys(options, redis, spool, signal, clock, [why]);
    }
  } finally {
    close();
  }
}

async function fixCopy(
  options: Reading,
  redis: Redis,
  facts: RedisFacts,
  spool: string,
  signal: AbortSignal,
): Promise<Fixed> {
  const { place } = options;
  // A server that writes dumps anyway may write one for us, which begins at once. Another is told that a stream without a file
  // is understood: a dump that it left behind would be read at its next start.
  const start = await startReplication(place, { marked: !(await savesByItself(redis)), signal });
  const census = emptyCensus();
  const reader = createRdbKeyReader((seen) =>
    countKey(census, seen, { database: place.database, prefixes: options.prefixes }),
  );
  const watched = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of start.rdb()) {
      reader.write(chunk);
      yield chunk;
    }
  };
  // A copy that another replica had asked for is handed out again; then its moment is the other's.
  const early =
    start.offset !== undefined && facts.replicationOffset !== undefined && start.offset < facts.replicationOffset;
  return {
    form: 'rdb',
    facts,
    offset: start.offset,
    runId: start.runId,
    proof: early
      ? {
          grade: 'crash-consistent',
          reasons: ['one moment, but an earlier one: the copy had been begun for another replica'],
        }
      : { grade: 'consistent', reasons: ['one moment: the copy that a replica gets'] },
    notes: [],
    spooled: spoolTo(spool, watched()),
    census: () => reader.end() ?? census,
  };
}

const mostTries = 3;

async function fixKeys(
  options: Reading,
  redis: Redis,
  spool: string,
  signal: AbortSignal,
  clock: Clock,
  notes: readonly string[],
): Promise<Fixed> {
  const { place, prefixes } = options;
  for (let tries = 1; ; tries += 1) {
    const before = readFacts(await redis.info());
    let census: KeyCensus | undefined;
    const lines = async function* (): AsyncGenerator<Buffer> {
      census = yield* writeKeyLines(
        redis,
        { database: place.database, prefixes, ...(options.only ? { only: options.workspace } : {}) },
        { redisVersion: before.version, now: () => clock.now(), signal },
      );
    };
    const spooled = await spoolTo(spool, lines());
    const proof = judgeStillness(before, readFacts(await redis.info()));
    if (proof.grade === 'fuzzy' && before.changesSinceSave !== undefined && tries < mostTries) continue;
    return {
      form: 'keys',
      facts: before,
      offset: before.replicationOffset,
      runId: before.runId,
      proof,
      notes,
      spooled: Promise.resolve(spooled),
      census: () => census ?? 'no key was read',
    };
  }
}

/** Still means that the server counted no change, whoever's, and made no dump that would have set its count back. */
export function judgeStillness(before: RedisFacts, after: RedisFacts): Proof {
  if (before.changesSinceSave === undefined || after.changesSinceSave === undefined)
    return {
      grade: 'fuzzy',
      reasons: ['the server does not tell whether something was written while its keys were read'],
    };
  const moved = before.runId !== after.runId || before.lastSave !== after.lastSave;
  if (moved || before.changesSinceSave !== after.changesSinceSave)
    return { grade: 'fuzzy', reasons: ['the server was written to while its keys were read'] };
  return { grade: 'consistent', reasons: ['the server counted no change while its keys were read'] };
}

function resultOf(
  options: Reading,
  fixed: Fixed,
  spooled: Spooled,
  stored: CaptureResult['streams'][number],
): CaptureResult {
  const { facts } = fixed;
  const census = fixed.census();
  const known = typeof census === 'string' ? undefined : census;
  const details: RedisDetails = {
    version: 1,
    form: fixed.form,
    stream: stored.name,
    sha256: spooled.sha256,
    database: options.place.database,
    prefixes: [...options.prefixes],
    workspace: options.only ? options.workspace : null,
    redis_version: facts.version,
    run_id: fixed.runId ?? facts.runId,
    replication_offset: fixed.offset ?? null,
    eviction_policy: facts.evictionPolicy,
    used_memory_bytes: facts.usedMemory,
    dataset_memory_bytes: facts.datasetMemory ?? null,
    census: known ?? null,
  };
  return {
    name: options.name,
    kind: 'redis',
    entries: [],
    treeSha256: treeDigest([]),
    streams: [stored],
    files: 0,
    bytes: spooled.bytes,
    renewedFiles: 0,
    skipped: [],
    damaged: [],
    partial: false,
    notes: [
      ...fixed.notes,
      ...findWarnings(facts),
      ...(known === undefined ? [`its keys were not counted: ${String(census)}`] : foreignNote(known, fixed.form)),
    ],
    proof: fixed.proof,
    ...(known === undefined ? {} : { counts: rowsOf(known, options.workspace) }),
    restore: { by: 'restorer', details },
  };
}

function foreignNote(census: KeyCensus, form: RedisDetails['form']): string[] {
  const { keys } = census.foreign;
  if (keys === 0) return [];
  const what = `${keys} ${keys === 1 ? 'key is' : 'keys are'} not the backend’s`;
  return [form === 'rdb' ? `${what}: in the point, and left alone by a restore` : `${what}, and not in the point`];
}
