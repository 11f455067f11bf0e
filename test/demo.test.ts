import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { memoryFolder } from './setup/memory-folder.ts';
import { hasPart } from './setup/parts.ts';

const demo = resolve(import.meta.dirname, '../examples/demo/demo.mjs');

test.skipIf(!hasPart('restic'))(
  'the demo tells the story to its end: point, damage, drill, copy, failover, reseed',
  async () => {
    const folder = memoryFolder('demo');
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const env = { ...process.env, TMPDIR: folder };
    const child = spawn(process.execPath, [demo], { stdio: ['ignore', 'pipe', 'pipe'], env });
    const closed = once(child, 'close');
    let told = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        told += chunk.toString();
      });
    const [code] = await closed;
    expect([code, told.match(/^# That is the story\.$/m)?.[0]], told.slice(-4_000)).toEqual([
      0,
      '# That is the story.',
    ]);
    for (const found of [
      /^restored {2}backup_/m,
      /^verdict {2}passed$/m,
      /second is sound: 100 %/,
      /^canary {5}passed/m,
      /^state {6}succeeded$/m,
    ])
      expect(told).toMatch(found);
  },
);
