import { describe, expect, test } from 'vitest';
import type { ApiClient } from './api-client.ts';
import { ServerRefusal } from './exit-code.ts';
import { suggestingClient } from './suggestions.ts';

/** A server that knows these ids and refuses everything but its lists with the code. */
const serverOf = (code: string, document: unknown): ApiClient => ({
  api: 'http://127.0.0.1:9',
  async call(path) {
    if (/\/(points|targets|operations|tokens)$/.test(path)) return document;
    throw new ServerRefusal({ code, status: 404, detail: 'It is not there.' });
  },
  bytes: async () => new Uint8Array(),
  async *documents() {},
  async *events() {},
  close: async () => undefined,
});
const refusalOf = (client: ApiClient, ...call: Parameters<ApiClient['call']>): Promise<unknown> =>
  suggestingClient(client)
    .call(...call)
    .then(
      () => {
        throw new Error('it was not refused');
      },
      (err: unknown) => err,
    );

describe('an unknown id is told the nearest that there is', () => {
  test.each([
    ['target/unknown', { items: [{ id: 'sample' }] }, '/api/v1/targets/smaple/probe', {}, 'sample'],
    [
      'target/unknown',
      { items: [{ id: 'sample' }] },
      '/api/v1/backup/trigger',
      { body: { target: 'sampel' } },
      'sample',
    ],
    ['target/unknown', { items: [{ id: 'sample' }] }, '/api/v1/backup/x', { query: { target: 'sampl' } }, 'sample'],
    [
      'backup/unknown-point',
      { items: [{ backup_id: 'backup_20261122_010203_abcd' }] },
      '/api/v1/backup/restore/backup_20261122_010203_abcx',
      { method: 'POST' as const },
      'backup_20261122_010203_abcd',
    ],
    ['operation/unknown', { items: [{ id: 'op_1234' }] }, '/api/v1/operations/op_1243/cancel', {}, 'op_1234'],
    ['request/not-found', { items: [{ id: 'tok_1234' }] }, '/api/v1/access/tokens/tok_123', {}, 'tok_1234'],
  ])('%s %#', async (code, document, path, call, nearest) => {
    const refusal = await refusalOf(serverOf(code, document), path, call);
    expect(refusal).toBeInstanceOf(ServerRefusal);
    expect(refusal).toMatchObject({ code, status: 404, detail: `It is not there. Did you mean ${nearest}?` });
  });
});

test('nothing is suggested where nothing is near, where no list can be had, or for another refusal', async () => {
  const path = '/api/v1/targets/production';
  const told = { detail: 'It is not there.' };
  expect(await refusalOf(serverOf('target/unknown', { items: [{ id: 'x' }] }), path)).toMatchObject(told);
  expect(await refusalOf(serverOf('target/unknown', 'nonsense'), path)).toMatchObject(told);
  expect(await refusalOf(serverOf('access/forbidden', { items: [{ id: 'production' }] }), path)).toMatchObject(told);
});
