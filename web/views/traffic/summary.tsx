import type { TrafficRow, TrafficSummary } from '../../api/traffic-wire.ts';
import { formatBytes, formatCount, formatDuration, formatExact, plural } from '../../format.ts';
import { formatMetric } from '../../format-metric.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { Fact, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { spanMs } from '../../state/metric-question.ts';
import { api } from '../../state/session.ts';
import { groups, type TrafficQuestion, windows } from '../../state/traffic-question.ts';
import { showTraffic } from '../../state/url.ts';
import { CourseOfTraffic } from './course-of-traffic.tsx';
import { costOf, rateOf, timeOf, timesOf, tokensOf } from './figures.ts';

export function SummaryPanel({ traffic }: { traffic: TrafficQuestion }) {
  const path = `api/v1/traffic/summary?window=${traffic.window}&by=${traffic.by}`;
  const asked = useFollowed<TrafficSummary>(path, {
    load: (on) => api.get(path, on),
    everyMs: () => 3_000,
  });
  return (
    <section class="panel" aria-labelledby="traffic-title">
      <div class="panel-head">
        <h2 id="traffic-title">Traffic</h2>
        <label class="filter">
          over
          <select
            aria-label="Window"
            value={traffic.window}
            onChange={(event) =>
              showTraffic({ window: windows.find((one) => one === event.currentTarget.value) ?? '1h' })
            }
          >
            {windows.map((one) => (
              <option key={one} value={one}>
                the last {formatDuration((spanMs(one) ?? 0) / 1_000)}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Loaded asked={asked}>
        {(value) => (
          <>
            <Total summary={value} />
            <CourseOfTraffic traffic={traffic} />
            <Groups summary={value} traffic={traffic} />
          </>
        )}
      </Loaded>
    </section>
  );
}

function Total({ summary }: { summary: TrafficSummary }) {
  const { total, backend } = summary;
  if (total.requests + total.llm.calls === 0)
    return (
      <p class="empty">
        {summary.complete
          ? 'Nothing passed in this time.'
          : `Nothing passed since ${formatExact(Date.parse(summary.kept_from))}; what was before shows in the course only.`}{' '}
        Point clients at the gateway, or tell operations with <code>POST /api/v1/monitoring/lightrag/record</code>.
      </p>
    );
  return (
    <>
      {!summary.complete && (
        <p class="seen">
          The latest exchanges are kept: none is missing since {formatExact(Date.parse(summary.kept_from))}.
        </p>
      )}
      <dl class="facts">
        <Fact name="Requests">
          <strong class="lead">{formatCount(total.requests)}</strong>
          <span class="faint">{asides(total)}</span>
        </Fact>
        <Fact name="Failed">
          <strong class={`lead${total.errors > 0 ? ' is-failed' : ''}`}>{formatCount(total.errors)}</strong>
          <span class="faint">{rateOf(total.error_rate)}</span>
        </Fact>
        <Fact name="Duration, p50 · p95 · p99">{timesOf(total.duration_ms)}</Fact>
        <Fact name="First content, p50 · p95 · p99">{timesOf(total.first_content_ms)}</Fact>
        <Fact name="Throughput">{formatMetric(Number(total.throughput_per_second.toPrecision(3)), '/s')}</Fact>
        <Fact name="Calls of models">
          {formatCount(total.llm.calls)}
          <span class="faint">
            {total.llm.errors > 0 && `, ${formatCount(total.llm.errors)} failed`}
            {total.llm.rate_limited > 0 && `, ${formatCount(total.llm.rate_limited)} over a rate limit`}
            {total.llm.retries > 0 && `, ${formatCount(total.llm.retries)} again`}
          </span>
        </Fact>
        <Fact name="Tokens">
          {tokensOf(total.llm)}
          {total.llm.calls > 0 && (
            <span class="faint">
              {' '}
              · {formatCount(total.llm.tokens.prompt)} in, {formatCount(total.llm.tokens.completion)} out
              {total.llm.calls_without_tokens > 0 && `; unknown of ${plural(total.llm.calls_without_tokens, 'call')}`}
            </span>
          )}
        </Fact>
        <Fact name="Cost">
          {costOf(total.llm)}
          {summary.unpriced_models.length > 0 && (
            <span class="faint"> · no price for {summary.unpriced_models.join(', ')}: set traffic.prices</span>
          )}
        </Fact>
        {backend !== null && (
          <Fact name="The backend's process took">
            {backend.cpu_seconds === null ? (
              <Unknown text="CPU time not seen" />
            ) : (
              `${formatMetric(backend.cpu_seconds, 'seconds')} of CPU`
            )}
            <span class="faint">
              {backend.cpu_seconds_per_operation !== null &&
                ` · ${timeOf(backend.cpu_seconds_per_operation * 1_000)} per operation`}
              {` · memory ${formatBytes(backend.peak_rss_bytes)} at most`}
              {backend.written_bytes !== null && ` · ${formatBytes(backend.written_bytes)} written`}
            </span>
          </Fact>
        )}
      </dl>
    </>
  );
}

function asides(row: TrafficRow): string {
  const parts = [
    [row.empty, 'empty'],
    [row.client_errors, 'asked wrongly'],
    [row.refused, 'refused'],
    [row.cancelled, 'left'],
  ] as const;
  return parts.flatMap(([count, word]) => (count > 0 ? [` ${formatCount(count)} ${word}`] : [])).join(',');
}

/** A line for each workspace, user, model or whatever is chosen, the busiest first. */
function Groups({ summary, traffic }: { summary: TrafficSummary; traffic: TrafficQuestion }) {
  return (
    <>
      <div class="table-head">
        <h3>By {traffic.by}</h3>
        <select
          aria-label="Group by"
          value={traffic.by}
          onChange={(event) =>
            showTraffic({ by: groups.find((one) => one === event.currentTarget.value) ?? 'workspace' })
          }
        >
          {groups.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </div>
      <Table
        name={`Traffic by ${traffic.by}`}
        rows={summary.items}
        keyOf={(row) => row.key}
        empty={`Nothing of this time has a ${traffic.by}.`}
        leftOut={summary.left_out}
        columns={columnsOf(traffic.by)}
      />
    </>
  );
}

type Group = TrafficRow & { key: string };

// Of a model or a provider there are calls only, and their times and failures are meant.
const ofCalls = (row: Group): boolean => row.requests === 0;
const timesOfGroup = (row: Group) => (ofCalls(row) ? row.llm.duration_ms : row.duration_ms);
const failedOf = (row: Group): number => (ofCalls(row) ? row.llm.errors : row.errors);

const columnsOf = (by: string): Column<Group>[] => [
  { title: by, cell: (row) => (row.key === '' ? '(unnamed)' : row.key), order: (row) => row.key },
  {
    title: 'Requests',
    kind: 'figure',
    cell: (row) => (ofCalls(row) ? '–' : formatCount(row.requests)),
    order: (row) => row.requests,
  },
  {
    title: 'Failed',
    kind: 'figure',
    cell: (row) => formatCount(failedOf(row)),
    order: failedOf,
    look: (row) => (failedOf(row) > 0 ? 'is-failed' : undefined),
  },
  ...(['p50', 'p95', 'p99'] as const).map(
    (name): Column<Group> => ({
      title: name,
      kind: 'figure',
      cell: (row) => timeOf(timesOfGroup(row)[name]),
      order: (row) => timesOfGroup(row)[name],
    }),
  ),
  { title: 'Calls', kind: 'figure', cell: (row) => formatCount(row.llm.calls), order: (row) => row.llm.calls },
  { title: 'Tokens', kind: 'figure', cell: (row) => tokensOf(row.llm) },
  { title: 'Cost', kind: 'figure', cell: (row) => costOf(row.llm) },
];
