import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { openTestState } from '../migrations/test-state.ts';
import { createHttpClient, type HttpRequester } from '../platform/http-client.ts';
import { item, placeFor } from './killed-upload.fixture.ts';
import { createReceivedStore } from './receive/received-store.ts';

test('an upload goes on where it was after its sender, and then its receiver, was killed in the middle, and nothing half is listed', async () => {
  const state = await openTestState();
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-killed-upload-'));
  const [spool, received] = [join(folder, 'spool'), join(folder, 'received')];
  for (const one of [spool, received]) mkdirSync(one);
  const bytes = randomBytes(4_000_000);
  writeFileSync(join(spool, 'p1.tar'), bytes);
  const http = createHttpClient();
  const begun: ChildProcess[] = [];
  const start = (...args: string[]) => {
    const script = join(import.meta.dirname, 'killed-upload.fixture.ts');
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    begun.push(child);
    return {
      child,
      lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
      ended: once(child, 'exit'),
    };
  };
  const listed = () => createReceivedStore(state.db).list(undefined);
  try {
    const first = start('receive', state.path, received);
    const address = String((await first.lines.next()).value);
    const sender = start('send', address, spool);
    for (let line = await sender.lines.next(); Number(line.value) < 500_000; line = await sender.lines.next());
    sender.child.kill('SIGKILL');
    expect((await sender.ended)[1]).toBe('SIGKILL');
    expect(await listed()).toEqual([]);

    const offsets: number[] = [];
    const counting: HttpRequester = {
      async request(request) {
        const offset = new URL(request.url).searchParams.get('offset');
        if (offset !== null) offsets.push(Number(offset));
        if (offsets.length === 5) first.child.kill('SIGKILL');
        return http.request(request);
      },
    };
    const { signal } = new AbortController();
    await expect(placeFor(address, spool, counting).bring(item, 0, { signal })).rejects.toMatchObject({
      code: 'outgoing/failed',
    });
    // The sender's last part may or may not have come: what lies there counts.
    expect(offsets[0]).toBeGreaterThanOrEqual(500_000);
    expect((await first.ended)[1]).toBe('SIGKILL');
    expect(await listed()).toEqual([]);

    const second = start('receive', state.path, received);
    const again = String((await second.lines.next()).value);
    offsets.length = 5;
    offsets.fill(-1, 0, 5);
    expect(await placeFor(again, spool, counting).bring(item, 0, { signal })).toMatchObject({ bytes: bytes.length });
    expect(offsets[5]).toBeGreaterThanOrEqual(500_000);
    const [one] = await listed();
    expect(readFileSync(join(received, one?.file ?? '')).equals(bytes)).toBe(true);
    expect([readdirSync(join(received, 'partial')), readdirSync(spool)]).toEqual([[], []]);
  } finally {
    for (const child of begun) child.kill('SIGKILL');
    await http.close();
    await state.remove();
    rmSync(folder, { recursive: true, force: true });
  }
});
