import { expect, test } from 'vitest';
import { readDocuments } from '../lightrag/lightrag-documents.ts';
import { recorded } from '../lightrag/recorded-server.fixture.ts';
import { type BackendDocument, causeOf, outcomeOf } from './document.ts';

const failed = (error: string | null): BackendDocument => ({
  id: 'doc-1',
  status: 'failed',
  filePath: 'a.txt',
  trackId: null,
  createdMs: 0,
  updatedMs: 0,
  error,
  isDuplicate: false,
});

test.each([
  ['RateLimitError: Error code: 429 - {"error": "slow down"}', 'rate-limit'],
  ['You exceeded your current quota', 'rate-limit'],
  ['C[3/9]: chunk-9: TimeoutError: Worker execution timeout after 360s', 'timeout'],
  ['openai.APITimeoutError: Request timed out.', 'timeout'],
  ['Embedding dimension mismatch detected: total elements (34) cannot be divided by dimension (16)', 'embedding'],
  ['Failed to parse PDF: file has not been decrypted', 'parse'],
  ["'utf-8' codec can't decode byte 0xff in position 0", 'parse'],
  ['C[1/1]: doc-8-chunk-000: BadRequestError: Error code: 400 - stand-in fault 400', 'model'],
  ['User cancelled', 'cancelled'],
  ['KeyError: entity_name', 'other'],
  [null, 'other'],
])('%s is a failure of the class %s', (error, cause) => {
  expect(causeOf(failed(error))).toBe(cause);
});

test('of a recorded server: what failed and what was known already are told apart', () => {
  const documents = readDocuments(recorded('paginated-failed').response.body);
  expect(documents.map((one) => [outcomeOf(one), causeOf(one)])).toEqual([
    ['failed', 'model'],
    ['duplicate', 'duplicate'],
  ]);
  expect(readDocuments(recorded('paginated-cancelled').response.body).map(causeOf)).toContain('cancelled');
  const [done] = readDocuments(recorded('track-status-two-documents').response.body);
  expect(done).toMatchObject({ status: 'processed', trackId: 'insert_20261122_040730_ec47717a', error: null });
  expect((done?.updatedMs ?? 0) - (done?.createdMs ?? 0)).toBe(480);
});
