import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { configExample } from './config-example.ts';
import { configSchema } from './config-schema.ts';
import { decideSettings, readConfig, readSources } from './read-config.ts';
import { settingEntries } from './settings.ts';

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
ajv.addFormat('uri', (text: string) => URL.canParse(text));
const allows = ajv.compile(configSchema());

const cwd = mkdtempSync(join(tmpdir(), 'ragwarden-schema-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

/** What is wrong with single values; what only shows between several the schema cannot know. */
const complaints = (document: unknown): string[] => {
  writeFileSync(join(cwd, 'ragwarden.yaml'), stringify(document));
  return decideSettings(readSources({ env: {}, cwd })).problems.map(({ place, message }) => `${place}: ${message}`);
};

const nested = (key: string, value: unknown): unknown =>
  key.split('.').reduceRight<unknown>((inner, part) => ({ [part]: inner }), value);

/** Near what settings are, and far from it. */
const anyValue = fc.oneof(
  fc.constantFrom(
    true,
    false,
    null,
    0,
    -0,
    1,
    5.5,
    -1,
    65_535,
    65_536,
    1e21,
    '',
    ' ',
    'info',
    'debug',
    'INFO',
    '5',
    'true',
  ),
  fc.constantFrom(
    '/a',
    'a b',
    ' a',
    'a ',
    'http://h',
    'http://h:99999',
    'HTTP://h/',
    'http:///',
    'http://u@h',
    'ftp://h',
    'x_1',
    'x-1',
  ),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.webUrl(),
  fc.array(fc.oneof(fc.string({ maxLength: 4 }), fc.integer()), { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('backup', 'http', 'nothing'), fc.constantFrom('debug', 'loud', 1), { maxKeys: 2 }),
);

describe('the schema and the reader', () => {
  test('take and refuse the same, for every setting', () => {
    const keys = settingEntries.map(([, one]) => one.key);
    fc.assert(
      fc.property(fc.constantFrom(...keys, 'server', 'target', 'server.prot', 'nothing'), anyValue, (key, value) => {
        const document = nested(key, value);
        const told = complaints(document);
        expect(allows(document), `${JSON.stringify(document)}: ${told.join()}`).toBe(told.length === 0);
      }),
      { numRuns: 400 },
    );
  });

  test('agree about a value that is right by itself and wrong beside another', () => {
    const document = { low_disk: { act_percent: 11 } };
    expect(complaints(document)).toEqual([]);
    expect(allows(document)).toBe(true);
    expect(readConfig({ env: {}, cwd }).problems).toMatchObject([{ message: expect.stringContaining('given up') }]);
  });

  test.each([
    [{ lifecycle: { stop: { systemd: 'a.service' }, start: { command: ['a', 'b'] } } }, true],
    [{ lifecycle: { stop: { webhook: 'http://127.0.0.1:1/stop' }, start: { webhook: 'https://h/start' } } }, true],
    [{ lifecycle: { stop: { systemd: 'a.service' } } }, false],
    [{ lifecycle: { stop: { systemd: 'a b' }, start: { systemd: 'a' } } }, false],
    [{ lifecycle: { stop: { command: [] }, start: { systemd: 'a' } } }, false],
    [{ lifecycle: { stop: { command: ['a'], shell: true }, start: { systemd: 'a' } } }, false],
    [{ lifecycle: { stop: { webhook: 'file:///x' }, start: { systemd: 'a' } } }, false],
    [{ paths: { '/a': '/b' } }, true],
    [{ paths: { a: '/b' } }, false],
    [{ paths: { '/a': 'b' } }, false],
    [{ paths: [] }, false],
    [{ sqlite: [{ name: 'chats', path: '/srv/chats.db' }] }, true],
    [{ sqlite: [{ name: 'Chats', path: '/srv/chats.db' }] }, false],
    [{ sqlite: [{ name: 'chats', path: 'chats.db' }] }, false],
    [{ commands: [{ name: 'graph', dump: ['dump', '-x'] }] }, true],
    [{ commands: [{ name: 'graph', dump: ['dump'], restore: ['load'], online: false, consistent: true }] }, true],
    [{ commands: [{ name: 'graph', dump: [] }] }, false],
    [{ commands: [{ name: 'graph', dump: ['dump'], environment_file: 'secrets' }] }, false],
  ])('agree about %j', (target, right) => {
    expect(complaints({ target }).length === 0).toBe(right);
    expect(allows({ target })).toBe(right);
  });

  test('know no secret', () => {
    const text = JSON.stringify(configSchema());
    for (const [, one] of settingEntries.filter(([, { secret }]) => secret)) {
      expect(text).not.toContain(one.env[0]?.name);
      expect(allows(nested(one.key, 'x'))).toBe(false);
    }
  });
});

describe('the example of a file', () => {
  test('changes nothing as it stands', () => {
    const text = configExample();
    writeFileSync(join(cwd, 'ragwarden.yaml'), text);
    const reading = readConfig({ env: {}, cwd });
    expect(reading.problems).toEqual([]);
    expect(Object.values(reading.origins).every(({ kind }) => kind === 'default')).toBe(true);
    expect(allows(parse(text))).toBe(true);
  });

  test('holds every setting but the secrets, and is right when all of it is switched on', () => {
    const lines = configExample().split('\n');
    // A value stands below the line that says which values there are; the structures below their own sentence.
    const text = lines
      .map((line, index) => {
        const before = lines[index - 1] ?? '';
        return /^ *# Value: /.test(before) ||
          /^ {2}# (lifecycle:|paths:|drill_check_command:|sqlite:|commands:|remote_write:|scrape:|prices:|read_back:|endpoints:|providers:|receivers:|routes:|default:|folders:|tasks:|models:|vector_stores:|http:|tcp:|processes:|targets:|placement:|credentials:| {2})/.test(
            line,
          )
          ? line.replace('# ', '')
          : line;
      })
      .join('\n');
    const written = parse(text) as Record<string, unknown>;
    expect(allows(written), JSON.stringify(allows.errors)).toBe(true);
    writeFileSync(join(cwd, 'ragwarden.yaml'), text);
    const reading = readConfig({
      env: {
        RAGWARDEN_TARGET_PASSWORD: 'a',
        RAGWARDEN_HEARTBEAT_URL: 'https://watch.example.org/a',
        CENTRAL_STORE_TOKEN: 't',
        OPENAI_API_KEY: 'k',
        PAGER_SIGNING_KEY: 'k',
        MAIL_PASSWORD: 'p',
        STORE_KEY_ID: 'k',
      },
      cwd,
    });
    const missing = settingEntries.filter(([name, one]) => !one.secret && reading.origins[name].kind !== 'file');
    expect(missing.map(([, one]) => one.key)).toEqual([]);
    // Two ways to name one issuer cannot both hold.
    expect(reading.problems.filter(({ message }) => !message.startsWith('is another'))).toEqual([]);
  });
});
