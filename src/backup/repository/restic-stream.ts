import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ChildResult, ChildSpec } from '../../platform/child-processes/index.ts';
import { AppError, isAppError } from '../../platform/errors.ts';
import { wordsOf } from '../program-words.ts';
import { endAtMissingPack } from './missing-pack.ts';
import type { PipedProgram, PipeFileRequest, Progress, StreamRequest, StreamResult } from './repository.ts';
import { absolutePath, plainTag, snapshotId } from './restic-arguments.ts';
import { resticFailure } from './restic-errors.ts';
import { listSnapshot } from './restic-listing.ts';
import { type BackupSummary, parseBackupSummary, parseStatusLine } from './restic-output.ts';
import type { ResticOptions, ResticTool } from './restic-tool.ts';

const doing = 'storing a stream';

/**
 * restic 0.14 saves whatever came before its input ended, and knows nothing of the producer. So its input ends only after
 * the producer ended well; after anything else restic is stopped before it could take half a stream for the whole.
 */
export async function storeStream(
  tool: ResticTool,
  options: ResticOptions,
  request: StreamRequest,
): Promise<StreamResult> {
  const { signal, operationId, from } = request;
  const seen: { summary?: BackupSummary } = {};
  const consumer = await tool.spec(doing, argumentsOf(request), {
    signal,
    operationId,
    waits: 6,
    onStdoutLine: (line) => noteLine(line, seen, request.onProgress),
  });
  const { result, sha256 } =
    Symbol.asyncIterator in from
      ? await storeBytes(options, consumer, from)
      : { result: await storeOutput(options, consumer, from), sha256: undefined };
  if (result.exitCode !== 0 || !seen.summary) throw resticFailure(result, doing, options.location);
  const { snapshot } = await listSnapshot(tool, options, seen.summary.snapshot_id, { signal, operationId });
  return {
    snapshotId: snapshot.id,
    treeId: snapshot.tree,
    bytes: seen.summary.total_bytes_processed,
    bytesAdded: seen.summary.data_added_packed ?? seen.summary.data_added,
    sha256,
  };
}

function argumentsOf({ name, tags, host }: StreamRequest): string[] {
  if (!/^[a-z0-9][a-z0-9._-]{0,120}$/.test(name))
    throw new AppError('request/invalid', `${JSON.stringify(name)} cannot be the name of a stream.`);
  return [
    'backup',
    '--json',
    `--host=${host}`,
    ...tags.map((tag) => `--tag=${plainTag(tag)}`),
    '--stdin',
    `--stdin-filename=${name}`,
  ];
}

function noteLine(line: string, seen: { summary?: BackupSummary }, onProgress?: (progress: Progress) => void): void {
  const progress = parseStatusLine(line);
  if (progress) onProgress?.(progress);
  else seen.summary = parseBackupSummary(line) ?? seen.summary;
}

async function storeBytes(
  { children }: ResticOptions,
  consumer: ChildSpec,
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ result: ChildResult; sha256: string }> {
  const hash = createHash('sha256');
  // What the producer throws ends restic before its input does.
  const input = Readable.from(hashed(chunks, hash), { objectMode: false, highWaterMark: 1024 * 1024 });
  const result = await children.run({ ...consumer, input });
  return { result, sha256: hash.digest('hex') };
}

async function* hashed(
  chunks: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

async function storeOutput({ children }: ResticOptions, consumer: ChildSpec, from: PipedProgram): Promise<ChildResult> {
  const { signal, ...spec } = consumer;
  const piped = await children
    .pipe(producerSpec(from, consumer.operationId), spec, signal ? { signal } : {})
    .catch((err: unknown) => {
      if (isAppError(err) && err.code === 'child/missing-program')
        throw new AppError('backup/capture-failed', err.detail, { cause: err });
      throw err;
    });
  // A consumer that failed ends the producer, or fails after all of it was read: then it is the one to speak.
  const { producer, consumer: stored } = piped;
  const failed = stored.exitCode !== null && stored.exitCode !== 0;
  if (piped.succeeded || producer.exitCode === 0 || (failed && isEnded(producer))) return stored;
  throw new AppError(
    'backup/capture-failed',
    `${from.command[0]} did not end well (${endOf(piped.producer)})${wordsOf(from.command[0], piped.producer.stderr)}`,
    { context: { stderr: piped.producer.stderr } },
  );
}

/** Feeds a file of a snapshot to a program. Whichever fails first is told. */
export async function pipeFile(
  tool: ResticTool,
  { children, location }: ResticOptions,
  request: PipeFileRequest,
): Promise<{ stdout: string; stderr: string }> {
  const { signal, operationId, to } = request;
  const reading = 'reading a stream';
  const args = ['dump', '--no-lock', '--', snapshotId(request.snapshotId), absolutePath(request.path)];
  const watched = endAtMissingPack({ doing: reading, location, signal });
  const { signal: ended, ...producer } = await tool.spec(reading, args, { operationId, waits: 0, ...watched });
  const piped = await children.pipe(producer, consumerSpec(to, operationId), ended ? { signal: ended } : {});
  if (piped.succeeded) return { stdout: piped.consumer.stdout, stderr: piped.consumer.stderr };
  // A program that refuses its input breaks the pipe, so restic fails too: the program knows why.
  if (piped.consumer.exitCode !== null && piped.consumer.exitCode !== 0)
    throw new AppError(
      /no space left on device/i.test(piped.consumer.stderr) ? 'storage/full' : 'restore/blocked',
      `${to.command[0]} did not end well (${endOf(piped.consumer)})${wordsOf(to.command[0], piped.consumer.stderr)}`,
      { context: { stderr: piped.consumer.stderr } },
    );
  throw resticFailure(piped.producer, reading, location);
}

const producerSpec = (from: PipedProgram, operationId: string | undefined): ChildSpec => ({
  program: from.command[0],
  args: from.command.slice(1),
  env: from.environment,
  purpose: 'stream of a source',
  operationId,
  ...(from.cwd === undefined ? {} : { cwd: from.cwd }),
});

const consumerSpec = (to: PipedProgram, operationId: string | undefined): ChildSpec => ({
  ...producerSpec(to, operationId),
  purpose: 'restore of a stream',
});

/** Ended by us or by a broken pipe, not by itself. */
const isEnded = (result: ChildResult): boolean => result.signal !== null;

const endOf = (result: ChildResult): string =>
  result.exitCode === null ? `signal ${result.signal}` : `exit code ${result.exitCode}`;
