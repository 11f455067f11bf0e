import { expect, test } from 'vitest';
import { parseEnvFile } from '../env-file/env-file.ts';
import { judgeEnvironment } from './env-rules.ts';

const judge = (text: string): string[] =>
  judgeEnvironment(parseEnvFile(`LIGHTRAG_API_KEY=k\nWHITELIST_PATHS=/health\n${text}`).values()).map(
    ({ rule, severity }) => `${severity} ${rule}`,
  );

test('a file that says nothing of these is right', () => {
  expect(judge('')).toEqual([]);
  expect(
    judge('CHUNK_SIZE=1200\nCHUNK_OVERLAP_SIZE=100\nTOP_K=40\nEMBEDDING_MODEL=bge-m3\nEMBEDDING_DIM=1024'),
  ).toEqual([]);
});

test.each([
  ['CHUNK_SIZE=800\nCHUNK_OVERLAP_SIZE=800', ['error overlap-below-size']],
  ['CHUNK_SIZE=800\nCHUNK_OVERLAP_SIZE=799', []],
  // Against the default of the other.
  ['CHUNK_OVERLAP_SIZE=1200', ['error overlap-below-size']],
  ['CHUNK_SIZE=499', ['suggestion advised-chunk-size']],
  ['CHUNK_SIZE=many', ['error whole-number']],
  ['TOP_K=0', ['error whole-number']],
  ['PORT=65536', ['error whole-number']],
  ['MAX_ENTITY_TOKENS=16000\nMAX_RELATION_TOKENS=14000', ['error budgets-fit']],
  ['MAX_ENTITY_TOKENS=15999\nMAX_RELATION_TOKENS=14000', []],
  ['SUMMARY_LENGTH_RECOMMENDED=1201', ['error summary-length']],
  ['SUMMARY_CONTEXT_SIZE=30001', ['warning summary-context']],
  ['MAX_GLEANING=2', ['warning gleaning']],
  ['MAX_PARALLEL_INSERT=5', ['warning parallel-inserts']],
  ['MAX_PARALLEL_INSERT=5\nMAX_ASYNC=8', []],
  ['EMBEDDING_MODEL=bge-m3\nEMBEDDING_DIM=768', ['error embedding-dimension']],
  ['EMBEDDING_MODEL=text-embedding-3-large\nEMBEDDING_DIM=1024', []],
  ['EMBEDDING_MODEL=text-embedding-3-large\nEMBEDDING_DIM=4096', ['error embedding-dimension']],
  ['WORKSPACE=a-b', ['error workspace-name']],
  ['AUTH_ACCOUNTS=a:b', ['error token-secret']],
  ['EMBEDDING_QUERY_PREFIX="q: "', ['warning prefixes-need-asymmetric']],
  ['EMBEDDING_QUERY_PREFIX="q: "\nEMBEDDING_ASYMMETRIC=true', []],
  ['LIGHTRAG_API_KEY=', ['warning open-server']],
  ['LIGHTRAG_API_KEY=\nHOST=127.0.0.1', []],
  ['WHITELIST_PATHS=/health,/api/*', ['warning whitelist']],
  ['ENABLE_LLM_CACHE_FOR_EXTRACT=false', ['warning extract-cache']],
  ['OLLAMA_LLM_NUM_CTX=32000', ['error model-context']],
  ['OLLAMA_LLM_NUM_CTX=32001', []],
  ['LIGHTRAG_VECTOR_STORAGE=PGVectorStorage\nEMBEDDING_DIM=2001', ['error hnsw-dimension']],
  ['LIGHTRAG_VECTOR_STORAGE=PGVectorStorage\nEMBEDDING_DIM=2000', []],
  ['LLM_BINDING=openia', ['error known-word']],
])('%j', (text, found) => {
  expect(judge(text)).toEqual(found);
});
