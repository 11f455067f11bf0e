import { useState } from 'preact/hooks';
import type { Evidence, Leaks, ObservedSeries } from '../../api/resource-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatBytes, formatCount } from '../../format.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Table } from '../../parts/table.tsx';
import { Action, Age, Unknown } from '../../parts/text.tsx';
import { useAsked, useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { FloorsChart } from './floors-chart.tsx';

const root = 'api/v1/metrics/resources';

/** What leaks, seen from outside and told by programs. */
export function LeaksPanel() {
  const asked = useFollowed<Leaks>('leaks', {
    load: (on) => api.get(`${root}/leaks?limit=50`, on),
    everyMs: () => 30_000,
  });
  return (
    <section class="panel" aria-labelledby="leaks-title">
      <h2 id="leaks-title">Leaks</h2>
      <Loaded asked={asked}>
        {(value) =>
          value.observed.length === 0 && value.total === 0 ? (
            <p class="empty">Nothing leaks, as far as it is told or seen.</p>
          ) : (
            <>
              {value.observed.map((one) => (
                <article
                  key={`${one.subject} ${one.measure}`}
                  class="leak"
                  aria-label={`${one.measure} of ${one.subject}`}
                >
                  <header class="target-head">
                    <h3>
                      {one.subject}: {one.measure}
                    </h3>
                    <Word
                      word={one.level === 'confirmed' ? 'failed' : 'degraded'}
                      text={`${one.level}, ${one.severity}`}
                    />
                    <span class="seen">
                      since <Age at={one.suspected_at} none="just now" />, confidence {Math.round(100 * one.confidence)}{' '}
                      %
                    </span>
                  </header>
                  <p>{one.description}</p>
                  <p class="faint">{one.suggested_action}</p>
                  <EvidenceOf subject={one.subject} measure={one.measure} />
                </article>
              ))}
              {value.items.map((one) => (
                <article key={one.resource_id} class="leak" aria-label={one.resource_id}>
                  <header class="target-head">
                    <h3>{one.resource_id}</h3>
                    <Word word="degraded" text={`registered, ${one.severity}`} />
                  </header>
                  <p>{one.description}</p>
                  <p class="faint">{one.suggested_action}</p>
                </article>
              ))}
              {value.items.length < value.total && <p class="faint">{value.total - value.items.length} more.</p>}
            </>
          )
        }
      </Loaded>
    </section>
  );
}

function EvidenceOf({ subject, measure }: { subject: string; measure: string }) {
  const asked = useAsked<Evidence>(`${root}/observed/evidence?${new URLSearchParams({ subject, measure })}`);
  return <Loaded asked={asked}>{(value) => <FloorsChart evidence={value} />}</Loaded>;
}

/** What is looked at, whether it leaks or not. */
export function ObservedPanel() {
  const { value, problem } = useFollowed<Page<ObservedSeries>>('observed', {
    load: (on) => api.get(`${root}/observed`, on),
    everyMs: () => 30_000,
  });
  const [open, setOpen] = useState<string>();
  const nameOf = (one: ObservedSeries): string => `${one.subject} ${one.measure}`;
  return (
    <section class="panel" aria-labelledby="observed-title">
      <h2 id="observed-title">Processes and servers</h2>
      <Table
        name="Processes and servers"
        rows={value?.items}
        problem={problem}
        keyOf={nameOf}
        empty="Nothing was seen yet."
        columns={[
          { title: 'Subject', cell: (one) => one.subject, order: nameOf },
          { title: 'Measure', cell: (one) => one.measure, order: (one) => one.measure },
          {
            title: 'Now',
            kind: 'figure',
            cell: (one) =>
              one.value === null ? <Unknown /> : one.unit === 'bytes' ? formatBytes(one.value) : formatCount(one.value),
          },
          {
            title: 'Leak',
            cell: (one) => (one.level === 'none' ? '–' : one.level),
            look: (one) => (one.level === 'none' ? undefined : 'is-failed'),
          },
          {
            title: 'Show',
            kind: 'actions',
            cell: (one) => (
              <Action
                label={open === nameOf(one) ? 'Close' : 'Show'}
                about={`${open === nameOf(one) ? 'Close' : 'Show'} ${nameOf(one)}`}
                onPress={() => setOpen(open === nameOf(one) ? undefined : nameOf(one))}
              />
            ),
          },
        ]}
        detail={(one) => (open === nameOf(one) ? <EvidenceOf subject={one.subject} measure={one.measure} /> : null)}
      />
    </section>
  );
}
