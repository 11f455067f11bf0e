import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockDataFolder } from './data-folder.ts';

const folder = (): string => join(mkdtempSync(join(tmpdir(), 'ragwarden-lock-')), 'data');
const door = new URL('./data-folder.ts', import.meta.url).href;

async function holdElsewhere(path: string) {
  const source = `import { lockDataFolder } from ${JSON.stringify(door)};
    lockDataFolder(${JSON.stringify(path)}, 'serve', Date.now());
    console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

test('the folder is made for its owner alone', () => {
  const path = folder();
  lockDataFolder(path, 'serve', Date.now()).release();
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test('a second process is refused with the pid of the first, and let in when that was killed', async () => {
  const path = folder();
  const holder = await holdElsewhere(path);
  expect(() => lockDataFolder(path, 'serve', Date.now())).toThrow(`in use by process ${holder.pid}`);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const lock = lockDataFolder(path, 'serve', Date.now());
  lock.release();
  lock.release();
  lockDataFolder(path, 'serve', Date.now()).release();
});

test('a place where no folder can be made is told at once', async () => {
  // In a process that can be ended: what is guarded against is a loop without end.
  const attempt = async (path: string): Promise<string> => {
    const source = `import { prepareDataFolder } from ${JSON.stringify(door)};
      try { prepareDataFolder(${JSON.stringify(path)}); console.log('made'); } catch (err) { console.log(err.code, err.detail); }`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
    });
    // Not its exit: what it said may come after that.
    await once(child, 'close');
    return said.trim();
  };
  expect(await attempt('/proc/ragwarden/data')).toMatch(/^storage\/unavailable .* cannot be made \(ENOENT\)/);
  expect(await attempt('/etc/passwd/data')).toMatch(/^storage\/unavailable .* \(ENOTDIR\)/);
  expect(await attempt('/etc/passwd')).toMatch(/^storage\/unavailable .* \(it is a file\)/);
  expect(await attempt(join(folder(), 'a', 'b', 'c'))).toBe('made');
});
