// Before every test file: an answer of an API route that breaks its own schema fails the test that asked for it.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterAll, afterEach, expect } from 'vitest';

const channel = 'ragwarden.http.broken-answer';
const broken: unknown[] = [];
const listen = (message: unknown): unknown => broken.push(message);
subscribe(channel, listen);
// The process goes on with the next file.
afterAll(() => unsubscribe(channel, listen));

afterEach(() => {
  const found = broken.splice(0);
  // A test that is about broken answers says so in its name.
  if (/breaks its schema/.test(expect.getState().currentTestName ?? '')) return;
  if (found.length > 0) throw new Error(`an answer broke its schema: ${JSON.stringify(found)}`);
});
