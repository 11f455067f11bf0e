import { mkdir, rm } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../../../platform/errors.ts';
import type { CaptureContext, PendingCapture, Proof, Source } from '../source.ts';
import { treeDigest } from '../tree.ts';
import { readEnvironmentFile } from './environment-file.ts';

/** A program that writes a dump to its standard output, as the settings file names it. */
export type CommandStore = {
  readonly name: string;
  readonly dump: readonly string[];
  readonly restore?: readonly string[] | undefined;
  /** Reads the dump and ends with 0 where it is good; run in drills. */
  readonly check?: readonly string[] | undefined;
  readonly environment_file?: string | undefined;
  /** Storage classes of the backend that the dump holds. */
  readonly holds?: readonly string[] | undefined;
  readonly timeout_seconds?: number | undefined;
  readonly online?: boolean | undefined;
  readonly consistent?: boolean | undefined;
};

export const commandDetails = z.object({ version: z.literal(1), stream: z.string(), bytes: z.number() });

const streamName = 'dump';

/**
 * Whatever has a dump and is not known here. The program's output is joined to the repository by a kernel pipe, so its size does
 * not matter; it ends with exit code 0, or there is no capture. It runs after inserts were let in again, since nobody knows how
 * long it takes: what its output is worth is shown by the backend's rest before and after, or is the operator's word.
 */
export function createCommandSource(
  store: CommandStore,
  options: { readonly environment: Readonly<Record<string, string>> },
): Source {
  const { name } = store;
  const online = store.online ?? true;
  return {
    name,
    kind: 'command',
    describe: () => ({
      name,
      kind: 'command',
      online,
      consistent: store.consistent === true ? 'always' : 'when-still',
      restorableElsewhere: store.restore !== undefined,
      notes: [
        `the output of ${store.dump[0]}`,
        ...(store.online === undefined
          ? []
          : [
              `the operator states: ${online ? 'it may run while the backend does' : 'the backend must stand meanwhile'}`,
            ]),
        ...(store.consistent === undefined
          ? []
          : [`the operator states: its output is ${store.consistent ? '' : 'not '}of one moment`]),
        ...(store.restore === undefined ? [noRestore] : []),
        ...(store.holds === undefined ? [] : [`the operator states: it holds ${store.holds.join(', ')}`]),
      ],
    }),
    async capture(into): Promise<PendingCapture> {
      await rm(into, { recursive: true, force: true });
      await mkdir(into, { recursive: true, mode: 0o700 });
      return {
        async complete(context) {
          const [program = '', ...args] = store.dump;
          const secrets =
            store.environment_file === undefined
              ? {}
              : await readEnvironmentFile(store.environment_file, 'backup/capture-failed');
          const before = await context.idle?.();
          const stored = await withinTime(store, 'backup/capture-failed', store.dump, (timeoutMs) =>
            context.storeStream(streamName, {
              by: 'program',
              command: [program, ...args],
              environment: { ...options.environment, ...secrets },
              ...(timeoutMs === undefined ? {} : { timeoutMs }),
            }),
          );
          return {
            name,
            kind: 'command',
            entries: [],
            treeSha256: treeDigest([]),
            streams: [stored],
            files: 0,
            bytes: stored.bytes,
            renewedFiles: 0,
            skipped: [],
            damaged: [],
            partial: false,
            notes: stored.bytes === 0 ? [`${program} wrote nothing`] : [],
            proof: await judge(store, before, context),
            restore:
              store.restore === undefined
                ? { by: 'by-hand', reason: noRestore }
                : { by: 'restorer', details: { version: 1, stream: stored.name, bytes: stored.bytes } },
          };
        },
        async release() {
          // Nothing was held.
        },
      };
    },
  };
}

/** What runs longer than the settings let it is told as such. */
export async function withinTime<T>(
  { name, timeout_seconds: seconds }: CommandStore,
  code: 'backup/capture-failed' | 'restore/blocked',
  words: readonly string[],
  work: (timeoutMs: number | undefined) => Promise<T>,
): Promise<T> {
  try {
    return await work(seconds === undefined ? undefined : seconds * 1000);
  } catch (err) {
    if (!(err instanceof DOMException) || err.name !== 'TimeoutError') throw err;
    throw new AppError(code, `${name}: ${words[0]} ran longer than ${seconds} s (timeout_seconds) and was ended.`, {
      cause: err,
    });
  }
}

const noRestore =
  'no program is configured that takes the dump back; the stream is in the repository, for whatever reads it';

async function judge(store: CommandStore, before: boolean | undefined, context: CaptureContext): Promise<Proof> {
  const rested = before === true && (await context.idle?.()) === true;
  if (rested) return { grade: 'consistent', reasons: ['the backend rested before and after the dump'] };
  if (store.holds?.some((one) => one.includes('DocStatus')))
    return {
      grade: 'fuzzy',
      reasons: ['the documents’ status is in the dump, which was made last: it may promise what the other stores lack'],
    };
  if (store.consistent === true)
    return {
      grade: 'crash-consistent',
      reasons: [
        'the operator states that the dump is of one moment; which one is not known, and the backend was at work',
      ],
    };
  return { grade: 'fuzzy', reasons: ['the backend was at work during the dump, or does not say that it rested'] };
}
