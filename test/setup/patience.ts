// Before every test file: `vi.waitFor` and `vi.waitUntil` give up after a second, and no setting of Vitest gives them longer.
import { vi } from 'vitest';

type Options = NonNullable<Parameters<typeof vi.waitFor>[1]>;

/** As long as `expect.poll` in vitest.config.ts. Milliseconds. */
const timeout = 60_000;
const isPatient = Symbol.for('ragwarden.test.patient');

const patient =
  <Look, Found>(wait: (look: Look, options?: Options) => Found) =>
  (look: Look, options: Options = {}): Found =>
    wait(look, typeof options === 'number' ? options : { timeout, ...options });

// The process goes on with the next file, and `vi` is the same there.
if (!Reflect.has(vi, isPatient))
  Object.assign(vi, { waitFor: patient(vi.waitFor), waitUntil: patient(vi.waitUntil), [isPatient]: true });
