import type { MetricDefinition } from '../../api/metric-wire.ts';
import { Unknown } from '../../parts/text.tsx';
import { useDefinitions } from '../../state/metric-state.ts';
import { urlState } from '../../state/url.ts';
import { AskForm } from './ask-form.tsx';
import { ChooseMetric } from './choose-metric.tsx';
import { Course } from './course.tsx';

/** Any metric over any range, with the call that answers the same to a program. */
export function Explorer() {
  const definitions = useDefinitions();
  const { question } = urlState.value;
  const chosen = definitions.value?.find(({ name }) => name === question.metric);
  return (
    <main class="explorer">
      <ChooseMetric definitions={definitions.value} problem={definitions.problem} chosen={question.metric} />
      <section class="panel" aria-labelledby="metric-title">
        <h2 id="metric-title" class={question.metric === undefined ? undefined : 'metric-title'}>
          {question.metric ?? 'Metrics'}
        </h2>
        {chosen !== undefined ? (
          <>
            <About metric={chosen} />
            <AskForm question={question} metric={chosen} />
            <Course question={question} metric={chosen} />
          </>
        ) : question.metric === undefined ? (
          <p class="empty">
            Choose a metric. What the host, the backend and ragwarden show is recorded by itself; applications add
            theirs with <code>POST /api/v1/metrics/record</code>, the library, or <code>ragwarden metrics record</code>.
          </p>
        ) : definitions.value === undefined ? (
          <p>{definitions.problem === undefined && <Unknown />}</p>
        ) : (
          <p class="empty">Nothing is recorded as {question.metric}.</p>
        )}
      </section>
    </main>
  );
}

function About({ metric }: { metric: MetricDefinition }) {
  return (
    <p class="metric-about">
      {metric.description === '' ? <span class="faint">Nobody described it.</span> : metric.description}{' '}
      <span class="faint">
        {metric.type}
        {metric.unit !== 'unknown' && ` in ${metric.unit}`} · {metric.category}
        {metric.defined_by === 'use' && ' · defined by its use'}
        {!metric.enabled && ' · switched off: nothing new is recorded'}
      </span>
    </p>
  );
}
