import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { findBackendProcess } from './backend-process.ts';

const listenElsewhere = async () => {
  const child = spawn(
    process.execPath,
    [
      '-e',
      `require('node:http').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = await once(child.stdout, 'data');
  return { child, url: `http://127.0.0.1:${String(line).trim()}` };
};

test('the process that listens on the port is found, and forgotten when it is gone', async () => {
  const { child, url } = await listenElsewhere();
  const found = findBackendProcess(url);
  expect(found.pid()).toBeUndefined();
  await found.look();
  expect(found.pid()).toBe(child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await found.look();
  expect(found.pid()).toBeUndefined();
});

test('a backend on another machine has no process here', async () => {
  const found = findBackendProcess('http://192.0.2.1:9621');
  await found.look();
  expect(found.pid()).toBeUndefined();
});
