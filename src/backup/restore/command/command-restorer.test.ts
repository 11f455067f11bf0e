import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ChildProcesses, createChildProcesses } from '../../../platform/child-processes/index.ts';
import { systemClock } from '../../../platform/clock.ts';
import { AppError } from '../../../platform/errors.ts';
import { silentLogger } from '../../../platform/logging.ts';
import { createCommandSource } from '../../sources/command/command-source.ts';
import { type Captured, captureWhole, never } from '../../sources/test-capture.ts';
import { contextOf, inScratch, killed, requestOf } from '../test-restorer.ts';
import { createCommandRestorer } from './command-restorer.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-command-restore-'));
const state = join(folder, 'state');
const kept = join(folder, 'kept');
const environment = { PATH: '/usr/bin:/bin', STATE: state };
const store = {
  name: 'graph',
  dump: ['/bin/sh', '-c', 'cat "$STATE"'],
  // Refuses one content, after it has changed something.
  restore: ['/bin/sh', '-c', 'cat > "$STATE"; ! grep -q poison "$STATE"'],
};

let children: ChildProcesses;
let captured: Captured;
beforeAll(async () => {
  children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
  writeFileSync(state, 'of the point');
  captured = await captureWhole(createCommandSource(store, { environment }), join(folder, 'into'));
});
afterAll(async () => {
  await children.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => writeFileSync(state, 'of now'));

const restorer = () => createCommandRestorer(store, { children, environment, folder: kept });

function joined(from: Pick<Captured, 'streams'>, at?: { step: string; time: number }) {
  const { context } = contextOf(folder, from, at);
  return {
    ...context,
    async pipeStream(
      name: string,
      consumer: { command: readonly string[]; environment: Readonly<Record<string, string>> },
    ) {
      const [program = '', ...args] = consumer.command;
      const input = from.streams.get(name) ?? '';
      const result = await children.run({ program, args, env: consumer.environment, input, purpose: 'test' });
      if (result.exitCode !== 0) throw new AppError('child/failed', `it ended with ${result.exitCode}`);
      return result;
    },
  };
}

async function restore(
  operationId: string,
  from: Pick<Captured, 'streams'> = captured,
  at?: { step: string; time: number },
) {
  const request = requestOf(captured, {}, operationId);
  const context = joined(from, at);
  await restorer().prepare(request, context);
  await restorer().commit(request, context);
  await restorer().verify(request, context);
  return restorer().finish(request, context);
}

test('the dump is given to the program that takes it back, and the state before it is kept until the next restore', async () => {
  const before = await restore('op_1');
  expect(readFileSync(state, 'utf8')).toBe('of the point');
  expect(readFileSync(before ?? '', 'utf8')).toBe('of now');
  await restore('op_2');
  expect(readdirSync(join(kept, 'graph'))).toEqual(['op_2']);
});

describe('a kill', () => {
  test.each([
    ['command:prepared', 'prepared'],
    ['command:begun', 'prepared'],
    ['command:committed', 'committed'],
  ])('at %s is undone by a later life', async (step, expected) => {
    await expect(restore('op_3', captured, { step, time: 1 })).rejects.toBe(killed);
    const request = requestOf(captured, {}, 'op_3');
    expect(await restorer().state(request, never)).toBe(expected);
    await restorer().undo(request, joined(captured));
    await restorer().undo(request, joined(captured));
    expect(readFileSync(state, 'utf8')).toBe('of now');
    expect(await restorer().state(request, never)).toBe('none');
  });
});

test('a program that was killed with half of the dump does not pass for one that took it, and gets the whole again', async () => {
  await expect(restore('op_6', captured, { step: 'command:begun', time: 1 })).rejects.toBe(killed);
  writeFileSync(state, 'of the');
  const request = requestOf(captured, {}, 'op_6');
  expect(await restorer().state(request, never)).toBe('prepared');
  await restorer().commit(request, joined(captured));
  expect([readFileSync(state, 'utf8'), await restorer().state(request, never)]).toEqual(['of the point', 'committed']);
});

test('a program that fails half way has changed something, which undoing takes back', async () => {
  const poisoned = { streams: new Map([['dump', Buffer.from('poison')]]) };
  await expect(restore('op_4', poisoned)).rejects.toMatchObject({ code: 'child/failed' });
  expect(readFileSync(state, 'utf8')).toBe('poison');
  await restorer().undo(requestOf(captured, {}, 'op_4'), joined(captured));
  expect(readFileSync(state, 'utf8')).toBe('of now');
});

test('without a dump of the present state nothing is given to it', async () => {
  const broken = createCommandRestorer(
    { ...store, dump: ['/bin/sh', '-c', 'echo half; exit 4'] },
    { children, environment, folder: kept },
  );
  const request = requestOf(captured, {}, 'op_5');
  await expect(broken.prepare(request, joined(captured))).rejects.toMatchObject({ code: 'child/failed' });
  await expect(broken.commit(request, joined(captured))).rejects.toMatchObject({ code: 'restore/blocked' });
  expect(readFileSync(state, 'utf8')).toBe('of now');
});

test('one place only, and no workspaces: the plan says so; a rehearsal counts what comes back', async () => {
  const plan = await restorer().plan(requestOf(captured, { workspace: 'acme', aside: 'x' }), never);
  expect(plan.blockers).toHaveLength(2);
  const half = { streams: new Map([['dump', Buffer.from('of the')]]) };
  const rehearse = async (from: Pick<Captured, 'streams'>) => {
    const context = joined(from);
    return (await inScratch(context, () => restorer().rehearse(requestOf(captured), context))).problems;
  };
  expect(await rehearse(captured)).toEqual([]);
  expect(await rehearse(half)).toEqual(['6 bytes came back, 12 were captured']);
});
