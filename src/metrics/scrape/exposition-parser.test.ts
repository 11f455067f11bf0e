import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderExposition } from '../exposition.ts';
import { createMetricRegistry } from '../registry.ts';
import { heldClock } from '../test-metrics.ts';
import { parseExposition } from './exposition-parser.ts';

const parse = (text: string, openMetrics = false) => parseExposition(text, openMetrics, 1_000);
const samplesOf = (text: string, openMetrics = false) =>
  parse(text, openMetrics).families.flatMap(({ samples }) => samples);

test('reads what the documentation of the text format shows, and the odd corners of it', () => {
  const { families, badLines } = parse(String.raw`# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
spaces { a = "b" , c="}" , } 1
tight{a="b"}2
# HELP http_request_duration_seconds A histogram.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
# TYPE rpc summary
rpc{quantile="0.5"} NaN
rpc_sum 1.7560473e+07
rpc_count 2693
# TYPE old untyped
old 1`);
  expect(badLines).toBe(0);
  expect(families.map(({ name, type, samples }) => [name, type, samples.length])).toEqual([
    ['http_requests_total', 'counter', 2],
    ['msdos_file_access_time_seconds', 'unknown', 1],
    ['metric_without_timestamp_and_labels', 'unknown', 1],
    ['something_weird', 'unknown', 1],
    ['spaces', 'unknown', 1],
    ['tight', 'unknown', 1],
    ['http_request_duration_seconds', 'histogram', 4],
    ['rpc', 'summary', 3],
    ['old', 'unknown', 1],
  ]);
  const samples = families.flatMap((family) => family.samples);
  expect(samples[0]).toMatchObject({ labels: { method: 'post', code: '200' }, value: 1027, atMs: 1_395_066_363_000 });
  expect(samples[2]?.labels).toEqual({ path: 'C:\\DIR\\FILE.TXT', error: 'Cannot find file:\n"FILE.TXT"' });
  expect(samples[4]).toMatchObject({ value: Infinity, atMs: -3_982_045 });
  expect(samples[5]?.labels).toEqual({ a: 'b', c: '}' });
});

test('reads OpenMetrics: seconds, units, exemplars, what was created, and the line that ends it', () => {
  const { families, isWhole } = parse(
    `# TYPE foo_seconds histogram
# UNIT foo_seconds seconds
foo_seconds_bucket{le="1.0"} 2 # {trace_id="KOO5S4vxi0o"} 0.67 1.5
foo_seconds_bucket{le="+Inf"} 3
foo_seconds_count 3
foo_seconds_sum 4.5
foo_seconds_created 1520430000.123
# TYPE jobs counter
jobs_total 17.0 1520879607.789 # {} 1
jobs_created 1520430000
# TYPE build info
build_info{version="1"} 1
# EOF
after 1
`,
    true,
  );
  expect(families.map(({ name, type, unit, samples }) => [name, type, unit, samples.length])).toEqual([
    ['foo_seconds', 'histogram', 'seconds', 5],
    ['jobs', 'counter', '', 2],
    ['build', 'info', '', 1],
  ]);
  expect(families[1]?.samples[0]?.atMs).toBe(1_520_879_607_789);
  expect(isWhole).toBe(true);
  expect(parse('a 1\n', true).isWhole).toBe(false);
});

test.each([
  ['1a 1', /does not begin/],
  ['a', /a value/],
  ['a x', /no number/],
  ['a 0x1p-2', /no number/],
  ['a 1 soon', /no time/],
  ['a 1 2 3', /a value/],
  ['a{b=c} 1', /name="value"/],
  ['a{b="c} 1', /does not end/],
  ['a{b="c" d="e"} 1', /commas/],
  ['a{b="c",b="d"} 1', /twice/],
  ['a{"quoted.name"} 1', /name="value"/],
  ['# TYPE a thing', /no type/],
  ['<html>', /does not begin/],
])('%s is told with its line, and the lines around it are read', (line, problem) => {
  const parsed = parse(`before 1\n${line}\nafter 2\n`);
  expect(parsed.firstBad).toMatch(problem);
  expect(parsed.firstBad).toMatch(/^line 2: /);
  expect(parsed.families.flatMap(({ samples }) => samples.map(({ name }) => name))).toEqual(['before', 'after']);
});

test('ends soon after the greatest number of samples', () => {
  expect(parseExposition('a 1\n'.repeat(50), false, 10).samples).toBe(11);
});

test('what is kept of an answer does not keep the answer in memory', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (how: object) => void; // by the flag
  const held = (): number => {
    collect({ type: 'major', flavor: 'last-resort' });
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const filler = '# a line that fills the answer\n'.repeat(100_000);
  const kept: unknown[] = [];
  const before = held();
  for (let i = 0; i < 10; i += 1) {
    const text = Buffer.from(
      `# HELP jobs_of_number_${i} What waits in the queue.\njobs_of_number_${i}{name="a label of number ${i}"} 1\n${filler}`,
    ).toString('utf8');
    kept.push(parse(text).families);
  }
  // Ten answers of 3 MB.
  expect(held() - before).toBeLessThan(10_000_000);
  expect(kept).toHaveLength(10);
});

test('law: what ragwarden exposes is read as it was, in both formats', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 });
  fc.assert(
    fc.property(fc.uniqueArray(text, { minLength: 1, maxLength: 8 }), fc.double({ noNaN: true }), (values, level) => {
      const registry = createMetricRegistry({ clock: heldClock(0) });
      const gauge = registry.gauge({ name: 'level', help: 'h\\elp\n"x"', labels: ['a'] });
      const given = values.map((value) => value.toWellFormed().replaceAll('\0', ''));
      for (const value of given) gauge.labels(value).set(level);
      for (const format of ['text', 'openmetrics'] as const) {
        const samples = samplesOf(renderExposition(registry.families(), format), format === 'openmetrics').filter(
          ({ name }) => name === 'level',
        );
        expect(new Set(samples.map(({ labels }) => labels.a))).toEqual(new Set(given));
        // Text has no minus zero.
        for (const { value } of samples) expect(value + 0).toBe(level + 0);
      }
    }),
  );
});
