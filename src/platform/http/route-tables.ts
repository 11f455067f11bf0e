import type { ApiDocument } from './openapi.ts';

/** One table per tag in the order of the document: method, path, class, summary. */
export function renderRouteTables(document: ApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  return document.tags
    .map((tag) => {
      const rows = operations
        .filter(({ operation }) => operation.tags[0] === tag.name)
        .map(({ path, method, operation }) => {
          const shown = path.replaceAll(/\{(\w+)\}/g, ':$1');
          return `| ${method} | \`${shown}\` | ${operation['x-access']} | ${operation.summary.replaceAll('|', '\\|')} |`;
        });
      return [
        `### ${tag.name}`,
        '',
        tag.description,
        '',
        '| method | path | class | what it does |',
        '| --- | --- | --- | --- |',
        ...rows,
        '',
      ].join('\n');
    })
    .join('\n');
}

const begin = '<!-- routes: written by tools/openapi.mjs -->\n';
const end = '<!-- end of routes -->';

/** The page with its tables as the document has them. */
export function withRouteTables(page: string, document: ApiDocument): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error('the page has no place for the tables of routes');
  return `${before}${begin}\n${renderRouteTables(document)}\n${end}${after}`;
}
