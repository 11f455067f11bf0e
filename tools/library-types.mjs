// The declarations of the library: written by the compiler, then cut down to what its doors reach.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './child.mjs';

/**
 * Writes `<door>.d.ts` and what they need below `out`, as the sources lie below src/.
 * @param doors modules below src/ without their ending, such as `sdk/index`
 * @throws Error when one cannot be written, or when a type of the library comes from a package or from inside the product
 */
export async function writeLibraryTypes(root, out, doors) {
  const all = path.join(out, 'all-types');
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const code = await run(
    process.execPath,
    [compiler, '-p', path.join(root, 'tools', 'tsconfig.sdk.json'), '--outDir', all, '--checkers', '1', '--noCheck'],
    // Here they are only written; the checks read them all (verdict.mjs), as sparingly.
    { cwd: root, env: { ...process.env, GOGC: '400' } },
  );
  if (code !== 0) throw new Error('The types of the library could not be written; see above.');
  const types = path.join(out, 'types');
  const starts = doors.map((door) => `${door}.d.ts`).filter((file) => existsSync(path.join(all, file)));
  for (const file of reached(all, starts)) {
    mkdirSync(path.dirname(path.join(types, file)), { recursive: true });
    // The compiler leaves `.ts` in declarations, which only some settings of others accept.
    const text = readFileSync(path.join(all, file), 'utf8').replace(/(['"])(\.{1,2}\/[^'"]+)\.ts\1/g, '$1$2.js$1');
    writeFileSync(path.join(types, file), text);
  }
  rmSync(all, { recursive: true });
}

/** Files that the doors lead to, relative to `folder`. Whoever installs the package has nothing else. */
function reached(folder, doors) {
  const found = new Set();
  const open = [...doors];
  const homes = new Set(open.map((door) => door.split('/')[0]));
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    const text = readFileSync(path.join(folder, file), 'utf8');
    for (const [, specifier] of text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g)) {
      const to = path.posix.join(path.posix.dirname(file), specifier).replace(/\.ts$/, '.d.ts');
      if (!specifier.startsWith('.') || !homes.has(to.split('/')[0]))
        throw new Error(`The types of the library (${file}) lean on ${specifier}, which is not part of it.`);
      open.push(to);
    }
  }
  return [...found].sort();
}
