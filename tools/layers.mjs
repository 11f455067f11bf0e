// Keeps the order of src/: who may import whom, each rule with its reason. `node tools/layers.mjs [root]`
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The order of leaning, highest first: a part may import only parts above it. Written down whole, so that a new slice has
 * its place before it exists. `migrations` stands apart (only app imports it), `app` and `main` come after the last.
 */
export const ORDER = [
  ['platform', 'config'], // the ground: settings use its errors, it takes plain values from them
  ['events'],
  ['access'],
  ['operations'],
  ['notify'],
  ['metrics'],
  ['targets'],
  ['host'],
  ['gateway'],
  ['traffic'],
  ['alerts'],
  ['health'],
  ['resources'],
  ['cleanup'],
  ['quotas'],
  ['backup'],
  ['replication'],
  ['recovery'],
  ['tuning'],
  ['analytics'],
  ['system'],
  ['sdk'],
  ['cli'],
];

const GROUND = ORDER[0];
const rank = new Map(ORDER.flatMap((names, index) => names.map((name) => [name, index])));
/** What stands on top and wires: nobody else imports app/, nobody at all imports these. */
const ROOTS = ['main.ts', 'embedded'];
const KNOWN = new Set([...rank.keys(), 'migrations', 'app', ...ROOTS]);

/** Reasons, printed with each violation. */
const REASONS = {
  'unknown-part':
    'A part of src/ that the order does not name could be imported from anywhere. Give it its place in ORDER.',
  order:
    'A slice leans only on slices above it in ORDER; what it needs from below is a port of its own, wired in app/.',
  door: 'A slice is entered through its index.ts alone, so that what lies behind can change.',
  circle: 'In a circle no file can be read, tested or loaded alone.',
  'app-by-main':
    'app/ is the composition root: it knows all, so whoever imported it would know all. Only main.ts and embedded/ do.',
  'migrations-by-app':
    'Migrations run once, at start, from app/; a slice that knew them could depend on a schema of the past.',
  'migrations-alone':
    'A migration must mean the same in two years, so it uses no code of the application, only types of platform/.',
  cli: 'The CLI is a client of the HTTP API: it may import config, platform and sdk. Offline work is handed in by app/.',
  sdk: 'The library is imported by other programs: outside its folder it uses only types and what Node.js brings.',
  web: 'The dashboard knows the HTTP API and nothing else.',
  'test-support': 'A file named test-… exists for tests and is not shipped.',
  'src-outward': 'What is shipped imports nothing from tests, examples and tools.',
  environment:
    'Settings are read in one place, config/, which reports every bad one at once; slices receive plain values.',
  spawn: 'Child processes are started in platform/child-processes, which bounds and ends them and hides secrets.',
  sql: 'SQL stands in *-store.ts, so that everything touching a table is found by its name.',
  'gateway-store': 'The gateway runs in a thread of its own and must not wait for the database.',
};

const isTestSupport = (file) => /(^|\/)test-[^/]+\.ts$|\.fixture\.ts$/.test(file);
const isTest = (file) => /\.test\.tsx?$/.test(file) || isTestSupport(file);

/**
 * Every violation below `root`, as {rule, file, detail}; paths are relative to the root.
 * Tests beside the code may reach anywhere (they wire real parts together), but around a door only to migrations.
 */
export function findViolations(root) {
  const files = [...filesBelow(root, 'src'), ...filesBelow(root, 'web')];
  const violations = [];
  const graph = new Map();
  for (const file of files) {
    const code = blankComments(readFileSync(path.join(root, file), 'utf8'));
    const imports = importsOf(code).map((found) => ({ ...found, to: resolve(file, found.specifier) }));
    const report = (rule, detail) => violations.push({ rule, file, detail });
    for (const found of imports) checkImport(file, found, report);
    if (file.startsWith('src/')) {
      if (!KNOWN.has(partOf(file))) report('unknown-part', partOf(file));
      if (!isTest(file) && partOf(file) !== 'config' && readsEnvironment(code)) report('environment', 'process.env');
    }
    if (!isTest(file))
      graph.set(
        file,
        imports.filter(({ typeOnly }) => !typeOnly).map(({ to }) => to),
      );
  }
  for (const circle of findCircles(graph))
    violations.push({ rule: 'circle', file: circle[0], detail: circle.join(' → ') });
  return violations;
}

function checkImport(file, { specifier, to, typeOnly }, report) {
  const inside = to === undefined ? undefined : partOf(to);
  if (file.startsWith('web/')) {
    if (to?.startsWith('src/')) report('web', specifier);
    return;
  }
  const from = partOf(file);
  const mayPassBy = isTest(file) && (isTestSupport(specifier) || inside === 'migrations');
  if (to !== undefined && inside !== undefined && inside !== from && !isDoor(to) && !mayPassBy)
    report('door', specifier);
  if (isTest(file)) return;
  if (to !== undefined && isTestSupport(to)) report('test-support', specifier);
  if (to !== undefined && inside === undefined) report('src-outward', specifier);
  else if (inside !== undefined && inside !== from) checkParts(from, inside, typeOnly, specifier, report);
  else if (inside === undefined) checkPackage(file, from, specifier, typeOnly, report);
  if (from === 'gateway' && /(-store\.ts|^kysely(\/|$))/.test(specifier)) report('gateway-store', specifier);
}

/** Between two parts of src/. */
function checkParts(from, inside, typeOnly, specifier, report) {
  if (ROOTS.includes(inside)) return report('order', specifier);
  if (inside === 'app') return ROOTS.includes(from) || report('app-by-main', specifier);
  if (inside === 'migrations') return from === 'app' || report('migrations-by-app', specifier);
  if (ROOTS.includes(from) || from === 'app') return;
  if (from === 'migrations') return (inside === 'platform' && typeOnly) || report('migrations-alone', specifier);
  if (from === 'cli') return [...GROUND, 'sdk'].includes(inside) || report('cli', specifier);
  if (from === 'sdk' && !typeOnly) return report('sdk', specifier);
  if (from === 'platform') return report('order', specifier);
  if (!(rank.get(inside) < rank.get(from)) && !(from === 'config' && inside === 'platform')) report('order', specifier);
}

/** From src/ to a package or a part of Node.js. */
function checkPackage(file, from, specifier, typeOnly, report) {
  if (/^(node:)?child_process$/.test(specifier) && !/^src\/platform\/child-processes(\/|\.)/.test(file))
    report('spawn', specifier);
  if (/^kysely(\/|$)/.test(specifier) && from !== 'platform' && from !== 'migrations' && !file.endsWith('-store.ts'))
    report('sql', specifier);
  if (from === 'sdk' && !typeOnly && !specifier.startsWith('node:')) report('sdk', specifier);
}

/** `src/backup/restore.ts` belongs to `backup`, `src/main.ts` to `main.ts`; outside src/: undefined. */
function partOf(file) {
  return file.startsWith('src/') ? file.split('/')[1] : undefined;
}

/** platform/ and config/ are many small doors; a folder inside platform/ has its own. */
function isDoor(file) {
  const [, part, ...rest] = file.split('/');
  if (part === 'platform') return rest.length === 1 || (rest.length === 2 && rest[1] === 'index.ts');
  return rest.length === 0 || (rest.length === 1 && rest[0] === 'index.ts');
}

/** Path from the root of a relative import; undefined for packages. */
function resolve(file, specifier) {
  return specifier.startsWith('.')
    ? path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier))
    : undefined;
}

/** Import and re-export statements, dynamic imports, import types and require calls of comment-free code. */
export function importsOf(code) {
  const found = [];
  const add = (pattern, isType) => {
    for (const match of code.matchAll(pattern)) found.push({ specifier: match.at(-1), typeOnly: isType(match) });
  };
  add(
    /^\s*(?:import|export)\s+(type\s+)?(?:[\w$\s,*{}]+)\s+from\s*['"]([^'"]+)['"]/gm,
    ([, type]) => type !== undefined,
  );
  add(/^\s*import\s*['"]([^'"]+)['"]/gm, () => false);
  add(/\b(?:import|require)\(\s*['"`]([^'"`]+)['"`]/g, () => false);
  return found;
}

function readsEnvironment(code) {
  return /\bprocess\s*\??\.\s*env\b|\bprocess\s*\[\s*['"]env['"]|\benv\b[^{}]*\}\s*=\s*process\b|\{[^}]*\benv\b[^}]*\}\s*from\s*['"](?:node:)?process['"]/.test(
    code,
  );
}

/** The code with comments turned into spaces; strings and templates are stepped over, so that `'//'` survives. */
export function blankComments(code) {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[=(,:;!&|?{}[\n]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])*\//g;
  return code.replace(token, (text) =>
    text.startsWith('//') || text.startsWith('/*') ? text.replace(/[^\n]/g, ' ') : text,
  );
}

/** Groups of files that import each other in a ring, each once, as the path round it. */
function findCircles(graph) {
  const circles = [];
  const state = new Map();
  const visit = (file, trail) => {
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) {
      if (!graph.has(next)) continue;
      if (state.get(next) === 'open') circles.push([...trail.slice(trail.indexOf(next)), next]);
      else if (!state.has(next)) visit(next, [...trail, next]);
    }
    state.set(file, 'done');
  };
  for (const file of graph.keys()) if (!state.has(file)) visit(file, [file]);
  return circles;
}

function filesBelow(root, folder) {
  if (!statSync(path.join(root, folder), { throwIfNoEntry: false })) return [];
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes('node_modules'))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = process.argv[2] ?? path.dirname(path.dirname(fileURLToPath(import.meta.url)));
  const violations = findViolations(path.resolve(root));
  for (const { rule, file, detail } of violations) console.error(`${file}: ${rule}: ${detail}\n    ${REASONS[rule]}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
