import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { createDefaultRules } from '../src/alerts/index.ts';
import type { ApiDocument } from '../src/platform/http/openapi.ts';
import { commandGroups, commandsOfBlock, findCommandFault, helpExamples, shellWords } from './documented-commands.ts';

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const filesBelow = (folder: string, ending: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...filesBelow('docs', /\.md$/)];
const runbooks = pages.filter((page) => page.startsWith('docs/runbooks/'));
const blocksOf = (page: string): { language: string; text: string }[] =>
  [...read(page).matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```/gm)].map(([, indent = '', language = '', text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));
/** Code in the text, without the blocks. */
const spansOf = (text: string): string[] =>
  [...text.replace(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);

describe('a command line', () => {
  test('is split as a shell splits it', () => {
    expect(shellWords(`alerts ack ID --note 'looking, NAME' | less # comment`)).toEqual([
      'alerts',
      'ack',
      'ID',
      '--note',
      'looking, NAME',
    ]);
    expect(shellWords(`tune set top_k= --reason "a b" > file`)).toEqual(['tune', 'set', 'top_k=', '--reason', 'a b']);
    expect(commandsOfBlock('FOO=1 bin/ragwarden recover --a \\\n  --b\n  $ ragwarden status\necho ragwarden')).toEqual([
      'recover --a --b',
      'status',
    ]);
  });

  test('that nothing understands is told', async () => {
    expect(await findCommandFault('backup restore ID --plan', true)).toBeUndefined();
    expect(await findCommandFault('backup restore', false)).toBeUndefined();
    expect(await findCommandFault('backup restore', true)).toContain('missing required argument');
    expect(await findCommandFault('backup restore ID OTHER', true)).toContain('too many arguments');
    expect(await findCommandFault('backup restore ID --plam', true)).toContain('--plam');
    expect(await findCommandFault('backup restor ID', true)).toContain('restor');
    expect(await findCommandFault('operations list --state faild', true)).toContain('faild');
  });
});

describe('what the reader is told to type', () => {
  test('is understood: the commands of every block, of every runbook and of every help, as they stand', async () => {
    const wrong: string[] = [];
    let seen = 0;
    const look = async (where: string, line: string): Promise<void> => {
      seen += 1;
      const fault = await findCommandFault(line, true);
      if (fault !== undefined) wrong.push(`${where}: ${line}: ${fault}`);
    };
    for (const page of pages) {
      for (const { text } of blocksOf(page)) for (const line of commandsOfBlock(text)) await look(page, line);
      if (runbooks.includes(page))
        for (const span of spansOf(read(page))) {
          const line = /^(?:bin\/)?ragwarden (.+)$/.exec(span)?.[1];
          if (line !== undefined) await look(page, line);
        }
    }
    for (const line of helpExamples()) await look('help', line);
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(400);
  });

  test('is understood as far as it goes, where a text or a message of the product only names a command', async () => {
    const wrong = new Set<string>();
    const look = async (where: string, line: string): Promise<void> => {
      const fault = await findCommandFault(line.replace(/\$\{[^}]*\}/g, '5'), false);
      if (fault !== undefined) wrong.add(`${where}: ${line}: ${fault}`);
    };
    for (const page of pages)
      for (const span of spansOf(read(page))) {
        const line = /^(?:bin\/)?ragwarden ((?:[a-z]|--).*)$/.exec(span)?.[1];
        if (line !== undefined) await look(page, line.replace(/ \[.*/, ''));
      }
    // In a template the marks are escaped; a text without them that begins with the name is a sentence about ragwarden.
    const sources = filesBelow('src', /(?<!\.test)\.ts$/).concat(filesBelow('web', /\.tsx?$/));
    for (const file of sources) {
      for (const [, line = ''] of read(file).matchAll(/\\`(?:bin\/)?ragwarden ([a-z][^`\\]*)\\`/g))
        await look(file, line);
      for (const [, line = ''] of read(file).matchAll(/['"/*][^'"`\n]*`(?:bin\/)?ragwarden ([a-z][^`$\n\\]*)`/g))
        await look(file, line);
    }
    expect([...wrong]).toEqual([]);
  });

  test('names no command that is not there, also where a runbook leaves out the program', async () => {
    const groups = commandGroups();
    // Of restic; a health check; labels of series.
    const others = /^(key (add|list|passwd)|quota ledger|target workspace)/;
    const unknown: string[] = [];
    for (const page of pages)
      for (const span of spansOf(read(page))) {
        const [, group = '', command = ''] = /^([a-z]+) ([a-z-]+)(?: |$)/.exec(span) ?? [];
        if (groups.has(group) && !groups.get(group)?.has(command) && !others.test(span))
          unknown.push(`${page}: ${span}`);
      }
    expect(unknown).toEqual([]);
  });

  test('is typed in runbooks as it is found in a clone, so that a line can be taken over as it stands', () => {
    const without: string[] = [];
    for (const page of runbooks) {
      const lines = [...spansOf(read(page)), ...blocksOf(page).flatMap(({ text }) => text.split('\n'))];
      for (const line of lines) if (/^ *ragwarden [a-z]/.test(line)) without.push(`${page}: ${line}`);
    }
    expect(without).toEqual([]);
  });
});

describe('requests that are shown', () => {
  const document = JSON.parse(read('docs/openapi.json')) as ApiDocument;
  const operationOf = (method: string, path: string) => {
    for (const [template, methods] of Object.entries(document.paths)) {
      const shape = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]*\}/g, '[^/]+');
      const operation = methods[method.toLowerCase() as keyof typeof methods];
      if (operation && new RegExp(`^${shape}$`).test(path))
        return { template, method: method.toLowerCase(), operation };
    }
    return undefined;
  };

  test('go to routes that exist, with parameters and bodies that these take, and with a token where one is needed', () => {
    const ajv = new Ajv2020({ strict: false, logger: false });
    formats.default(ajv);
    ajv.addSchema(document as unknown as Record<string, unknown>, 'api');
    const wrong: string[] = [];
    let seen = 0;
    for (const page of pages) {
      const shown = [...blocksOf(page).map(({ text }) => text), ...spansOf(read(page))].flatMap((text) => [
        ...text.replace(/\\\n\s*/g, ' ').matchAll(/\bcurl (?:'[^']*'|"[^"]*"|[^'"\n])*/g),
      ]);
      for (const [line] of shown) {
        const words = shellWords(line.replace('$(cat ', '$(cat_'));
        const address = words
          .map((word) => /^http:\/\/127\.0\.0\.1:8710(\/.*)$/.exec(word)?.[1])
          .find((path) => path !== undefined);
        if (address === undefined) continue;
        seen += 1;
        const url = new URL(address, 'http://127.0.0.1:8710');
        const behind = (flag: string): string | undefined => words[words.indexOf(flag) + 1 || words.length];
        const body = behind('-d');
        const method = behind('-X') ?? (body === undefined ? 'GET' : 'POST');
        const found = operationOf(method, url.pathname);
        if (!found) {
          wrong.push(`${page}: ${method} ${url.pathname} is no route`);
          continue;
        }
        const { operation, template } = found;
        const known = (operation.parameters ?? []).flatMap((one) => ('name' in one ? [one.name] : []));
        for (const name of url.searchParams.keys()) if (!known.includes(name)) wrong.push(`${page}: ${line}: ${name}`);
        if (!words.some((word) => /^(Authorization: Bearer|X-API-Key:) /.test(word)))
          wrong.push(`${page}: ${line}: no token`);
        if (body === undefined) continue;
        if (!words.includes('content-type: application/json')) wrong.push(`${page}: ${line}: no content type`);
        const at = ['paths', template, found.method, 'requestBody', 'content', 'application/json', 'schema'];
        const check = ajv.getSchema(
          `api#/${at.map((step) => encodeURIComponent(step.replaceAll('/', '~1'))).join('/')}`,
        );
        if (check?.(JSON.parse(body)) !== true) wrong.push(`${page}: ${line}: ${ajv.errorsText(check?.errors)}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(5);
  });

  test('name only routes that exist, also in the middle of a text', () => {
    /** Of LightRAG and of Alertmanager; and what follows a prefix that the text before names. */
    const others = /^(\/documents|\/query|\/graphs$|\/api\/v2\/alerts$|\/$|\/\{id\}|\/leaks|\/summary)/;
    const unknown: string[] = [];
    for (const page of pages)
      for (const span of spansOf(read(page))) {
        const [, method = '', path = ''] = /^(GET|POST|PUT|PATCH|DELETE) (\/[^\s?]*)/.exec(span) ?? [];
        if (method === '' || others.test(path)) continue;
        if (!operationOf(method, path.replace(/\{[^}]*\}|:[a-z_]+|…/g, 'X'))) unknown.push(`${page}: ${span}`);
      }
    expect(unknown).toEqual([]);
  });
});

describe('a runbook', () => {
  const names = new Set(
    createDefaultRules({
      warning: { cpuPercent: 80, memoryPercent: 85, diskPercent: 80 },
      critical: { cpuPercent: 90, memoryPercent: 90, diskPercent: 90 },
    }).map(({ name }) => name),
  );

  test('names alerts that exist', () => {
    const unknown: string[] = [];
    let seen = 0;
    for (const page of runbooks)
      for (const [, list = ''] of read(page).matchAll(/\balerts? ((?:`[a-z_]+`(?: \([^)]*\))?(?:, | and | or )?)+)/g))
        for (const [, name = ''] of list.matchAll(/`([a-z_]+)`/g)) {
          seen += 1;
          if (!names.has(name)) unknown.push(`${page}: ${name}`);
        }
    expect(unknown).toEqual([]);
    expect(seen).toBeGreaterThan(25);
  });

  test('is there for each alert, and says its name', () => {
    const rules = createDefaultRules({
      warning: { cpuPercent: 80, memoryPercent: 85, diskPercent: 80 },
      critical: { cpuPercent: 90, memoryPercent: 90, diskPercent: 90 },
    });
    const silent = rules.filter(({ name, runbook_url: page = '' }) => !read(page).includes(`\`${name}\``));
    expect(silent.map(({ name, runbook_url }) => `${runbook_url}: ${name}`)).toEqual([]);
  });
});

describe('what the documentation calls by its name', () => {
  const source = filesBelow('src', /(?<!\.test)\.ts$/)
    .map(read)
    .join('\n');

  test('events and what is audited are written by the product under that name', () => {
    const words = new Set([...source.matchAll(/['`]([a-z]+(?:\.[a-z]+(?:-[a-z]+)*)+)['`]/g)].map(([, type]) => type));
    const beginnings = [...source.matchAll(/`([a-z]+\.[a-z-]+-)\$\{/g)].map(([, beginning = '']) => beginning);
    const known = (type: string): boolean => words.has(type) || beginnings.some((one) => type.startsWith(one));
    const unknown = new Set<string>();
    for (const page of pages)
      for (const span of spansOf(read(page)))
        if (/^[a-z]+\.[a-z]+(-[a-z]+)+$/.test(span) && !known(span)) unknown.add(`${page}: ${span}`);
    expect([...unknown]).toEqual([]);
  });

  test('metrics are made by the product, under that name or from the one they are recorded under', () => {
    const words = new Set(source.match(/[a-z][a-z0-9_]*/g));
    // Made of a beginning and a name.
    const beginnings = [...source.matchAll(/`((?:ragwarden|nodejs)_[a-z_]+_)\$\{/g)].map(
      ([, beginning = '']) => beginning,
    );
    const unknown = new Set<string>();
    for (const page of pages)
      for (const [name] of read(page).matchAll(/\b(?:ragwarden|nodejs|process|system)_[a-z0-9_]*[a-z0-9]\b(?!_)/g)) {
        const recorded = name.replace(/^ragwarden_(app_)?/, '');
        const forms = [
          name,
          recorded,
          recorded.replace(/_total$/, ''),
          recorded.replace(/_seconds$/, '_ms'),
          recorded.replace(/_seconds$/, ''),
        ];
        const made = beginnings.find((beginning) => name.startsWith(beginning));
        const known =
          forms.some((form) => words.has(form)) || (made !== undefined && words.has(name.slice(made.length)));
        if (!known) unknown.add(`${page}: ${name}`);
      }
    expect([...unknown]).toEqual([]);
  });
});
