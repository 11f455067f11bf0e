import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findNpmCli } from '../tools/node-runtime.mjs';
import { pack } from '../tools/pack.mjs';
import { programsOfDocs } from './setup/docs-blocks.ts';
import { findOlderNode } from './setup/older-node.ts';
import { removeFolder, temporaryFolder, until } from './warden-harness.ts';

const root = resolve(import.meta.dirname, '..');
const olderNode = findOlderNode();
const folder = temporaryFolder('package');
const installed = join(folder, 'node_modules/ragwarden');
let archive: string;

/** Nothing of this machine but programs: what the package needs it must bring. */
const environment = { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: folder, NO_COLOR: '1' };
const ran = promisify(execFile);
const node = async (args: string[], program = process.execPath) => {
  try {
    // What does not end by itself is ended, with an exit code that no test expects.
    return { ...(await ran(program, args, { cwd: folder, env: environment, timeout: 60_000 })), code: 0 };
  } catch (err) {
    const { code, stdout, stderr } = err as { code: number; stdout: string; stderr: string }; // of execFile
    return { code, stdout, stderr };
  }
};
/** A module of its own in the folder where the package was installed. */
const script = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return name;
};
const filesOf = (path: string): string[] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)));

beforeAll(async () => {
  archive = await pack(root, join(folder, 'packed'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  // Offline and with an empty cache: a single missing dependency would fail here.
  const args = [
    'install',
    '--offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--cache',
    join(folder, 'cache'),
  ];
  execFileSync(process.execPath, [findNpmCli(), ...args, archive], { cwd: folder, env: environment, stdio: 'pipe' });
});
afterAll(() => removeFolder(folder));

describe('the published package', () => {
  test('is complete, small and alone', () => {
    expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['ragwarden']);
    const { dependencies, scripts, engines } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect({ dependencies, scripts, engines }).toEqual({ engines: { node: '>=20' } });
    const files = filesOf(installed);
    expect(
      files.filter((file) => /\.map$|\btests?\b|fixture|stamp|^src|^tools|\.tsx?$/.test(file.replace('.d.ts', ''))),
    ).toEqual([]);
    for (const file of [
      'THIRD-PARTY-LICENSES',
      'LICENSE',
      'README.md',
      'docs/runbooks/README.md',
      'dist/web/index.html',
    ])
      expect(files).toContain(file);
    for (const name of ['fastify', 'zod', 'preact', 'undici'])
      expect(readFileSync(join(installed, 'THIRD-PARTY-LICENSES'), 'utf8')).toMatch(new RegExp(`^${name} \\d`, 'm'));
    // Twice as much would be sources or maps that slipped in.
    expect(readFileSync(archive).length).toBeLessThan(3.5 * 1024 * 1024);
  });

  test('says nothing of the machine that made it', () => {
    const told = filesOf(installed).filter((file) => {
      const text = readFileSync(join(installed, file), 'utf8');
      return text.includes(root) || text.includes('sourceMappingURL');
    });
    expect(told).toEqual([]);
  });

  test('opens its three doors to ES modules and to CommonJS, and all know the same errors', async () => {
    const body = `
      const [all, client, embedded] = await Promise.all(['', '/client', '/embedded'].map((door) => import('ragwarden' + door)));
      const refused = await client.createClient({ url: 'http://127.0.0.1:1' }).health.get().catch((err) => err);
      console.log(JSON.stringify({
        all: Object.keys(all), client: Object.keys(client), embedded: Object.keys(embedded),
        same: all.createClient === client.createClient && refused instanceof all.RagwardenError, code: refused.code,
        active: process.getActiveResourcesInfo().filter((name) => name === 'Timeout'),
      }));`;
    const fromModule = await node([script('doors.mjs', body)]);
    const fromCommonJs = await node([script('doors.cjs', `(async () => {${body}})();`)]);
    expect(fromModule.stderr + fromCommonJs.stderr).toBe('');
    expect(fromCommonJs.stdout).toBe(fromModule.stdout);
    const told = JSON.parse(fromModule.stdout);
    expect(told).toMatchObject({
      client: ['RagwardenError', 'createClient'],
      embedded: ['createWarden', 'startResourceSystems'],
      same: true,
      code: 'server/unreachable',
      active: [],
    });
    expect(told.all).toEqual(expect.arrayContaining(['BackupService', 'getSystemMonitor', ...told.client]));
    expect(await node([script('deep.mjs', "await import('ragwarden/dist/main.js');")])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ERR_PACKAGE_PATH_NOT_EXPORTED'),
    });
  });

  test.each(['node16', 'bundler'])('has types that stand alone, resolved as %s', async (resolution) => {
    const project = join(folder, `types-${resolution}`);
    mkdirSync(project);
    for (const file of ['client.mjs', 'embedded.mjs', 'documents.ts'])
      cpSync(join(root, 'examples/library', file), join(project, file));
    // What the documentation shows is held to the types that a reader gets.
    for (const [file, text] of programsOfDocs()) writeFileSync(join(project, file), text);
    writeFileSync(
      join(project, 'wrong.ts'),
      [
        "import { createClient } from 'ragwarden/client';",
        "import { createWarden } from 'ragwarden/embedded';",
        '// @ts-expect-error no such option',
        "createWarden({ dataDir: 'x', dataFolder: 'y' });",
        '// @ts-expect-error a word that no target has',
        "(await createClient({ url: '' }).targets.get('x')).status === 'FINE';",
      ].join('\n'),
    );
    const module = resolution === 'bundler' ? 'esnext' : 'node16';
    const compilerOptions = {
      ...{ module, moduleResolution: resolution, target: 'es2022', lib: ['es2022', 'dom', 'dom.iterable'] },
      ...{ strict: true, skipLibCheck: false, noEmit: true, allowJs: true, checkJs: false, types: ['node'] },
      typeRoots: [join(root, 'node_modules/@types')],
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }));
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    expect(await node([compiler, '-p', project])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('brings a program that says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const answer = await ran(join(folder, 'node_modules/.bin/ragwarden'), ['--version'], { env: environment });
    expect(answer.stdout.trim()).toBe(version);
  });

  test.each([
    ['serve', 'unknown', []],
    ['up', 'healthy', ['sample']],
  ])('`ragwarden %s` becomes ready, answers and stops', async (command, word, targets) => {
    const dataDir = join(folder, command);
    const child = spawn(
      join(folder, 'node_modules/.bin/ragwarden'),
      [command, '--data-dir', dataDir, '--port', '0', '--metrics-port', '0', '--gateway-port', '0'],
      { cwd: folder, env: { ...environment, BACKUP_ENABLED: 'false' }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    try {
      const { api, metrics } = await readyLine(child);
      const health = async () => (await (await fetch(`${api}/health`)).json()) as { status: string };
      await until(`the word ${word}`, async () => ((await health()).status === word ? true : undefined));
      const page = await fetch(`${api}/health`, { headers: { accept: 'text/html' } });
      const [, asset] = /src="([^"]+\.js)"/.exec(await page.text()) ?? [];
      expect((await fetch(new URL(asset ?? 'no script', page.url))).status).toBe(200);
      expect(await (await fetch(`${metrics}/metrics`)).text()).toContain('ragwarden_build_info');
      const token = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
      const listed = await fetch(`${api}/api/v1/targets`, { headers: { authorization: `Bearer ${token}` } });
      const { items } = (await listed.json()) as { items: { id: string }[] };
      expect(items.map(({ id }) => id)).toEqual(targets);
    } finally {
      child.kill('SIGTERM');
    }
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test('runs inside a program: workers and children start, nothing is left open', async () => {
    const text = `
      import { createWarden, startResourceSystems } from 'ragwarden/embedded';
      const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'uncaughtException', 'unhandledRejection'];
      const heard = () => signals.map((name) => process.listenerCount(name)).join();
      const before = heard();
      const settings = { backup: { enabled: false } };
      const warden = createWarden({ dataDir: 'embedded-one', settings, sample: true });
      const [{ client, targetIds }, second] = await Promise.all([
        warden.start(), startResourceSystems({ dataDir: 'embedded-two', settings })]);
      const begun = await client.targets.inspect('sample');
      const { result } = await client.operations.wait(begun);
      const refused = await createWarden({ dataDir: 'embedded-one' }).start().catch((err) => err);
      const wrong = await createWarden({ dataDir: 'x', settings: { bakup: {}, server: { port: 'n' } } }).start().catch((err) => err);
      const other = await second.client.targets.list();
      console.log(JSON.stringify({
        targetIds, others: other.items, documents: result.documents, quiet: before === heard(),
        refused: [refused.name, refused.code], wrong: wrong.violations.map(({ message }) => message) }));
      await Promise.all([warden.stop(), second.stop()]);
      const late = await warden.start().catch((err) => err);
      console.log(await client.health.get().catch((err) => err.code), late.client ? 'the same start' : late.code);`;
    const { code, stdout, stderr } = await node([script('embedded.mjs', text)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [told = '', after] = stdout.trim().split('\n');
    expect(JSON.parse(told)).toMatchObject({
      ...{ targetIds: ['sample'], others: [], quiet: true },
      documents: { processed: expect.any(Number) },
      refused: ['RagwardenError', 'storage/data-folder-in-use'],
      wrong: expect.arrayContaining([expect.stringContaining('Did you mean backup?')]),
    });
    expect(after).toBe('server/unreachable embedded/stopped');
  });

  test.skipIf(olderNode === undefined)(
    'on an older Node.js the client works and the rest says what it needs',
    async () => {
      const program = olderNode ?? '';
      const text = `
      import { createClient, getSystemMonitor } from 'ragwarden';
      import { createWarden } from 'ragwarden/embedded';
      const answers = await Promise.allSettled([
        createClient({ url: 'http://127.0.0.1:1' }).health.get(),
        createClient({ url: 'http://127.0.0.1:1' }).events.stream().next(),
        (async () => createWarden({ dataDir: 'x' }))()]);
      console.log(JSON.stringify(answers.map(({ reason }) => reason.code)));`;
      expect(await node([script('older.mjs', text)], program)).toEqual({
        ...{ code: 0, stderr: '' },
        stdout: '["server/unreachable","server/unreachable","embedded/node-too-old"]\n',
      });
      const refused = await node([join(installed, 'bin/ragwarden'), 'serve'], program);
      expect(refused).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^ragwarden needs Node\.js 24/),
      });
    },
  );
});

async function readyLine(child: ChildProcess): Promise<{ api: string; metrics: string }> {
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  if (!child.stdout) throw new Error('its output is not heard');
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(() => Promise.reject(new Error(`ended before it was ready:\n${log}`))),
  ]);
  return JSON.parse(String(line));
}
