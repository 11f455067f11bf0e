import { useState } from 'preact/hooks';
import { messageOf } from '../../api/client.ts';
import type { AuditVerdict } from '../../api/event-wire.ts';
import { formatCount, plural } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { Action, Fact } from '../../parts/text.tsx';
import { duringMs, type EventQuestion, filterOf } from '../../state/event-question.ts';
import { api, switches } from '../../state/session.ts';
import { findPartOff } from '../../state/switches.ts';

type Asked = { readonly verdict?: AuditVerdict; readonly problem?: string; readonly isAsking?: boolean };

/** Whether the trail is whole, and all of it as lines. Reading it whole takes a while, so it is asked for by hand. */
export function AuditPanel({ question }: { question: EventQuestion }) {
  const [{ verdict, problem, isAsking }, setAsked] = useState<Asked>({});
  const verify = (): void => {
    setAsked({ isAsking: true });
    api
      .get<AuditVerdict>('api/v1/audit/verify')
      .then((answer) => setAsked({ verdict: answer }))
      .catch((err: unknown) => setAsked({ problem: messageOf(err) }));
  };
  // What belongs together is exported whole, whatever the filters say.
  const query =
    question.correlation === '' ? filterOf(question) : new URLSearchParams({ correlation_id: question.correlation });
  if (question.correlation === '') query.set('since', new Date(Date.now() - duringMs(question.during)).toISOString());
  return (
    <section class="panel" aria-labelledby="audit-title">
      <div class="panel-head">
        <h2 id="audit-title">Audit trail</h2>
        <Action
          label={isAsking ? 'Verifying …' : 'Verify'}
          about="Verify the audit trail: read it whole and check its chain"
          why={isAsking ? 'It is read now.' : undefined}
          onPress={verify}
        />
      </div>
      <div aria-live="polite">
        {problem !== undefined && <p class="trouble">{problem}</p>}
        {verdict === undefined ? (
          problem === undefined && <p class="empty">Each entry carries the hash of the one before.</p>
        ) : (
          <Verdict verdict={verdict} />
        )}
      </div>
      <p class="event-exports">
        {findPartOff('The event log', switches.value) === undefined && (
          <a href={`api/v1/events/export?${query}`} download="events.ndjson">
            Export these events
          </a>
        )}
        <a href="api/v1/audit/export" download="audit.ndjson">
          Export the audit trail
        </a>
      </p>
    </section>
  );
}

function Verdict({ verdict }: { verdict: AuditVerdict }) {
  const { anchors, head } = verdict;
  return (
    <dl class="facts">
      <Fact name="The chain is">
        <Word word={verdict.intact ? 'healthy' : 'damaged'} text={verdict.intact ? 'whole' : 'broken'} />
      </Fact>
      <Fact name="Read">{plural(verdict.entries, 'entry', 'entries')}</Fact>
      {verdict.broken_at_seq !== null && <Fact name="Broken at">{formatCount(verdict.broken_at_seq)}</Fact>}
      {verdict.reason !== null && <Fact name="Because">{verdict.reason}</Fact>}
      {anchors !== null && <Fact name="Heads in recovery points that agree">{formatCount(anchors.matched)}</Fact>}
      {head !== null && (
        <Fact name="Head">
          <code class="audit-head">
            {head.seq}:{head.hash}
          </code>
        </Fact>
      )}
    </dl>
  );
}
