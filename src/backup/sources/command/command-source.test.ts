import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../../platform/clock.ts';
import { captureWhole, completeCapture, never, pendingOf } from '../test-capture.ts';
import { createCommandSource } from './command-source.ts';
import { readEnvironmentFile } from './environment-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-command-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const into = join(folder, 'into');
const shell = (script: string) => ['/bin/sh', '-c', script];
const environment = { PATH: '/usr/bin:/bin' };
const restore = shell('cat > /dev/null');

test('what a program writes is captured, with the secrets of its environment file and nothing else of ours', async () => {
  const file = join(folder, 'secrets.env');
  writeFileSync(file, '# for the dump\n\nexport GRAPH_PASSWORD="p w$x\'=y"\nOTHER=plain \n');
  process.env.COMMAND_TEST_LEAK = 'leak';
  const source = createCommandSource(
    {
      name: 'graph',
      dump: shell('printf "%s|%s|%s" "$GRAPH_PASSWORD" "$OTHER" "$COMMAND_TEST_LEAK"'),
      restore,
      environment_file: file,
    },
    { environment },
  );
  const { result, streams } = await captureWhole(source, into);
  delete process.env.COMMAND_TEST_LEAK;
  expect(streams.get('dump')?.toString()).toBe("p w$x'=y|plain|");
  expect(result).toMatchObject({
    kind: 'command',
    bytes: 15,
    restore: { by: 'restorer', details: { stream: 'dump' } },
  });
  expect(JSON.stringify(result)).not.toContain('p w$x');
});

test('a program that fails after half its output is no capture', async () => {
  const source = createCommandSource({ name: 'graph', dump: shell('echo half; exit 3') }, { environment });
  await expect(captureWhole(source, into)).rejects.toThrow(/exit 3|status|failed/i);
});

test('an environment file that cannot be read fails the capture, and nothing of it is shown', async () => {
  const broken = join(folder, 'broken.env');
  writeFileSync(broken, 'A=1\ns3cret without a sign\n');
  await expect(readEnvironmentFile(broken, 'backup/capture-failed')).rejects.toMatchObject({
    detail: expect.stringMatching(/^Line 2 of (?!.*s3cret)/),
  });
  const source = createCommandSource(
    { name: 'graph', dump: shell('true'), environment_file: join(folder, 'nowhere') },
    { environment },
  );
  await expect(captureWhole(source, into)).rejects.toMatchObject({ code: 'backup/capture-failed' });
});

test.each([
  [[true, true], undefined, 'consistent'],
  [[true, false], true, 'crash-consistent'],
  [[undefined, undefined], undefined, 'fuzzy'],
  [[false, true], false, 'fuzzy'],
] as const)(
  'what it is worth comes from rest (%j), or is the operator’s word (%s): %s',
  async (rest, consistent, grade) => {
    const source = createCommandSource({ name: 'graph', dump: shell('echo x'), consistent }, { environment });
    const answers = [...rest];
    const pending = await pendingOf(source, into);
    const asked = {
      ...pending,
      complete: (context: Parameters<typeof pending.complete>[0]) =>
        pending.complete({ ...context, signal: never, clock: systemClock, idle: async () => answers.shift() }),
    };
    expect((await completeCapture(asked)).result.proof.grade).toBe(grade);
  },
);

test('what is stated is shown as the operator’s word, and what is missing is said', () => {
  const described = createCommandSource(
    { name: 'graph', dump: ['dump'], online: false, consistent: true },
    { environment },
  );
  expect(described.describe()).toMatchObject({
    online: false,
    consistent: 'always',
    restorableElsewhere: false,
    notes: [
      'the output of dump',
      'the operator states: the backend must stand meanwhile',
      'the operator states: its output is of one moment',
      expect.stringContaining('no program is configured'),
    ],
  });
});
