import { afterEach, expect, test, vi } from 'vitest';
import { runningProcess, seenOrHidden } from './proc.ts';

/** Above what Linux ever gives, so that `/proc` shows nothing of it. */
const unseen = 2 ** 22 + 1;

afterEach(() => vi.restoreAllMocks());

test.each([
  ['another user hides it', 'EPERM', 0],
  ['nobody has its number', 'ESRCH', undefined],
  ['it is shown to nobody', undefined, 0],
])('a process of which nothing is seen lives or not by what a signal says: %s', (_, code, ticks) => {
  const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    return true;
  });
  expect(seenOrHidden(unseen)).toBe(ticks);
  expect(kill).toHaveBeenCalledExactlyOnceWith(unseen, 0);
});

test.runIf(process.platform === 'linux')('one that is seen is known by its start, and no group is asked for', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  expect(seenOrHidden(process.pid)).toBe(runningProcess(process.pid));
  expect([seenOrHidden(0), seenOrHidden(-1)]).toEqual([undefined, undefined]);
  expect(kill).not.toHaveBeenCalled();
});
