import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { type ConfigReading, readConfig } from './read-config.ts';
import type { Setting } from './setting.ts';
import { settingEntries } from './settings.ts';

const cwd = mkdtempSync(join(tmpdir(), 'ragwarden-bad-settings-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const readFile = (content: string | Buffer): ConfigReading => {
  writeFileSync(join(cwd, 'ragwarden.yaml'), content);
  return readConfig({ env: {}, cwd });
};
const readEnvironment = (env: Record<string, string>): ConfigReading => {
  rmSync(join(cwd, 'ragwarden.yaml'), { force: true });
  return readConfig({ env, cwd });
};

const inFile: readonly (readonly [string, unknown])[] = [
  ['nothing', null],
  ['an empty text', ''],
  ['spaces', '   '],
  ['a zero character', 'a\0b'],
  ['a control character', 'a\u0007b'],
  ['half of a character', 'a\ud800'],
  ['a list of lists', [['a']]],
  ['a list of numbers', [1, 2]],
  ['a list with an empty entry', ['']],
  ['a list with a comma', ['a,b']],
  ['a map', { nothing: 1 }],
  ['infinity', Number.POSITIVE_INFINITY],
  ['no number', Number.NaN],
  ['a huge number', 1e300],
  ['a negative fraction', -1.5],
  ['digits of another script', '٣'],
  // Of all settings together the file stays below what is read of one.
  ['a huge text', 'x'.repeat(4_200)],
];

const inEnvironment: readonly (readonly [string, string])[] = [
  ['spaces', '   '],
  ['a zero character', 'a\0b'],
  ['half of a character', 'a\ud800'],
  ['infinity', 'Infinity'],
  ['a huge number', '1e300'],
  ['a negative number', '-1'],
  ['hexadecimal', '0xffffffffff'],
  ['two numbers', '1 2'],
  ['digits of another script', '٣'],
  ['a huge text', 'x'.repeat(100_000)],
];

const isLine = ({ parser: { schema } }: Setting): boolean =>
  schema.type === 'string' && schema.enum === undefined && schema.format === undefined;

/** What of the table is right for some settings after all: digits of another script are letters of a text. */
const isRightInFile = (one: Setting, what: string): boolean =>
  one.key === 'target.workspace'
    ? what === 'an empty text'
    : what === 'digits of another script' && isLine(one) && String(one.parser.schema.pattern).includes('\\p{Cc}');

/** The same for the environment, where everything is text and a list of nothing but spaces is empty. */
function isRightInEnvironment(one: Setting, what: string): boolean {
  const { type } = one.parser.schema;
  if (what === 'spaces') return type === 'array' || type === 'object';
  const isText = one.secret === true || isLine(one) || type === 'array';
  return (
    isText && !['a zero character', 'half of a character'].includes(what) && (one.secret || what !== 'a huge text')
  );
}

describe('every setting, wrong in every way', () => {
  test.each(inFile)('in the file, all of them %s: each is told with its place and its mend', (what, value) => {
    const document: Record<string, unknown> = {};
    for (const [, { key }] of settingEntries) putAt(document, key.split('.'), value);
    const reading = readFile(stringify(document, { aliasDuplicateObjects: false }));
    for (const [name, one] of settingEntries) {
      const told = reading.problems.find(({ message }) => message.startsWith(`${one.key} `));
      if (isRightInFile(one, what)) expect(told, one.key).toBeUndefined();
      else {
        expect(told?.place, one.key).toMatch(/ragwarden\.yaml:\d+$/);
        expect(told?.mend, one.key).not.toBe('');
        expect(JSON.stringify(told).length).toBeLessThan(1_000);
        expect(reading.values[name], one.key).toEqual(one.fallback);
      }
    }
  });

  test.each(inEnvironment)('in the environment, all of them %s: each is told with its mend', (what, raw) => {
    const reading = readEnvironment(Object.fromEntries(settingEntries.map(([, { env }]) => [env[0]?.name ?? '', raw])));
    for (const [name, one] of settingEntries) {
      const told = reading.problems.find(({ place }) => place === one.env[0]?.name);
      if (isRightInEnvironment(one, what)) continue;
      expect(told, one.key).toBeDefined();
      expect(told?.mend, one.key).not.toBe('');
      expect(JSON.stringify(told).length).toBeLessThan(1_000);
      expect(reading.values[name], one.key).toEqual(one.fallback);
    }
  });
});

function putAt(document: Record<string, unknown>, [first = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) document[first] = value;
  else {
    document[first] ??= {};
    putAt(document[first] as Record<string, unknown>, rest, value); // made just above, no setting is a part of another
  }
}

describe('the file itself, wrong in every way', () => {
  const one = 'server:\n  port: 1\n';
  const told = (reading: ConfigReading): string[] =>
    reading.problems.map(({ place, message }) => `${place.replace(cwd, '')} ${message}`);

  test.each([
    ['a key twice', 'profile: production\nprofile: development\n', /:2 Map keys must be unique/],
    ['tabs for spaces', 'server:\n\tport: 1\n', /:2 /],
    ['anchors that name each other', 'a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n', /:2 refers to an anchor/],
    ['a value by an anchor', 'log: {level: &l info}\nprofile: *l\n', /:2 refers to an anchor/],
    ['two documents', `${one}---\n${one}`, /multiple documents/],
    ['a text', 'just words', /:1 the file holds no settings/],
    ['a list', '- server\n', /:1 the file holds no settings/],
    ['a tag of another language', 'profile: !!js/function x\n', /:1 Unresolved tag/],
    ['a key that is a list', '[a, b]: 1\n', /:1 a key that is a list or a group is not a setting/],
    ['__proto__', '__proto__: {port: 1}\n', /:1 __proto__ is not a setting/],
    ['constructor', 'server: {constructor: 1}\n', /:1 server.constructor is not a setting/],
    ['a section that is a value', 'server: 8710\n', /:1 server must hold settings below it/],
    ['paths with __proto__', 'target: {paths: {__proto__: /x}}\n', /:1 __proto__ is not a setting/],
    [
      'two components of one name',
      'target: {sqlite: [{name: a, path: /a}], commands: [{name: a, dump: [b]}]}\n',
      /target.commands the name a is there twice/,
    ],
    ['a name that is taken', 'target: {sqlite: [{name: redis, path: /a}]}\n', /redis is the name of a component/],
    ['a lifecycle that is a text', 'target: {lifecycle: "stop"}\n', /:1 target.lifecycle/],
    ['brackets without end', `server: ${'['.repeat(50_000)}`, /ragwarden\.yaml/],
    ['more than a settings file ever holds', `# ${'x'.repeat(1024 * 1024)}\n`, /larger than 1048576 bytes/],
    ['UTF-16', Buffer.from(`\ufeff${one}`, 'utf16le'), /not written in UTF-8/],
    ['Latin-1', Buffer.from('server: {host: "h\xe9"}', 'latin1'), /not written in UTF-8/],
  ])('%s', (_what, content, complaint) => {
    const reading = readFile(content);
    expect(told(reading).join('\n')).toMatch(complaint);
    expect(reading.problems.every(({ mend }) => mend !== '')).toBe(true);
    expect(reading.config.server.port).toBe(8710);
  });

  test('a byte order mark and lines that end as on Windows are no mistake', () => {
    const reading = readFile(`\ufeff${one.replaceAll('\n', '\r\n')}`);
    expect(told(reading)).toEqual([]);
    expect(reading.config.server.port).toBe(1);
  });

  test('an empty file and empty sections are no mistake', () => {
    for (const content of ['', '# nothing\n', 'server:\ntarget:\n', '---\n'])
      expect(told(readFile(content))).toEqual([]);
  });

  test('a folder, a pipe, a device and a path through a file are refused without waiting', () => {
    mkdirSync(join(cwd, 'folder'));
    execFileSync('mkfifo', [join(cwd, 'pipe')]);
    writeFileSync(join(cwd, 'plain'), '');
    for (const [name, complaint] of [
      ['folder', /is a folder/],
      ['pipe', /not a plain file/],
      ['/dev/zero', /not a plain file/],
      ['plain/inner.yaml', /cannot be read \(ENOTDIR\)/],
      ['nowhere.yaml', /there is no such file/],
    ] as const)
      expect(told(readConfig({ env: { RAGWARDEN_CONFIG: name }, cwd }))[0]).toMatch(complaint);
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be read is refused', () => {
    writeFileSync(join(cwd, 'closed.yaml'), one, { mode: 0 });
    expect(told(readConfig({ env: { RAGWARDEN_CONFIG: 'closed.yaml' }, cwd }))[0]).toMatch(/EACCES/);
  });
});

describe('files of secrets', () => {
  const secretFile = (content: string | Buffer): ConfigReading => {
    writeFileSync(join(cwd, 'secret'), content);
    return readEnvironment({ RAGWARDEN_ADMIN_TOKEN_FILE: 'secret' });
  };

  test('every secret has one, and only secrets', () => {
    writeFileSync(join(cwd, 'secret'), 'postgresql://u:a-secret-of-more-than-32-bytes-in-it@h/d\n');
    for (const [, one] of settingEntries)
      for (const { name } of one.env) {
        const { problems, notices, sources } = readEnvironment({ [`${name}_FILE`]: 'secret' });
        if (one.secret) expect(sources.secretFiles.get(name), name).toMatch(/^postgresql/);
        else
          expect(
            [...problems, ...notices].map(({ place, message }) => `${place} ${message}`),
            name,
          ).toContain(`${name}_FILE is not read: only secrets have a name that ends in _FILE`);
      }
  });

  test.each([
    ['empty', '\n', /names an empty file/],
    ['two lines', 'a-secret-that-is-long\nand another\n', /line breaks/],
    ['not UTF-8', Buffer.from([0xff, 0xfe, 0x41]), /not written in UTF-8/],
    ['a zero character', 'a-secret-that-is-long\0', /control characters|not usable/],
  ])('%s: refused, and nothing of it is shown', (_what, content, complaint) => {
    const { problems } = secretFile(content);
    expect(problems.map(({ message }) => message).join()).toMatch(complaint);
    expect(JSON.stringify(problems)).not.toContain('a-secret');
  });

  test('both names with different values are refused with both named, with the same they are not', () => {
    writeFileSync(join(cwd, 'secret'), 'one-secret-that-is-long\n');
    const read = (value: string) =>
      readEnvironment({ RAGWARDEN_ADMIN_TOKEN: value, RAGWARDEN_ADMIN_TOKEN_FILE: 'secret' });
    expect(read('another-secret-that-is-long').problems[0]?.place).toBe(
      'RAGWARDEN_ADMIN_TOKEN and RAGWARDEN_ADMIN_TOKEN_FILE',
    );
    expect(read('one-secret-that-is-long').problems).toEqual([]);
  });
});

describe('what is probably not meant', () => {
  test('a slip in a name that is not ours by its beginning is told, with the name that may be meant, and starts', () => {
    const { problems, notices } = readEnvironment({
      BACKUP_FREQUENCE: '60',
      LIGHTRAG_METRIC_PORT: '9090',
      REDIS_URL: 'redis://h',
      PATH: '/bin',
      CHUNK_F_SIZE: '1',
      LIGHTRAG_KV_STORAGE: 'JsonKVStorage',
      MAX_TOTAL_TOKENS: '1',
    });
    expect(problems).toEqual([]);
    expect(notices.map(({ place, message }) => `${place} ${message}`)).toEqual([
      'BACKUP_FREQUENCE is not a setting, but looks like BACKUP_FREQUENCY',
      'LIGHTRAG_METRIC_PORT is not a setting, but looks like LIGHTRAG_METRICS_PORT',
      'REDIS_URL is not a setting, but looks like REDIS_URI',
    ]);
  });

  test('a wrong word gets the nearest one', () => {
    expect(readEnvironment({ RAGWARDEN_PROFILE: 'develpment' }).problems[0]?.message).toContain(
      'did you mean development?',
    );
    expect(readFile('log: {levels: {bakup: debug}}').problems[0]?.message).toContain('did you mean backup?');
  });
});
