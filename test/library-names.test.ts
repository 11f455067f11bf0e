import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs/library-names.md'), 'utf8');
const rows = [...page.matchAll(/^\| (F[\d.]+) \| `([^`]+)` \| (.+) \|$/gm)].map(
  ([, row = '', name = '', here = '']) => ({
    row,
    name,
    here,
  }),
);

type Callable = { readonly length: number; readonly prototype?: Readonly<Record<string, unknown>> };
const doors: Record<string, Readonly<Record<string, unknown>>> = {};
let declarations = '';

beforeAll(async () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, { default: string }>;
  };
  for (const [door, name] of [
    ['.', 'ragwarden'],
    ['./embedded', 'ragwarden/embedded'],
  ] as const)
    doors[name] = await import(pathToFileURL(join(root, exports[door]?.default ?? '')).href);
  const types = join(root, 'dist/types/sdk');
  declarations = readdirSync(types, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.d.ts'))
    .map((file) => readFileSync(join(types, file), 'utf8'))
    .join('\n');
});

/** `Name(a, b?)`, `Class#method(a)` or `Class.make(a)`, and how many arguments must be given. */
function find(written: string, door: string): { found: unknown; needed: number } {
  const [, name = '', kind, member = '', list = ''] = /^(\w+)(?:([#.])(\w+))?\((.*)\)$/.exec(written) ?? [];
  const exported = doors[door]?.[name] as (Callable & Readonly<Record<string, unknown>>) | undefined; // a class or a function
  const found = kind === '#' ? exported?.prototype?.[member] : kind === '.' ? exported?.[member] : exported;
  return { found, needed: list.split(', ').filter((one) => one !== '' && !one.endsWith('?')).length };
}

describe('the names of the documents', () => {
  test('stand there once each', () => {
    expect(rows.length).toBeGreaterThan(100);
    const names = rows.map(({ row, name }) => `${row} ${name}`);
    expect(names.filter((one, index) => names.indexOf(one) !== index)).toEqual([]);
    expect(page.match(/^\| F/gm)).toHaveLength(rows.length);
  });

  test.each(rows)('$row $name is $here', ({ here }) => {
    const door = /`(ragwarden\/\w+)`/.exec(here)?.[1] ?? 'ragwarden';
    const written = [...here.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one).filter((one) => one !== door);
    expect(written.length).toBeGreaterThan(0);
    for (const one of written) {
      if (here.startsWith('type ')) {
        expect(declarations).toMatch(new RegExp(`export type ${one}\\b`));
        continue;
      }
      if (here.startsWith('field ')) {
        const [type = '', name = ''] = one.split('.');
        expect(declarations).toMatch(new RegExp(`class ${type} \\{[^}]*readonly ${name}: `));
        continue;
      }
      const { found, needed } = find(one, door);
      expect(found, `${one} of ${door}`).toBeTypeOf('function');
      expect((found as Callable).length, `arguments of ${one}`).toBe(needed);
    }
  });
});
