import { describe, expect, test } from 'vitest';
import type { Exchange, TrafficRow } from '../api/traffic-wire.ts';
import { whichOf, whyNoReprocessing } from '../views/traffic/documents.tsx';
import { costOf, timeOf, timesOf, tokensOf, wordOfOutcome } from '../views/traffic/figures.ts';
import { factsOf } from '../views/traffic/recent.tsx';
import { noQuestion } from './metric-question.ts';
import { usualTraffic } from './traffic-question.ts';
import { readUrl, writeUrl } from './url.ts';

describe('the address', () => {
  const nothing = readUrl('');

  test('holds what is unusual about the view, and takes nothing else for it', () => {
    const traffic = { window: '24h', by: 'user', course: 'cost', failed: true } as const;
    const written = writeUrl('', { ...nothing, view: 'traffic', traffic });
    expect(written).toBe('?view=traffic&window=24h&by=user&course=cost&failed=true');
    expect(readUrl(written).traffic).toEqual(traffic);
    expect(writeUrl('?view=traffic&window=24h', { ...nothing, view: 'traffic' })).toBe('?view=traffic');
    expect(writeUrl('?view=traffic&window=24h&failed=true', nothing)).toBe('');
    expect(readUrl('?view=traffic&window=1y&by=colour&course=__proto__').traffic).toEqual(usualTraffic);
  });

  test('means one name by view: a grouping of metrics is none of traffic', () => {
    const asked = readUrl('?view=metrics&metric=m&by=endpoint&window=24h');
    expect(asked.traffic).toEqual(usualTraffic);
    expect(writeUrl('?view=metrics&metric=m&by=endpoint', { ...asked, view: 'traffic', question: noQuestion })).toBe(
      '?view=traffic',
    );
  });
});

const llm: TrafficRow['llm'] = {
  calls: 2,
  errors: 0,
  rate_limited: 0,
  retries: 0,
  tokens: { prompt: 1_000, completion: 234, cached: 10 },
  calls_without_tokens: 0,
  cost_usd: 0.0021,
  calls_without_price: 0,
  duration_ms: { count: 0, avg: null, min: null, max: null, p50: null, p95: null, p99: null },
};

test('what has no price is not free, and what was not measured is no zero', () => {
  expect(costOf(llm)).toBe('$0.0021');
  expect(costOf({ ...llm, calls_without_price: 1 })).toBe('$0.0021 and more');
  expect(costOf({ ...llm, cost_usd: 0, calls_without_price: 2 })).toBe('unknown');
  expect(costOf({ ...llm, calls: 0, cost_usd: 0 })).toBe('–');
  expect(tokensOf(llm)).toBe('1,234');
  expect(tokensOf({ ...llm, calls: 0 })).toBe('–');
  expect(timesOf(llm.duration_ms)).toBe('–');
  expect(timesOf({ ...llm.duration_ms, count: 3, p50: 12.345, p95: 1_898, p99: 125_000 })).toBe(
    '12.3 ms · 1.9 s · 2 min 5 s',
  );
  expect(timeOf(null)).toBe('–');
});

test.each([
  ['ok', 'success'],
  ['empty', 'info'],
  ['hidden_error', 'failed'],
  ['upstream_unreachable', 'failed'],
  ['rate_limited', 'warning'],
  ['refused_quota', 'warning'],
  ['client_gone', 'cancelled'],
  ['of_a_newer_server', 'failed'],
])('the outcome %s is shown as %s', (outcome, word) => {
  expect(wordOfOutcome(outcome)).toEqual({ word, text: outcome.replaceAll('_', ' ') });
});

test('of an exchange only what is known is told', () => {
  const one: Exchange = {
    ...{ at: '2026-01-05T12:00:00Z', source: 'recorded', door: 'llm', target_id: null, workspace: null, user: null },
    ...{ key_id: null, operation: 'llm', route: 'recorded', mode: null, stream: false, status: 0, outcome: 'ok' },
    ...{ reason: null, request_bytes: 0, response_bytes: 0, first_byte_ms: null, first_content_ms: null },
    ...{ duration_ms: 5, track_id: null, added_parameters: [] },
    llm: {
      ...{ provider: 'openai', call: 'chat', model: 'm', role: null, prompt_tokens: 7, completion_tokens: null },
      ...{ cached_tokens: null, first_token_ms: null, cost_usd: null, retry: false },
    },
  };
  expect(factsOf(one)).toEqual([
    ['route', 'recorded'],
    ['told by', 'a program'],
    ['call', 'chat, openai'],
    ['tokens in', '7'],
    ['tokens out', 'unknown'],
    ['cost', 'unknown'],
  ]);
});

test('documents are taken up again when there are any, and their pipeline rests', () => {
  const stuck = { cause: 'pipeline-idle', since: '', documents: 2, listed: [] } as const;
  const counts = { failed: 3 };
  expect(whyNoReprocessing({ stuck: null, counts: {} }, false)).toBe('Nothing is stuck or failed.');
  expect(whyNoReprocessing({ stuck: { ...stuck, listed: [] }, counts: {} }, false)).toBeUndefined();
  expect(whyNoReprocessing({ stuck: null, counts }, false)).toBeUndefined();
  expect(whyNoReprocessing({ stuck: null, counts }, true)).toBe('It is under way.');
  expect(whyNoReprocessing({ stuck: { ...stuck, cause: 'no-progress', listed: [] }, counts }, false)).toMatch(/busy/);
  expect(whichOf({ stuck: { ...stuck, listed: [] }, counts })).toBe('2 stuck and 3 failed documents');
  expect(whichOf({ stuck: null, counts })).toBe('3 failed documents');
});
