import { expect, test } from 'vitest';
import { createAnswerReader, type Framing, framingOf } from './answer-reader.ts';
import { planPicks } from './json-picker.ts';

/** What was told, with the text cut at every place. */
function piecesOf(framing: Framing, text: string): string[] {
  const bytes = Buffer.from(text);
  const runs = Array.from({ length: bytes.length }, (_, at) => {
    const told: string[] = [];
    const reader = createAnswerReader(
      framing,
      planPicks(['a', '0.b']),
      (picked) => told.push([...picked.values()].map((one) => one.text).join(' ')),
      () => told.push('done'),
    );
    reader.write(bytes.subarray(0, at), 0);
    reader.write(bytes.subarray(at), 1);
    reader.end(2);
    return told;
  });
  for (const run of runs) expect(run).toEqual(runs[0]);
  return runs[0] ?? [];
}

test.each([
  ['events, with and without a blank', 'data: {"a":1}\n\ndata:{"a":2}\n\n', ['1', '2']],
  ['ends of lines of either kind', 'data: {"a":1}\r\n\r\ndata: [DONE]\r\n', ['1', 'done']],
  ['other fields and comments', ': hello\nevent: x\nid: 1\ndatabase: {"a":9}\ndata: {"a":1}\n', ['1']],
  ['an array that begins as the end does', 'data: [{"b":5}]\n\ndata: [DONE]\n\n', ['5', 'done']],
  ['an event without an end', 'data: {"a":1}\n\ndata: {"a":2}', ['1', '2']],
  ['nothing', '', []],
])('events: %s', (_, text, expected) => {
  expect(piecesOf('events', text)).toEqual(expected);
});

test('lines are told one by one, empty ones not at all, and a broken one spoils no other', () => {
  expect(piecesOf('lines', '{"a":1}\n\n{"a":\n{"a":3}\r\n{"a":4}')).toEqual(['1', '', '3', '4']);
});

test('how an answer is cut follows from its type', () => {
  expect(framingOf('text/event-stream; charset=utf-8')).toBe('events');
  expect(framingOf('application/x-ndjson')).toBe('lines');
  expect(framingOf('application/problem+json')).toBe('json');
  for (const type of [undefined, '', 'text/html', 'application/octet-stream']) expect(framingOf(type)).toBeUndefined();
});
