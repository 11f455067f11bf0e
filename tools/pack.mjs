// Makes the package that is published: dist/ and documents, with nothing left to install. `npm run pack [-- FOLDER]`
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { npm } from './node-runtime.mjs';
import { isPart, isStale } from './stamp.mjs';

/** For whoever builds; they tell nothing to whoever runs (compiled code fits one machine, and lies in a folder of another name while it is made), and a map leads to sources that are not there. */
const NOT_PUBLISHED = /\.map$|^dist\/(stamp|parts)\.json$|^dist\/compiled[-/]/;

/** What of package.json concerns those who install. Everything that runs is inside dist/, so nothing is a dependency. */
const PUBLISHED_FIELDS = [
  'name',
  'version',
  'description',
  'keywords',
  'license',
  'author',
  'homepage',
  'repository',
  'bugs',
  'type',
  'bin',
  'exports',
];

/**
 * Lays the package out in an empty folder, as it will be installed.
 * @throws Error when dist/ is missing or older than the sources
 */
export function stagePackage(root, folder) {
  if (isStale(root)) throw new Error('dist/ is missing or older than the sources. Run `npm run build` first.');
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  for (const file of publishedFiles(root, manifest.files)) {
    const to = path.join(folder, file);
    mkdirSync(path.dirname(to), { recursive: true });
    cpSync(path.join(root, file), to);
    if (file.startsWith('dist/') && file.endsWith('.js'))
      writeFileSync(to, readFileSync(to, 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/m, ''));
  }
  cpSync(path.join(root, 'dist', 'THIRD-PARTY-LICENSES'), path.join(folder, 'THIRD-PARTY-LICENSES'));
  rmSync(path.join(folder, 'dist', 'THIRD-PARTY-LICENSES'));
  const published = {
    ...Object.fromEntries(PUBLISHED_FIELDS.filter((name) => name in manifest).map((name) => [name, manifest[name]])),
    // The client runs on Node.js 20; bin/ragwarden and the embedded door say what they need where it is older.
    engines: { node: '>=20' },
  };
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}

function publishedFiles(root, patterns) {
  const parts = JSON.parse(readFileSync(path.join(root, 'dist', 'parts.json'), 'utf8'));
  const isOldPart = (file) => isPart(file) && path.dirname(file) === 'dist' && !parts.includes(path.basename(file));
  return patterns
    .flatMap((pattern) => {
      const found = globSync(pattern, { cwd: root }).flatMap((name) =>
        statSync(path.join(root, name)).isDirectory()
          ? globSync('**/*', { cwd: path.join(root, name) }).map((inner) => path.join(name, inner))
          : [name],
      );
      if (found.length === 0)
        throw new Error(`package.json names ${pattern} under "files", and there is no such file.`);
      return found;
    })
    .filter((file) => statSync(path.join(root, file)).isFile() && !NOT_PUBLISHED.test(file) && !isOldPart(file));
}

/**
 * Packs into `folder`.
 * @returns path of the archive
 */
export async function pack(root, folder) {
  mkdirSync(path.join(root, '.cache'), { recursive: true });
  mkdirSync(folder, { recursive: true });
  const stage = mkdtempSync(path.join(root, '.cache', 'package-'));
  try {
    stagePackage(root, stage);
    const code = await npm(process.execPath, ['pack', '--ignore-scripts', '--pack-destination', folder], stage);
    if (code !== 0) throw new Error(`npm pack failed with exit code ${code}; its reason is above.`);
    const { name, version } = JSON.parse(readFileSync(path.join(stage, 'package.json'), 'utf8'));
    return path.join(folder, `${name}-${version}.tgz`);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}
