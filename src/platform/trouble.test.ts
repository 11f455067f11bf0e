import { expect, test } from 'vitest';
import { AppError } from './errors.ts';
import { createFakeClock } from './fake-clock.ts';
import { createLogger } from './logging.ts';
import { createTrouble } from './trouble.ts';

test('what fails again and again is told when it begins, when the reason changes, once an hour, and when it is over', async () => {
  const clock = createFakeClock();
  const written: string[] = [];
  const log = createLogger({ level: 'info', destination: { write: (line: string) => void written.push(line) } });
  const trouble = createTrouble({ clock, log, fields: { job: 'x' }, what: 'background run' });
  const said = () => written.splice(0).map((line) => JSON.parse(line).msg);
  const fail = async (detail: string, times: number, everyMs: number) => {
    for (let at = 0; at < times; at += 1) {
      trouble.failed(new AppError('storage/unavailable', detail));
      await clock.advance(everyMs);
    }
  };
  trouble.ended();
  expect(said()).toEqual([]);
  await fail('It is away.', 720, 5_000);
  expect(said()).toEqual(['background run failed: It is away.']);
  await fail('It is away.', 1, 5_000);
  expect(said()).toEqual(['background run still fails: It is away.']);
  // Other words each time.
  for (let at = 0; at < 24; at += 1) await fail(`It is away, ${at}.`, 1, 5_000);
  expect(said()).toHaveLength(2);
  trouble.ended();
  trouble.ended();
  expect(said()).toEqual(['background run succeeds again']);
  await fail('It is away.', 1, 0);
  expect(said()).toEqual(['background run failed: It is away.']);
});
