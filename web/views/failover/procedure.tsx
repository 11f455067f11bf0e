import type { Checkpoint, Failover, FailoverStatus, PlaceName } from '../../api/failover-wire.ts';
import { formatBytes, formatCount, formatSeconds, plural } from '../../format.ts';
import { type Level, Mark, Word } from '../../parts/mark.tsx';
import { Action, Age, Fact } from '../../parts/text.tsx';
import { cancelOperation } from '../../state/actions.ts';
import { nowMs, operations } from '../../state/page-state.ts';
import { FailoverOrder } from './order-failover.tsx';
import { ReseedOrder } from './order-reseed.tsx';
import { stepsOf, timesOf, tookOf, wayOf, whereItIs } from './wording.ts';

/** What somebody is about to begin; a reseed of one place never becomes one of the other. */
export type Order =
  | { readonly kind: 'failover'; readonly checkpoint?: Checkpoint }
  | { readonly kind: 'reseed'; readonly place: PlaceName };

/** One thing at a time: what runs, else what is about to be confirmed, else how the last one ended. */
export function ProcedurePanel(props: {
  status: FailoverStatus;
  order: Order | undefined;
  onOrder(order: Order | undefined): void;
  onChanged(): Promise<unknown>;
}) {
  const { status, order } = props;
  const { running, last } = status;
  const leave = (): void => props.onOrder(undefined);
  const begun = async (): Promise<void> => {
    await props.onChanged();
    leave();
  };
  if (running !== null) return <Running one={running} />;
  if (order !== undefined && status.possible)
    return order.kind === 'reseed' ? (
      <ReseedOrder key={order.place} place={order.place} status={status} onBegun={begun} onLeave={leave} />
    ) : (
      <FailoverOrder
        key={order.checkpoint?.checkpoint_id}
        status={status}
        checkpoint={order.checkpoint}
        onBegun={begun}
        onLeave={leave}
      />
    );
  return last === null ? null : (
    <Ended one={last} onReseed={() => props.onOrder({ kind: 'reseed', place: last.from })} status={status} />
  );
}

const titles = { failover: 'Failover', reseed: 'Reseed' } as const;

function Running({ one }: { one: Failover }) {
  const operation = operations.value.value?.items.find(({ id }) => id === one.operation_id);
  const mayCancel = operation?.allowed_actions.includes('cancel') === true;
  return (
    <section class="panel" aria-labelledby="procedure-title">
      <div class="panel-head">
        <h2 id="procedure-title">
          {titles[one.kind]} under way: {wayOf(one)}
        </h2>
        <Action
          label="Cancel"
          about={`Cancel the ${one.kind}: everything goes back as far as it can`}
          why={
            mayCancel ? undefined : operation === undefined ? 'Not known yet.' : 'It is past the point of no return.'
          }
          onPress={() => void cancelOperation(one.operation_id ?? '')}
        />
      </div>
      <p role="status">
        <strong>{whereItIs(one)}</strong>
      </p>
      <progress aria-label={whereItIs(one)} />
      <Steps one={one} />
      <p class="faint">
        for {tookOf(one, nowMs.value)} · begun by {one.requested_by}
        {one.lives > 1 && ` · goes on for the ${one.lives}. time, after ragwarden ended in between`}
        {one.forced && ' · by force'}
      </p>
      <Notes notes={one.notes} />
    </section>
  );
}

const marks: Readonly<Record<ReturnType<typeof stepsOf>[number]['state'], { level: Level; says: string }>> = {
  done: { level: 'good', says: 'done' },
  now: { level: 'note', says: 'under way' },
  ahead: { level: 'none', says: 'ahead' },
  stopped: { level: 'bad', says: 'not ended' },
};

/** The phases in their order, with the time of each. */
export function Steps({ one }: { one: Failover }) {
  return (
    <ol class="phase-steps" aria-label="Phases">
      {stepsOf(one, nowMs.value).map((step) => (
        <li key={step.name} class={`is-${step.state}`} aria-current={step.state === 'now' ? 'step' : undefined}>
          <Mark level={marks[step.state].level} />
          <span>
            <strong>{step.name}</strong> <span class="faint">{step.means}</span>
          </span>
          <span class="number">
            {step.seconds === undefined ? (
              <span class="faint">{marks[step.state].says}</span>
            ) : (
              <>
                <span class="visually-hidden">{marks[step.state].says}, </span>
                {formatSeconds(step.seconds)}
              </>
            )}
          </span>
        </li>
      ))}
    </ol>
  );
}

function Ended({ one, status, onReseed }: { one: Failover; status: FailoverStatus; onReseed(): void }) {
  const left = one.kind === 'failover' && one.state !== 'failed' && status.seeded === null;
  return (
    <section class="panel" aria-labelledby="procedure-title">
      <div class="panel-head">
        <h2 id="procedure-title">
          Last {one.kind}: {wayOf(one)}
        </h2>
        <Word word={one.state} />
        <span class="seen">
          <Age at={one.finished_at} />
        </span>
      </div>
      <p class={one.state === 'failed' ? 'refusal' : 'outcome'} role="status">
        {one.outcome}
      </p>
      <Facts one={one} />
      <p class="faint">
        {timesOf(one)} · begun by {one.requested_by}
        {one.forced && ' · by force'}
      </p>
      <Notes notes={one.notes} />
      {left && status.allowed.includes('reseed') && (
        <p class="carry-out">
          <Action label={`Reseed ${one.from} now`} onPress={onReseed} />
          <span class="faint">
            As long as {one.from} is not filled again, there is nowhere to go back to without bringing everything.
          </span>
        </p>
      )}
    </section>
  );
}

/** What is known of one that ran: only that. */
export function Facts({ one }: { one: Failover }) {
  const { documents, canary } = one;
  return (
    <dl class="facts">
      {one.answered_after_seconds !== null && (
        <Fact name="Answered after">{formatSeconds(one.answered_after_seconds)}</Fact>
      )}
      {one.backup_id !== null && (
        <Fact name="Point">
          <code>{one.backup_id}</code>
          {one.source !== null && one.source !== 'own' && <span class="faint"> from {one.source}</span>}
          {one.taken_at !== null && (
            <span class="faint">
              {' '}
              · taken <Age at={one.taken_at} />
            </span>
          )}
        </Fact>
      )}
      {one.size_bytes !== null && <Fact name="Size">{formatBytes(one.size_bytes)}</Fact>}
      {one.lost_seconds !== null && (
        <Fact name="Lost">what was written in {plural(Math.ceil(one.lost_seconds / 60), 'minute')}</Fact>
      )}
      {documents !== null && (
        <Fact name="Documents">
          {documents.found === null ? 'not counted' : formatCount(documents.found)}
          {documents.expected !== null && ` of ${formatCount(documents.expected)}`}
        </Fact>
      )}
      {canary !== null && (
        <Fact name="Canary">
          {canary.verdict === 'not-asked' ? 'not asked' : <Word word={canary.verdict} />}
          {canary.message !== null && <span class="faint"> {canary.message}</span>}
        </Fact>
      )}
    </dl>
  );
}

export function Notes({ notes }: { notes: readonly string[] }) {
  return notes.length === 0 ? null : (
    <ul class="notes" aria-label="Noted">
      {notes.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}
