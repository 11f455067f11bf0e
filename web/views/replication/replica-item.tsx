import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Replica } from '../../api/replication-wire.ts';
import { formatBytes, formatRate, plural } from '../../format.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age, Fact, Sentence } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { api } from '../../state/session.ts';
import { CredentialsForm } from './credentials.tsx';
import { changeOf, factsOf, sumOf, turnOf, whyNoCredentials, whyNot } from './figures.ts';

/** One place: where it is, what was found there, and what may be done with it. */
export function ReplicaItem({ replica: one, onChanged }: { replica: Replica; onChanged(): Promise<unknown> }) {
  const { act, refusal, busy } = useActing(onChanged);
  const [isTyping, setTyping] = useState(false);
  const [said, setSaid] = useState('');
  const opener = useRef<HTMLSpanElement>(null);
  const wasTyping = useRef(false);
  // The form is gone, and the keyboard goes on at the button that opened it.
  useLayoutEffect(() => {
    if (wasTyping.current && !isTyping) opener.current?.querySelector('button')?.focus();
    wasTyping.current = isTyping;
  }, [isTyping]);
  const root = `api/v1/backup-replication/replication/targets/${encodeURIComponent(one.target_id)}`;
  const may = (action: Replica['allowed_actions'][number]): string | undefined => whyNot(one, action, busy);
  const post = (path: string, body: object): void => void act(() => api.post(`${root}/${path}`, body));
  return (
    <article class="point-detail" aria-label={`Place ${one.target_id}`}>
      {one.error !== null && (
        <p class="trouble replica-place">
          <Sentence text={one.error} />
        </p>
      )}
      {[...(one.conflict === null ? [] : [one.conflict]), ...one.findings.slice(0, 3)]
        .filter((line) => one.error?.includes(line) !== true)
        .map((line) => (
          <p key={line} class="trouble replica-place">
            {line}
          </p>
        ))}
      {one.findings.length > 3 && (
        <details class="more-findings">
          <summary>and {plural(one.findings.length - 3, 'more finding')}</summary>
          <ul>
            {one.findings.slice(3).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </details>
      )}
      {one.stuck.slice(0, 5).map(({ backup_id: id, reason, attempts, last_attempt: at }) => (
        <p key={id} class="faint replica-place">
          <code>{id}</code> is not copied, the others are: {one.error === reason ? '' : `${reason} `}
          {attempts === 1 ? 'Tried once' : `Tried ${attempts} times`}, last <Age at={at} none="never" />.
        </p>
      ))}
      <p class="replica-place">
        <code>{one.base_url ?? one.location}</code>{' '}
        <span class="faint">
          · <code>{one.target_id}</code>, {one.origin === 'file' ? 'from the settings file' : 'from the API'}
        </span>
      </p>
      <dl class="facts">
        <Fact name="Copied">
          <Age at={one.last_synced} none="never" />
        </Fact>
        <Fact name="Missing">{formatBytes(sumOf(one, 'missing_bytes'))}</Fact>
        <Fact name="Looked at">
          <Age at={one.last_health_check} none="never" />
          {one.status === 'unreachable' && (
            <span class="faint">
              {' '}
              · last reached <Age at={one.last_reached} none="never" />
            </span>
          )}
        </Fact>
        <Fact name="Verified">
          <Age at={one.last_verified} none="never" />
          {one.verified_percent !== null && `, ${one.verified_percent} % of it`}
        </Fact>
        {one.kind !== 'ragwarden' && (
          <Fact name="Room freed">
            <Age at={one.last_pruned} none="never" />
            {one.prune_failures > 0 && (
              <>
                {' '}
                <Word word="warning" text={`failed ${plural(one.prune_failures, 'time')} in a row`} />
              </>
            )}
          </Fact>
        )}
        <Fact name="Limit">
          {one.limit_kib_per_second === null
            ? 'as the setting says'
            : one.limit_kib_per_second === 0
              ? 'none'
              : formatRate(one.limit_kib_per_second * 1024)}
        </Fact>
        <Fact name="Beside others">{turnOf(one.max_concurrent)}</Fact>
        {one.other_bytes !== null && one.other_bytes > 0 && (
          <Fact name="Of others, same key">{formatBytes(one.other_bytes)}</Fact>
        )}
        {factsOf(one.metadata).map(({ name, says }) => (
          <Fact key={name} name={name}>
            {says}
          </Fact>
        ))}
      </dl>
      <div class="carry-out">
        <Action
          label="Copy now"
          about={`Copy now what is missing to ${one.target_id}`}
          why={may('replicate')}
          onPress={() => post('replicate', {})}
        />
        <Action
          label="Verify"
          about={`Verify: read a share of what lies at ${one.target_id}`}
          why={may('verify')}
          onPress={() => post('verify', {})}
        />
        <Confirm
          label="Verify all"
          about={`Verify all of what lies at ${one.target_id}`}
          question={`All of ${one.stored_bytes === null ? 'it' : formatBytes(one.stored_bytes)} is read over the line.`}
          why={may('verify')}
          onConfirm={() => post('verify', { percent: 100 })}
        />
        <Confirm
          label="Heal it"
          about={`Heal it: ${one.target_id}, from the repository here`}
          question="The repository here is read whole; then damaged snapshots there are forgotten and copied back from here."
          why={may('heal')}
          onConfirm={() => post('heal', { damaged: 'target', confirm: true })}
        />
        <Confirm
          label="Heal the repository"
          about={`Heal the repository here from ${one.target_id}`}
          question="The copy is read whole; then damaged snapshots of the repository here are forgotten and copied back from there."
          why={may('heal')}
          onConfirm={() => post('heal', { damaged: 'source', confirm: true })}
        />
        <Confirm
          label="Free room"
          about={`Free room: prune what nothing needs at ${one.target_id}`}
          question="What was forgotten there, and what copies that were cut off left, is removed there; points stay. Nothing is copied there meanwhile."
          why={may('prune')}
          onConfirm={() => post('prune', {})}
        />
        <span ref={opener} class="action">
          <Action
            label="New credentials"
            about={`New credentials for ${one.target_id}`}
            why={isTyping ? 'They are being typed below.' : whyNoCredentials(one, busy)}
            onPress={() => setTyping(true)}
          />
        </span>
        {one.enabled ? (
          <Confirm
            label="Pause"
            about={`Pause: copy nothing to ${one.target_id} for now`}
            question="Nothing is copied there and nothing is looked at until it is resumed; it falls behind."
            why={may('change')}
            onConfirm={() => void act(() => api.patch(root, { enabled: false }))}
          />
        ) : (
          <Action
            label="Resume"
            about={`Resume: copy to ${one.target_id} again`}
            why={may('change')}
            onPress={() => void act(() => api.patch(root, { enabled: true }))}
          />
        )}
        <Confirm
          label="Remove"
          about={`Remove ${one.target_id}: copy there no more`}
          question="Nothing more is copied there; what lies there stays. Its credentials are forgotten here."
          why={may('remove')}
          onConfirm={() => void act(() => api.delete(root))}
        />
      </div>
      {isTyping && (
        <CredentialsForm
          replica={one}
          why={whyNoCredentials(one, busy)}
          onLeave={() => setTyping(false)}
          onSend={(credentials) => {
            setTyping(false);
            void act(async () => {
              setSaid('');
              if (Object.keys(credentials).length === 0) throw new Error('Nothing was typed: the old ones are kept.');
              await api.patch(root, changeOf(one.kind, credentials));
              setSaid('The credentials were replaced. The next look at the place uses them.');
            });
          }}
        />
      )}
      <Refusal text={refusal} />
      <p role="status" class="faint">
        {said}
      </p>
    </article>
  );
}
