import type { Drill, Objectives, Rpo } from '../api/recovery-wire.ts';
import {
  formatAhead,
  formatBytes,
  formatDuration,
  formatExact,
  formatPercent,
  formatSeconds,
  plural,
} from '../format.ts';
import { Gauge } from '../parts/gauge.tsx';
import { Word } from '../parts/mark.tsx';
import { Action, Age, Fact, Trouble, Unknown } from '../parts/text.tsx';
import { runDrill, whyNoDrill } from '../state/actions.ts';
import { backup, drills, nowMs, objectives, operations } from '../state/page-state.ts';
import { RtoTrend } from './rto-trend.tsx';

/** Whether a point comes back, how long that takes, and how much of the accepted loss is used up. */
export function Drills() {
  const items = objectives.value.value?.items;
  const problem = objectives.problem.value;
  const status = backup.value.value;
  const why =
    items === undefined && problem !== undefined ? problem : whyNoDrill(status, operations.value.value?.items ?? []);
  return (
    <section class="panel" aria-labelledby="drills-title">
      <div class="panel-head">
        <h2 id="drills-title">Drills and objectives</h2>
        <Action
          label="Run a drill"
          about="Run a drill: rehearse a restore into a scratch folder; nothing live is touched"
          why={why}
          tellWhy
          onPress={() => {
            if (status) void runDrill(status.target_id);
          }}
        />
      </div>
      {items === undefined ? (
        problem === undefined && (
          <p>
            <Unknown />
          </p>
        )
      ) : (
        <>
          <Trouble text={problem} />
          {items.map((one) => (
            <OfTarget key={one.target_id} held={one} several={items.length > 1} />
          ))}
        </>
      )}
    </section>
  );
}

function OfTarget({ held, several }: { held: Objectives; several: boolean }) {
  const list = drills.value.value?.items.filter((one) => one.target_id === held.target_id) ?? [];
  const last = list.find((one) => one.verdict !== null);
  return (
    <article class="drilled" aria-label={`Objectives of ${held.target_id}`}>
      {several && <h3>{held.target_id}</h3>}
      <Alarms held={held} last={last} />
      <dl class="facts recovery-facts">
        <Fact name="Loss budget (RPO)">
          <Burn rpo={held.rpo} />
        </Fact>
        <Fact name="Time to restore (RTO)">
          <Rto held={held} />
        </Fact>
        {held.workspaces.map(({ workspace, rpo }) => (
          <Fact key={workspace} name={`Loss budget of ${workspace === '' ? 'the unnamed workspace' : workspace}`}>
            <Burn rpo={rpo} />
          </Fact>
        ))}
        <Fact name="Last drill">{last === undefined ? <Unknown text="never drilled" /> : <Last drill={last} />}</Fact>
        <Fact name="Next drill">
          {held.drill.next_at === null ? (
            <Unknown text={held.drill.frequency_seconds === 0 ? 'drills are not scheduled' : 'none is planned'} />
          ) : (
            <time dateTime={held.drill.next_at} title={formatExact(Date.parse(held.drill.next_at))}>
              {formatAhead(Date.parse(held.drill.next_at), nowMs.value)}
            </time>
          )}
          {held.drill.frequency_seconds > 0 && (
            <span class="faint"> · every {formatDuration(held.drill.frequency_seconds)}</span>
          )}
        </Fact>
      </dl>
      <RtoTrend trend={held.rto.trend} objectiveSeconds={held.rto.objective_seconds} />
    </article>
  );
}

function Alarms({ held, last }: { held: Objectives; last: Drill | undefined }) {
  const { drill } = held;
  const said = [
    ...(drill.last_drill_id === null
      ? ['Never drilled: nobody knows yet whether a point comes back, nor how long it takes.']
      : []),
    ...(drill.overdue_since === null
      ? []
      : [`A drill is overdue since ${formatExact(Date.parse(drill.overdue_since))}.`]),
    ...(drill.failures_in_row > 0 && last
      ? [`${plural(drill.failures_in_row, 'drill')} in a row did not pass: ${last.reasons.slice(0, 3).join('; ')}`]
      : []),
  ];
  if (said.length === 0) return null;
  return (
    <ul class="warnings">
      {said.map((one) => (
        <li key={one}>
          <Word word="warning" />
          <span>{one}</span>
        </li>
      ))}
    </ul>
  );
}

function Burn({ rpo }: { rpo: Rpo }) {
  return (
    <>
      <strong class="lead">
        {rpo.used === null ? <Unknown text="no good point" /> : `${formatPercent(rpo.used * 100)} used`}
      </strong>
      <Word word={rpo.met ? 'healthy' : 'degraded'} text={rpo.met ? 'met' : 'missed'} />
      <Gauge percent={rpo.used === null ? null : rpo.used * 100} level={rpo.met ? 'good' : 'warn'} />
      <span class="faint">
        {rpo.measured_seconds !== null && `${formatDuration(rpo.measured_seconds)} of `}
        {formatDuration(rpo.objective_seconds)}
        {rpo.met &&
          rpo.missed_at !== null &&
          ` · missed ${formatAhead(Date.parse(rpo.missed_at), nowMs.value)} unless a good point is taken`}
      </span>
    </>
  );
}

function Rto({ held: { rto } }: { held: Objectives }) {
  return (
    <>
      <strong class="lead">
        {rto.measured_seconds === null ? <Unknown text="never measured" /> : formatSeconds(rto.measured_seconds)}
      </strong>
      {rto.met !== null && <Word word={rto.met ? 'healthy' : 'degraded'} text={rto.met ? 'met' : 'missed'} />}
      <Gauge
        percent={rto.measured_seconds === null ? null : (rto.measured_seconds / rto.objective_seconds) * 100}
        level={rto.met === false ? 'warn' : 'good'}
      />
      <span class="faint">
        objective {formatDuration(rto.objective_seconds)}
        {rto.forecast_seconds !== null && ` · for the present size ${formatSeconds(rto.forecast_seconds)}`}
        {rto.measured_at !== null && (
          <>
            {' '}
            · measured <Age at={rto.measured_at} />
          </>
        )}
      </span>
    </>
  );
}

function Last({ drill }: { drill: Drill }) {
  return (
    <>
      <Word word={drill.verdict ?? 'running'} /> <Age at={drill.started_at} />
      {drill.kind === 'chaos' && <span class="faint"> · on a copy that was damaged on purpose</span>}
      {drill.size_bytes !== null && <span class="faint"> · {formatBytes(drill.size_bytes)}</span>}
      <details class="phases">
        <summary>{plural(drill.phases.length, 'phase')}</summary>
        <ol>
          {drill.phases.map((phase, place) => (
            <li key={`${place} ${phase.name}`}>
              <span>
                {phase.name}
                {phase.component !== null && <span class="faint"> {phase.component}</span>}
              </span>
              <span class="number">{formatSeconds(phase.seconds)}</span>
              <span class="faint">
                {phase.times_in_restore === 0
                  ? 'only looks'
                  : phase.times_in_restore > 1 && `×${phase.times_in_restore}`}
              </span>
            </li>
          ))}
        </ol>
      </details>
      {drill.evidence_sha256 !== null && (
        <a href={`api/v1/recovery/drills/${encodeURIComponent(drill.drill_id)}/evidence`} download>
          Evidence
        </a>
      )}
    </>
  );
}
