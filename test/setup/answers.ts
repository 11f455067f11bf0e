// Before every test file: an answer of an API route that breaks its own schema fails the test that asked for it.
import { subscribe } from 'node:diagnostics_channel';
import { afterEach, expect } from 'vitest';

const broken: unknown[] = [];
subscribe('ragwarden.http.broken-answer', (message) => broken.push(message));

afterEach(() => {
  const found = broken.splice(0);
  // A test that is about broken answers says so in its name.
  if (/breaks its schema/.test(expect.getState().currentTestName ?? '')) return;
  if (found.length > 0) throw new Error(`an answer broke its schema: ${JSON.stringify(found)}`);
});
