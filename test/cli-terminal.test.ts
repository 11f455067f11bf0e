import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../tools/system-packages.mjs';
import { createLauncher, type Running } from './cli-harness.ts';
import { memoryFolder } from './setup/memory-folder.ts';

// How the program behaves where it is typed: at a terminal, in a pipe, in a narrow window, without colours, without a stdin.
const home = memoryFolder('cli-terminal');
const { launch, launchInTerminal, inPipe, inShell, endAll } = createLauncher(home);
const withTerminal = findProgram('script') !== undefined;
if (!withTerminal) console.warn('SKIPPED: tests at a pseudo-terminal: script (util-linux) is missing');

const here = ['--data-dir', join(home, 'data')];
const anyPort = ['--port', '0', '--metrics-port', '0', '--gateway-port', '0'];
let server: Running;

const serve = async (): Promise<void> => {
  server = launch(['serve', ...anyPort, ...here]);
  await server.saw('stdout', '"ready"');
};
beforeAll(serve);
afterAll(async () => {
  server.child.kill('SIGTERM');
  await server.ended;
  endAll();
  rmSync(home, { recursive: true, force: true });
});

const colour = /\u001b\[\d+m/;

describe('colours', () => {
  test.each([
    ['in a pipe', {}, false],
    ['in a pipe with FORCE_COLOR', { FORCE_COLOR: '1' }, true],
    ['in a pipe with FORCE_COLOR=0', { FORCE_COLOR: '0' }, false],
    ['with both, where NO_COLOR wins', { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('%s', async (_, env, expected) => {
    const { stdout } = await inPipe(['config', 'show', '--origin', ...here], env);
    expect(colour.test(stdout)).toBe(expected);
  });

  test.skipIf(!withTerminal).each([
    ['at a terminal', {}, true],
    ['at a terminal with NO_COLOR', { NO_COLOR: '1' }, false],
    ['at a terminal that is dumb', { TERM: 'dumb' }, false],
  ])('%s', async (_, env, expected) => {
    const { stdout } = await launchInTerminal(['config', 'show', '--origin', ...here], env).ended;
    expect(colour.test(stdout)).toBe(expected);
  });
});

describe('the width', () => {
  /** Without the examples and the usage, which are to be copied as they stand. */
  const longest = (help: string): number =>
    Math.max(...(help.split(/^Usage:.*$/m)[1] ?? '').split(/\r?\n/).map((line) => line.length));

  test('of help is that of COLUMNS in a pipe', async () => {
    const narrow = (await inPipe(['backup', 'list', '--help'], { COLUMNS: '40' })).stdout;
    const wide = (await inPipe(['backup', 'restore', '--help'], { COLUMNS: '200' })).stdout;
    expect(longest(narrow)).toBeLessThanOrEqual(40);
    expect(longest(wide)).toBeGreaterThan(100);
    expect(longest(wide)).toBeLessThanOrEqual(200);
  });

  test.skipIf(!withTerminal)('of help is that of the terminal', async () => {
    const { stdout } = await launchInTerminal(['backup', 'restore', '--help'], {}, 50).ended;
    expect(longest(stdout.replace('terminal is sane', ''))).toBeLessThanOrEqual(50);
  });
});

test('in a locale without Unicode ragwarden adds no character beyond ASCII', async () => {
  for (const argv of [['--help'], ['doctor', ...here], ['explain', 'repository/locked']]) {
    const { stdout, stderr } = await inPipe(argv, { LANG: 'C' });
    expect(`${stdout}${stderr}`).toMatch(/^[\n\x20-\x7e]+$/);
  }
  expect((await inPipe(['doctor', ...here], { LANG: 'C.UTF-8' })).stdout).toContain('→');
});

describe('in a pipe', () => {
  test('all of an answer arrives that is longer than a pipe takes at once', async () => {
    const { stdout } = await inShell('$RAGWARDEN config schema | cat');
    expect(stdout).toBe(readFileSync(join(import.meta.dirname, '../docs/ragwarden.schema.json'), 'utf8'));
  });

  test.each(['config reference', 'completion bash', 'events', 'status'])(
    'a reader of %s that goes first ends it without a word',
    async (command) => {
      const { stdout, stderr } = await inShell(
        `$RAGWARDEN --data-dir data ${command} | head -1 >/dev/null; echo "\${PIPESTATUS[0]}"`,
      );
      expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(/^[04]\n$/), stderr: '' });
    },
  );

  test('a closed standard input is nobody who could be asked', async () => {
    const { code, stderr } = await inShell('$RAGWARDEN --data-dir data backup restore backup_x <&-');
    expect(code).toBe(2);
    expect(stderr).toContain('--yes');
    expect((await inShell('$RAGWARDEN --data-dir data target list --json <&-')).code).toBe(0);
  });
});

describe('a watch', () => {
  test.skipIf(!withTerminal)(
    'at a terminal draws in place until Ctrl-C, and leaves the terminal as it was',
    async () => {
      const running = launchInTerminal(['status', '--watch', ...here]);
      await running.saw('stdout', /(\u001b\[H[\s\S]*Overall[\s\S]*){2}/);
      running.child.stdin.write('\u0003');
      const { code, stdout } = await running.ended;
      expect(code).toBe(130);
      expect(stdout).toContain('\u001b[?1049h');
      expect(stdout).toMatch(/\u001b\[\?25h\u001b\[\?1049l[\s\S]*terminal is sane/);
    },
  );

  test.skipIf(!withTerminal)('at a terminal that is dumb writes one picture after the other', async () => {
    const running = launchInTerminal(['status', '--watch', ...here], { TERM: 'dumb' });
    await running.saw('stdout', 'Overall');
    running.child.stdin.write('\u0003');
    const { code, stdout } = await running.ended;
    expect(code).toBe(130);
    expect(stdout).not.toContain('\u001b');
  });

  test('outlives a restart of the server, which has another port and another token afterwards', async () => {
    const endpoint = (): { api: string } => JSON.parse(readFileSync(join(home, 'data/endpoint.json'), 'utf8'));
    const token = (): string => readFileSync(join(home, 'data/local-token'), 'utf8');
    const before = { api: endpoint().api, token: token() };
    const watching = launch(['status', '--watch', '--json', ...here]);
    const events = launch(['events', '--follow', '--type', 'warden.*', '--json', ...here]);
    await watching.saw('stdout', '\n');
    await events.saw('stdout', 'warden.started');
    server.child.kill('SIGTERM');
    await server.ended;
    await watching.saw('stderr', `lost ${before.api}: `);
    await serve();
    expect(token()).not.toBe(before.token);
    await events.saw('stdout', /(warden\.started[\s\S]*){2}/);
    watching.child.kill('SIGINT');
    events.child.kill('SIGINT');
    const [seen, told] = await Promise.all([watching.ended, events.ended]);
    expect([seen.code, told.code]).toEqual([130, 130]);
    for (const line of `${seen.stdout}${told.stdout}`.trim().split('\n')) JSON.parse(line);
    const numbers = told.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).seq);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });
});
