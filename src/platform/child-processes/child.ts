import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { AppError, storageError } from '../errors.ts';
import type { ChildRecord, ChildRecords } from './child-record.ts';
import { findProgram } from './find-program.ts';
import { createHead, createLineSplitter, createTail, type Sink } from './output.ts';
import { bytesMoved, bytesWritten, readBootId, runningProcess, sendSignal, sessionMembers } from './proc.ts';
import { untilSilent } from './silence.ts';

export type ChildSpec = {
  /** A path, or a name that is looked up in `env.PATH` (else in the system's own folders). */
  readonly program: string;
  /** No secret belongs here: every user of the machine can read argument lists. */
  readonly args: readonly string[];
  /** The whole environment of the child; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A few words for logs and records: `backup`, `sample backend`. */
  readonly purpose: string;
  readonly operationId?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Ends one that moves no byte for so long, and what that is then. @see silence.ts */
  readonly silence?: { readonly limitMs: number; readonly reason: () => unknown } | undefined;
  /** Told every so often how much it has written so far: files, pipes and the net. Never where the system does not show it. */
  readonly written?: { readonly everyMs: number; readonly tell: (bytes: number) => void } | undefined;
  /** How a child is asked to end. */
  readonly stopSignal?: 'SIGTERM' | 'SIGINT';
  /** Between asking and SIGKILL. */
  readonly graceMs?: number;
  readonly input?: Readable | string | Uint8Array;
  readonly onStdoutLine?: (line: string) => void;
  readonly onStderrLine?: (line: string) => void;
  /** Kept of each output: the beginning of stdout, the end of stderr. Lines are delivered whatever is kept. */
  readonly maxOutputBytes?: number;
  /**
   * Nothing of both outputs is read. For programs that leave a daemon behind: it inherits the outputs, and would be killed
   * by its next line when they were pipes that we have let go.
   */
  readonly discardOutput?: boolean;
  readonly uid?: number;
  readonly gid?: number;
};

export type ChildResult = {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Bytes that are not UTF-8 are U+FFFD here and themselves in `stdoutBytes`. */
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stdoutTruncated: boolean;
  readonly stderr: string;
  readonly durationMs: number;
};

/** `stopReason` is set when we asked the child to end before it ended by itself. */
export type Outcome = { readonly result: ChildResult; readonly stopReason?: unknown };

export type SpawnedChild = {
  readonly pid: number;
  readonly startTicks: number | undefined;
  /** Never rejects; comes when the child and, if it was stopped, its whole session are gone. */
  readonly outcome: Promise<Outcome>;
  stop(options?: { reason?: unknown; graceMs?: number }): Promise<Outcome>;
};

type Exit = Pick<ChildResult, 'exitCode' | 'signal'>;
type StandardStreams = { readonly stdin?: number; readonly stdout?: number };
export type ChildContext = {
  readonly clock: Clock;
  readonly records: ChildRecords;
  readonly searchPath: string;
};

const keptOutputBytes = 1024 * 1024;
const defaultGraceMs = 5_000;
/** After its end a child's outputs may be held open by a daemon it started; so long they may be silent before we let go. */
const drainSilenceMs = 1_000;
/** And so long we listen to a daemon that is not silent. What the child itself wrote has long been read then. */
const drainLimitMs = 5_000;

/**
 * The parent's death ends the child only from the moment the child has asked the kernel for it. So the child first asks
 * (setpriv), then waits at the gate (descriptor 3) until its record is written, then looks whether its parent is still
 * the one that opened the gate; whenever we die, it either never runs or dies with us.
 */
const gateScript = 'read -r parent <&3 && [ "$PPID" = "$parent" ] || exit 125; exec "$@" 3<&-';

type Guard = { readonly setpriv: string; readonly shell: string };
let probed: { searchPath: string; guard: Guard | undefined } | undefined;

/** Looked for once: setpriv with `--pdeathsig` (util-linux 2.33), which busybox and other systems do not have. */
export function findGuard(searchPath: string): Guard | undefined {
  if (probed?.searchPath === searchPath) return probed.guard;
  const setpriv = findProgram('setpriv', searchPath);
  const shell = findProgram('sh', searchPath);
  let guard: Guard | undefined;
  if (process.platform === 'linux' && setpriv && shell) {
    const probe = spawnSync(setpriv, ['--pdeathsig', 'KILL', '--', shell, '-c', ':'], { env: {}, stdio: 'ignore' });
    if (probe.status === 0) guard = { setpriv, shell };
  }
  probed = { searchPath, guard };
  return guard;
}

/** Absolute path of the spec's program. @throws AppError `child/missing-program` */
export function requireProgram(spec: Pick<ChildSpec, 'program' | 'env' | 'cwd'>, searchPath: string): string {
  const found = findProgram(spec.program, spec.env.PATH ?? searchPath, spec.cwd);
  if (found) return found;
  throw new AppError(
    'child/missing-program',
    `The program ${JSON.stringify(spec.program)} is not installed or cannot be executed.`,
    {
      context: { program: spec.program, searchPath: spec.env.PATH ?? searchPath },
    },
  );
}

/**
 * Starts one child in a session of its own. On return it is recorded and running.
 * @throws AppError `child/missing-program`, `child/failed` (working folder missing, no process could be made), `storage/full`
 */
export async function spawnChild(
  spec: ChildSpec,
  context: ChildContext,
  streams: StandardStreams = {},
): Promise<SpawnedChild> {
  const { clock, records } = context;
  const program = requireProgram(spec, context.searchPath);
  requireFolder(spec);
  const guard = findGuard(context.searchPath);
  const startedAt = clock.monotonic();
  const child = guard
    ? spawn(
        guard.setpriv,
        ['--pdeathsig', 'KILL', '--', guard.shell, '-c', gateScript, 'gate', program, ...spec.args],
        options(spec, streams, true),
      )
    : spawn(program, [...spec.args], options(spec, streams, false));
  const { pid } = child;
  if (pid === undefined) {
    const [cause] = await once(child, 'error');
    throw new AppError('child/failed', `${spec.purpose}: the process could not be started.`, {
      cause,
      context: { program },
    });
  }
  // Such an event may still come, for instance when a signal cannot be delivered; the exit tells what counts.
  child.on('error', () => undefined);

  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const startTicks = runningProcess(pid);
  const record: ChildRecord = {
    pid,
    startTicks: startTicks ?? null,
    bootId: readBootId(),
    program,
    purpose: spec.purpose,
    operationId: spec.operationId ?? null,
    startedAtMs: clock.now(),
  };
  try {
    records.write(record);
  } catch (err) {
    sendSignal(-pid, 'SIGKILL');
    await exited;
    throw storageError(err, 'recording a child process');
  }
  openGate(child);

  let stopReason: { readonly reason: unknown } | undefined;
  let hasExited = false;
  let stopping: Promise<void> | undefined;
  const over = new AbortController();
  const askToEnd = (reason: unknown, graceMs = spec.graceMs ?? defaultGraceMs): void => {
    if (hasExited || stopping) return;
    stopReason = { reason };
    stopping = endSession(pid, spec.stopSignal ?? 'SIGTERM', graceMs, exited, clock);
  };

  const head = createHead(spec.maxOutputBytes ?? keptOutputBytes);
  const tail = createTail(spec.maxOutputBytes ?? keptOutputBytes);
  const lastHeard = { at: clock.monotonic(), bytes: 0 };
  const listen = (stream: Readable | null, keep: Sink, onLine: ((line: string) => void) | undefined): void => {
    if (!stream) return;
    const sinks = onLine ? [keep, createLineSplitter(onLine)] : [keep];
    const guarded = (act: (sink: Sink) => void): void => {
      lastHeard.at = clock.monotonic();
      try {
        for (const sink of sinks) act(sink);
      } catch (err) {
        askToEnd(err);
      }
    };
    stream.on('data', (chunk: Buffer) => {
      lastHeard.bytes += chunk.length;
      guarded((sink) => sink.write(chunk));
    });
    stream.on('end', () => guarded((sink) => sink.end()));
    stream.on('error', () => undefined);
  };
  listen(child.stdout, head, spec.onStdoutLine);
  listen(child.stderr, tail, spec.onStderrLine);
  if (child.stdin) feed(spec.input, child.stdin, askToEnd);

  const onAbort = (): void => askToEnd(spec.signal?.reason);
  spec.signal?.addEventListener('abort', onAbort, { once: true });
  if (spec.signal?.aborted) onAbort();
  if (spec.timeoutMs !== undefined) {
    const { timeoutMs } = spec;
    clock.sleep(timeoutMs, over.signal).then(
      () =>
        askToEnd(new AppError('child/failed', `${spec.purpose} did not finish within ${timeoutMs} ms and was ended.`)),
      () => undefined,
    );
  }

  if (spec.silence !== undefined) {
    const { limitMs, reason } = spec.silence;
    // What only shows a clock writes as well, so its outputs do not count.
    const moved = (): number | undefined => {
      const bytes = bytesMoved(pid);
      return bytes === undefined ? undefined : bytes - lastHeard.bytes;
    };
    untilSilent({ limitMs, moved, clock, signal: over.signal }).then(
      (silent) => (silent ? askToEnd(reason()) : undefined),
      () => undefined,
    );
  }

  if (spec.written !== undefined) {
    const { everyMs, tell } = spec.written;
    // What shows nothing at its first look shows nothing at all.
    const look = async (): Promise<void> => {
      for (let bytes = bytesWritten(pid); bytes !== undefined; bytes = bytesWritten(pid)) {
        tell(bytes);
        await clock.sleep(everyMs, over.signal);
      }
    };
    look().catch((err: unknown) => {
      if (!over.signal.aborted) askToEnd(err);
    });
  }

  const finish = async (): Promise<Outcome> => {
    const { exitCode, signal } = await exited;
    hasExited = true;
    over.abort();
    spec.signal?.removeEventListener('abort', onAbort);
    const durationMs = Math.round(clock.monotonic() - startedAt);
    await stopping;
    await drained(child, closed, lastHeard, clock);
    // One that we asked to end may have left something behind, whatever it says.
    if (signal === null && !stopReason) records.remove(pid);
    else records.keepAsPast(record);
    const stdoutBytes = head.bytes();
    return {
      result: {
        exitCode,
        signal,
        stdout: stdoutBytes.toString('utf8'),
        stdoutBytes,
        stdoutTruncated: head.truncated(),
        stderr: tail.bytes().toString('utf8'),
        durationMs,
      },
      ...(stopReason ? { stopReason: stopReason.reason } : {}),
    };
  };
  const outcome = finish();
  return {
    pid,
    startTicks,
    outcome,
    stop({ reason, graceMs } = {}) {
      askToEnd(reason ?? new AppError('internal/stopping', `${spec.purpose} was stopped.`), graceMs);
      return outcome;
    },
  };
}

function options(spec: ChildSpec, streams: StandardStreams, withGate: boolean) {
  const stdin = streams.stdin ?? (spec.input === undefined ? 'ignore' : 'pipe');
  const output = spec.discardOutput ? 'ignore' : 'pipe';
  const stdio: StdioOptions = [stdin, streams.stdout ?? output, output, ...(withGate ? (['pipe'] as const) : [])];
  return { cwd: spec.cwd ?? '/', env: { ...spec.env }, stdio, detached: true, uid: spec.uid, gid: spec.gid };
}

/** A missing folder would look like a missing program. */
function requireFolder(spec: ChildSpec): void {
  if (spec.cwd !== undefined && !statSync(spec.cwd, { throwIfNoEntry: false })?.isDirectory())
    throw new AppError('child/failed', `${spec.purpose}: the working folder ${spec.cwd} does not exist.`);
}

function openGate(child: ChildProcess): void {
  const gate = child.stdio[3] as Writable | null | undefined; // a socket, which reads and writes
  gate?.on('error', () => undefined);
  gate?.end(`${process.pid}\n`);
}

function feed(input: ChildSpec['input'], stdin: Writable, askToEnd: (reason: unknown) => void): void {
  // A child that ends without reading everything is judged by its exit code, not by our broken pipe.
  stdin.on('error', () => undefined);
  if (input instanceof Readable) {
    input.on('error', (err) => askToEnd(err));
    stdin.on('close', () => input.destroy());
    input.pipe(stdin);
  } else stdin.end(input);
}

/** Asks the group, waits, then kills the whole session: children that made groups of their own (ssh under restic) included. */
async function endSession(
  pid: number,
  stopSignal: NodeJS.Signals,
  graceMs: number,
  exited: Promise<unknown>,
  clock: Clock,
): Promise<void> {
  sendSignal(-pid, stopSignal);
  const waiting = new AbortController();
  const late = clock.sleep(graceMs, waiting.signal).then(
    () => 'late',
    () => 'late',
  );
  const first = await Promise.race([exited.then(() => 'exited'), late]);
  waiting.abort();
  if (first === 'late') sendSignal(-pid, 'SIGKILL');
  await exited;
  await killSession(pid, clock);
}

/** Until none is left, for 2 s at most: a process in uninterruptible sleep goes when the kernel lets it. */
export async function killSession(leaderPid: number, clock: Clock): Promise<boolean> {
  for (let round = 0; round < 100; round += 1) {
    const members = sessionMembers(leaderPid);
    if (members.length === 0) return true;
    for (const pid of members) sendSignal(pid, 'SIGKILL');
    await clock.sleep(20);
  }
  return false;
}

async function drained(
  child: ChildProcess,
  closed: Promise<unknown>,
  lastHeard: { at: number },
  clock: Clock,
): Promise<void> {
  const endedAt = clock.monotonic();
  lastHeard.at = Math.max(lastHeard.at, endedAt);
  const done = new AbortController();
  void closed.then(() => done.abort());
  while (!done.signal.aborted) {
    const silentMs = clock.monotonic() - lastHeard.at;
    if (silentMs >= drainSilenceMs || clock.monotonic() - endedAt >= drainLimitMs) {
      for (const stream of child.stdio) stream?.destroy();
      return;
    }
    await clock.sleep(Math.max(1, drainSilenceMs - silentMs), done.signal).catch(() => undefined);
  }
}
