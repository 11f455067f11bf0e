import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { blankComments, findViolations, importsOf, ORDER } from './layers.mjs';

let root;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'ragwarden-layers-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** The rules that a file with this content breaks. */
function rulesBrokenBy(file, content, more = {}) {
  for (const [name, text] of Object.entries({ [file]: content, ...more })) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  return [...new Set(findViolations(root).map(({ rule }) => rule))];
}

test.each([
  ['a slice that leans downwards', 'src/events/a.ts', "import { x } from '../backup/index.ts';", 'order'],
  ['also for types only', 'src/events/a.ts', "import type { X } from '../backup/index.ts';", 'order'],
  ['also over several lines', 'src/events/a.ts', "import {\n  x,\n  y,\n} from '../backup/index.ts';", 'order'],
  ['also when re-exported', 'src/events/a.ts', "export { x } from '../backup/index.ts';", 'order'],
  ['also when imported late', 'src/events/a.ts', "const x = await import('../backup/index.ts');", 'order'],
  ['platform that leans on settings', 'src/platform/a.ts', "import { x } from '../config/index.ts';", 'order'],
  ['a slice that imports main', 'src/cli/a.ts', "import { x } from '../main.ts';", 'order'],
  ['a slice that imports the embedded door', 'src/cli/a.ts', "import { x } from '../embedded/index.ts';", 'order'],
  ['a slice behind its door', 'src/backup/a.ts', "import { x } from '../events/event-store.ts';", 'door'],
  [
    'a folder of platform behind its door',
    'src/backup/a.ts',
    "import { x } from '../platform/http/errors.ts';",
    'door',
  ],
  ['a test behind a door', 'src/backup/a.test.ts', "import { x } from '../events/event-store.ts';", 'door'],
  ['a slice that imports app', 'src/backup/a.ts', "import { x } from '../app/index.ts';", 'app-by-main'],
  [
    'a slice that imports migrations',
    'src/backup/a.ts',
    "import { x } from '../migrations/index.ts';",
    'migrations-by-app',
  ],
  [
    'a migration with code',
    'src/migrations/state/1.ts',
    "import { x } from '../../events/index.ts';",
    'migrations-alone',
  ],
  [
    'a migration with code of platform',
    'src/migrations/a.ts',
    "import { x } from '../platform/ids.ts';",
    'migrations-alone',
  ],
  ['a CLI that knows a slice', 'src/cli/a.ts', "import { x } from '../backup/index.ts';", 'cli'],
  ['a library with code of a slice', 'src/sdk/a.ts', "import { x } from '../events/index.ts';", 'sdk'],
  ['a library with a package', 'src/sdk/a.ts', "import { z } from 'zod';", 'sdk'],
  ['a dashboard that knows the server', 'web/src/a.tsx', "import type { X } from '../../src/health/index.ts';", 'web'],
  ['shipped code that imports tests', 'src/host/a.ts', "import { x } from '../../test/setup/parts.ts';", 'src-outward'],
  ['shipped code that imports examples', 'src/host/a.ts', "import { x } from '../../examples/a.ts';", 'src-outward'],
  ['shipped code that imports tools', 'src/host/a.ts', "import { x } from '../../tools/stamp.mjs';", 'src-outward'],
  ['shipped code that imports test support', 'src/host/a.ts', "import { x } from './test-host.ts';", 'test-support'],
  ['an environment read outside config', 'src/host/a.ts', 'const x = process.env.HOME;', 'environment'],
  ['the same by destructuring', 'src/host/a.ts', 'const { env } = process;', 'environment'],
  ['the same by import', 'src/host/a.ts', "import { env } from 'node:process';", 'environment'],
  ['a process started elsewhere', 'src/host/a.ts', "import { spawn } from 'node:child_process';", 'spawn'],
  ['SQL outside a store', 'src/host/host.ts', "import { sql } from 'kysely';", 'sql'],
  ['a gateway with a store', 'src/gateway/a.ts', "import { x } from './gateway-store.ts';", 'gateway-store'],
  ['a part without a place', 'src/extras/a.ts', 'export {};', 'unknown-part'],
])('refuses %s', (_, file, content, rule) => {
  expect(rulesBrokenBy(file, content)).toEqual([rule]);
});

test('refuses files in a ring, but not when only types go round', () => {
  const ring = (word) => ({ 'src/host/b.ts': `import ${word}{ a } from './a.ts';` });
  expect(rulesBrokenBy('src/host/a.ts', "import { b } from './b.ts';", ring(''))).toEqual(['circle']);
  expect(rulesBrokenBy('src/host/a.ts', "import { b } from './b.ts';", ring('type '))).toEqual([]);
});

test.each([
  ['a slice that leans upwards', 'src/backup/a.ts', "import { x } from '../events/index.ts';"],
  ['settings that use the errors of platform', 'src/config/a.ts', "import { AppError } from '../platform/errors.ts';"],
  [
    'app that knows all',
    'src/app/a.ts',
    "import { x } from '../backup/index.ts';\nimport { y } from '../migrations/index.ts';",
  ],
  ['main that starts app', 'src/main.ts', "import { x } from './app/index.ts';"],
  ['a CLI over the library', 'src/cli/a.ts', "import { x } from '../sdk/index.ts';"],
  ['a library with types of a slice', 'src/sdk/a.ts', "import type { X } from '../events/index.ts';"],
  ['settings that read the environment', 'src/config/a.ts', 'export const x = process.env.HOME;'],
  [
    'a process started where it belongs',
    'src/platform/child-processes/a.ts',
    "import { spawn } from 'node:child_process';",
  ],
  ['SQL in a store', 'src/host/host-store.ts', "import { sql } from 'kysely';"],
  ['SQL in a migration', 'src/migrations/state/1.ts', "import { sql } from 'kysely';"],
  [
    'a test that wires real parts',
    'src/events/a.test.ts',
    "import { x } from '../backup/index.ts';\nprocess.env.X = '1';",
  ],
  [
    'what only a comment says',
    'src/host/a.ts',
    "// import { x } from '../backup/index.ts' and process.env\n/* process.env */",
  ],
])('allows %s', (_, file, content) => {
  expect(rulesBrokenBy(file, content)).toEqual([]);
});

test('steps over strings, templates and patterns while it looks for comments', () => {
  const code =
    "const a = 'http://x'; // gone\nconst b = `/* stays */`; const c = /[/*]\\/\\//; /* gone */ const d = 1;";
  const blank = blankComments(code);
  expect(blank).not.toContain('gone');
  for (const kept of ["'http://x'", '`/* stays */`', '/[/*]\\/\\//', 'const d = 1;']) expect(blank).toContain(kept);
  expect(blank).toHaveLength(code.length);
});

test('reads every way to import', () => {
  const code =
    "import a, { type B } from 'a';\nimport * as c from 'c';\nimport 'd';\nexport * from 'e';\nexport type { F } from 'f';\ntype G = import('g').G;";
  expect(
    importsOf(code)
      .map(({ specifier }) => specifier)
      .sort(),
  ).toEqual(['a', 'c', 'd', 'e', 'f', 'g']);
});

test('names each part of the order once', () => {
  expect(new Set(ORDER.flat()).size).toBe(ORDER.flat().length);
});
