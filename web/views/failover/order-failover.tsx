import { useEffect, useState } from 'preact/hooks';
import { ApiError, messageOf } from '../../api/client.ts';
import type { Checkpoint, FailoverPlan, FailoverStatus } from '../../api/failover-wire.ts';
import { formatBytes, formatExact } from '../../format.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { NamedConfirm } from '../../parts/named-confirm.tsx';
import { Action, Age, Fact, Sentence, Unknown } from '../../parts/text.tsx';
import { nowMs, objectives } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { consequencesOf, lostOf, mayForce } from './wording.ts';

const root = 'api/v1/recovery/failover';

/** The plan is made and shown, what it means is said, and nothing happens before the target was named. */
export function FailoverOrder(props: {
  status: FailoverStatus;
  checkpoint: Checkpoint | undefined;
  onBegun(): Promise<void>;
  onLeave(): void;
}) {
  const { status, checkpoint } = props;
  const { target_id: target } = status;
  const pointId = checkpoint?.points.find((one) => one.target_id === target)?.backup_id;
  const [plan, setPlan] = useState<FailoverPlan>();
  const [problem, setProblem] = useState<string>();
  const [refused, setRefused] = useState<string>();
  const [force, setForce] = useState(false);
  const [round, setRound] = useState(0);

  useEffect(() => {
    let isWanted = true;
    api
      .post<FailoverPlan>(`${root}/plan`, { target, ...(pointId === undefined ? {} : { backup_id: pointId }) })
      .then((made) => {
        if (isWanted) setPlan(made);
      })
      .catch((err: unknown) => {
        if (isWanted) setProblem(messageOf(err));
      });
    return () => {
      isWanted = false;
    };
  }, [target, pointId, round]);

  const anew = (): void => {
    setPlan(undefined);
    setProblem(undefined);
    setRound(round + 1);
  };
  const begin = async ({ plan_id }: FailoverPlan): Promise<void> => {
    setProblem(undefined);
    const order = { plan_id, confirm: true, ...(force ? { force: true } : {}) };
    try {
      await (checkpoint === undefined
        ? api.post(root, { target, ...order })
        : api.post(
            `api/v1/backup-replication/recovery/checkpoints/${encodeURIComponent(checkpoint.checkpoint_id)}/failover`,
            order,
          ));
      await props.onBegun();
    } catch (err) {
      if (err instanceof ApiError && err.code === 'restore/plan-changed') anew();
      else if (err instanceof ApiError && err.code === 'conflict/state') setRefused(err.message);
      setProblem(messageOf(err));
    }
  };
  const rto = objectives.value.value?.items.find((one) => one.target_id === target)?.rto.measured_seconds ?? null;
  return (
    <section class="panel" aria-labelledby="procedure-title">
      <div class="panel-head">
        <h2 id="procedure-title">
          Plan of a failover
          {checkpoint !== undefined && ` to the checkpoint ${checkpoint.description || checkpoint.checkpoint_id}`}
        </h2>
        <Action
          label="Make the plan again"
          why={plan === undefined && problem === undefined ? 'It is being made.' : undefined}
          onPress={anew}
        />
        <Action label="Leave it" about="Leave it: nothing has happened" onPress={props.onLeave} />
      </div>
      <Refusal text={problem} />
      {plan === undefined ? (
        problem === undefined && (
          <p role="status">
            <Unknown text="The plan is being made: places are asked, the point is looked for." />
          </p>
        )
      ) : (
        <>
          <Plan plan={plan} />
          <section class="consequences">
            <h3>What you agree to</h3>
            <ul>
              {consequencesOf(plan, rto).map((one) => (
                <li key={one}>{one}</li>
              ))}
            </ul>
          </section>
          {mayForce(status.last, refused) && <Force on={force} onChange={setForce} from={plan.from.place} />}
          <NamedConfirm
            key={`${plan.plan_id} ${round}`}
            name={target}
            toDo={`to bring it up at ${plan.to.place}`}
            label={force ? `Fail over to ${plan.to.place} by force` : `Fail over to ${plan.to.place}`}
            blocked={plan.blockers.length > 0 ? 'It cannot be carried out as things stand.' : undefined}
            onConfirm={() => begin(plan)}
          />
        </>
      )}
    </section>
  );
}

function Force({ on, from, onChange }: { on: boolean; from: string; onChange(on: boolean): void }) {
  return (
    <section class="refusal">
      <label class="tick-box">
        <input type="checkbox" checked={on} onChange={(event) => onChange(event.currentTarget.checked)} />
        <strong>Force it</strong>
      </label>
      <p>
        It goes on although {from} cannot be stopped, the canary fails, the documents are not as many, or nobody
        validated the checkpoint. If {from} is still alive, two backends may write, and what is written at {from} is
        lost: make sure first that nobody reaches it but through the gateway.
      </p>
    </section>
  );
}

function Plan({ plan }: { plan: FailoverPlan }) {
  const lost = lostOf(plan, nowMs.value);
  // What is lost has a section of its own.
  const warnings = plan.warnings.filter((one) => !/^what was written in the (minute|\d+ minutes) since/.test(one));
  return (
    <div class="plan">
      {plan.blockers.length > 0 && (
        <section class="refusal">
          <h3>In the way</h3>
          <ul>
            {plan.blockers.map((one) => (
              <li key={one}>
                <Sentence text={one} />
              </li>
            ))}
          </ul>
          <p>Mend that and make the plan again. What to do step by step: docs/runbooks/zone-lost.md.</p>
        </section>
      )}
      <dl class="facts">
        <Fact name="From">
          <strong>{plan.from.place}</strong>{' '}
          {plan.from.answers === null ? (
            <Word word="offline" text="does not answer" />
          ) : (
            <Word word="healthy" text="alive" />
          )}
          {plan.from.answers !== null && <span class="faint"> {plan.from.answers}</span>}
        </Fact>
        <Fact name="To">
          <strong>{plan.to.place}</strong> <code>{plan.to.url}</code>
          {plan.to.zone !== null && <span class="faint"> · zone {plan.to.zone}</span>}
        </Fact>
        <Fact name="Point">
          {plan.backup_id === null ? (
            <Unknown text="there is none" />
          ) : (
            <>
              <code>{plan.backup_id}</code>{' '}
              <span class="faint">
                taken <Age at={plan.taken_at} />
                {plan.size_bytes !== null && `, ${formatBytes(plan.size_bytes)}`}
              </span>
            </>
          )}
        </Fact>
        <Fact name="It lies">
          {plan.sources.length === 0 ? (
            <Unknown text="nowhere that can be reached" />
          ) : (
            <ol class="holders">
              {plan.sources.map(({ id, title }) => (
                <li key={id}>{title}</li>
              ))}
            </ol>
          )}
        </Fact>
      </dl>
      {lost.length > 0 && (
        <section class="lost is-some">
          <h3>What is lost</h3>
          {lost.map((one) => (
            <p key={one}>{one}</p>
          ))}
          <p class="faint">
            Only what came after {plan.taken_at === null ? '' : formatExact(Date.parse(plan.taken_at))}.
            {plan.from.answers !== null && ' It is still alive: take a point first, and make the plan again.'}
          </p>
        </section>
      )}
      {warnings.length > 0 && (
        <ul class="warnings">
          {warnings.map((one) => (
            <li key={one}>
              <Word word="warning" />
              <span>
                <Sentence text={one} />
              </span>
            </li>
          ))}
        </ul>
      )}
      <section>
        <h3>What happens</h3>
        <ol class="steps">
          {plan.steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
        {plan.left_alone.map(({ component, reason }) => (
          <p key={component} class="faint">
            {component} is left alone: {reason}.
          </p>
        ))}
      </section>
    </div>
  );
}
