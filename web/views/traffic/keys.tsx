import { useState } from 'preact/hooks';
import type { GatewayKey, GatewayStatus, NewGatewayKey } from '../../api/traffic-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatInstant } from '../../format.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Copyable } from '../../parts/copyable.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { workspaceName } from './figures.ts';

const path = 'api/v1/gateway/keys';
/** More than a page; the command line lists all. */
const shownAtOnce = 200;

/** Who may pass the gateway as whom. A key itself is shown once, when it is made. */
export function KeysPanel({ upstreams }: { upstreams: GatewayStatus['upstreams'] }) {
  const { value, problem, refresh } = useFollowed<Page<GatewayKey>>('keys', {
    load: (on) => api.get(`${path}?limit=${shownAtOnce}`, on),
    everyMs: () => 10_000,
  });
  const { act, refusal, busy } = useActing(refresh);
  const [made, setMade] = useState<GatewayKey & { key: string }>();
  return (
    <section class="panel" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <Refusal text={refusal} />
      <NewKey
        upstreams={upstreams}
        busy={busy}
        onMake={(wanted) => void act(async () => setMade(await api.post<GatewayKey & { key: string }>(path, wanted)))}
      />
      {made !== undefined && (
        <div class="made-key" role="status">
          <p>
            The key of {made.subject}. It is shown this once: only its digest is kept.{' '}
            <Action label="I have it" about="I have it: show the key no longer" onPress={() => setMade(undefined)} />
          </p>
          <Copyable name="Key" text={made.key} />
        </div>
      )}
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <Trouble text={problem} />
          {value.items.length === 0 ? (
            <p class="empty">There is none: callers pass with their own credentials.</p>
          ) : (
            <ul class="keys">
              {value.items.map((one) => (
                <Key
                  key={one.id}
                  of={one}
                  onRevoke={() => void act(() => api.delete(`${path}/${encodeURIComponent(one.id)}`))}
                />
              ))}
            </ul>
          )}
          {value.next_cursor !== null && (
            <p class="empty">
              The newest {shownAtOnce}; <code>ragwarden key list</code> shows all.
            </p>
          )}
        </>
      )}
    </section>
  );
}

function Key({ of, onRevoke }: { of: GatewayKey; onRevoke(): void }) {
  return (
    <li>
      <Word word={of.state === 'active' ? 'success' : 'cancelled'} text={of.state} />
      <span class="key-what" title={of.id}>
        {of.subject}
        {of.label !== '' && <span class="faint"> · {of.label}</span>}
      </span>
      <span class="faint">
        {of.target_id} · {of.workspace === null ? 'any workspace' : workspaceName(of.workspace)}
      </span>
      <span class="faint">
        used <Age at={of.last_used_at} none="never" />
        {of.expires_at !== null && `, until ${formatInstant(Date.parse(of.expires_at), nowMs.value)}`}
      </span>
      {of.state === 'active' && (
        <Confirm
          label="Revoke"
          about={`Revoke the key of ${of.subject}`}
          question="It passes no longer, and what it has under way ends."
          onConfirm={onRevoke}
        />
      )}
    </li>
  );
}

const days: Readonly<Record<string, number>> = { '30 days': 30, '90 days': 90, 'a year': 365 };

function NewKey(props: { upstreams: GatewayStatus['upstreams']; busy: boolean; onMake(wanted: NewGatewayKey): void }) {
  const { upstreams, busy } = props;
  const targets = [...new Set(upstreams.map((one) => one.target_id))];
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const said = new FormData(event.currentTarget);
    const of = (name: string): string => String(said.get(name) ?? '').trim();
    const place = upstreams[Number(of('place').slice(1))];
    const isOne = of('place').startsWith('=') && place !== undefined;
    const life = days[of('life')];
    props.onMake({
      name: of('name'),
      label: of('label'),
      target_id: isOne ? place.target_id : of('place'),
      workspace: isOne ? place.workspace : null,
      expires_at: life === undefined ? null : new Date(nowMs.peek() + life * 86_400_000).toISOString(),
    });
    event.currentTarget.reset();
  };
  return (
    <form class="new-key" onSubmit={submit}>
      <label>
        For
        <input
          name="name"
          required
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="search-app"
        />
      </label>
      <label>
        Opens
        <select name="place">
          {targets.map((target) => (
            <option key={target} value={target}>
              {target}, any workspace
            </option>
          ))}
          {upstreams.map((one, place) => (
            <option key={one.id} value={`=${place}`}>
              {one.target_id}, {workspaceName(one.workspace)}
            </option>
          ))}
        </select>
      </label>
      <label>
        Lasts
        <select name="life">
          <option>until revoked</option>
          {Object.keys(days).map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <label>
        Note
        <input name="label" autocomplete="off" />
      </label>
      <button type="submit" class="button" disabled={busy || targets.length === 0}>
        Make a key
      </button>
    </form>
  );
}
