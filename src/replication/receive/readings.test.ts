import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { createReadings } from './readings.ts';

test('a reading ends in the middle of a file when nobody waits any more, and is gone on with for an hour', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-reading-'));
  try {
    const file = join(folder, 'large');
    const bytes = Buffer.alloc(4_000_000, 'x');
    writeFileSync(file, bytes);
    const clock = createFakeClock();
    const gone = new AbortController();
    let looks = 0;
    const readings = createReadings({
      clock: {
        ...clock,
        monotonic() {
          looks += 1;
          // One to begin with, one for the patience, one for each piece.
          if (looks === 3) gone.abort(new Error('went away'));
          return clock.monotonic();
        },
      },
    });
    await expect(readings.digest(file, { patienceMs: 60_000, signal: gone.signal })).rejects.toThrow('went away');
    const second = await readings.digest(file, { patienceMs: 0 });
    expect([second.state, second.readBytes]).toEqual(['reading', 2 * 1_048_576]);
    await clock.advance(3_600_001);
    expect(await readings.digest(file, { patienceMs: 0 })).toMatchObject({ readBytes: 1_048_576 });
    const digest = createHash('sha256').update(bytes).digest('hex');
    expect(await readings.digest(file)).toEqual({ state: 'read', digest, readBytes: bytes.length });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
