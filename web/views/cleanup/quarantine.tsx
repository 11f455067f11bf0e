import type { Quarantine, QuarantineEntry } from '../../api/cleanup-wire.ts';
import { formatAhead, formatBytes, formatCount, formatExact, plural } from '../../format.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Age, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import type { Followed } from '../../state/asked.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';

/** By run, in the order in which they are listed. */
export function byRun(entries: readonly QuarantineEntry[]): [string, QuarantineEntry[]][] {
  const runs = new Map<string, QuarantineEntry[]>();
  for (const entry of entries) runs.set(entry.run_id, [...(runs.get(entry.run_id) ?? []), entry]);
  return [...runs];
}

/** What was taken away and still comes back, and until when. */
export function QuarantinePanel({ asked, onChanged }: { asked: Followed<Quarantine>; onChanged(): Promise<unknown> }) {
  const { value, problem } = asked;
  const { act, refusal, busy } = useActing(onChanged);
  const undo = (body: { run_id: string } | { entry_ids: string[] }): void =>
    void act(() => api.post('api/v1/metrics/cleanup/quarantine/undo', body));
  const why = busy ? 'It is under way.' : undefined;
  return (
    <section class="panel" aria-labelledby="quarantine-title">
      <h2 id="quarantine-title">Quarantine</h2>
      <Refusal text={refusal} />
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : value.items.length === 0 ? (
        <p class="empty">Nothing is in it.</p>
      ) : (
        <>
          <p>
            {plural(value.held_count, 'entry', 'entries')}, {formatBytes(value.held_bytes)}
          </p>
          {byRun(value.items).map(([run, entries]) => (
            <article key={run} class="quarantined" aria-label={`Taken away by ${run}`}>
              <header class="target-head">
                <h3>{entries[0]?.strategy}</h3>
                <span class="faint">
                  {plural(entries.length, 'entry', 'entries')}, taken away <Age at={entries[0]?.held_at ?? null} />
                </span>
                <Confirm
                  label="Bring all back"
                  about={`Bring all back of ${run}`}
                  question="All that this run took away goes back to where it was. Nothing is overwritten."
                  why={why}
                  onConfirm={() => undo({ run_id: run })}
                />
              </header>
              <ul class="cleanup-list">
                {entries.map((one) => (
                  <li key={one.entry_id}>
                    <span class="entry-what">{one.what}</span>
                    <Confirm
                      label="Undo"
                      about={`Undo ${one.what}`}
                      question="It goes back to where it was. Nothing is overwritten."
                      why={why ?? (one.allowed_actions.includes('undo') ? undefined : 'It is no longer held.')}
                      onConfirm={() => undo({ entry_ids: [one.entry_id] })}
                    />
                    <span class="faint">
                      {one.size_bytes === null ? 'size unknown' : formatBytes(one.size_bytes)} · gone for good{' '}
                      <time dateTime={one.expires_at} title={formatExact(Date.parse(one.expires_at))}>
                        {formatAhead(Date.parse(one.expires_at), nowMs.value)}
                      </time>
                    </span>
                    {one.note !== null && <span class="trouble">{one.note}</span>}
                  </li>
                ))}
              </ul>
            </article>
          ))}
          {value.items.length < value.held_count && (
            <p class="faint">{formatCount(value.held_count - value.items.length)} older ones.</p>
          )}
        </>
      )}
    </section>
  );
}
