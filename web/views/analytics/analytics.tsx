import { useState } from 'preact/hooks';
import type { UsageForecast, UsagePattern, UsageProfiles } from '../../api/analytics-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatInstant, plural } from '../../format.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Table } from '../../parts/table.tsx';
import { Age, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { amountOf, everyMs, fullOf, isKnown, root } from './read-analytics.ts';
import { Recommendations } from './recommendations.tsx';

/** What the kept series say: what to do, when limits are reached, what resources do, and how they were used. */
export function Analytics() {
  // After a look that was asked for, all of it is asked for anew.
  const [looks, setLooks] = useState(0);
  const renewed = String(looks);
  return (
    <main class="panels analytics">
      <div>
        <Recommendations renewed={renewed} onLooked={() => setLooks(looks + 1)} />
        <Forecasts renewed={renewed} />
        <Patterns renewed={renewed} />
        <Profiles renewed={renewed} />
      </div>
    </main>
  );
}

type Renewed = { readonly renewed: string };

function Forecasts({ renewed }: Renewed) {
  const asked = useFollowed<Page<UsageForecast>>(
    'forecasts',
    { load: (on) => api.get(`${root}/forecasts`, on), everyMs },
    renewed,
  );
  const at = (instant: string): string => formatInstant(Date.parse(instant), nowMs.value);
  return (
    <section class="panel" aria-labelledby="forecasts-title">
      <h2 id="forecasts-title">Forecasts</h2>
      <Loaded asked={asked}>
        {({ items }) => (
          <>
            <Table
              name="When limits are reached"
              rows={items.filter(isKnown)}
              keyOf={(one) => `${one.resource} ${one.message}`}
              empty="Nothing that has a limit, or piles up, is known for long enough to say when it is full."
              needs={56}
              columns={[
                { title: 'Resource', cell: (one) => one.resource },
                { title: 'Now', kind: 'figure', cell: (one) => amountOf(one.now, one.unit) },
                { title: 'Limit', kind: 'figure', cell: (one) => amountOf(one.limit, one.unit) },
                { title: 'Full', cell: (one) => fullOf(one, at) ?? <Unknown text="not foreseen" /> },
                { title: 'Why', cell: (one) => one.message },
              ]}
            />
            <TooShort
              of={items.filter((one) => !isKnown(one)).map(({ resource, message }) => ({ resource, reason: message }))}
            />
          </>
        )}
      </Loaded>
    </section>
  );
}

/** What nothing can be said of yet, out of the way of what is known. */
function TooShort({ of }: { of: readonly { readonly resource: string; readonly reason: string }[] }) {
  return of.length === 0 ? null : (
    <details>
      <summary>{plural(of.length, 'series is', 'series are')} known for too short a time</summary>
      <ul>
        {of.map(({ resource, reason }) => (
          <li key={resource}>
            {resource} <span class="faint">{reason}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Patterns({ renewed }: Renewed) {
  const { value, problem } = useFollowed<Page<UsagePattern>>(
    'patterns',
    { load: (on) => api.get(`${root}/patterns?limit=100`, on), everyMs },
    renewed,
  );
  return (
    <section class="panel" aria-labelledby="patterns-title">
      <h2 id="patterns-title">Patterns</h2>
      <Table
        name="Patterns, the surest first"
        rows={value?.items}
        problem={problem}
        keyOf={(one) => one.pattern_id}
        empty="No resource grows, leaks, spikes or follows a rhythm so that it could be told from chance."
        atOnce={20}
        needs={48}
        columns={[
          { title: 'Pattern', cell: (one) => one.pattern_type.replaceAll('_', ' ') },
          { title: 'What', cell: (one) => one.description },
          {
            title: 'Confidence',
            kind: 'figure',
            cell: (one) => `${Math.round(100 * one.confidence)} %`,
            order: (one) => one.confidence,
          },
          { title: 'Since', cell: (one) => <Age at={one.first_seen} />, order: (one) => one.first_seen },
        ]}
      />
    </section>
  );
}

function Profiles({ renewed }: Renewed) {
  const asked = useFollowed<UsageProfiles>(
    'profiles',
    { load: (on) => api.get(`${root}/profiles`, on), everyMs },
    renewed,
  );
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
                { title: 'Resource', cell: ({ key }) => key, order: ({ key }) => key },
                { title: 'Average', kind: 'figure', cell: (one) => amountOf(one.average_usage, one.unit, one.kind) },
                { title: 'Peak', kind: 'figure', cell: (one) => amountOf(one.peak_usage, one.unit, one.kind) },
                {
                  title: 'Growth a day',
                  kind: 'figure',
                  cell: (one) => amountOf(one.growth_rate * 24, one.unit, one.kind),
                },
                {
                  title: 'Efficiency',
                  kind: 'figure',
                  cell: ({ efficiency_score: score }) => (score === null ? '–' : score.toFixed(2)),
                  order: ({ efficiency_score: score }) => score,
                  hint: ({ provided_basis: basis }) =>
                    basis === null ? undefined : `A share of its ${basis === 'peak' ? 'peaks' : 'capacity'}.`,
                },
                {
                  title: 'Waste',
                  kind: 'figure',
                  cell: ({ waste_percentage: waste }) => (waste === null ? '–' : `${Math.round(waste)} %`),
                  order: ({ waste_percentage: waste }) => waste,
                },
              ]}
            />
            <TooShort of={unprofiled} />
          </>
        )}
      </Loaded>
    </section>
  );
}
