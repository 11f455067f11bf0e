import type { EventAnalytics } from '../../api/event-wire.ts';
import { formatCount, formatExact, plural } from '../../format.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { levelOf, Word } from '../../parts/mark.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { useFollowed } from '../../state/asked.ts';
import { duringMs, type EventQuestion, filterOf, severities } from '../../state/event-question.ts';
import { api } from '../../state/session.ts';
import { showEvents } from '../../state/url.ts';
import { barsOf } from './course.ts';

export function CountsPanel({ question }: { question: EventQuestion }) {
  const filter = filterOf(question).toString();
  const asked = useFollowed<EventAnalytics>(`${filter} ${question.during}`, {
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
      <Loaded asked={asked}>
        {(value) => (
          <>
            {value.total > 0 && <Course analytics={value} />}
            <Kinds analytics={value} />
          </>
        )}
      </Loaded>
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
    <Table
      name="How many of each kind"
      rows={analytics.by_kind}
      keyOf={({ kind }) => kind}
      empty="None in this time."
      columns={[
        {
          title: 'Kind',
          cell: ({ kind }) => (
            <button type="button" class="kind-link" onClick={() => showEvents({ kind, correlation: '' })}>
              {kind}
            </button>
          ),
        },
        ...severities.map(
          (one): Column<EventAnalytics['by_kind'][number]> => ({
            ...{ title: one, kind: 'figure', head: <Word word={one} /> },
            cell: ({ by_severity }) => cell(by_severity[one]),
          }),
        ),
      ]}
    />
  );
}
