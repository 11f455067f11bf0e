import { expect, test } from 'vitest';
import { AppError } from '../platform/errors.ts';
import { type OfflineTarget, standDown } from './offline.ts';

/** A backend that is down as soon as it is told to stop, and whose files somebody still holds until the signal aborts. */
function targetThatIsHeld(start: () => Promise<void> = async () => undefined) {
  const seen = { up: true, isExpectedDown: false };
  const target: OfflineTarget = {
    ...{ id: 'default', workspaceRoot: '/rag', workspaces: () => [], folderOf: (workspace) => `/rag/${workspace}` },
    backend: async () => ({ state: seen.up ? 'up' : 'down', startedMs: null }),
    lifecycle: {
      automatic: true,
      stop(signal) {
        seen.up = false;
        seen.isExpectedDown = true;
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
      async start() {
        await start();
        seen.up = true;
        seen.isExpectedDown = false;
      },
      expectUp() {
        seen.isExpectedDown = false;
      },
    },
  };
  return { target, seen };
}

test('a backend is started again when the wait for its files is cancelled, and what was told is the cancellation', async () => {
  const { target, seen } = targetThatIsHeld();
  const cancelled = new AbortController();
  const standing = standDown(target, true, cancelled.signal);
  const refused = expect(standing).rejects.toMatchObject({ code: 'operation/cancelled' });
  await expect.poll(() => seen.up).toBe(false);
  cancelled.abort(new AppError('operation/cancelled', 'It was cancelled.'));
  await refused;
  expect(seen).toEqual({ up: true, isExpectedDown: false });
});

test('where it does not start either, its alarms are heard again', async () => {
  const { target, seen } = targetThatIsHeld(async () => {
    throw new Error('no such unit');
  });
  const cancelled = new AbortController();
  const standing = standDown(target, true, cancelled.signal);
  const refused = expect(standing).rejects.toMatchObject({ code: 'operation/cancelled' });
  await expect.poll(() => seen.up).toBe(false);
  cancelled.abort(new AppError('operation/cancelled', 'It was cancelled.'));
  await refused;
  expect(seen).toEqual({ up: false, isExpectedDown: false });
});
