import { useState } from 'preact/hooks';
import type { ActiveAlerts, Alert, AlertRule } from '../../api/alert-wire.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { matchersOf, shownLabels, shownValue } from './wording.ts';

const root = 'api/v1/metrics/alerts';

/** What fires and what is about to, the gravest first, and telling others that somebody looks after it. */
export function ActivePanel(props: { rules: readonly AlertRule[]; onSilence(matchers: string): void }) {
  const { value, problem, refresh } = useFollowed<ActiveAlerts>('active alerts', {
    load: (on) => api.get(`${root}/active`, on),
    everyMs: () => 5_000,
  });
  const { act, refusal, busy } = useActing(refresh);
  const runbooks = new Map(props.rules.map((one) => [one.name, one.runbook_url]));
  return (
    <section class="panel" aria-labelledby="active-title">
      <div class="panel-head">
        <h2 id="active-title">Alerts</h2>
        {value !== undefined && (
          <span class="seen">
            {value.firing} firing, {value.pending} pending; evaluated <Age at={value.evaluated_at} none="not yet" />
          </span>
        )}
      </div>
      <Refusal text={refusal} />
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : value.items.length === 0 ? (
        <p class="empty">Nothing fires, and nothing is pending.</p>
      ) : (
        value.items.map((one) => (
          <Active
            key={one.alert_id}
            of={one}
            runbook={runbooks.get(one.rule_name)}
            busy={busy}
            onSilence={() => props.onSilence(matchersOf(one))}
            onAcknowledge={(note) =>
              void act(() =>
                api.post(`${root}/${encodeURIComponent(one.alert_id)}/acknowledge`, note === '' ? {} : { note }),
              )
            }
          />
        ))
      )}
    </section>
  );
}

const words: Readonly<Record<Alert['state'], string>> = {
  pending: 'pending',
  active: 'firing',
  acknowledged: 'acknowledged',
  suppressed: 'silenced',
  resolved: 'resolved',
};

function Active(props: {
  of: Alert;
  runbook: string | undefined;
  busy: boolean;
  onSilence(): void;
  onAcknowledge(note: string): void;
}) {
  const { of, runbook, busy } = props;
  const [noting, setNoting] = useState(false);
  const isPending = of.state === 'pending';
  const about = `${of.rule_name} ${shownLabels(of.labels)}`.trim();
  return (
    <article class="alert" aria-label={about}>
      <header class="target-head">
        <h3>{of.rule_name}</h3>
        <Word
          word={isPending ? 'pending' : of.severity}
          text={`${of.severity}, ${words[of.state]}${of.flapping ? ', comes and goes' : ''}`}
        />
        <span class="seen">
          since <Age at={of.triggered_at ?? of.pending_at} />
        </span>
      </header>
      <p>{of.message}</p>
      <p class="faint">
        now {shownValue(of.current_value)}, worst {shownValue(of.worst_value)}
        {Object.keys(of.labels).length > 0 && <> · {shownLabels(of.labels)}</>}
      </p>
      {of.acknowledged_at !== null && (
        <p class="faint">
          {of.acknowledged_by} looks after it since <Age at={of.acknowledged_at} />
          {of.acknowledged_note !== null && `: ${of.acknowledged_note}`}
        </p>
      )}
      {of.action !== null && (
        <p class="faint">
          {of.action.kind}, {of.action.state}: {of.action.detail}
        </p>
      )}
      {runbook !== undefined && (
        <p class="faint">
          What to do: <Runbook at={runbook} />
        </p>
      )}
      {!isPending && !noting && (
        <p class="alert-acts">
          {of.acknowledged_at === null && (
            <Action label="Acknowledge" about={`Acknowledge ${about}`} onPress={() => setNoting(true)} />
          )}
          {of.state !== 'suppressed' && (
            <Action label="Silence" about={`Fill in a silence of ${about}`} onPress={props.onSilence} />
          )}
        </p>
      )}
      {noting && (
        <form
          class="new-key"
          aria-label={`Acknowledge ${about}`}
          onSubmit={(event) => {
            event.preventDefault();
            if (!(event.currentTarget instanceof HTMLFormElement)) return;
            props.onAcknowledge(String(new FormData(event.currentTarget).get('note') ?? '').trim());
            setNoting(false);
          }}
        >
          <label>
            Note, for those who see it too
            <input name="note" maxlength={1000} autocomplete="off" placeholder="on it" />
          </label>
          <button type="submit" class="button is-main" disabled={busy}>
            Acknowledge
          </button>
          <Action label="Keep" about="Keep it as it is" onPress={() => setNoting(false)} />
        </form>
      )}
    </article>
  );
}

/** Those that come along are pages of the documentation, which is where ragwarden was unpacked. */
export function Runbook({ at }: { at: string }) {
  return /^https?:\/\//.test(at) ? (
    <a href={at} target="_blank" rel="noopener noreferrer">
      {at}
    </a>
  ) : (
    <code>{at}</code>
  );
}
