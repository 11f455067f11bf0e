import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChildProcesses, ChildResult } from '../../../platform/child-processes/index.ts';
import { AppError, systemCode } from '../../../platform/errors.ts';
import { wordsOf } from '../../program-words.ts';
import { type CommandStore, commandDetails, withinTime } from '../../sources/command/command-source.ts';
import { readEnvironmentFile } from '../../sources/command/environment-file.ts';
import { flush } from '../durable.ts';
import type { Restorer, RestorerContext, RestorerRequest, RestorerState } from '../restorer.ts';

/**
 * Gives a dump to the program that takes it back. Such a program cannot be asked to keep the old state, so it is dumped first:
 * `before` in a folder of ours is that dump, `begun` beside it says that the restore may have changed something, `done` that the
 * program took all of the new one: killed between the two it had a part, and gets the whole again, or the old one.
 * Undoing gives the old dump to the same program.
 * @param options.folder ours, on disk, kept from one restore to the next
 */
export function createCommandRestorer(
  store: CommandStore & { readonly restore: readonly string[] },
  options: {
    readonly children: ChildProcesses;
    readonly environment: Readonly<Record<string, string>>;
    readonly folder: string;
  },
): Restorer {
  const { name } = store;
  const own = join(options.folder, name);
  const folderOf = (request: RestorerRequest): string => join(own, request.operationId);
  const environment = async (): Promise<Record<string, string>> => ({
    ...options.environment,
    ...(store.environment_file === undefined
      ? {}
      : await readEnvironmentFile(store.environment_file, 'restore/blocked')),
  });
  const specOf = async (words: readonly string[], request: RestorerRequest, context: RestorerContext) => ({
    program: words[0] ?? '',
    args: words.slice(1),
    env: await environment(),
    purpose: `${name}: ${words[0]}`,
    operationId: request.operationId,
    signal: context.signal,
  });
  const require = (result: ChildResult, words: readonly string[]): void => {
    if (result.exitCode === 0) return;
    throw new AppError(
      'child/failed',
      `${name}: ${words[0]} ended with ${result.exitCode ?? result.signal}${wordsOf(words[0] ?? '', result.stderr)}`,
      { context: { stderr: result.stderr } },
    );
  };

  return {
    kind: 'command',

    async plan(request) {
      const { bytes } = requireDetails(request);
      return {
        place: `whatever ${store.restore[0]} writes to`,
        method: `the present state is dumped by ${store.dump[0]}, then the dump of the point is given to ${store.restore[0]}`,
        items: [
          {
            name,
            action: 'replace',
            reason: 'the program decides what becomes of what is there',
            oldBytes: null,
            newBytes: bytes,
          },
        ],
        bytesIn: bytes,
        freeNeededBytes: bytes,
        freeAvailableBytes: null,
        lost: { rows: null, examples: [] },
        warnings: ['what the program does is not known here, and nothing checks what came out'],
        blockers: [
          ...(request.scope.workspace === undefined ? [] : ['a dump is not told apart by workspace']),
          ...(request.scope.aside === undefined ? [] : ['a program has one place only']),
        ],
      };
    },

    async prepare(request, context) {
      requireDetails(request);
      const folder = folderOf(request);
      for (const other of await readdir(own).catch(() => []))
        if (other !== request.operationId) await rm(join(own, other), { recursive: true, force: true });
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const draft = join(folder, 'draft');
      const spec = await specOf(store.dump, request, context);
      const piped = await withinTime(store, 'restore/blocked', store.dump, (timeoutMs) =>
        options.children.pipe(
          withoutSignal(spec),
          {
            program: '/bin/sh',
            args: ['-c', 'umask 077; exec cat > "$FILE"'],
            env: { FILE: draft, PATH: '/usr/bin:/bin' },
            purpose: `${name}: the present state`,
            operationId: request.operationId,
          },
          { signal: bounded(context.signal, timeoutMs) },
        ),
      );
      require(piped.producer, store.dump);
      require(piped.consumer, ['cat']);
      await flush(draft);
      await rename(draft, join(folder, 'before'));
      await flush(folder);
      await context.step('command:prepared');
    },

    async commit(request, context) {
      const folder = folderOf(request);
      const state = await stateOf(folder);
      if (state === 'committed') return;
      if (state === 'none')
        throw new AppError('restore/blocked', `${name}: the present state was not dumped, so nothing was given back.`);
      await mark(folder, 'begun');
      await context.step('command:begun');
      const [program = '', ...args] = store.restore;
      const given = await environment();
      await withinTime(store, 'restore/blocked', store.restore, (timeoutMs) =>
        context.pipeStream(requireDetails(request).stream, {
          command: [program, ...args],
          environment: given,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
        }),
      );
      await mark(folder, 'done');
      await context.step('command:committed');
    },

    async verify() {
      // Its exit code was all there is.
    },

    async undo(request, context) {
      const folder = folderOf(request);
      if (await isThere(join(folder, 'begun'))) {
        await rm(join(folder, 'done'), { force: true });
        const spec = await specOf(store.restore, request, context);
        const input = createReadStream(join(folder, 'before'));
        const result = await withinTime(store, 'restore/blocked', store.restore, (timeoutMs) =>
          options.children.run({ ...spec, signal: bounded(context.signal, timeoutMs), input }),
        );
        require(result, store.restore);
        await rm(join(folder, 'begun'), { force: true });
        await context.step('command:undoing');
      }
      await rm(folder, { recursive: true, force: true });
    },

    async finish(request) {
      const before = join(folderOf(request), 'before');
      return (await isThere(before)) ? before : undefined;
    },

    state: (request) => stateOf(folderOf(request)),

    async rehearse(request, context) {
      const { stream, bytes } = requireDetails(request);
      const file = join(context.scratchDir, 'dump');
      await context.fetchStream(stream, file);
      await context.step('command:fetched');
      const { size } = await stat(file);
      const problems = size === bytes ? [] : [`${size} bytes came back, ${bytes} were captured`];
      const { check } = store;
      if (check !== undefined && problems.length === 0) {
        const spec = await specOf(check, request, context);
        const result = await withinTime(store, 'restore/blocked', check, (timeoutMs) =>
          options.children.run({
            ...spec,
            signal: bounded(context.signal, timeoutMs),
            input: createReadStream(file),
          }),
        );
        if (result.exitCode !== 0)
          problems.push(
            `${check[0]} says that it is not good (${result.exitCode ?? result.signal})${wordsOf(check[0] ?? '', result.stderr)}`,
          );
        await context.step('command:checked');
      }
      return {
        phases: [],
        bytes: size,
        counts: {},
        facts: {
          rehearsed:
            check === undefined
              ? 'fetched; only the program that takes it back knows whether it is right'
              : `fetched, and given to ${check[0]}`,
        },
        problems,
        remove: async () => undefined,
      };
    },
  };
}

const bounded = (signal: AbortSignal, timeoutMs: number | undefined): AbortSignal =>
  timeoutMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);

const withoutSignal = <T extends { signal: AbortSignal }>({ signal: _, ...rest }: T): Omit<T, 'signal'> => rest;

function requireDetails({ component }: RestorerRequest): { stream: string; bytes: number } {
  const parsed = commandDetails.safeParse(component.restore.by === 'restorer' ? component.restore.details : undefined);
  if (parsed.success) return parsed.data;
  throw new AppError(
    'restore/blocked',
    `The manifest does not say how ${component.name} goes back, or a newer version wrote it.`,
  );
}

/** Only what was taken whole is committed; undoing goes by `begun`, since from there on anything may have changed. */
async function stateOf(folder: string): Promise<RestorerState> {
  if (!(await isThere(join(folder, 'before')))) return 'none';
  return (await isThere(join(folder, 'done'))) ? 'committed' : 'prepared';
}

async function mark(folder: string, name: 'begun' | 'done'): Promise<void> {
  await (await open(join(folder, name), 'w', 0o600)).close();
  await flush(folder);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return false;
    throw err;
  }
}
