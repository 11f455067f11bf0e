import type { QuotaReservation } from '../../api/quota-wire.ts';
import { formatAhead } from '../../format.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Loaded, More, Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useSwitch } from '../../state/filter.ts';
import { nowMs } from '../../state/page-state.ts';
import { usePaged } from '../../state/paged.ts';
import { api } from '../../state/session.ts';
import { countOf, whoseOf } from './figures.ts';

const root = 'api/v1/metrics/quotas/reservations';
const words = { held: 'running', settled: 'success', released: 'cancelled', expired: 'warning' } as const;

/** What is held for work that is under way; one whose owner is gone can be given back. */
export function ReservationsPanel({ onChanged }: { onChanged(): Promise<unknown> }) {
  const [all, setAll] = useSwitch('held', 'all');
  const asked = usePaged<QuotaReservation>(`${root}${all ? '' : '?state=held'}`, { step: 20, everyMs: () => 10_000 });
  const { act, refusal, busy } = useActing(() => Promise.all([asked.refresh(), onChanged()]));
  return (
    <section class="panel" aria-labelledby="reservations-title">
      <header class="panel-head">
        <h2 id="reservations-title">Reservations</h2>
        <Action
          label={all ? 'Only what is held' : 'All'}
          about={all ? 'Only what is held of the reservations' : 'All reservations'}
          onPress={() => setAll(!all)}
        />
      </header>
      <Refusal text={refusal} />
      <Loaded asked={asked}>
        {(value) =>
          value.items.length === 0 ? (
            <p class="empty">{all ? 'Nothing was reserved yet.' : 'Nothing is held.'}</p>
          ) : (
            <ul class="quota-list">
              {value.items.map((one) => (
                <li key={one.reservation_id}>
                  <Word word={words[one.state]} text={one.state} />{' '}
                  {Object.entries(one.amounts)
                    .map(([kind, amount]) => countOf(kind, amount))
                    .join(', ')}
                  <p>
                    {whoseOf(one, 'nobody in particular')}{' '}
                    <span class="faint">
                      by {one.subject}, <Age at={one.created_at} />
                    </span>
                  </p>
                  <p class="faint">
                    <code>{one.reservation_id}</code> · {one.quotas.join(', ') || 'no quota applied'} ·{' '}
                    {one.state === 'held' ? (
                      `${one.on_expiry === 'charge' ? 'counted' : 'given back'} by itself: ${formatAhead(Date.parse(one.expires_at), nowMs.value)}`
                    ) : (
                      <>
                        ended <Age at={one.ended_at} />
                      </>
                    )}
                  </p>
                  {one.state === 'held' && (
                    <Confirm
                      label="Give back"
                      about={`Give back ${one.reservation_id}`}
                      question="Its owner no longer has what was held for it, and can no longer settle it."
                      why={busy ? 'It is under way.' : undefined}
                      onConfirm={() =>
                        void act(() => api.post(`${root}/${encodeURIComponent(one.reservation_id)}/release`))
                      }
                    />
                  )}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <More of={asked} name="Reservations" />
    </section>
  );
}
