import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, messageOf } from '../api/client.ts';
import type { PointContents } from '../api/recovery-wire.ts';
import type { RestorePlan } from '../api/wire.ts';
import { formatExact } from '../format.ts';
import { NamedConfirm } from '../parts/named-confirm.tsx';
import { Action, Unknown } from '../parts/text.tsx';
import { planRestore, startRestore } from '../state/actions.ts';
import { useAsked } from '../state/asked.ts';
import { requestOf, whyNoPlan } from '../state/restore-choice.ts';
import { changeUrl, closedRestore, urlState } from '../state/url.ts';
import { Plan } from './plan.tsx';
import { Choice } from './restore-choice.tsx';
import { Carried } from './restore-result.tsx';

export function RestoreDialog() {
  const { restore } = urlState.value;
  return restore === undefined ? null : <Dialog key={restore} pointId={restore} />;
}

/** What and where to, then the plan of exactly that, then the target's name: nothing happens before it was typed. */
function Dialog({ pointId }: { pointId: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { operation } = urlState.value;
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="restore-title" onClose={() => changeUrl(closedRestore)}>
      <header class="dialog-head">
        <h2 id="restore-title">Restore</h2>
        <Action label="Close" onPress={() => dialog.current?.close()} />
      </header>
      <p class="faint">
        <code>{pointId}</code>
      </p>
      {operation === undefined ? <Wizard pointId={pointId} /> : <Carried operationId={operation} />}
    </dialog>
  );
}

/** A plan, and the choice that it is the plan of. */
type Shown = { readonly plan: RestorePlan; readonly asked: string };

function Wizard({ pointId }: { pointId: string }) {
  const { choice } = urlState.value;
  const contents = useAsked<PointContents>(`api/v1/backup/points/${encodeURIComponent(pointId)}/contents`);
  const [shown, setShown] = useState<Shown | undefined>(undefined);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const [round, setRound] = useState(0);
  const request = requestOf(choice);
  const asked = JSON.stringify(request);
  const notYet = whyNoPlan(choice);

  useEffect(() => {
    if (notYet !== undefined) return undefined;
    let isWanted = true;
    planRestore(pointId, request)
      .then((plan) => {
        if (isWanted) setShown({ plan, asked });
      })
      .catch((err: unknown) => {
        if (!isWanted) return;
        setShown(undefined);
        setProblem(messageOf(err));
      });
    return () => {
      isWanted = false;
      setProblem(undefined);
    };
  }, [asked, notYet, round]);

  const carryOut = async (plan: RestorePlan): Promise<void> => {
    setProblem(undefined);
    try {
      const { id } = await startRestore(plan, request);
      changeUrl({ operation: id }, { replace: true });
    } catch (err) {
      if (err instanceof ApiError && err.code === 'restore/plan-changed') {
        setShown(undefined);
        setRound(round + 1);
      }
      setProblem(messageOf(err));
    }
  };

  const isCurrent = shown !== undefined && shown.asked === asked && notYet === undefined;
  return (
    <>
      <Choice contents={contents} choice={choice} onChange={(next) => changeUrl({ choice: next }, { replace: true })} />
      {problem !== undefined && (
        <p class="refusal" role="alert">
          {problem}
        </p>
      )}
      {!isCurrent && problem === undefined && (
        <p role="status" class="plan-state">
          <Unknown text={notYet ?? 'The plan is being made: the folders and the point are read.'} />
        </p>
      )}
      {isCurrent && (
        <>
          <p class="faint">How things stood at {formatExact(Date.parse(shown.plan.taken_at))}</p>
          <Plan plan={shown.plan} />
          <Confirm key={`${shown.plan.plan_id} ${round}`} plan={shown.plan} onConfirm={() => carryOut(shown.plan)} />
        </>
      )}
    </>
  );
}

function Confirm({ plan, onConfirm }: { plan: RestorePlan; onConfirm(): Promise<void> }) {
  const isApart = plan.scope.aside || plan.scope.as_workspace !== null;
  return (
    <NamedConfirm
      name={plan.target_id}
      toDo={isApart ? 'to write this beside its data' : 'to replace its data'}
      label="Restore"
      blocked={plan.blockers.length > 0 ? 'It cannot be carried out as things stand.' : undefined}
      ready={isApart ? 'What lives stays as it is.' : 'It is done as the steps above say, and only so.'}
      onConfirm={onConfirm}
    />
  );
}
