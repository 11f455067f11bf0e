import type { Replica } from '../../api/replication-wire.ts';
import { formatBytes, formatCount, formatDuration } from '../../format.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Fact, Sentence, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { api } from '../../state/session.ts';

const statusWord = { healthy: 'healthy', degraded: 'degraded', unreachable: 'lost', unknown: 'unknown' } as const;

/** One place: how it is, how far behind, and what may be done with it. */
export function ReplicaItem({ replica: one, onChanged }: { replica: Replica; onChanged(): Promise<unknown> }) {
  const { act, refusal, busy } = useActing(onChanged);
  const root = `api/v1/backup-replication/replication/targets/${encodeURIComponent(one.target_id)}`;
  const may = (action: Replica['allowed_actions'][number]): string | undefined =>
    busy
      ? 'The last press is under way.'
      : one.allowed_actions.includes(action)
        ? undefined
        : !one.enabled
          ? 'It is switched off.'
          : one.origin === 'file'
            ? 'It stands in the settings file.'
            : 'Replication is switched off, or this place cannot do it.';
  const lags = one.lag.flatMap(({ lag_seconds }) => (lag_seconds === null ? [] : [lag_seconds]));
  const sum = (of: 'copies' | 'missing_points' | 'missing_bytes'): number =>
    one.lag.reduce((all, part) => all + part[of], 0);
  return (
    <article class="cleanup-task" aria-label={`Place ${one.target_id}`}>
      <h3>
        {one.name}{' '}
        <Word word={one.enabled ? statusWord[one.status] : 'none'} text={one.enabled ? one.status : 'switched off'} />
      </h3>
      <p class="faint replica-place">
        {one.base_url ?? one.location} {one.zone !== null && `· zone ${one.zone}`} {one.offline && '· offline'}
      </p>
      {one.error !== null && (
        <p class="trouble">
          <Sentence text={one.error} />
        </p>
      )}
      {one.findings.slice(0, 3).map((line) => (
        <p key={line} class="trouble replica-place">
          {line}
        </p>
      ))}
      <dl class="facts">
        <Fact name="Lag">
          {lags.length === 0 ? (
            <Unknown text="no point yet" />
          ) : Math.max(...lags) === 0 ? (
            'none'
          ) : (
            formatDuration(Math.max(...lags))
          )}
        </Fact>
        <Fact name="Points">
          {formatCount(sum('copies'))} there, {formatCount(sum('missing_points'))} missing
        </Fact>
        <Fact name="Missing">{formatBytes(sum('missing_bytes'))}</Fact>
        <Fact name="Stored">
          {one.stored_bytes === null ? <Unknown text="unknown" /> : formatBytes(one.stored_bytes)}
        </Fact>
        <Fact name="Copied">
          <Age at={one.last_synced} none="never" />
        </Fact>
        <Fact name="Verified">
          <Age at={one.last_verified} none="never" />
          {one.verified_percent !== null && ` (${one.verified_percent} %)`}
        </Fact>
      </dl>
      <div class="carry-out">
        <Action
          label="Copy now"
          about={`Copy what is missing to ${one.target_id}`}
          why={may('replicate')}
          onPress={() => void act(() => api.post(`${root}/replicate`, {}))}
        />
        <Action
          label="Verify"
          about={`Read a share of what lies at ${one.target_id}`}
          why={may('verify')}
          onPress={() => void act(() => api.post(`${root}/verify`, {}))}
        />
        <Confirm
          label="Heal"
          about={`Heal ${one.target_id} from the repository`}
          question="Damaged snapshots there are forgotten and copied back from here. Go on?"
          why={may('heal')}
          onConfirm={() => void act(() => api.post(`${root}/heal`, { damaged: 'target', confirm: true }))}
        />
        <Confirm
          label="Remove"
          about={`Copy to ${one.target_id} no more`}
          question="Nothing more is copied there; what lies there stays. Go on?"
          why={may('remove')}
          onConfirm={() => void act(() => api.delete(root))}
        />
      </div>
      {refusal !== undefined && (
        <p class="refusal" role="alert">
          {refusal}
        </p>
      )}
    </article>
  );
}
