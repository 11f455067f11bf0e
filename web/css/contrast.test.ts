import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const css = readFileSync(join(import.meta.dirname, 'base.css'), 'utf8');

/** The custom properties of a `:root` block that are plain colours. */
const coloursOf = (block: string): Record<string, string> =>
  Object.fromEntries(
    [...block.matchAll(/--([a-z0-9-]+): (#[0-9a-f]{3,6});/g)].map(([, name = '', value = '']) => [name, value]),
  );

const [light = '', dark = ''] = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, block = '']) => block);
const themes = { light: coloursOf(light), dark: { ...coloursOf(light), ...coloursOf(dark) } };

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function luminance(hex: string): number {
  const digits = hex.length === 4 ? [...hex.slice(1)].map((one) => one + one).join('') : hex.slice(1);
  const [red = 0, green = 0, blue = 0] = [0, 2, 4]
    .map((at) => Number.parseInt(digits.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dim = 0, bright = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dim + 0.05);
}

const texts = ['ink', 'faint', 'good', 'warn', 'bad', 'note'];

describe.each(Object.entries(themes))('in %s', (_name, colours) => {
  test.each([
    ...texts.flatMap((text) => ['paper', 'sheet'].map((ground) => [text, ground])),
    ['warn', 'warn-wash'],
    ['ink', 'warn-wash'],
    ['ink', 'bad-wash'],
    ['bad', 'bad-wash'],
    ['faint', 'bad-wash'],
    ['on-solid', 'bad'],
    ['paper', 'ink'],
  ] as [string, string][])('%s can be read on %s (AA, 4.5)', (text, ground) => {
    expect(contrast(colours[text] ?? '', colours[ground] ?? '')).toBeGreaterThanOrEqual(4.5);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('line %d of a chart stands out from the paper (3)', (place) => {
    expect(contrast(colours[`series-${place}`] ?? '', colours.paper ?? '')).toBeGreaterThanOrEqual(3);
  });

  test.each(['good', 'warn', 'bad', 'note'])('a %s bar stands out from its track (3)', (bar) => {
    expect(contrast(colours[bar] ?? '', colours.track ?? '')).toBeGreaterThanOrEqual(3);
  });
});
