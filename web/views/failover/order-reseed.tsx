import type { FailoverStatus, PlaceName } from '../../api/failover-wire.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { NamedConfirm } from '../../parts/named-confirm.tsx';
import { Action } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { api } from '../../state/session.ts';

/**
 * What filling the place that was left means, and nothing happens before the target was named.
 * @param props.place the one that was meant when it was asked for; what is confirmed is done there or not at all
 */
export function ReseedOrder(props: {
  place: PlaceName;
  status: FailoverStatus;
  onBegun(): Promise<void>;
  onLeave(): void;
}) {
  const { status, place: other } = props;
  const { target_id: target, active } = status;
  const { act, refusal } = useActing(async () => undefined);
  const folders = status.places.find(({ place }) => place === other)?.folders ?? [];
  if (other === active)
    return (
      <section class="panel" aria-labelledby="procedure-title">
        <div class="panel-head">
          <h2 id="procedure-title">Nothing to reseed at {other}</h2>
          <Action label="Leave it" about="Leave it: nothing has happened" onPress={props.onLeave} />
        </div>
        <p class="refusal" role="alert">
          {target} lives at {other} by now: it was led there while this was being asked. Nothing was done.
        </p>
      </section>
    );
  return (
    <section class="panel" aria-labelledby="procedure-title">
      <div class="panel-head">
        <h2 id="procedure-title">
          Reseed {other} from {active}
        </h2>
        <Action label="Leave it" about="Leave it: nothing has happened" onPress={props.onLeave} />
      </div>
      <Refusal text={refusal} />
      <section>
        <h3>What happens</h3>
        <ol class="steps">
          <li>
            A new point of {target} is taken where it lives, at {active}, and verified. {target} goes on answering.
          </li>
          <li>
            {other} is stopped, should anything run there. What lies in its folders is put aside below{' '}
            <code>.ragwarden/undo-…</code>.
          </li>
          <li>The point is brought there, every digest compared. {other} stays stopped and stands by.</li>
        </ol>
        {folders.map(({ component, path }) => (
          <p key={component} class="faint">
            {component}: <code>{path}</code>
          </p>
        ))}
      </section>
      <section class="consequences">
        <h3>What you agree to</h3>
        <ul>
          <li>
            What was written at {other} and is not at {active} is no longer in its folders; it is kept aside there.
          </li>
          <li>The gateway leads to {active} as before.</li>
        </ul>
      </section>
      <NamedConfirm
        name={target}
        toDo={`to replace what lies at ${other}`}
        label={`Reseed ${other}`}
        onConfirm={() =>
          act(async () => {
            await api.post('api/v1/recovery/reseed', { target, place: other, confirm: true });
            await props.onBegun();
          })
        }
      />
    </section>
  );
}
