import { ownFolder } from '../tree.ts';

/**
 * What a capture leaves out, as data, since the restore must know it as well. `path` is one relative path with everything
 * below it, `name` a base name anywhere, `temporary-sibling` the unfinished half of an atomic write, `parser-cache` a
 * `.native_raw`, `.mineru_raw` or `.docling_raw` folder.
 * `onRestore` tells what becomes of such a name that lies at the top of the live folder: `keep` leaves it alone (it
 * belongs to somebody else), `move` puts it aside with the rest of the old state.
 */
export type Exclusion = {
  readonly match: 'path' | 'name' | 'temporary-sibling' | 'parser-cache';
  readonly value?: string;
  readonly reason: string;
  readonly onRestore: 'keep' | 'move';
};

/** LightRAG writes `<file>.tmp.<pid>.<tid>.<ns>` and renames it; a plain `*.tmp.*` would lose a document of that name. */
const temporarySibling = /.\.tmp\.\d+\.\d/;
const parserCache = /.\.(native|mineru|docling)_raw$/;

export const ownFolderExclusion: Exclusion = {
  match: 'name',
  value: ownFolder,
  reason: 'ragwarden keeps its restore journal and undo folders there',
  onRestore: 'keep',
};

/** What every LightRAG working folder leaves out. `.ragwarden` is always added by the capture itself. */
export const lightragExclusions: readonly Exclusion[] = [
  {
    match: 'temporary-sibling',
    reason: 'the unfinished half of an atomic write; the backend removes it itself',
    onRestore: 'move',
  },
  { match: 'path', value: 'scan_spool', reason: 'disposable; the backend makes it anew', onRestore: 'move' },
];

/** A sub-folder that belongs to another workspace: not captured with this one, and left alone when this one is restored. */
export const otherWorkspaceExclusion = (folderName: string): Exclusion => ({
  match: 'path',
  value: folderName,
  reason: 'the folder of another workspace',
  onRestore: 'keep',
});

/** For an input folder, when space matters more than time: the caches are made again by parsing the sources again. */
export const parserCacheExclusion: Exclusion = {
  match: 'parser-cache',
  reason: 'a cache of the document parser, which can be made again',
  onRestore: 'move',
};

/** The rule that leaves out this path, or undefined. Folders left out are not entered. */
export function findExclusion(path: string, exclusions: readonly Exclusion[]): Exclusion | undefined {
  return exclusions.find((rule) => matches(rule, path, path.slice(path.lastIndexOf('/') + 1)));
}

function matches(rule: Exclusion, path: string, name: string): boolean {
  switch (rule.match) {
    case 'path':
      return path === rule.value || path.startsWith(`${rule.value}/`);
    case 'name':
      return name === rule.value;
    case 'temporary-sibling':
      return temporarySibling.test(name);
    case 'parser-cache':
      return parserCache.test(name);
  }
}

/** Top-level names that a restore leaves alone. */
export const keptNames = (exclusions: readonly Exclusion[]): { name: string; reason: string }[] =>
  exclusions.flatMap((rule) =>
    rule.onRestore === 'keep' && rule.value !== undefined && !rule.value.includes('/')
      ? [{ name: rule.value, reason: rule.reason }]
      : [],
  );
