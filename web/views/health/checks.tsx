import type { Check, HealthStatus, Verdict } from '../../api/health-wire.ts';
import { plural } from '../../format.ts';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Table } from '../../parts/table.tsx';
import { Action, Age, Fact, Sentence, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';

const path = 'api/v1/health-dashboard/status';

/** The overall word, what the backend is able to do, and each check with what was seen. */
export function ChecksPanel() {
  const { value, problem, refresh } = useFollowed<HealthStatus>('health', {
    load: (on) => api.get(path, on),
    everyMs: () => 5_000,
  });
  const { act, refusal, busy } = useActing(refresh);
  return (
    <section class="panel" aria-labelledby="checks-title">
      <div class="panel-head">
        <h2 id="checks-title">Health</h2>
        {value && <Word word={value.status} />}
        <Action
          label="Look now"
          about="Look now: at everything, all at once"
          why={busy ? 'It is being looked at.' : undefined}
          onPress={() => void act(() => api.get(`${path}?fresh=true`))}
        />
      </div>
      <Refusal text={refusal} />
      <Trouble text={problem} />
      {value === undefined ? (
        <p>
          <Unknown />
        </p>
      ) : (
        <>
          <dl class="facts">
            <Fact name="Can answer">
              <Able verdict={value.can_answer} />
            </Fact>
            <Fact name="Can ingest">
              <Able verdict={value.can_ingest} />
            </Fact>
          </dl>
          <Table
            name="Every check"
            rows={value.checks}
            keyOf={(check) => check.name}
            needs={30}
            empty="Nothing is checked."
            columns={[
              {
                title: 'Check',
                cell: (check) => (
                  <>
                    {check.name}
                    {check.needed_for.length > 0 && <span class="faint"> to {check.needed_for.join(' and ')}</span>}
                  </>
                ),
              },
              {
                title: 'State',
                cell: (check) => (
                  <>
                    <Word word={check.status} />
                    {check.flapping && <span class="faint"> comes and goes</span>}
                  </>
                ),
              },
              { title: 'What was seen', cell: (check) => <Seen check={check} />, look: () => 'is-wide' },
            ]}
          />
        </>
      )}
    </section>
  );
}

function Able({ verdict: { can, reasons } }: { verdict: Verdict }) {
  const word = can === null ? 'unknown' : can ? 'healthy' : 'unhealthy';
  return (
    <>
      <Word word={word} text={can === null ? 'not known' : can ? 'yes' : 'no'} />
      {!can && reasons.length > 0 && (
        <span class="faint"> {reasons.map(({ check, message }) => `${check}: ${message}`).join(' ')}</span>
      )}
    </>
  );
}

function Seen({ check }: { check: Check }) {
  const groups = {
    ...check.checks,
    ...check.metrics,
    ...(Object.keys(check.details).length > 0 ? { details: check.details } : {}),
  };
  return (
    <>
      <Sentence text={check.message} />
      <span class="faint">
        {' '}
        seen <Age at={check.time} none="never" />
        {check.failures > 0 && `, ${plural(check.failures, 'look')} of ${check.looks} failed`}
      </span>
      {Object.keys(groups).length > 0 && (
        <details>
          <summary>Figures</summary>
          <dl class="facts">
            {Object.entries(groups).flatMap(([group, facts]) =>
              Object.entries(facts).map(([name, fact]) => (
                <Fact key={`${group} ${name}`} name={`${group} ${name}`.replaceAll('_', ' ')}>
                  {fact === null ? <Unknown /> : String(fact)}
                </Fact>
              )),
            )}
          </dl>
        </details>
      )}
    </>
  );
}
