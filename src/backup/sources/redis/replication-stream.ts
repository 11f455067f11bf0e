import { once } from 'node:events';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AppError, describeError, isAppError } from '../../../platform/errors.ts';
import { placeInWords, type RedisPlace } from './redis-place.ts';

/** A master sends a line feed every ten seconds while it prepares; one that is silent for longer is gone. */
const silenceLimitMs = 60_000;
const longestLine = 4096;

/** A full copy of a Redis that has begun to arrive: its moment is fixed, its bytes are still to be read. */
export type ReplicationStart = {
  /** Undefined: the server speaks SYNC only, and does not tell. */
  readonly runId: string | undefined;
  readonly offset: number | undefined;
  /** The RDB, once. @throws AppError `backup/capture-failed` when the stream ends early */
  rdb(): AsyncGenerator<Buffer>;
  close(): void;
};

/** The server answers, and does not hand out copies of itself: managed servers, accounts without the right. */
export class ReplicationRefused extends Error {
  override readonly name = 'ReplicationRefused';
}

/**
 * Asks a Redis for a copy of itself as a replica would, over a connection of our own. Resolves when the server has forked,
 * which is the moment of the copy.
 * @param options.marked announces that a stream of unknown length is understood, so that a server may send it without
 *   writing it to its disk first
 * @throws ReplicationRefused, AppError `backup/capture-failed`, the signal's reason
 */
export async function startReplication(
  place: RedisPlace,
  options: { readonly marked: boolean; readonly signal: AbortSignal },
): Promise<ReplicationStart> {
  const { signal } = options;
  signal.throwIfAborted();
  const socket = dial(place);
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  const close = (): void => {
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  };
  socket.setTimeout(silenceLimitMs, () =>
    socket.destroy(new Error(`it said nothing for ${silenceLimitMs / 1000} seconds`)),
  );
  try {
    await once(socket, place.tls ? 'secureConnect' : 'connect');
    const input = createInput(socket);
    const ask = async (...words: string[]): Promise<string> => {
      socket.write(command(words));
      return input.line();
    };
    if (place.password !== undefined) {
      const answer = await ask('AUTH', ...(place.username === undefined ? [] : [place.username]), place.password);
      if (answer.startsWith('-') && !answer.includes('without any password configured'))
        throw new AppError('backup/capture-failed', `The ${placeInWords(place)} refused the login: ${said(answer)}.`);
    }
    if (options.marked) await ask('REPLCONF', 'capa', 'eof');
    let answer = await ask('PSYNC', '?', '-1');
    if (/^-ERR unknown command/i.test(answer)) answer = await ask('SYNC');
    const resync = /^\+FULLRESYNC (\S+) (\d+)/.exec(answer);
    if (!resync && !answer.startsWith('$')) throw new ReplicationRefused(said(answer));
    return {
      runId: resync?.[1],
      offset: resync ? Number(resync[2]) : undefined,
      async *rdb() {
        try {
          yield* readRdb(input, resync ? await input.line() : answer);
        } catch (err) {
          throw failed(place, err, signal);
        } finally {
          close();
        }
      },
      close,
    };
  } catch (err) {
    close();
    if (err instanceof ReplicationRefused) throw err;
    throw failed(place, err, signal);
  }
}

function failed(place: RedisPlace, err: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (isAppError(err)) return err;
  return new AppError('backup/capture-failed', `No copy of ${placeInWords(place)}: ${describeError(err)}.`, {
    cause: err,
  });
}

function dial(place: RedisPlace): Socket {
  const where = place.path === undefined ? { host: place.host, port: place.port } : { path: place.path };
  if (place.tls === undefined) return connect(where);
  const { verify, ca } = place.tls;
  return connectTls({
    ...where,
    rejectUnauthorized: verify,
    ...(isIP(place.host) === 0 ? { servername: place.host } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
}

/** As the protocol counts: bytes, whatever they are. */
function command(words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`);
}

const said = (answer: string): string => answer.replace(/^[-+]/, '').trim();

type Input = {
  /** The next line without its end; empty ones, which only say that the server lives, are passed over. */
  line(): Promise<string>;
  /** The next bytes that there are; undefined at the end. */
  chunk(): Promise<Buffer | undefined>;
};

function createInput(socket: Socket): Input {
  // Each connection is read by one reader, from its first byte to its last.
  const iterator: AsyncIterator<Buffer> = socket.iterator({ destroyOnReturn: false });
  let rest: Buffer = Buffer.alloc(0);
  const chunk = async (): Promise<Buffer | undefined> => {
    if (rest.length > 0) {
      const given = rest;
      rest = Buffer.alloc(0);
      return given;
    }
    const { value, done } = await iterator.next();
    return done ? undefined : value;
  };
  return {
    chunk,
    async line() {
      let text = '';
      for (;;) {
        const next = await chunk();
        if (next === undefined) throw new Error('the server closed the connection');
        const end = next.indexOf(0x0a);
        text += next.toString('latin1', 0, end === -1 ? next.length : end);
        if (text.length > longestLine) throw new Error('the server does not speak as a Redis does');
        if (end === -1) continue;
        rest = next.subarray(end + 1);
        const line = text.replace(/\r$/, '');
        if (line !== '') return line;
        text = '';
      }
    },
  };
}

/** `$<bytes>`, or `$EOF:<mark>` and the same mark at the end. */
async function* readRdb(input: Input, header: string): AsyncGenerator<Buffer> {
  if (header.startsWith('-')) throw new Error(said(header));
  const mark = /^\$EOF:([0-9a-f]{40})$/.exec(header)?.[1];
  if (mark !== undefined) return yield* readMarked(input, Buffer.from(mark));
  const length = /^\$(\d+)$/.exec(header)?.[1];
  if (length === undefined) throw new Error('the server does not speak as a Redis does');
  for (let ahead = Number(length); ahead > 0; ) {
    const next = await input.chunk();
    if (next === undefined) throw new Error(`the stream ended ${ahead} bytes before its end`);
    const own = next.subarray(0, ahead);
    ahead -= own.length;
    yield own;
  }
}

async function* readMarked(input: Input, mark: Buffer): AsyncGenerator<Buffer> {
  // The mark may lie across two chunks, and writes that came since follow it.
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const next = await input.chunk();
    if (next === undefined) throw new Error('the stream ended before its end');
    const seen = held.length === 0 ? next : Buffer.concat([held, next]);
    const at = seen.indexOf(mark);
    if (at >= 0) {
      if (at > 0) yield seen.subarray(0, at);
      return;
    }
    const safe = Math.max(0, seen.length - mark.length + 1);
    if (safe > 0) yield seen.subarray(0, safe);
    held = seen.subarray(safe);
  }
}
