import type { MetricDefinition } from '../../api/metric-wire.ts';
import { unitOf } from '../../format-metric.ts';
import { MetricChart } from '../../parts/chart.tsx';
import { LineSample } from '../../parts/line-style.tsx';
import { Link } from '../../parts/link.tsx';
import { noQuestion } from '../../state/metric-question.ts';
import { useChart, useDefinitions } from '../../state/metric-state.ts';
import { type Course, courses, type TrafficQuestion } from '../../state/traffic-question.ts';
import { addressOf, openMetric, showTraffic } from '../../state/url.ts';

/** The window as a curve, from the history of metrics: it also has what passed before the last start. */
export function CourseOfTraffic({ traffic }: { traffic: TrafficQuestion }) {
  const { metric, aggregation, by } = courses[traffic.course];
  const question = { ...noQuestion, metric, aggregation, by, last: traffic.window };
  const { value: definitions, problem } = useDefinitions();
  const definition = definitions?.find(({ name }) => name === metric);
  return (
    <figure class="traffic-course">
      <figcaption class="table-head">
        <h3>Course</h3>
        <select
          aria-label="What is drawn"
          value={traffic.course}
          onChange={(event) => showTraffic({ course: event.currentTarget.value as Course })}
        >
          {Object.entries(courses).map(([key, { name }]) => (
            <option key={key} value={key}>
              {name}
            </option>
          ))}
        </select>
        <Link href={addressOf({ view: 'metrics', question })} onFollow={() => openMetric(question)}>
          Open in Metrics
        </Link>
      </figcaption>
      {definitions === undefined && problem !== undefined && <p class="empty">{problem}</p>}
      {definition !== undefined && <Drawn question={question} definition={definition} />}
    </figure>
  );
}

function Drawn(props: { question: typeof noQuestion; definition: MetricDefinition }) {
  const { question, definition } = props;
  const { value, problem } = useChart(question, definition);
  if (value === undefined) return <p class="chart-wait is-low">{problem ?? 'Asking …'}</p>;
  const { chart, range } = value;
  if (chart.series.length === 0) return <p class="chart-wait is-low">Nothing was recorded in this time.</p>;
  return (
    <>
      <MetricChart
        chart={chart}
        unit={unitOf(definition, question.aggregation ?? '')}
        range={range}
        name={`${definition.name}, ${question.aggregation}`}
        height={180}
      />
      <ul class="legend">
        {chart.series.map((one, place) => (
          <li key={one.name}>
            <LineSample place={place} /> {one.name}
          </li>
        ))}
      </ul>
    </>
  );
}
