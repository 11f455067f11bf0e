import type { FailoverStatus, Place } from '../../api/failover-wire.ts';
import { formatDuration, formatSeconds } from '../../format.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Fact, Sentence, Unknown } from '../../parts/text.tsx';
import type { Asked } from '../../state/asked.ts';
import { objectives, targets } from '../../state/page-state.ts';
import type { Order } from './procedure.tsx';

/** Where the target lives, where else it could, what that would cost, and the buttons that begin. */
export function PlacesPanel(props: { asked: Asked<FailoverStatus>; targetId: string; onOrder(order: Order): void }) {
  return (
    <section class="panel" aria-labelledby="places-title">
      <h2 id="places-title">Where {props.targetId} lives</h2>
      <Loaded asked={props.asked}>{(status) => <Places status={status} onOrder={props.onOrder} />}</Loaded>
    </section>
  );
}

function Places({ status, onOrder }: { status: FailoverStatus; onOrder(order: Order): void }) {
  const { active, running, allowed, seeded } = status;
  const other = active === 'home' ? 'standby' : 'home';
  const may = (what: 'failover' | 'reseed'): string | undefined =>
    allowed.includes(what) ? undefined : running ? `A ${running.kind} is under way.` : 'There is no second place.';
  return (
    <>
      <div class="places">
        {status.places.map((place) => (
          <OnePlace key={place.place} place={place} status={status} />
        ))}
      </div>
      {status.possible ? (
        <>
          <Objectives targetId={status.target_id} last={status.last} />
          <p class="carry-out">
            <Action
              label="Plan failover"
              kind="main"
              about={`Plan failover to ${other}: nothing happens yet`}
              why={may('failover')}
              onPress={() => onOrder({ kind: 'failover' })}
            />
            <Action
              label={`Reseed ${other}`}
              about={`Reseed ${other} with a new point of ${active}: asks first`}
              why={may('reseed')}
              onPress={() => onOrder({ kind: 'reseed', place: other })}
            />
            <span class="faint">
              {seeded === null
                ? `What lies at ${other} is not known to be of today; a failover brings it what it needs.`
                : `${other} is filled and stands by: a failover there is quicker.`}
            </span>
          </p>
        </>
      ) : (
        <p class="empty">
          <Sentence
            text={
              status.reason ??
              'There is no second place to fail over to. Describe one in `target.standby` of the settings file (its address, folders, and how it is started and stopped), then restart: docs/failover.md.'
            }
          />
        </p>
      )}
    </>
  );
}

function OnePlace({ place, status }: { place: Place; status: FailoverStatus }) {
  const target = targets.value.value?.items.find(({ id }) => id === status.target_id);
  const { seeded } = status;
  return (
    <article class={place.active ? 'place is-active' : 'place'} aria-label={`Place ${place.place}`}>
      <h3>
        {place.place}{' '}
        {place.active ? (
          <Word word="info" text="lives here" />
        ) : (
          <span class="faint">{seeded?.place === place.place ? 'stands by' : 'does not live here'}</span>
        )}
      </h3>
      <dl class="facts">
        <Fact name="State">
          {place.active ? (
            target === undefined ? (
              <Unknown />
            ) : (
              <>
                <Word word={target.status} />{' '}
                <span class="faint">
                  looked at <Age at={target.observed_at} none="never" />
                </span>
              </>
            )
          ) : seeded?.place === place.place ? (
            <>
              holds <code>{seeded.backup_id}</code>, since <Age at={seeded.at} />
            </>
          ) : (
            <Unknown text="not looked at while nobody lives there" />
          )}
        </Fact>
        <Fact name="Address">
          {place.url === null ? <Unknown text="none" /> : <code>{place.url}</code>}
          {place.zone !== null && <span class="faint"> · zone {place.zone}</span>}
        </Fact>
        <Fact name="Started">
          <Sentence text={place.start} />
          {!place.automatic && <span class="faint"> · by you; ragwarden waits</span>}
        </Fact>
        <Fact name="Folders">
          {place.folders.map(({ component, path }) => (
            <span key={component} class="path">
              {component}: <code>{path}</code>
            </span>
          ))}
          {place.shared.length > 0 && <span class="faint">shared: {place.shared.join(', ')}</span>}
        </Fact>
      </dl>
    </article>
  );
}

/** What a failover would lose and take, against what was promised. */
function Objectives({ targetId, last }: { targetId: string; last: FailoverStatus['last'] }) {
  const found = objectives.value.value?.items.find((one) => one.target_id === targetId);
  const problem = objectives.problem.value;
  const answered = last?.kind === 'failover' ? last.answered_after_seconds : null;
  return (
    <dl class="facts">
      <Fact name="Loss now (RPO)">
        {found === undefined ? (
          <Unknown {...(problem === undefined ? {} : { text: problem })} />
        ) : (
          <>
            {found.rpo.measured_seconds === null ? (
              <Unknown text="there is no verified point" />
            ) : (
              <strong>{formatDuration(found.rpo.measured_seconds)}</strong>
            )}{' '}
            <Word word={found.rpo.met ? 'healthy' : 'degraded'} text={found.rpo.met ? 'met' : 'missed'} />
            <span class="faint"> · accepted {formatDuration(found.rpo.objective_seconds)}</span>
          </>
        )}
      </Fact>
      <Fact name="Time to restore (RTO)">
        {found === undefined ? (
          <Unknown {...(problem === undefined ? {} : { text: problem })} />
        ) : (
          <>
            {found.rto.measured_seconds === null ? (
              <Unknown text="never measured: run a drill" />
            ) : (
              <strong>{formatSeconds(found.rto.measured_seconds)}</strong>
            )}{' '}
            {found.rto.met !== null && (
              <Word word={found.rto.met ? 'healthy' : 'degraded'} text={found.rto.met ? 'met' : 'missed'} />
            )}
            <span class="faint"> · accepted {formatDuration(found.rto.objective_seconds)}</span>
          </>
        )}
      </Fact>
      <Fact name="Last failover answered after">
        {answered === null ? <Unknown text="none yet" /> : <strong>{formatSeconds(answered)}</strong>}
      </Fact>
    </dl>
  );
}
