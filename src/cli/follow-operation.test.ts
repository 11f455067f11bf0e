import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { ApiClient } from './api-client.ts';
import { followOperation } from './follow-operation.ts';
import { createTerminal } from './terminal.ts';

const at = (phase: string, state = 'running') => ({
  id: 'op_1',
  kind: 'backup.restore',
  target_id: 'library',
  state,
  phase,
  progress: {
    bytes_done: 0,
    bytes_total: null,
    files_done: 0,
    files_total: null,
    rate_bytes_per_second: null,
    remaining_seconds: null,
    percent: null,
  },
  result: null,
  error: null,
  requested_by: 'test',
  created_at: '2026-11-22T00:00:00.000Z',
  finished_at: null,
  allowed_actions: [],
});

test('a person is asked once per step, in order, although every operation begins as starting', async () => {
  const said: string[] = [];
  const stderr = { write: (text: string) => said.push(text) };
  const terminal = createTerminal({ stdin: new PassThrough(), stdout: stderr, stderr, env: {} });
  const answers = [at('stopping'), at('stopping'), at('staging'), at('starting'), at('starting', 'succeeded')];
  const api: ApiClient = {
    api: 'http://127.0.0.1',
    call: async () => answers.shift(),
    bytes: async () => new Uint8Array(),
    async *documents() {},
    async *events() {},
    close: async () => undefined,
  };
  const context = { terminal, signal: new AbortController().signal };
  await followOperation(context, api, at('starting'), true, [
    { phase: 'stopping', text: 'stop it' },
    { phase: 'starting', text: 'start it' },
  ]);
  expect(said).toEqual(['stop it\n', 'start it\n']);
});
