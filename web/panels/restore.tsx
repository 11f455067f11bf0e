import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, messageOf } from '../api/client.ts';
import type { Operation, RestorePlan } from '../api/wire.ts';
import { formatExact } from '../format.ts';
import { Word } from '../parts/mark.tsx';
import { Action, Unknown } from '../parts/text.tsx';
import { planRestore, startRestore } from '../state/actions.ts';
import { operations } from '../state/page-state.ts';
import { changeUrl, urlState } from '../state/url.ts';
import { Plan } from './plan.tsx';
import { Progress } from './work.tsx';

export function RestoreDialog() {
  const { restore } = urlState.value;
  return restore === undefined ? null : <Dialog key={restore} pointId={restore} />;
}

const close = (): void => changeUrl({ restore: undefined });

/** The plan first; nothing happens before the target's name was typed. */
function Dialog({ pointId }: { pointId: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [plan, setPlan] = useState<RestorePlan | undefined>(undefined);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const [started, setStarted] = useState<Operation | undefined>(undefined);

  const load = (): void => {
    planRestore(pointId)
      .then(setPlan)
      .catch((err: unknown) => setProblem(messageOf(err)));
  };
  useEffect(() => {
    dialog.current?.showModal();
    load();
  }, []);

  const carryOut = async (shown: RestorePlan): Promise<void> => {
    setProblem(undefined);
    try {
      setStarted(await startRestore(shown));
    } catch (err) {
      setProblem(messageOf(err));
      if (err instanceof ApiError && err.code === 'restore/plan-changed') load();
    }
  };

  const isWorking = started !== undefined;
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="restore-title" onClose={close}>
      <header class="dialog-head">
        <h2 id="restore-title">{plan ? `Restore ${plan.target_id}` : 'Restore'}</h2>
        <Action label="Close" onPress={() => dialog.current?.close()} />
      </header>
      <p class="faint">
        <code>{pointId}</code>
        {plan && <> · how things stood at {formatExact(Date.parse(plan.taken_at))}</>}
      </p>
      {problem !== undefined && (
        <p class="refusal" role="alert">
          {problem}
        </p>
      )}
      {plan === undefined && problem === undefined && (
        <p role="status">
          <Unknown text="The plan is being made: the folders and the point are read." />
        </p>
      )}
      {plan && !isWorking && (
        <>
          <Plan plan={plan} />
          <Confirm key={plan.plan_id} plan={plan} onConfirm={() => carryOut(plan)} />
        </>
      )}
      {started && <Carried started={started} />}
    </dialog>
  );
}

function Confirm({ plan, onConfirm }: { plan: RestorePlan; onConfirm(): Promise<void> }) {
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const why =
    plan.blockers.length > 0
      ? 'It cannot be carried out as things stand.'
      : typed === plan.target_id
        ? busy
          ? 'It is beginning.'
          : undefined
        : `Type ${plan.target_id} first.`;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (why !== undefined) return;
    setBusy(true);
    void onConfirm().finally(() => setBusy(false));
  };
  return (
    <form class="confirm" onSubmit={submit}>
      <label for="confirm-target">
        Type <code>{plan.target_id}</code> to replace its data
      </label>
      <div class="confirm-row">
        <input
          id="confirm-target"
          value={typed}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          disabled={plan.blockers.length > 0}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="submit" class="button is-danger" disabled={why !== undefined} title={why}>
          Restore
        </button>
      </div>
      <p class="why" role="status">
        {why ?? 'A safety point of the present state is taken first.'}
      </p>
    </form>
  );
}

/** Follows the restore in the list that is asked for anyway; closing the dialog does not end it. */
function Carried({ started }: { started: Operation }) {
  const now = operations.value.value?.items.find((one) => one.id === started.id) ?? started;
  if (now.state === 'running')
    return (
      <>
        <Progress operation={now} />
        <p class="faint">It goes on when this is closed.</p>
      </>
    );
  return (
    <div role="status" class="carried">
      <Word word={now.state} text={now.state === 'succeeded' ? 'Restored' : now.state} />
      <p>{now.error?.detail ?? 'The backend runs again, and what it holds was checked.'}</p>
    </div>
  );
}
