import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import type { Dice } from '../leaks/labelled-series.ts';
import type { Place } from './place.ts';

/** Every entry of both folders with its kind, permissions and bytes, as one text. What is ours beside them is left out. */
export function contentOf({ workspace, inputs }: Pick<Place, 'workspace' | 'inputs'>): string {
  const lines: string[] = [];
  const walk = (root: string, folder: string): void => {
    for (const name of readdirSync(folder).sort()) {
      if (folder === root && name === '.ragwarden') continue;
      const path = join(folder, name);
      const stat = lstatSync(path);
      const as = `${root === workspace ? 'workspace' : 'inputs'} ${JSON.stringify(relative(root, path))} ${(stat.mode & 0o7777).toString(8)}`;
      if (stat.isDirectory()) {
        lines.push(`dir ${as}`);
        walk(root, path);
      } else if (stat.isSymbolicLink()) lines.push(`link ${as} ${readlinkSync(path)}`);
      else lines.push(`file ${as} ${createHash('sha256').update(readFileSync(path)).digest('base64')}`);
    }
  };
  for (const folder of [workspace, inputs]) {
    // One that is not there and an empty one are the same to a backend, which makes it.
    if (existsSync(folder)) walk(folder, folder);
  }
  return lines.join('\n');
}

/** The first lines that only one of the two has. */
export function differenceOf(wanted: string, found: string): string {
  const [one, other] = [new Set(wanted.split('\n')), new Set(found.split('\n'))];
  const lacking = [...one].filter((line) => !other.has(line)).map((line) => `- ${line}`);
  const extra = [...other].filter((line) => !one.has(line)).map((line) => `+ ${line}`);
  return [...lacking.slice(0, 3), ...extra.slice(0, 3)].join('; ');
}

export const pick = <T>(dice: Dice, of: readonly T[]): T => {
  const found = of[Math.floor(dice.unit() * of.length)];
  if (found === undefined) throw new Error('there is nothing to choose from');
  return found;
};

const filesBelow = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter((one) => one.isFile() && !one.parentPath.includes('.ragwarden'))
        .map((one) => join(one.parentPath, one.name))
        .sort()
    : [];

/** What people call files, and what patterns, shells and encodings take for something else. */
const names = [
  'a plain note.md',
  'Prüfbericht – März.txt',
  '[draft] *final*.md',
  '-rf.txt',
  'what?.json',
  'back\\slash.txt',
  "it's.txt",
  '{a,b}.txt',
  '日本語の資料.pdf',
  '$HOME.txt',
  '.hidden',
  'trailing space ',
  '#1.md',
  '!x.md',
  'tab\there.txt',
  '%20.txt',
];

const some = (dice: Dice): Buffer => {
  const bytes = Buffer.alloc(Math.floor(dice.scaled(1, 20_000)));
  for (let place = 0; place < bytes.length; place += 1) bytes[place] = Math.floor(dice.unit() * 256);
  return bytes;
};

/** What a backend and its people do between two points. */
export function editFiles(dice: Dice, { workspace, inputs }: Place): void {
  for (let left = 1 + Math.floor(dice.unit() * 3); left > 0; left -= 1) {
    const act = pick(dice, ['input', 'input', 'folder', 'remove', 'rewrite', 'empty', 'mode', 'link']);
    const name = `${Math.floor(dice.unit() * 8)} ${pick(dice, names)}`;
    const path = join(inputs, name);
    mkdirSync(inputs, { recursive: true });
    if (act === 'input') replace(path, some(dice));
    if (act === 'empty') replace(path, Buffer.alloc(0));
    if (act === 'folder') {
      const folder = join(inputs, `of ${name}`);
      mkdirSync(folder, { recursive: true });
      if (dice.unit() < 0.7) replace(join(folder, pick(dice, names)), some(dice));
    }
    if (act === 'link') {
      rmSync(path, { recursive: true, force: true });
      symlinkSync('a plain note.md', path);
    }
    const others = filesBelow(inputs);
    if (act === 'remove' && others.length > 2) rmSync(pick(dice, others));
    if (act === 'mode' && others.length > 0) chmodSync(pick(dice, others), pick(dice, [0o600, 0o644, 0o640, 0o755]));
    if (act === 'rewrite') touchStore(dice, workspace);
  }
}

/** The cache of answers is written anew with one more of them, as the backend writes: beside, then renamed. */
function touchStore(dice: Dice, workspace: string): void {
  const path = join(workspace, 'kv_store_llm_response_cache.json');
  if (!existsSync(path)) return;
  const rows = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  const id = Math.floor(dice.unit() * 1e9)
    .toString(16)
    .padStart(32, '0');
  rows[`default:extract:${id}`] = { return: `row ${id} `.repeat(20), cache_type: 'extract', original_prompt: id };
  replace(path, Buffer.from(JSON.stringify(rows, null, 2)));
}

function replace(path: string, bytes: Buffer): void {
  writeFileSync(`${path}.new`, bytes);
  if (existsSync(path) && lstatSync(path).isDirectory()) rmSync(path, { recursive: true });
  renameSync(`${path}.new`, path);
}

/** What happens to data. */
export const damages = [
  'nothing',
  'all of it is gone',
  'the folder of documents is gone',
  'a store is gone',
  'a store is empty',
  'a store is cut short',
  'a byte is flipped',
  'bits rot in many files',
  'two stores are exchanged',
  'a store is nonsense',
  'a folder stands where a file was',
  'a link stands where a file was',
  'strange files were added',
  'permissions were taken away',
] as const;
export type Damage = (typeof damages)[number];

export function damageFiles(dice: Dice, kind: Damage, { workspace, inputs }: Place): void {
  const stores = filesBelow(workspace);
  const all = [...stores, ...filesBelow(inputs)];
  if (kind === 'all of it is gone')
    for (const folder of [workspace, inputs]) rmSync(folder, { recursive: true, force: true });
  if (kind === 'the folder of documents is gone') rmSync(inputs, { recursive: true, force: true });
  if (kind === 'strange files were added') {
    mkdirSync(join(workspace, 'nested', 'deeper'), { recursive: true });
    writeFileSync(join(workspace, 'nested', 'deeper', 'ransom note.txt'), 'pay');
    writeFileSync(join(workspace, 'kv_store_full_docs.json.locked'), some(dice));
  }
  const one = filesBelow(workspace).length === 0 ? undefined : pick(dice, stores);
  if (one === undefined) return;
  const bytes = readFileSync(one);
  if (kind === 'a store is gone') rmSync(one);
  if (kind === 'a store is empty') truncateSync(one, 0);
  if (kind === 'a store is cut short') truncateSync(one, Math.floor(bytes.length * dice.unit()));
  if (kind === 'a byte is flipped') flip(dice, one);
  if (kind === 'bits rot in many files')
    for (const path of all) {
      if (dice.unit() < 0.5) continue;
      // No program wrote, so the times stay.
      const { atime, mtime } = statSync(path);
      flip(dice, path);
      utimesSync(path, atime, mtime);
    }
  if (kind === 'two stores are exchanged') {
    const other = pick(dice, stores);
    const theirs = readFileSync(other);
    replace(one, theirs);
    replace(other, bytes);
  }
  if (kind === 'a store is nonsense') replace(one, some(dice));
  if (kind === 'a folder stands where a file was') {
    rmSync(one);
    mkdirSync(join(one, 'inside'), { recursive: true });
    writeFileSync(join(one, 'inside', 'x'), 'x');
  }
  if (kind === 'a link stands where a file was') {
    rmSync(one);
    symlinkSync('/etc/hostname', one);
  }
  if (kind === 'permissions were taken away') for (const path of all) if (dice.unit() < 0.3) chmodSync(path, 0o400);
}

/** In place, as no backend writes. */
export function flip(dice: Dice, path: string): void {
  const bytes = readFileSync(path);
  if (bytes.length === 0) return;
  const place = Math.floor(dice.unit() * bytes.length);
  bytes[place] = (bytes[place] ?? 0) ^ (1 << Math.floor(dice.unit() * 8));
  writeFileSync(path, bytes);
}
