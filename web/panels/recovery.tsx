import type { BackupStatus } from '../api/wire.ts';
import { formatAhead, formatDuration, formatExact } from '../format.ts';
import { Gauge } from '../parts/gauge.tsx';
import { Word } from '../parts/mark.tsx';
import { Action, Age, Fact, Sentence, Trouble, Unknown } from '../parts/text.tsx';
import { confirmKit, refusal, runningFor, switchSchedule, takePoint, whyNoNewPoint } from '../state/actions.ts';
import { backup, nowMs, operations, points } from '../state/page-state.ts';
import { Points } from './points.tsx';
import { PointSources } from './sources.tsx';
import { TimelineStrip } from './timeline.tsx';
import { Work } from './work.tsx';

export function Recovery() {
  const status = backup.value.value;
  const running = status && runningFor(operations.value.value?.items ?? [], status.target_id);
  const problem = backup.problem.value;
  const why = status === undefined && problem !== undefined ? problem : whyNoNewPoint(status, running);
  return (
    <section class="panel" aria-labelledby="recovery-title">
      <div class="panel-head">
        <h2 id="recovery-title">Recovery</h2>
        <Action
          label="Take a point now"
          kind="main"
          why={why}
          tellWhy
          onPress={() => {
            if (status) void takePoint(status.target_id);
          }}
        />
      </div>
      {status !== undefined && <Trouble text={problem} />}
      {refusal.value !== undefined && (
        <p class="refusal" role="alert">
          {refusal.value}{' '}
          <Action
            label="Dismiss"
            onPress={() => {
              refusal.value = undefined;
            }}
          />
        </p>
      )}
      {status === undefined ? (
        problem === undefined && (
          <p>
            <Unknown />
          </p>
        )
      ) : (
        <Facts status={status} />
      )}
      <PointSources />
      <Work />
      <TimelineStrip status={status} />
      <Points page={points.value.value} problem={points.problem.value} status={status} running={running} />
    </section>
  );
}

function Facts({ status }: { status: BackupStatus }) {
  const { rpo } = status;
  const used = rpo.measured_seconds === null ? null : (rpo.measured_seconds / rpo.objective_seconds) * 100;
  return (
    <>
      {!status.available && (
        <p class="refusal">
          Backups are unavailable:{' '}
          {status.unavailable_reason === null ? (
            <Unknown text="the reason is not known" />
          ) : (
            <Sentence text={status.unavailable_reason} />
          )}
        </p>
      )}
      {status.available && status.error !== undefined && <p class="refusal">The last run failed: {status.error}</p>}
      <dl class="facts recovery-facts">
        <Fact name="Newest verified point">
          <strong class="lead">
            <Age at={status.last_verified_backup} none="there is none" />
          </strong>
          <Word word={rpo.met ? 'healthy' : 'degraded'} text={rpo.met ? 'within the RPO' : 'misses the RPO'} />
          <Gauge percent={used} level={rpo.met ? 'good' : 'warn'} />
          <span class="faint">RPO {formatDuration(rpo.objective_seconds)}: the loss that is accepted</span>
        </Fact>
        <Fact name="Next run">
          {status.next_backup === null ? (
            <Unknown text={status.schedule_on ? 'none is planned' : 'the schedule is off'} />
          ) : (
            <time
              dateTime={new Date(status.next_backup * 1000).toISOString()}
              title={formatExact(status.next_backup * 1000)}
            >
              {formatAhead(status.next_backup * 1000, nowMs.value)}
            </time>
          )}
          {status.schedule_on && <span class="faint"> · every {formatDuration(status.frequency)}</span>}{' '}
          <Action
            label={status.schedule_on ? 'Stop the schedule' : 'Start the schedule'}
            about={
              status.schedule_on
                ? 'Stop the schedule: no point is taken by itself until it is started again'
                : `Start the schedule: a point every ${formatDuration(status.frequency)}`
            }
            onPress={() => void switchSchedule(!status.schedule_on)}
          />
        </Fact>
        <Fact name="Points">
          {status.backup_count}
          <span class="faint">
            {' '}
            · all kept {status.retention_days} d, then one a day until {status.daily_retention_days} d
          </span>
        </Fact>
        <Fact name="Repository">
          <code class="path">{status.location}</code>
        </Fact>
      </dl>
      {status.warnings.length > 0 && (
        <ul class="warnings">
          {status.warnings.map((warning) => (
            <li key={warning}>
              <Word word="warning" />
              <span>
                <Sentence text={warning} />
              </span>
              {warning.includes('recovery kit') && (
                <Action label="I keep it elsewhere" onPress={() => void confirmKit()} />
              )}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
