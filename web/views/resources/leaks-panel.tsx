import { useState } from 'preact/hooks';
import type { Evidence, Leaks, ObservedSeries } from '../../api/resource-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatBytes } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Trouble, Unknown } from '../../parts/text.tsx';
import { useAsked, useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { FloorsChart } from './floors-chart.tsx';

const root = 'api/v1/metrics/resources';

/** What leaks, seen from outside and told by programs. */
export function LeaksPanel() {
  const { value, problem } = useFollowed<Leaks>('leaks', {
    load: (on) => api.get(`${root}/leaks?limit=50`, on),
    everyMs: () => 30_000,
  });
  return (
    <section class="panel" aria-labelledby="leaks-title">
      <h2 id="leaks-title">Leaks</h2>
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : value.observed.length === 0 && value.total === 0 ? (
        <p class="empty">Nothing leaks, as far as it is told or seen.</p>
      ) : (
        <>
          {value.observed.map((one) => (
            <article key={`${one.subject} ${one.measure}`} class="leak" aria-label={`${one.measure} of ${one.subject}`}>
              <header class="target-head">
                <h3>
                  {one.subject}: {one.measure}
                </h3>
                <Word word={one.level === 'confirmed' ? 'failed' : 'degraded'} text={`${one.level}, ${one.severity}`} />
                <span class="seen">
                  since <Age at={one.suspected_at} none="just now" />, confidence {Math.round(100 * one.confidence)} %
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
      )}
    </section>
  );
}

function EvidenceOf({ subject, measure }: { subject: string; measure: string }) {
  const { value, problem } = useAsked<Evidence>(
    `${root}/observed/evidence?${new URLSearchParams({ subject, measure })}`,
  );
  if (value === undefined) return <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>;
  return <FloorsChart evidence={value} />;
}

/** What is looked at, whether it leaks or not. */
export function ObservedPanel() {
  const { value, problem } = useFollowed<Page<ObservedSeries>>('observed', {
    load: (on) => api.get(`${root}/observed`, on),
    everyMs: () => 30_000,
  });
  const [open, setOpen] = useState<string>();
  return (
    <section class="panel" aria-labelledby="observed-title">
      <h2 id="observed-title">Processes and servers</h2>
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : value.items.length === 0 ? (
        <p class="empty">Nothing was seen yet.</p>
      ) : (
        <table class="figures">
          <thead>
            <tr>
              <th scope="col">Subject</th>
              <th scope="col">Measure</th>
              <th scope="col">Now</th>
              <th scope="col">Leak</th>
              <th scope="col">
                <span class="visually-hidden">Show</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {value.items.map((one) => {
              const name = `${one.subject} ${one.measure}`;
              const shown = one.unit === 'bytes' && one.value !== null ? formatBytes(one.value) : one.value;
              return (
                <tr key={name}>
                  <th scope="row">{one.subject}</th>
                  <td>{one.measure}</td>
                  <td>{shown ?? <Unknown />}</td>
                  <td>{one.level === 'none' ? '–' : one.level}</td>
                  <td>
                    <Action
                      label={open === name ? 'Close' : 'Show'}
                      about={`${open === name ? 'Close' : 'Show'} ${name}`}
                      onPress={() => setOpen(open === name ? undefined : name)}
                    />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {value?.items
        .filter((one) => `${one.subject} ${one.measure}` === open)
        .map((one) => (
          <EvidenceOf key={open} subject={one.subject} measure={one.measure} />
        ))}
    </section>
  );
}
