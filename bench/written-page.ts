/** What stands between the words of people and the figures; the bench writes below it. */
export const mark = '<!-- written by npm run bench -- --write -->';

/**
 * The page with the new sections in the place of those with the same heading, at the end where there is none; what was not
 * measured now stays as it was. Each section says when and how it was taken, since its neighbours may be of another day.
 * @param sections each begins with `## ` and its heading
 * @param taken what is said below each heading
 */
export function withSections(page: string, sections: readonly string[], taken: string): string {
  const at = page.indexOf(mark);
  const head = at < 0 ? `${page.trimEnd()}\n\n` : page.slice(0, at);
  const below = at < 0 ? '' : page.slice(at + mark.length).trim();
  const kept = below === '' ? [] : below.split(/\n(?=## )/).map((section) => section.trim());
  for (const section of sections) {
    const heading = headingOf(section);
    const written = `${heading}\n\n${taken}${section.slice(heading.length)}`.trim();
    const place = kept.findIndex((one) => headingOf(one) === heading);
    if (place < 0) kept.push(written);
    else kept[place] = written;
  }
  return `${head}${mark}\n\n${kept.join('\n\n')}\n`;
}

const headingOf = (section: string): string => section.slice(0, `${section}\n`.indexOf('\n'));
