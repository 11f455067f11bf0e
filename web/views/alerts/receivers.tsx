import { useState } from 'preact/hooks';
import type { Receiver, ReceiverTest } from '../../api/alert-wire.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { shownAttempt, stateOfReceiver } from './wording.ts';

const path = 'api/v1/metrics/alerts/receivers';

/** Who is told, how that goes, and a test that is sent now. */
export function ReceiversPanel() {
  const { value, problem, refresh } = useFollowed<{ items: Receiver[] }>('receivers', {
    load: (on) => api.get(path, on),
    everyMs: () => 10_000,
  });
  const { act, refusal, busy } = useActing(refresh);
  const [tested, setTested] = useState<{ id: string; test: ReceiverTest }>();
  return (
    <section class="panel" aria-labelledby="receivers-title">
      <h2 id="receivers-title">Receivers</h2>
      <Refusal text={refusal} />
      {tested !== undefined && (
        <p class={tested.test.delivered ? 'tried' : 'refusal'} role="status">
          {tested.id} {tested.test.delivered ? 'took the test' : 'did not take the test'}
          {tested.test.attempt !== null && `: ${shownAttempt(tested.test.attempt)}`}
        </p>
      )}
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : value.items.length === 0 ? (
        <p class="empty">
          Nobody is told of anything. Add one under <code>notify.receivers</code> or with{' '}
          <code>ragwarden alerts receivers add</code>.
        </p>
      ) : (
        <ul class="keys">
          {value.items.map((one) => (
            <li key={one.id}>
              <Word {...stateOfReceiver(one)} />
              <span class="key-what">
                {one.id} <span class="faint">· {one.kind}</span>
              </span>
              <span class="faint">
                {one.place ?? 'nowhere that may be shown'} · from {one.origin === 'file' ? 'the file' : 'the API'}
              </span>
              <span class="faint">
                last taken <Age at={one.last_success_at} none="never" />
                {one.last_error_at !== null && (
                  <>
                    , failed <Age at={one.last_error_at} />
                  </>
                )}
              </span>
              {one.reason !== null && <span class="is-failed key-why">{one.reason}</span>}
              <span class="action">
                <Action
                  label="Test"
                  about={`Send a test to ${one.id} now`}
                  why={busy ? 'Something is under way.' : undefined}
                  onPress={() => {
                    setTested(undefined);
                    void act(async () => {
                      const test = await api.post<ReceiverTest>(`${path}/${encodeURIComponent(one.id)}/test`);
                      setTested({ id: one.id, test });
                    });
                  }}
                />
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
