import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../platform/clock.ts';
import type { Restorer, RestorerContext } from '../restore/restorer.ts';
import { contextOf, inScratch, requestOf } from '../restore/test-restorer.ts';
import type { CaptureResult, PendingCapture, Source } from './source.ts';
import { type Captured, completeCapture, never } from './test-capture.ts';

/** One source over something that a test filled, and how it goes back. */
export type SourceUnderTest = {
  readonly source: Source;
  /** The same with nothing behind it; undefined: a source that has no place it could miss. */
  readonly astray?: Source;
  /** Must not be told by anything. */
  readonly secret?: string;
  /** What is captured becomes other than it was. */
  change(): Promise<unknown> | unknown;
  /** All that a restore has to bring back. */
  content(): Promise<unknown> | unknown;
  /** What is there of ours outside of the folder of the capture, such as at a server; empty when all is well. */
  left?(): readonly string[];
  /** By its restorer, or, where files change places elsewhere, out of the folder of the capture. */
  readonly back: Restorer | ((into: string, captured: CaptureResult) => Promise<unknown> | unknown);
  close?(): Promise<unknown> | unknown;
};

/** The contract of `Source` and of its `Restorer`: the same sentences for each of them. See docs/sources.md. */
export function describeSource(name: string, open: () => Promise<SourceUnderTest>): void {
  describe(`the source ${name}`, () => {
    let one: SourceUnderTest;
    let folder: string;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'rw-source-'));
      one = await open();
    });
    afterAll(async () => {
      await one?.close?.();
      rmSync(folder, { recursive: true, force: true });
    });
    const into = (): string => join(folder, 'into');
    const start = (signal = never, source = one.source): Promise<CaptureResult | PendingCapture> =>
      source.capture(into(), { signal, clock: systemClock });
    const take = async (): Promise<Captured> => {
      const capture = await start();
      return 'complete' in capture ? completeCapture(capture) : { result: capture, streams: new Map() };
    };
    const expectNothingLeft = (): void => {
      expect(one.left?.() ?? []).toEqual([]);
      expect(pathsIn(into()).filter((path) => !lstatSync(join(into(), path)).isDirectory())).toEqual([]);
    };
    const secretless = (told: unknown): void => {
      if (one.secret !== undefined) expect(`${JSON.stringify(told)} ${String(told)}`).not.toContain(one.secret);
    };

    test('captures what it promises: all of it, and its folder holds exactly what it names', async () => {
      const described = one.source.describe();
      const { result, streams } = await take();
      expect(result).toMatchObject({ name: one.source.name, kind: one.source.kind, partial: false });
      expect(described).toMatchObject({ name: one.source.name, kind: one.source.kind });
      expect(pathsIn(into())).toEqual(result.entries.map(({ path }) => path).sort());
      expect(result.streams.map((stream) => stream.name).sort()).toEqual([...streams.keys()].sort());
      for (const stream of result.streams) {
        expect(stream.name).toMatch(/^[a-z0-9][a-z0-9._-]*$/);
        expect(stream.bytes).toBe(streams.get(stream.name)?.length);
      }
      expect(result.entries.length + result.streams.length).toBeGreaterThan(0);
      expect(result.proof.reasons).not.toEqual([]);
      expect(one.left?.() ?? []).toEqual([]);
      secretless([described, result]);
    });

    test('what comes back is what was captured', async () => {
      const captured = await take();
      const before = await one.content();
      await one.change();
      expect(await one.content()).not.toEqual(before);
      const { back } = one;
      if (typeof back === 'function') await back(into(), captured.result);
      else {
        const request = requestOf(captured, {}, `op_${'1'.padStart(26, '0')}`);
        await inContext(folder, captured, async (context) => {
          secretless(await back.plan(request, never));
          await back.prepare(request, context);
          await back.commit(request, context);
          await back.verify(request, context);
          secretless(await back.finish(request, context));
        });
      }
      expect(await one.content()).toEqual(before);
    });

    test('a restore that is undone leaves all as it was before', async () => {
      const { back } = one;
      if (typeof back === 'function') return;
      const captured = await take();
      await one.change();
      const changed = await one.content();
      const request = requestOf(captured, {}, `op_${'2'.padStart(26, '0')}`);
      await inContext(folder, captured, async (context) => {
        expect(await back.state(request, never)).toBe('none');
        await back.prepare(request, context);
        expect(await one.content()).toEqual(changed);
        expect(await back.state(request, never)).toBe('prepared');
        await back.commit(request, context);
        expect(await back.state(request, never)).toBe('committed');
        await back.undo(request, context);
        await back.undo(request, context);
        expect(await back.state(request, never)).toBe('none');
      });
      expect(await one.content()).toEqual(changed);
      expect(one.left?.() ?? []).toEqual([]);
    });

    test('a manifest of another kind, or of a newer version, is refused', async () => {
      const { back } = one;
      if (typeof back === 'function') return;
      const captured = await take();
      const before = await one.content();
      const { restore } = captured.result;
      for (const details of [{ version: 1 }, { ...(restore.by === 'restorer' ? restore.details : {}), version: 99 }]) {
        const other = { ...captured, result: { ...captured.result, restore: { by: 'restorer' as const, details } } };
        const request = requestOf(other, {}, `op_${'3'.padStart(26, '0')}`);
        await inContext(folder, captured, (context) =>
          expect(back.prepare(request, context)).rejects.toMatchObject({ code: 'restore/blocked' }),
        );
      }
      expect(await one.content()).toEqual(before);
    });

    test('what is told to stop stops with the reason, and leaves nothing', async () => {
      rmSync(into(), { recursive: true, force: true });
      const reason = new Error('told to stop');
      const stopped = AbortSignal.abort(reason);
      const outcome = await start(stopped).then(
        async (capture) => {
          if (!('complete' in capture)) return 'captured';
          // What fixes nothing may only find out when it is read.
          return completeCapture(capture, stopped).then(
            () => 'captured',
            (err: unknown) => err,
          );
        },
        (err: unknown) => err,
      );
      expect(outcome).toBe(reason);
      expectNothingLeft();
    });

    test('what is let go of unread, or fails in the middle of a stream, leaves nothing', async () => {
      rmSync(into(), { recursive: true, force: true });
      const unread = await start();
      if (!('complete' in unread)) return;
      await unread.release();
      expectNothingLeft();
      const full = new Error('the repository is full');
      const failing = await start();
      if (!('complete' in failing)) throw new Error('it was whole at once');
      const completed = failing.complete({
        signal: never,
        clock: systemClock,
        operationId: 'op_test',
        async storeStream(_, producer) {
          if (producer.by === 'bytes') for await (const _ of producer.chunks) break;
          throw full;
        },
      });
      const outcome = await completed.then(
        (result) => result,
        (err: unknown) => err,
      );
      // Our own state is no stream: it lies in the folder.
      if (one.source.name !== 'ragwarden-state') expect(String(outcome)).toContain('the repository is full');
      await failing.release();
      await failing.release();
      if (one.source.name !== 'ragwarden-state') expectNothingLeft();
    });

    test('without what it captures there is no capture, and nothing secret in what it says', async () => {
      if (!one.astray) return;
      const { astray } = one;
      const outcome = await start(never, astray)
        .then(async (capture) => ('complete' in capture ? await completeCapture(capture) : capture))
        .then(
          () => 'captured',
          (err: unknown) => err,
        );
      expect(outcome).toBeInstanceOf(Error);
      secretless(outcome);
    });
  });
}

/** As the product gives it, streams being in memory. */
async function inContext<T>(
  folder: string,
  captured: Captured,
  work: (context: RestorerContext) => Promise<T>,
): Promise<T> {
  const { context } = contextOf(folder, captured);
  mkdirSync(context.scratchDir, { recursive: true });
  return inScratch(context, () =>
    work({
      ...context,
      async pipeStream(name, { command: [program, ...args], environment, cwd }) {
        const input = captured.streams.get(name) ?? '';
        const stdio = ['pipe', 'pipe', 'pipe'] as const;
        const stdout = execFileSync(program, args, {
          env: { ...environment },
          cwd,
          input,
          stdio: [...stdio],
        }).toString();
        return { stdout, stderr: '' };
      },
    }),
  );
}

const pathsIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort() : [];
