import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../../tools/system-packages.mjs';
import { runInPipe } from '../test-terminal.ts';

const run = promisify(execFile);
const home = mkdtempSync(join(tmpdir(), 'ragwarden-completion-'));
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const bin = join(home, 'bin');
  mkdirSync(bin);
  mkdirSync(join(home, 'folder-one'));
  writeFileSync(join(home, 'settings.yaml'), '');
  // In place of the program, which takes half a second each time; what it answers is tested in complete-command.test.ts.
  writeFileSync(
    join(bin, 'ragwarden'),
    `#!/bin/sh
[ "$1" = __complete ] || exit 9
shift
case "$*" in
  point) printf 'backup_20261122_010203_abcd\nbackup_20261121_010203_efgh\n' ;;
  target) printf 'default\nsecond\n' ;;
  operation) echo op_one ;;
  token) echo tok_one ;;
  drill) echo drill_one ;;
  lock) echo 0123abcd ;;
  'point --data-dir elsewhere') echo backup_elsewhere ;;
  explainable) printf 'repository/locked\nrepository/missing\n' ;;
  *) echo "asked for: $*" >&2; exit 1 ;;
esac
`,
    { mode: 0o755 },
  );
  env = { PATH: [bin, process.env.PATH].join(delimiter), HOME: home, TERM: 'xterm' };
  for (const shell of ['bash', 'zsh', 'fish'])
    writeFileSync(join(home, `completion.${shell}`), (await runInPipe(['completion', shell])).stdout);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** What was typed, the last word being completed, and words that must and must not be offered. */
const cases: readonly (readonly [typed: string, offered: readonly string[], not: readonly string[]])[] = [
  ['ragwarden ', ['up', 'status', 'backup', 'doctor', 'explain'], ['__complete', 'create', 'help']],
  ['ragwarden ba', ['backup'], ['status']],
  ['ragwarden backup ', ['create', 'restore', 'adopt-repository'], ['up']],
  ['ragwarden backup restore --', ['--plan', '--yes', '--no-safety-point', '--data-dir'], ['--role']],
  ['ragwarden backup --data-dir x sh', ['show'], []],
  ['ragwarden --config settings.yaml config ch', ['check'], []],
  ['ragwarden token create ci --role ', ['user', 'service', 'scrape', 'admin'], []],
  ['ragwarden token create ci --role s', ['service', 'scrape'], ['admin']],
  ['ragwarden operations list --state ', ['running', 'succeeded'], []],
  ['ragwarden completion ', ['bash', 'zsh', 'fish'], []],
  ['ragwarden backup show ', ['backup_20261122_010203_abcd', 'backup_20261121_010203_efgh'], ['default']],
  ['ragwarden backup show --json backup_20261122', ['backup_20261122_010203_abcd'], ['backup_20261121_010203_efgh']],
  ['ragwarden backup create --target ', ['default', 'second'], []],
  ['ragwarden backup show --data-dir elsewhere ', ['backup_elsewhere'], []],
  ['ragwarden target inspect s', ['second'], ['default']],
  ['ragwarden operations cancel ', ['op_one'], []],
  ['ragwarden token revoke ', ['tok_one'], []],
  ['ragwarden drill evidence ', ['drill_one'], ['default']],
  ['ragwarden drill run backup_20261122', ['backup_20261122_010203_abcd'], ['backup_20261121_010203_efgh']],
  ['ragwarden repo unlock ', ['0123abcd'], []],
  ['ragwarden explain repository/l', ['repository/locked'], ['repository/missing']],
  ['ragwarden status --data-dir folder', ['folder-one'], ['settings.yaml']],
  ['ragwarden status --config sett', ['settings.yaml'], []],
  ['ragwarden token create ', [], ['tok_one']],
];

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function check(found: readonly (readonly string[])[]): void {
  expect(found).toHaveLength(cases.length);
  for (const [index, [typed, offered, not]] of cases.entries()) {
    for (const word of offered) expect(found[index], typed).toContain(word);
    for (const word of not) expect(found[index], typed).not.toContain(word);
  }
}
const blocksOf = (stdout: string): string[][] =>
  stdout
    .split('--case--\n')
    .slice(1)
    .map((block) => block.split('\n').filter((line) => line !== ''));

test('bash completes', async () => {
  const script = [
    'source completion.bash',
    ...cases.map(([typed]) => {
      const words = typed.split(' ');
      return `COMP_WORDS=(${words.map(quoted).join(' ')}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _ragwarden; echo --case--; printf '%s\\n' "\${COMPREPLY[@]}"`;
    }),
  ].join('\n');
  const { stdout, stderr } = await run('bash', ['--norc', '-c', script], { cwd: home, env });
  expect(stderr).toBe('');
  check(blocksOf(stdout));
});

test('bash completes a value behind the sign as well', async () => {
  const script = `source completion.bash; COMP_WORDS=(ragwarden token create ci --role = ad); COMP_CWORD=6; _ragwarden; echo "\${COMPREPLY[*]}"`;
  expect((await run('bash', ['--norc', '-c', script], { cwd: home, env })).stdout).toBe('admin\n');
});

test('bash stays silent when nothing can be told', async () => {
  const script = `source completion.bash; COMP_WORDS=(ragwarden backup show --config x ''); COMP_CWORD=5; _ragwarden; echo "[\${COMPREPLY[*]}]"`;
  const { stdout, stderr } = await run('bash', ['--norc', '-c', script], { cwd: home, env });
  expect({ stdout, stderr }).toEqual({ stdout: '[]\n', stderr: '' });
});

const zsh = findProgram('zsh');
if (zsh === undefined) console.warn('SKIPPED: the completion for zsh: zsh is missing');
const fish = findProgram('fish');
if (fish === undefined) console.warn('SKIPPED: the completion for fish: fish is missing');

describe.skipIf(zsh === undefined)('zsh', () => {
  test('completes', async () => {
    // What would be offered is taken where the script hands it to zsh.
    const script = [
      'source completion.zsh',
      `compadd() { [ "$1" = -- ] && shift; for word in "$@"; do [[ $word == "\${words[CURRENT]}"* ]] && print -r -- "$word"; done }`,
      `_files() { local only=''; [ "$1" = -/ ] && only=1; for word in "\${words[CURRENT]}"*(N); do if [ -z "$only" ] || [ -d "$word" ]; then print -r -- "$word"; fi; done }`,
      ...cases.map(([typed]) => {
        const words = typed.split(' ');
        return `words=(${words.map(quoted).join(' ')}); CURRENT=${words.length}; print -r -- --case--; _ragwarden`;
      }),
    ].join('\n');
    const { stdout } = await run('zsh', ['-f', '-c', script], { cwd: home, env });
    check(blocksOf(stdout));
  });

  test('takes the script as one of its own', () => {
    const script = `autoload -U compinit; compinit -D -d ${quoted(join(home, 'dump'))} -u; source completion.zsh; print -r -- $_comps[ragwarden]`;
    expect(execFileSync('zsh', ['-f', '-c', script], { cwd: home, env, encoding: 'utf8' })).toBe('_ragwarden\n');
  });
});

test.skipIf(fish === undefined)('fish completes', async () => {
  const script = [
    'source completion.fish',
    ...cases.map(([typed]) => `echo --case--; complete -C ${quoted(typed)} | string replace -r '\\t.*' ''`),
    'true',
  ].join('\n');
  const { stdout } = await run('fish', ['--no-config', '-c', script], { cwd: home, env });
  check(blocksOf(stdout).map((block) => block.map((word) => word.replace(/\/$/, ''))));
});

test('every id and every enumerated value has a source', async () => {
  const { stdout } = await runInPipe(['completion', 'bash']);
  const argument = /^_ragwarden_argument_values\(\) \{[\s\S]*?^\}/m.exec(stdout)?.[0] ?? '';
  // Names that are yet to be given, subjects, and values are the only ones that cannot be completed.
  const without = [...argument.matchAll(/^ +'(.+?) \d'\) REPLY='any'/gm)].map(([, path]) => path);
  expect(
    without.filter(
      (path) =>
        ![
          ...['metrics record', 'token create', 'key create', 'token end-sessions', 'quota set'],
          ...[
            'settings set',
            'tune set',
            'tune check',
            'alerts silence',
            'alerts rules put',
            'alerts receivers add',
            'replicate add',
          ],
          // A measure of a process, a kind of cache, a workspace that is not served, a check by its own name.
          ...['leaks evidence', 'system clear-caches', 'cleanup workspace', 'health check'],
        ].includes(path ?? ''),
    ),
  ).toEqual([]);
});
