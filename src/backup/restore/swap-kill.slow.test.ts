import { spawn } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { own, type Step } from './layout.ts';
import { settleJournals } from './settle.ts';
import { finishSwap, swapIn, undoSwap } from './swap.ts';
import { discardUndo, listUndo } from './undo.ts';

const operationId = 'op_1';
let base: string;
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'swap-kill-'));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Everything below a folder but our own, as text. */
function contents(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .filter((entry) => entry.name !== '.ragwarden')
    .flatMap((entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      const full = join(folder, path);
      if (entry.isDirectory()) return [`${path}/`, ...contents(folder, path)];
      if (entry.isSymbolicLink()) return [`${path} -> ${readlinkSync(full)}`];
      return [`${path} = ${readFileSync(full, 'latin1')}, ${lstatSync(full).mode.toString(8)}`];
    })
    .sort();
}

type Case = { readonly roots: readonly [string, string]; readonly old: string[][]; readonly fresh: string[][] };

/** Two roots: one loses, gains, keeps and replaces names, with a folder that becomes a file and back; another workspace stays. */
function makeCase(): Case {
  const place = mkdtempSync(join(base, 'case-'));
  const a = join(place, 'working');
  const b = join(place, 'inputs');
  const write = (root: string, files: Record<string, string>): void => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  };
  const other = { 'other/kv.json': 'theirs' };
  const oldA = { 'kv.json': 'old kv', 'gone.json': 'old only', 'turns/x': 'was a folder', ...other };
  const newA = { 'kv.json': 'new kv', 'added.json': 'new only', turns: 'is a file' };
  const oldB = { 'doc.pdf': 'old doc' };
  const newB = { 'doc.pdf': 'new doc', '__parsed__/é': 'parsed' };
  write(a, oldA);
  write(b, oldB);
  write(own.staged(a, operationId), newA);
  write(own.staged(b, operationId), newB);
  symlinkSync('kv.json', join(a, 'link'));
  write(join(place, 'new-a'), { ...newA, ...other });
  write(join(place, 'new-b'), newB);
  return {
    roots: [a, b],
    old: [contents(a), contents(b)],
    fresh: [contents(join(place, 'new-a')), contents(join(place, 'new-b'))],
  };
}

const restore = async (roots: readonly [string, string], step: Step): Promise<void> => {
  const [a, b] = roots;
  await swapIn({
    operationId,
    nowMs: 1,
    step,
    roots: [
      { root: a, keep: ['other'] },
      { root: b, keep: [] },
    ],
  });
  await step('between');
  await finishSwap(roots, operationId, step);
};
const swapThenUndo = async (roots: readonly [string, string], step: Step): Promise<void> => {
  await swapIn({ operationId, nowMs: 1, roots: roots.map((root, i) => ({ root, keep: i === 0 ? ['other'] : [] })) });
  await undoSwap(roots, operationId, step);
};

/** Names of all boundaries that one undisturbed run passes. */
async function boundariesOf(
  run: (roots: readonly [string, string], step: Step) => Promise<unknown>,
): Promise<string[]> {
  const names: string[] = [];
  await run(makeCase().roots, (name) => {
    names.push(name);
  });
  return names;
}

/** Stops for ever at the n-th boundary, which leaves the disk as a kill there would: nothing after it runs. */
async function cutOff(n: number, run: (step: Step) => Promise<unknown>): Promise<void> {
  let seen = 0;
  await new Promise<void>((resolve, reject) => {
    run((): void | Promise<void> => {
      seen += 1;
      if (seen <= n) return;
      resolve();
      return new Promise(() => {});
    }).then(() => resolve(), reject);
  });
}

function expectOneState({ roots, old, fresh }: Case): 'old' | 'new' {
  const now = roots.map((root) => contents(root));
  const isNew = JSON.stringify(now) === JSON.stringify(fresh);
  if (!isNew) expect(now).toEqual(old);
  return isNew ? 'new' : 'old';
}

describe('a kill at every boundary of a restore of two folders', () => {
  test('ends, after the next start, in the old or the new state of both, complete (real processes, SIGKILL)', async () => {
    // As one file, which starts in a fraction of the time that its sources need.
    const swap = join(base, 'swap.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'swap.ts')],
      outfile: swap,
      bundle: true,
      format: 'esm',
      platform: 'node',
      logLevel: 'warning',
    });
    const script = `
      import { swapIn, finishSwap } from ${JSON.stringify(pathToFileURL(swap).href)};
      const [n, a, b] = process.argv.slice(1);
      let left = Number(n);
      const step = () => { if (left-- === 0) process.kill(process.pid, 'SIGKILL'); };
      await swapIn({ operationId: '${operationId}', nowMs: 1, step, roots: [{ root: a, keep: ['other'] }, { root: b, keep: [] }] });
      await step('between');
      await finishSwap([a, b], '${operationId}', step);
    `;
    const names = await boundariesOf(restore);
    const outcomes: string[] = [];
    const killAt = async (n: number): Promise<void> => {
      const one = makeCase();
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, String(n), ...one.roots], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let told = '';
      child.stderr.on('data', (piece: Buffer) => {
        told += piece.toString();
      });
      const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
      expect(`${names[n]}: ${signal} ${told}`).toBe(`${names[n]}: SIGKILL `);
      const { settled } = await settleJournals(one.roots);
      outcomes[n] = expectOneState(one);
      for (const item of settled) expect(item).toMatchObject({ outcome: outcomes[n], strays: [] });
      expect(await settleJournals(one.roots)).toEqual({ settled: [], removed: [] });
      for (const root of one.roots)
        expect(readdirSync(own.base(root)).filter((name) => name.startsWith('restore-'))).toEqual([]);
      rmSync(join(one.roots[0], '..'), { recursive: true });
    };
    const waiting = names.map((_, n) => n);
    const work = async (): Promise<void> => {
      for (let n = waiting.shift(); n !== undefined; n = waiting.shift()) await killAt(n);
    };
    await Promise.all([work(), work(), work()]);

    // One boundary decides: the rename that publishes "moved".
    const decided = names.indexOf('journal:moved:renamed');
    expect(outcomes).toEqual(names.map((_, n) => (n < decided ? 'old' : 'new')));
    const moves = names.filter((name) => /^(out|in):(?!flush)/.test(name));
    expect(moves).toHaveLength(5 + 5);
  }, 120_000);

  test('and the settling may be killed at each of its own boundaries, any number of times', async () => {
    const names = await boundariesOf(restore);
    let deepest = 0;
    for (const n of names.keys()) {
      // Every sixth, each time beginning elsewhere: together they meet every boundary of the settling.
      for (let k = n % 6, ended = false; !ended; k += 6) {
        const one = makeCase();
        await cutOff(n, (step) => restore(one.roots, step));
        let passed = 0;
        await cutOff(k, (step) =>
          settleJournals(one.roots, {
            step: (name) => {
              passed += 1;
              return step(name);
            },
          }),
        );
        ended = passed <= k;
        deepest = Math.max(deepest, passed);
        await settleJournals(one.roots);
        expectOneState(one);
        rmSync(join(one.roots[0], '..'), { recursive: true });
      }
    }
    expect(deepest).toBeGreaterThan(20);
  }, 120_000);

  test('an undo after the swap always ends in the old state, or in the new one before it was written down', async () => {
    const names = await boundariesOf(swapThenUndo);
    const decided = names.indexOf('journal:undoing:renamed');
    for (const n of names.keys()) {
      const one = makeCase();
      await cutOff(n, (step) => swapThenUndo(one.roots, step));
      await settleJournals(one.roots);
      expect([names[n], expectOneState(one)]).toEqual([names[n], n < decided ? 'new' : 'old']);
    }
  });

  test('the folders may be settled in any order, again and again', async () => {
    const names = await boundariesOf(restore);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(names.length - 1),
        fc.array(fc.nat(40), { maxLength: 4 }),
        fc.boolean(),
        async (n, kills, turned) => {
          const one = makeCase();
          await cutOff(n, (step) => restore(one.roots, step));
          const roots = turned ? one.roots.toReversed() : one.roots;
          for (const k of kills) await cutOff(k, (step) => settleJournals(roots, { step }));
          await settleJournals(roots);
          expectOneState(one);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('discarding the undo folders may be killed too and never touches the live folders', async () => {
    const discard = async (roots: readonly [string, string], step: Step): Promise<void> => {
      await restore(roots, () => {});
      await discardUndo(roots, operationId, step);
    };
    for (const n of (await boundariesOf(discard)).keys()) {
      const one = makeCase();
      await cutOff(n, (step) => discard(one.roots, step));
      await settleJournals(one.roots);
      await discardUndo(one.roots, operationId);
      expect(expectOneState(one)).toBe('new');
      expect(await listUndo(one.roots)).toEqual([]);
      for (const root of one.roots) expect(readdirSync(own.base(root))).toEqual([]);
    }
  });
});
