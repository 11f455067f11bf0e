import type { UsageForecast, UsagePattern, UsageProfiles } from '../../api/analytics-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatInstant, plural } from '../../format.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Table } from '../../parts/table.tsx';
import { Age } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { amountOf, everyMs, root } from './read-analytics.ts';
import { Recommendations } from './recommendations.tsx';

/** What the kept series say: what to do, when limits are reached, what resources do, and how they were used. */
export function Analytics() {
  return (
    <>
      <Recommendations />
      <Forecasts />
      <Patterns />
      <Profiles />
    </>
  );
}

function Forecasts() {
  const { value, problem } = useFollowed<Page<UsageForecast>>('forecasts', {
    load: (on) => api.get(`${root}/forecasts`, on),
    everyMs,
  });
  const at = (instant: string | null): string =>
    instant === null ? '–' : formatInstant(Date.parse(instant), nowMs.value);
  return (
    <section class="panel" aria-labelledby="forecasts-title">
      <h2 id="forecasts-title">Forecasts</h2>
      <Table
        name="When limits are reached"
        rows={value?.items}
        problem={problem}
        keyOf={(one) => `${one.resource} ${one.message}`}
        empty="Nothing that has a limit, or piles up, is known for long enough."
        needs={56}
        columns={[
          { title: 'resource', cell: (one) => one.resource },
          { title: 'now', kind: 'figure', cell: (one) => amountOf(one.now, one.unit) },
          { title: 'limit', kind: 'figure', cell: (one) => amountOf(one.limit, one.unit) },
          {
            title: 'full',
            cell: (one) =>
              one.reached_at === null ? '–' : `${at(one.reached_at)} (${at(one.earliest)} to ${at(one.latest)})`,
          },
          { title: 'why', cell: (one) => one.message },
        ]}
      />
    </section>
  );
}

function Patterns() {
  const { value, problem } = useFollowed<Page<UsagePattern>>('patterns', {
    load: (on) => api.get(`${root}/patterns?limit=100`, on),
    everyMs,
  });
  return (
    <section class="panel" aria-labelledby="patterns-title">
      <h2 id="patterns-title">Patterns</h2>
      <Table
        name="Patterns, the surest first"
        rows={value?.items}
        problem={problem}
        keyOf={(one) => one.pattern_id}
        empty="No resource does anything that is told apart from chance."
        atOnce={20}
        needs={48}
        columns={[
          { title: 'pattern', cell: (one) => one.pattern_type.replaceAll('_', ' ') },
          { title: 'what', cell: (one) => one.description },
          {
            title: 'confidence',
            kind: 'figure',
            cell: (one) => `${Math.round(100 * one.confidence)} %`,
            order: (one) => one.confidence,
          },
          { title: 'since', cell: (one) => <Age at={one.first_seen} />, order: (one) => one.first_seen },
        ]}
      />
    </section>
  );
}

function Profiles() {
  const asked = useFollowed<UsageProfiles>('profiles', { load: (on) => api.get(`${root}/profiles`, on), everyMs });
  return (
    <section class="panel" aria-labelledby="profiles-title">
      <h2 id="profiles-title">Profiles</h2>
      <Loaded asked={asked}>
        {({ profiles, unprofiled, time_window_hours: hours }) => (
          <>
            <Table
              name="How resources were used"
              rows={Object.entries(profiles).map(([key, one]) => ({ key, ...one }))}
              keyOf={({ key }) => key}
              empty={`Nothing of the last ${hours} hours says enough yet.`}
              atOnce={30}
              needs={60}
              columns={[
                { title: 'resource', cell: ({ key }) => key, order: ({ key }) => key },
                { title: 'average', kind: 'figure', cell: (one) => amountOf(one.average_usage, one.unit, one.kind) },
                { title: 'peak', kind: 'figure', cell: (one) => amountOf(one.peak_usage, one.unit, one.kind) },
                {
                  title: 'growth a day',
                  kind: 'figure',
                  cell: (one) => amountOf(one.growth_rate * 24, one.unit, one.kind),
                },
                {
                  title: 'efficiency',
                  kind: 'figure',
                  cell: ({ efficiency_score: score }) => (score === null ? '–' : score.toFixed(2)),
                  order: ({ efficiency_score: score }) => score,
                  hint: ({ provided_basis: basis }) =>
                    basis === null ? undefined : `A share of its ${basis === 'peak' ? 'peaks' : 'capacity'}.`,
                },
                {
                  title: 'waste',
                  kind: 'figure',
                  cell: ({ waste_percentage: waste }) => (waste === null ? '–' : `${Math.round(waste)} %`),
                  order: ({ waste_percentage: waste }) => waste,
                },
              ]}
            />
            {unprofiled.length > 0 && (
              <details>
                <summary>{plural(unprofiled.length, 'series is', 'series are')} known for too short a time</summary>
                <ul>
                  {unprofiled.map(({ resource, reason }) => (
                    <li key={resource}>
                      {resource} <span class="faint">{reason}</span>
                    </li>
                  ))}
                </ul>
              </details>
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}
