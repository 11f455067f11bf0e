import { useState } from 'preact/hooks';
import { Refusal } from '../../parts/loaded.tsx';
import { useActing } from '../../state/acting.ts';
import { api } from '../../state/session.ts';
import { bodyOf, isPlaceKind, isSecretName, type NewPlace, type PlaceKind, placeKinds } from './figures.ts';

const nothing: NewPlace = {
  ...{ kind: 'folder', name: '', where: '', zone: '', offline: false, limitKiB: '', atOnce: '', secrets: {} },
};

/** A place is told with its credentials; those are taken once, sealed, and never shown again. */
export function NewPlaceForm({ onChanged }: { onChanged(): Promise<unknown> }) {
  const [typed, setTyped] = useState(nothing);
  const [said, setSaid] = useState('');
  const { act, refusal, busy } = useActing(onChanged);
  const set = (change: Partial<NewPlace>): void => setTyped({ ...typed, ...change });
  const { credentials, placeholder } = placeKinds[typed.kind];
  const add = (): Promise<void> =>
    act(async () => {
      setSaid('');
      await api.post('api/v1/backup-replication/replication/targets', bodyOf(typed));
      setSaid(`${typed.name} is registered. What is missing there is copied now.`);
      setTyped({ ...nothing, kind: typed.kind });
    });
  return (
    <details class="new-place">
      <summary>Add a place</summary>
      <form
        class="new-key"
        aria-label="Add a place"
        autocomplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <label>
          Kind
          <select value={typed.kind} onChange={(event) => set({ kind: kindOf(event.currentTarget.value) })}>
            {Object.entries(placeKinds).map(([kind, { says }]) => (
              <option key={kind} value={kind}>
                {says}
              </option>
            ))}
          </select>
        </label>
        <Field name="Name" value={typed.name} onInput={(name) => set({ name })} required />
        <Field
          name={typed.kind === 'ragwarden' ? 'Address' : 'Location'}
          value={typed.where}
          placeholder={placeholder}
          onInput={(where) => set({ where })}
          required
        />
        <Field name="Zone" value={typed.zone} placeholder="what falls out together" onInput={(zone) => set({ zone })} />
        <Field
          name="Limit, KiB/s"
          value={typed.limitKiB}
          placeholder="as the setting says"
          inputMode="numeric"
          onInput={(limitKiB) => set({ limitKiB: limitKiB.replaceAll(/\D/g, '') })}
        />
        <Field
          name="Places at once"
          value={typed.atOnce}
          placeholder="as the setting says; 1: alone"
          inputMode="numeric"
          onInput={(atOnce) => set({ atOnce: atOnce.replaceAll(/\D/g, '') })}
        />
        {credentials.map((name) => (
          <Field
            key={name}
            name={name}
            type={isSecretName(name) ? 'password' : 'text'}
            value={typed.secrets[name] ?? ''}
            onInput={(value) => set({ secrets: { ...typed.secrets, [name]: value } })}
          />
        ))}
        <label class="tick-box">
          <input
            type="checkbox"
            checked={typed.offline}
            onChange={(event) => set({ offline: event.currentTarget.checked })}
          />
          usually not attached
        </label>
        <button type="submit" class="button is-main" disabled={busy}>
          Add
        </button>
      </form>
      {credentials.length > 0 && (
        <p class="faint">
          Credentials are taken once, kept sealed, and never shown; leave empty what it does not need.
        </p>
      )}
      <Refusal text={refusal} />
      <p role="status" class="faint">
        {said}
      </p>
    </details>
  );
}

const kindOf = (value: string): PlaceKind => (isPlaceKind(value) ? value : 'folder');

function Field(props: {
  name: string;
  value: string;
  placeholder?: string;
  type?: 'text' | 'password';
  inputMode?: 'numeric';
  required?: boolean;
  onInput(value: string): void;
}) {
  return (
    <label>
      {props.name}
      <input
        type={props.type ?? 'text'}
        value={props.value}
        placeholder={props.placeholder}
        inputMode={props.inputMode}
        required={props.required}
        autocomplete={props.type === 'password' ? 'new-password' : 'off'}
        autocapitalize="none"
        spellcheck={false}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
    </label>
  );
}
