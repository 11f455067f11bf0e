// What of other people's work a build contains, with the terms they ask us to pass on.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Folder of the package that a bundled file belongs to, such as `node_modules/zod`; undefined for our own files. */
export const packageOf = (file) => /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];

/**
 * The text to ship beside a build.
 * @param folders of packages, relative to the root
 * @throws Error naming a package that does not say its terms: nobody may pass it on unseen
 */
export function thirdPartyLicences(root, folders) {
  const packages = [...new Set(folders)].map((folder) => readPackage(path.join(root, folder)));
  packages.sort((a, b) => (a.title < b.title ? -1 : 1));
  const rule = '-'.repeat(100);
  return [
    'The files of ragwarden contain code of these packages, each under its own terms.',
    ...packages.flatMap(({ title, licence, text }) => ['', rule, `${title} (${licence})`, rule, '', text.trim()]),
    '',
  ].join('\n');
}

function readPackage(folder) {
  const { name, version, license, author } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const texts = files.map((file) => readFileSync(path.join(folder, file), 'utf8').trim());
  // Some name their terms in package.json only; then so do we, with who wrote it.
  if (texts.length === 0 && typeof license === 'string')
    texts.push(`Under the terms called "${license}"; no text of them lies in the package. By ${authorOf(author)}.`);
  if (texts.length === 0) throw new Error(`${name} ${version} does not say under which terms it may be passed on.`);
  return {
    title: `${name} ${version}`,
    licence: typeof license === 'string' ? license : 'see below',
    text: texts.join('\n\n'),
  };
}

const authorOf = (author) => (typeof author === 'string' ? author : (author?.name ?? 'authors it does not name'));
