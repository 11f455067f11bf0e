import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HeldFolder, holdFolder } from './held-folder.ts';

/** Elsewhere nothing shows what is open, and no `/proc` is a file system of its own. */
const isLinux = process.platform === 'linux';
let root: string;
let held: HeldFolder | undefined;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'rw-held-')));
  mkdirSync(join(root, 'work', 'a', 'b'), { recursive: true });
  mkdirSync(join(root, 'outside', 'b'), { recursive: true });
});
afterEach(async () => {
  await held?.close();
  held = undefined;
  rmSync(root, { recursive: true, force: true });
});

describe.each([
  ['as the system shows what is open', undefined],
  ['where it does not show that', '/nowhere'],
])('a folder below a registered one, %s', (_, handles) => {
  test.each(['', 'a', 'a/b'])('is held where every part of the way is a folder of its own: "%s"', async (relative) => {
    held = await holdFolder(join(root, 'work'), relative, handles);
    writeFileSync(held.at('one'), 'one');
    await held.flush();
    expect(existsSync(join(root, 'work', relative, 'one'))).toBe(true);
    const err = await rename(held.at('two'), held.at('three')).catch((one: unknown) => one);
    expect(held.tell(err)).toContain(`'${join(root, 'work', relative)}/two'`);
  });

  test.each(['..', '../outside', 'a/../../outside', 'a/./b', '/etc', 'a/', 'a\0b'])(
    'is refused by a name that may lead elsewhere: "%s"',
    async (relative) => {
      await expect(holdFolder(join(root, 'work'), relative, handles)).rejects.toMatchObject({
        code: 'target/foreign-path',
      });
    },
  );

  test('is refused behind a link, as a link, as a file and on another file system', async () => {
    symlinkSync(join(root, 'outside'), join(root, 'work', 'link'));
    symlinkSync(join(root, 'work', 'a'), join(root, 'work', 'own'));
    writeFileSync(join(root, 'work', 'file'), '');
    for (const relative of ['link', 'link/b', 'own', 'own/b', 'file'])
      await expect(holdFolder(join(root, 'work'), relative, handles), relative).rejects.toMatchObject({
        code: 'target/foreign-path',
      });
    if (isLinux) await expect(holdFolder('/', 'proc', handles)).rejects.toMatchObject({ code: 'target/foreign-path' });
    await expect(holdFolder(join(root, 'work'), 'none', handles)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test.runIf(isLinux)(
  'what is named through a held folder lies in that one, whatever is put in its place meanwhile',
  async () => {
    held = await holdFolder(join(root, 'work'), 'a/b');
    renameSync(join(root, 'work', 'a'), join(root, 'work', 'moved'));
    symlinkSync(join(root, 'outside'), join(root, 'work', 'a'));
    writeFileSync(held.at('one'), 'one');
    expect([existsSync(join(root, 'work/moved/b/one')), existsSync(join(root, 'outside/b/one'))]).toEqual([
      true,
      false,
    ]);
  },
);
