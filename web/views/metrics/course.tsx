import { useState } from 'preact/hooks';
import type { MetricDefinition, MetricSource } from '../../api/metric-wire.ts';
import { formatDuration, formatExact, plural } from '../../format.ts';
import { unitOf } from '../../format-metric.ts';
import { MetricChart } from '../../parts/chart.tsx';
import { Trouble } from '../../parts/text.tsx';
import { aggregationOf, commandOf, type MetricQuestion } from '../../state/metric-question.ts';
import { type Explored, useChart } from '../../state/metric-state.ts';
import { ask } from '../../state/url.ts';
import { Calls } from './calls.tsx';

import { SeriesTable, WindowTable } from './series-table.tsx';

type Props = { readonly question: MetricQuestion; readonly metric: MetricDefinition };

/** The answer: drawn, in figures, where it came from, and how to ask for it elsewhere. */
export function Course({ question, metric }: Props) {
  const { value, problem } = useChart(question, metric);
  if (value === undefined)
    return problem === undefined ? (
      <p class="chart-wait" role="status">
        Asking …
      </p>
    ) : (
      <p class="refusal" role="alert">
        {problem}
      </p>
    );
  return (
    <>
      <Trouble text={problem} />
      {value.chart.series.length === 0 ? (
        <Nothing question={question} />
      ) : (
        <Drawn key={JSON.stringify(question)} explored={value} question={question} metric={metric} />
      )}
      <Provenance explored={value} />
      <Calls
        calls={[
          { name: 'The course', path: value.coursePath },
          { name: 'The greatest series', path: value.rankingPath },
        ]}
        command={commandOf(question, metric, value.range)}
      />
    </>
  );
}

function Drawn({ explored, question, metric }: Props & { explored: Explored }) {
  /** The window that is pointed at. */
  const [at, setAt] = useState<number | undefined>(undefined);
  const { chart } = explored;
  const aggregation = aggregationOf(question, metric);
  const unit = unitOf(metric, aggregation);
  return (
    <>
      <MetricChart
        chart={chart}
        unit={unit}
        range={explored.range}
        name={`${metric.name}, ${aggregation}`}
        onPoint={setAt}
        onZoom={(fromMs, toMs) =>
          ask({
            from: new Date(fromMs).toISOString(),
            to: new Date(toMs).toISOString(),
            last: undefined,
            step: undefined,
          })
        }
      />
      <SeriesTable
        chart={chart}
        unit={unit}
        at={at}
        stepSeconds={explored.answer.step_seconds}
        onOnly={(labels) => ask({ match: Object.entries(labels).map(([label, value]) => `${label}=${value}`) })}
      />
      {chart.total > chart.series.length && (
        <p class="empty">
          {chart.series.length} of {plural(chart.total, 'series', 'series')}: those with the greatest {aggregation} over
          the range.
        </p>
      )}
      <WindowTable chart={chart} unit={unit} />
    </>
  );
}

function Nothing({ question }: { question: MetricQuestion }) {
  const isNarrow = question.match.length > 0;
  return (
    <p class="chart-wait">
      Nothing was recorded in this range{isNarrow && ' with these labels'}.{' '}
      {isNarrow && (
        <button type="button" class="button" onClick={() => ask({ match: [] })}>
          Any labels
        </button>
      )}{' '}
      <button
        type="button"
        class="button"
        onClick={() => ask({ last: '7d', from: undefined, to: undefined, step: undefined })}
      >
        Look back 7 days
      </button>
    </p>
  );
}

const tierNames: Readonly<Record<MetricSource['tier'], string>> = {
  raw: 'single samples',
  '5m': 'five-minute windows',
  '1h': 'hourly windows',
  store: 'of another store',
};

function Provenance({ explored }: { explored: Explored }) {
  const { sources, approximate, step_seconds, store_error } = explored.answer;
  return (
    <dl class="provenance">
      <div>
        <dt>Windows</dt>
        <dd>
          {formatDuration(step_seconds)} each; a window without a value is a gap
          {approximate && '; percentiles are within 0.8 %'}
        </dd>
      </div>
      <div>
        <dt>Read from</dt>
        <dd>
          {sources.length === 0 && 'nothing'}
          {sources.map((one) => (
            <span key={`${one.tier} ${one.from}`} class="source">
              <code>{one.tier}</code> {tierNames[one.tier]}, {formatDuration(one.resolution_seconds)} apart
              <span class="faint">
                {' '}
                · {formatExact(Date.parse(one.from))} to {formatExact(Date.parse(one.to))}
              </span>
            </span>
          ))}
          {store_error !== null && <span class="source">What the other store has is missing: {store_error}</span>}
        </dd>
      </div>
    </dl>
  );
}
