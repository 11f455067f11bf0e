import type { QuotaOverview } from '../../api/quota-wire.ts';
import { formatCount } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { Age, Fact, Sentence, Unknown } from '../../parts/text.tsx';
import type { Followed } from '../../state/asked.ts';

/** Where all of it is written down: whether it answers, and what passed or was refused while it did not. */
export function LedgerPanel({ overview: { value, problem } }: { overview: Followed<QuotaOverview> }) {
  return (
    <section class="panel" aria-labelledby="ledger-title">
      <header class="panel-head">
        <h2 id="ledger-title">Ledger</h2>
        {value !== undefined &&
          (value.ledger.state === 'answers' ? <Word word="healthy" text="answers" /> : <Word word="lost" />)}
      </header>
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>
          {problem === undefined ? <Unknown /> : <Sentence text={problem} />}
        </p>
      ) : (
        <>
          {value.ledger.state === 'lost' && (
            <p class="refusal" role="status">
              It does not answer since <Age at={value.ledger.lost_since} />: quotas that are closed let nothing pass,
              and those that are open let everything pass.
            </p>
          )}
          <dl class="facts">
            <Fact name="Held reservations">{formatCount(value.ledger.held_reservations)}</Fact>
            <Fact name="Waiting for room">{formatCount(value.ledger.waiting)}</Fact>
            <Fact name="Passed without it">{formatCount(value.ledger.unguarded)}</Fact>
            <Fact name="Refused without it">{formatCount(value.ledger.refused_blind)}</Fact>
            <Fact name="Asked, since the start">{formatCount(value.metrics.total_checks)}</Fact>
            <Fact name="Beyond a limit">{formatCount(value.metrics.total_violations)}</Fact>
            <Fact name="Warned">{formatCount(value.metrics.total_warnings)}</Fact>
            <Fact name="Blocked · slowed · queued">
              {[value.metrics.blocks_enforced, value.metrics.throttles_enforced, value.metrics.queued]
                .map(formatCount)
                .join(' · ')}
            </Fact>
          </dl>
        </>
      )}
    </section>
  );
}
