import { useId, useState } from 'preact/hooks';

/** For what replaces or stops something: its name has to be typed, so that nobody does it to another one by habit. */
export function NamedConfirm(props: {
  /** What has to be typed. */
  name: string;
  /** Goes on after it: `to replace its data`. */
  toDo: string;
  label: string;
  /** Why it cannot be done at all as things stand. */
  blocked?: string | undefined;
  /** Said once nothing is in the way. */
  ready?: string;
  onConfirm(): Promise<unknown>;
}) {
  const { name, blocked } = props;
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const id = useId();
  const why = blocked ?? (typed !== name ? `Type ${name} first.` : busy ? 'It is beginning.' : undefined);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (why !== undefined) return;
    setBusy(true);
    void props.onConfirm().finally(() => setBusy(false));
  };
  return (
    <form class="confirm" onSubmit={submit}>
      <label for={id}>
        Type <code>{name}</code> {props.toDo}
      </label>
      <div class="confirm-row">
        <input
          id={id}
          value={typed}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          disabled={blocked !== undefined}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="submit" class="button is-danger" disabled={why !== undefined} title={why}>
          {props.label}
        </button>
      </div>
      <p class="why" role="status">
        {why ?? props.ready ?? 'It is done as the steps above say, and only so.'}
      </p>
    </form>
  );
}
