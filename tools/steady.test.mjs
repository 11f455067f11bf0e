// What makes a test fail by chance and can be seen in its text. Each of these has refused a change that was right.
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.dirname(import.meta.dirname);
const self = path.basename(import.meta.filename);

/** What a browser shows at one moment. */
const glances = [
  ...['count', 'innerText', 'allInnerTexts', 'textContent', 'allTextContents', 'inputValue', 'getAttribute'],
  ...['isVisible', 'isHidden', 'isEnabled', 'isDisabled', 'isChecked'],
];
const glance = new RegExp(`expect\\(\\s*\\(?await [^;]*?\\.(${glances.join('|')})\\([^;]*?\\)\\.(not\\.)?to[A-Z]`, 'g');

/** Milliseconds below which a condition is not awaited by a busy machine. */
const patienceMs = 30_000;

const rules = [
  {
    why: 'what a page shows is looked at once: poll it (`await expect.poll(() => …)`)',
    in: (file) => file.startsWith('test/browser/'),
    find: (text) => [...text.matchAll(glance)].map(({ index }) => index),
  },
  {
    why: '`expect.poll` fails within tests that run beside each other: use `vi.waitFor`, or `until` of the harness',
    find: (text) => (/\.concurrent\b/.test(text) ? placesOf(text, /\bexpect\s*\.poll\(/g) : []),
  },
  {
    why: 'a promise that was begun before may have been refused before anybody waits for it: begin and await it in one step',
    find: (text) => placesOf(text, /for \((?:const|let) (\w+) of [^\n]*\)\s*\{?\s*await expect\(\1\)\.rejects/g),
  },
  {
    why: `a busy machine needs longer: nothing is awaited for less than ${patienceMs / 1_000} s`,
    find: (text) =>
      placesOf(text, /\.poll\(|\bvi\.waitFor\(|\bvi\.waitUntil\(/g).filter((start) => {
        const [, ms] = /,\s*\{[^{}]*\btimeout: ([\d_]+)[^{}]*\},?\s*\)$/.exec(callFrom(text, start)) ?? [];
        return ms !== undefined && Number(ms.replaceAll('_', '')) < patienceMs;
      }),
  },
  {
    why: 'nobody waits for it, so it says nothing: `await` it',
    find: (text) => placesOf(text, /(?<=[;{}]\n\s*)expect\([^\n]*\)(\.not)?\.(rejects|resolves)\b/g),
  },
  {
    why: 'a port of one’s own choice may be somebody else’s: listen on port 0, or ask test/setup/free-port.ts',
    find: (text) => placesOf(text, /\.listen\(\s*(\{[^}]*port: )?[1-9]\d*\b/g),
  },
  {
    why: 'a port that the system gave and took back may be given to the next who asks: use test/setup/free-port.ts',
    in: (file) => file !== 'test/setup/free-port.ts',
    find: (text) => placesOf(text, /\b(function|const) freePort\b/g),
  },
];

const placesOf = (text, pattern) => [...text.matchAll(pattern)].map(({ index }) => index);

/** The call that begins there, to its closing bracket. */
function callFrom(text, start) {
  let at = text.indexOf('(', start);
  for (let depth = 0; at < text.length; at += 1) {
    if ('([{'.includes(text[at])) depth += 1;
    if (')]}'.includes(text[at])) depth -= 1;
    if (depth === 0) break;
  }
  return text.slice(start, at + 1);
}

const faultsIn = (file, text) =>
  rules
    .filter((rule) => rule.in?.(file) ?? true)
    .flatMap(({ why, find }) =>
      find(text).map((place) => `${file}:${text.slice(0, place).split('\n').length}: ${why}`),
    );

test('no test looks once where it has to wait, or leaves to chance who is first', () => {
  const files = globSync(['{src,web,tools,examples}/**/*.test.{ts,tsx,mjs}', 'test/**/*.ts'], { cwd: root });
  expect(files.length).toBeGreaterThan(400);
  const faults = files
    .filter((file) => path.basename(file) !== self)
    .flatMap((file) => faultsIn(file, readFileSync(path.join(root, file), 'utf8')));
  expect(faults).toEqual([]);
});

test.each([
  ['test/browser/a.test.ts', "  expect(await row.getByText('x').count()).toBe(1);", 'looked at once'],
  ['test/browser/a.test.ts', '  expect((await dialog.innerText()).match(/x/g)).toHaveLength(1);', 'looked at once'],
  ['test/browser/a.test.ts', '  await expect.poll(() => row.count()).toBe(1);', undefined],
  [
    'test/browser/a.test.ts',
    '  const text = await row.innerText();\n  expect(await open.faults()).toEqual([]);',
    undefined,
  ],
  ['test/a.test.ts', "test.concurrent('x', () => expect.poll(look).toBe(1));", 'beside each other'],
  ['test/a.test.ts', 'for (const one of begun) await expect(one).rejects.toThrow();', 'in one step'],
  ['test/a.test.ts', 'for (const id of ids) await expect(get(id)).rejects.toThrow();', undefined],
  [
    'test/a.test.ts',
    'await expect.poll(() => of({ a: (1) }), { timeout: 5_000, interval: 10 }).toBe(1);',
    'needs longer',
  ],
  ['test/a.test.ts', 'await vi.waitFor(() => expect(seen).toBe(1), { timeout: 900 });', 'needs longer'],
  ['test/a.test.ts', 'await vi.waitFor(() => expect(of({ timeout: 5 })).toBe(1));', undefined],
  ['test/a.test.ts', 'await expect.poll(() => 1, { timeout: 60_000 }).toBe(1);', undefined],
  ['test/a.test.ts', 'go();\n  expect(gone).rejects.toThrow();', 'nobody waits'],
  ['test/a.test.ts', 'go();\n  await expect(gone).rejects.toThrow();', undefined],
  ['test/a.test.ts', "server.listen(8080, '127.0.0.1');", 'port 0'],
  ['test/a.test.ts', "server.listen({ host: '127.0.0.1', port: 8080 });", 'port 0'],
  ['test/a.test.ts', "server.listen(0, '127.0.0.1');", undefined],
  ['test/a.test.ts', 'async function freePort() {', 'the next who asks'],
])('in %s, %j is told, or nothing', (file, text, why) => {
  expect(faultsIn(file, text)).toEqual(why === undefined ? [] : [expect.stringContaining(why)]);
});
