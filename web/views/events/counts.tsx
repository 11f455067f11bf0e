import type { EventAnalytics } from '../../api/event-wire.ts';
import { formatCount, formatExact, plural } from '../../format.ts';
import { levelOf, Word } from '../../parts/mark.tsx';
import { Trouble, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { duringMs, type EventQuestion, filterOf, severities } from '../../state/event-question.ts';
import { api } from '../../state/session.ts';
import { showEvents } from '../../state/url.ts';
import { barsOf } from './course.ts';

export function CountsPanel({ question }: { question: EventQuestion }) {
  const filter = filterOf(question).toString();
  const { value, problem } = useFollowed<EventAnalytics>(`${filter} ${question.during}`, {
    load(on) {
      const query = new URLSearchParams(filter);
      query.set('since', new Date(Date.now() - duringMs(question.during)).toISOString());
      return api.get(`api/v1/events/analytics?${query}`, on);
    },
    everyMs: () => 15_000,
  });
  return (
    <section class="panel" aria-labelledby="counts-title">
      <h2 id="counts-title">How many, and when</h2>
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <Trouble text={problem} />
          {value.total === 0 ? <p class="empty">None in this time.</p> : <Course analytics={value} />}
          {value.by_kind.length > 0 && <Kinds analytics={value} />}
        </>
      )}
    </section>
  );
}

const height = 80;

function Course({ analytics }: { analytics: EventAnalytics }) {
  const { bars, most, place, width } = barsOf(analytics);
  const y = (count: number): number => (count / most) * height;
  return (
    <figure class="event-course">
      <svg
        viewBox={`0 0 1000 ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${plural(analytics.total, 'event')} over time, at most ${most} in a stretch.`}
      >
        {bars.flatMap((bar) =>
          bar.parts.map(({ severity, from, count }) => (
            <rect
              key={`${bar.atMs} ${severity}`}
              class={`is-${levelOf(severity)} of-${severity}`}
              x={place(bar.atMs) * 1000}
              y={height - y(from + count)}
              width={Math.max(2, width * 1000 - 1)}
              height={y(count)}
            >
              <title>{`${formatExact(bar.atMs)}: ${count} ${severity}`}</title>
            </rect>
          )),
        )}
      </svg>
      <figcaption>
        <span>{formatExact(Date.parse(analytics.since))}</span>
        <span>at most {formatCount(most)} at once</span>
        <span>now</span>
      </figcaption>
    </figure>
  );
}

function Kinds({ analytics }: { analytics: EventAnalytics }) {
  const cell = (count: number | undefined) => (count === undefined || count === 0 ? '·' : formatCount(count));
  return (
    <table class="event-kinds">
      <thead>
        <tr>
          <th scope="col">kind</th>
          {severities.map((one) => (
            <th key={one} scope="col" class="number">
              <Word word={one} />
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {analytics.by_kind.map(({ kind, by_severity }) => (
          <tr key={kind}>
            <th scope="row">
              <button type="button" class="kind-link" onClick={() => showEvents({ kind, correlation: '' })}>
                {kind}
              </button>
            </th>
            {severities.map((one) => (
              <td key={one} class="number">
                {cell(by_severity[one])}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
