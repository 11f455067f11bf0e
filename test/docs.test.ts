import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { apiInfo } from '../src/app/api-info.ts';
import { renderDocument } from '../src/app/describe-warden.ts';
import { createWarden } from '../src/app/index.ts';
import { runCli } from '../src/cli/index.ts';
import {
  configExample,
  configReference,
  configSchemaText,
  readConfig,
  type Setting,
  settings,
} from '../src/config/index.ts';
import { structuredKeys } from '../src/config/structures.ts';
import { errorCatalogue } from '../src/platform/errors.ts';
import { describeApi } from '../src/platform/http/openapi.ts';
import { withRouteTables } from '../src/platform/http/route-tables.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { removeFolder, temporaryFolder } from './warden-harness.ts';

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const filesBelow = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending) && !entry.parentPath.includes('node_modules'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));

const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', ...filesBelow('docs', '.md')].sort();
const withoutCode = (text: string): string => text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');

/** As GitHub makes it from a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[`*]/g, '')
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replace(/ /g, '-');
const anchorsOf = (page: string): string[] =>
  [
    ...read(page)
      .replace(/```[\s\S]*?```/g, '')
      .matchAll(/^#+ (.+)$/gm),
  ].map(([, heading = '']) => anchorOf(heading));

/** The help of the longest command that these words begin with; undefined when already the first is none. */
async function findHelp(words: readonly string[], helps: Map<string, string>): Promise<string | undefined> {
  let found: string | undefined;
  for (let length = 1; length <= Math.min(3, words.length); length += 1) {
    const command = words.slice(0, length);
    if (!command.every((word) => /^[a-z-]+$/.test(word) && !word.startsWith('-'))) break;
    const name = command.join(' ');
    if (!helps.has(name)) helps.set(name, await helpOf(command));
    const help = helps.get(name) ?? '';
    if (!help.includes(`Usage: ragwarden ${name} `)) break;
    found = help;
  }
  return found;
}

const helpOf = (command: readonly string[]): Promise<string> => outputOf([...command, '--help']);

/** What a command that does no work prints. */
async function outputOf(argv: readonly string[]): Promise<string> {
  let text = '';
  const write = (piece: string): void => {
    text += piece;
  };
  const never = (): never => {
    throw new Error('help does no work');
  };
  await runCli({
    argv,
    env: {},
    cwd: root,
    stdin: new PassThrough(),
    stdout: { write },
    stderr: { write },
    signal: new AbortController().signal,
    offline: {
      createWarden: never,
      createGatewayAlone: never,
      keepAdminToken: never,
      localTokenFile: never,
      recoveryKit: never,
      rebuildCatalogue: never,
      lookAtStores: never,
      recover: never,
      foldRestored: never,
    },
  });
  return text;
}

describe('the documentation', () => {
  test('has only links that lead somewhere', () => {
    const broken: string[] = [];
    for (const page of pages)
      for (const [, target = ''] of withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? page : relative(root, resolve(root, dirname(page), path));
        if (!existsSync(join(root, file))) broken.push(`${page}: ${target}`);
        else if (anchor !== undefined && !anchorsOf(file).includes(anchor))
          broken.push(`${page}: ${target} (no heading)`);
      }
    expect(broken).toEqual([]);
  });

  test('names only files of the repository that are there', () => {
    const missing: string[] = [];
    const ours = /`((?:src|test|tools|bin|web|docs|examples|deploy|bench)\/[\w./-]*\w)`/g;
    for (const page of pages)
      for (const [, path = ''] of read(page).matchAll(ours))
        if (!existsSync(join(root, path))) missing.push(`${page}: ${path}`);
    expect(missing).toEqual([]);
  });

  test('shows pictures below 300 KB', () => {
    for (const [, picture = ''] of read('README.md').matchAll(/!\[[^\]]*\]\(([^)]+)\)/g))
      expect(statSync(join(root, picture)).size).toBeLessThan(300 * 1024);
  });

  test('names only settings that exist', () => {
    const known = new Set(['RAGWARDEN_CONFIG', 'RAGWARDEN_URL', 'RAGWARDEN_TOKEN', 'RAGWARDEN_NO_INSTALL']);
    // What a check command gets from a drill.
    for (const what of ['FOLDER', 'WORKSPACE', 'POINT']) known.add(`RAGWARDEN_DRILL_${what}`);
    const keys = new Set<string>([...structuredKeys, 'target.lifecycle.stop', 'target.lifecycle.start']);
    for (const one of Object.values(settings) as Setting[]) {
      keys.add(one.key);
      for (const { name } of one.env) known.add(name).add(`${name}_FILE`);
    }
    // Of the backend, not of ragwarden.
    for (const [name] of read('docs/tuning-parameters.md').matchAll(/(?<=\| `)LIGHTRAG_[A-Z_]+(?=` \|)/g))
      known.add(name);
    const sections = new Set([...keys].map((key) => key.split('.')[0]));
    // Types of events look alike.
    for (const [, type = ''] of read('src/events/event.ts').matchAll(/`([a-z]+(?:\.[a-z-]+)+)`/g)) keys.add(type);
    const unknown: string[] = [];
    for (const page of pages) {
      for (const [name] of read(page).matchAll(/\b(?:RAGWARDEN|LIGHTRAG|BACKUP|MONITORING)_[A-Z0-9_]*[A-Z0-9]\b/g))
        if (!known.has(name)) unknown.push(`${page}: ${name}`);
      for (const [, key = ''] of read(page).matchAll(/`([a-z]+(?:\.[a-z_]+)+)`/g))
        if (
          sections.has(key.split('.')[0]) &&
          !keys.has(key) &&
          !/\.(ts|md|json|sqlite|point-taken|point-failed)$/.test(key)
        )
          unknown.push(`${page}: ${key}`);
    }
    expect(unknown).toEqual([]);
  });

  test('shows only settings files that are accepted as they stand', () => {
    const folder = temporaryFolder('docs-settings');
    try {
      let shown = 0;
      for (const page of pages)
        for (const [, block = ''] of read(page).matchAll(/```yaml\n([\s\S]*?)```/g)) {
          writeFileSync(join(folder, 'ragwarden.yaml'), block);
          const env = { RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9621' };
          expect(readConfig({ env, cwd: folder }).problems, page).toEqual([]);
          shown += 1;
        }
      expect(shown).toBeGreaterThan(1);
    } finally {
      removeFolder(folder);
    }
  });

  test('shows only JSON that can be read', () => {
    const wrong = pages.flatMap((page) =>
      [...read(page).matchAll(/^```json(l?)\n([\s\S]*?)\n```/gm)].flatMap(([, lines, block = '']) =>
        (lines ? block.split('\n') : [block]).flatMap((one) => {
          try {
            JSON.parse(one);
            return [];
          } catch (err) {
            return [`${page}: ${err}`];
          }
        }),
      ),
    );
    expect(wrong).toEqual([]);
  });

  test('has the reference of settings as the code prints it', () => {
    expect(
      read('docs/configuration.md'),
      'Run `node bin/ragwarden config reference > docs/configuration.md` after changing a setting.',
    ).toBe(configReference());
  });

  test('has the schema and the example of settings as the code prints them', () => {
    expect(
      read('docs/ragwarden.schema.json'),
      'Run `node bin/ragwarden config schema > docs/ragwarden.schema.json` after changing a setting.',
    ).toBe(configSchemaText());
    expect(
      read('ragwarden.example.yaml'),
      'Run `node bin/ragwarden config example > ragwarden.example.yaml` after changing a setting.',
    ).toBe(configExample());
  });

  test('has the page of error codes as the command line prints it', async () => {
    expect(
      read('docs/errors.md'),
      'Run `node src/main.ts explain --markdown > docs/errors.md` after changing a code or its explanation.',
    ).toBe(await outputOf(['explain', '--markdown']));
  });

  test('has the page of commands as the command line prints it', async () => {
    expect(
      read('docs/cli.md'),
      'Run `node src/main.ts __reference > docs/cli.md` after changing a command or an option.',
    ).toBe(await outputOf(['__reference']));
  });

  test('names only error codes of the catalogue', () => {
    const families = new Set(Object.keys(errorCatalogue).map((code) => code.split('/')[0]));
    const unknown: string[] = [];
    for (const page of pages)
      for (const [, code = ''] of read(page).matchAll(/`([a-z]+\/[a-z]+(?:-[a-z]+)*)`/g))
        if (families.has(code.split('/')[0]) && !Object.hasOwn(errorCatalogue, code)) unknown.push(`${page}: ${code}`);
    expect(unknown).toEqual([]);
  });

  test('lists each route that the server has, with who may call it and what it does', async () => {
    const dataDir = temporaryFolder('docs');
    const flags = { 'data-dir': dataDir, port: '0', 'metrics-port': '0', 'gateway-port': '0' };
    const reading = readConfig({ env: {}, flags, cwd: dataDir });
    const warden = createWarden({ reading, log: silentLogger, command: 'serve' });
    try {
      const { server } = await warden.start();
      const has = server.routeTable.map(({ method, url, access }) => `${method} ${url} ${access}`);
      const rows = read('docs/api.md').matchAll(/^\| ([A-Z]+) \| `([^`]+)` \| (\w+) \|/gm);
      const told = [...rows].map(([, method, url, access]) => `${method} ${url} ${access}`);
      expect(told.sort()).toEqual(has.sort());
      const mend = 'Run `node tools/openapi.mjs` after changing a route.';
      const document = describeApi(server.routeTable, apiInfo());
      expect(JSON.parse(read('docs/openapi.json')), mend).toEqual(JSON.parse(renderDocument(document)));
      expect(read('docs/api.md'), mend).toBe(withRouteTables(read('docs/api.md'), document));
    } finally {
      await warden.stop('the test is over');
      removeFolder(dataDir);
    }
  });

  test('names only commands and flags of the command line', async () => {
    const wrong: string[] = [];
    const helps = new Map<string, string>();
    // `ragwarden …` in a code span, bin/ragwarden … anywhere; a sentence about ragwarden is neither.
    for (const page of pages)
      for (const [, line = ''] of read(page).matchAll(/(?:`|bin\/)ragwarden ((?:[a-z]|--)[^`\n#|>]*)/g)) {
        const words = line.trim().split(/\s+/);
        const help = await findHelp(words, helps);
        if (help === undefined) wrong.push(`${page}: ${line}`);
        for (const flag of words.filter((word) => /^--[a-z]/.test(word)))
          if (help?.includes(flag) === false) wrong.push(`${page}: ${line} (${flag})`);
      }
    expect(wrong).toEqual([]);
    expect(helps.size).toBeGreaterThan(10);
  });

  test('is there where code and messages send the reader', () => {
    const missing: string[] = [];
    const sources = ['src', 'examples', 'tools', 'web', 'bin', 'test'].flatMap((folder) =>
      ['.ts', '.tsx', '.mjs'].flatMap((ending) => filesBelow(folder, ending)),
    );
    for (const file of sources)
      for (const [path] of read(file).matchAll(/\bdocs\/[\w./-]+\.md\b/g))
        if (!existsSync(join(root, path))) missing.push(`${file}: ${path}`);
    expect(missing).toEqual([]);
  });
});

describe('the runbooks', () => {
  const folder = 'docs/runbooks';
  const names = filesBelow(folder, '.md').map((path) => relative(folder, path));

  test('are all in the list by how the trouble shows, and each says what to do', () => {
    const list = read(`${folder}/README.md`);
    for (const name of names.filter((one) => one !== 'README.md')) {
      expect(list, `the list leads to ${name}`).toContain(`](${name})`);
      // Steps, points, one sentence, or a table of what is seen with what to do.
      expect(read(`${folder}/${name}`), `${name} says what to do`).toMatch(/^ *(1\.|-) |^ *\| ?---|^\*\*Do\.\*\*/m);
    }
  });

  test.each([
    ['database-unhealthy', ['database-look', 'judge-database']],
    ['redis-unhealthy', ['redis-look', 'judge-redis']],
  ])('%s has a row for each thing that the look may say', (name, files) => {
    // What a row begins with stands in the message; … is what differs from case to case, and ; is between several.
    const phrases = [...read(`${folder}/${name}.md`).matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell = '']) =>
      cell.split('; ').map((one) => one.replaceAll('`', '').toLowerCase().split(/ ?… ?/)),
    );
    const holds = (message: string, parts: readonly string[]): boolean => {
      let from = 0;
      return parts.every((part) => {
        const at = message.indexOf(part, from);
        from = at + part.length;
        return at >= 0;
      });
    };
    const messages = files.flatMap((file) =>
      [
        ...read(`src/health/looks/${file}.ts`)
          .replace(/^ *(\/?\*|\/\/).*$/gm, '')
          .matchAll(/(['`])((?:\$\{name\} |It |The |A |Old )(?:(?!\1)[^\n])+)\1/g),
      ].map(([, , text = '']) => text.replace(/\$\{[^}]*\}/g, 'X').toLowerCase()),
    );
    expect(messages.length).toBeGreaterThan(10);
    expect(messages.filter((message) => !phrases.some((parts) => holds(message, parts)))).toEqual([]);
  });

  test('there is an order of things for an incident: who has it, how bad it is, evidence, and a review', () => {
    const text = read(`${folder}/incident.md`);
    for (const word of [
      'alerts ack',
      'health --fresh',
      'backup create',
      'system bundle',
      'events export',
      'Afterwards',
    ])
      expect(text, word).toContain(word);
  });
});

describe('how it is run and changed', () => {
  /** From its heading to the next one. */
  const section = (page: string, heading: string): string =>
    read(page)
      .split(new RegExp(`^## ${heading}$`, 'm'))[1]
      ?.split(/^## /m)[0] ?? '';

  test('each practice of document 003 has its place, and what it takes is named', () => {
    const practices: readonly [heading: string, words: readonly string[]][] = [
      ['Habits', ['drill.frequency_seconds', 'leaks list', 'resources summary']],
      ['Resources', ['metadata', 'lease_seconds', 'ttl_seconds', 'cleanup.md#strategies', 'quota violations']],
      ['Metrics and alerts', ['Names say', 'Labels are', 'The aggregation', 'An alert asks']],
      ['Load', ['ten items at once', 'batches', 'health.interval_seconds', 'When load grows']],
      ['When memory is high', ['leaks list', 'cleanup tasks', 'process_resident_memory_bytes']],
      ['When it is slow', ['metrics.aggregation_interval_seconds', 'cleanup.check_interval_seconds', 'view=traffic']],
      ['When an alert is missing', ['alerts rules show', 'alerts history', 'alerts test']],
      ['What the documents left for later', ['5D', '5E', 'optimisation', 'advanced query']],
    ];
    for (const [heading, words] of practices)
      for (const word of words) expect(section('docs/practices.md', heading), heading).toContain(word);
  });

  test('the page of the architecture has each part of the tree, and no other', () => {
    const parts = [...read('docs/architecture.md').matchAll(/`src\/([a-z]+)`/g)].map(([, name]) => name);
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect([...new Set(parts)].sort()).toEqual(folders.map(({ name }) => name).sort());
  });

  test('whoever contributes finds what a change needs: tests, documentation, conventions, and what is measured', () => {
    expect(section('CONTRIBUTING.md', 'A change')).toMatch(
      /tests and documentation[\s\S]*slice: what is different now/,
    );
    expect(section('CONTRIBUTING.md', 'Tests')).toContain('fast-check');
    expect(section('CONTRIBUTING.md', 'Code')).toContain('Decide, then do');
    expect(section('CONTRIBUTING.md', 'What is measured')).toContain('npm run bench');
  });
});

describe('the decisions', () => {
  const records = filesBelow('docs/decisions', '.md').filter((file) => !file.endsWith('README.md'));

  test('are numbered without gaps and listed', () => {
    const numbers = records.map((file) => Number(/(\d{4})-/.exec(file)?.[1])).sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    const list = read('docs/decisions/README.md');
    for (const file of records) expect(list).toContain(relative('docs/decisions', file));
  });

  test('account for every package the product is made of', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
      string,
      Record<string, string>
    >;
    const named = [...read('docs/decisions/0003-dependencies.md').matchAll(/^\| (`.*?`) \|/gm)].flatMap(
      ([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    );
    expect(named.sort()).toEqual(Object.keys({ ...dependencies, ...devDependencies }).sort());
  });
});
