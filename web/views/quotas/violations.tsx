import type { QuotaViolation } from '../../api/quota-wire.ts';
import { plural } from '../../format.ts';
import { Loaded, More } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Age } from '../../parts/text.tsx';
import { useSwitch } from '../../state/filter.ts';
import { usePaged } from '../../state/paged.ts';
import { amountOf, countOf, whoseOf } from './figures.ts';

/** Who wanted more than there was, and what was done about it. */
export function ViolationsPanel() {
  const [lasting, setLasting] = useSwitch('beyond', 'lasting');
  const all = !lasting;
  const asked = usePaged<QuotaViolation>(`api/v1/metrics/quotas/violations${all ? '' : '?resolved=false'}`, {
    step: 20,
    everyMs: () => 10_000,
  });
  return (
    <section class="panel" aria-labelledby="violations-title">
      <header class="panel-head">
        <h2 id="violations-title">Beyond the limit</h2>
        <Action
          label={all ? 'Only what lasts' : 'All'}
          about={all ? 'Only what lasts of what passed a limit' : 'All that passed a limit'}
          onPress={() => setLasting(all)}
        />
      </header>
      <Loaded asked={asked}>
        {(value) =>
          value.items.length === 0 ? (
            <p class="empty">{all ? 'Nobody passed a limit.' : 'Nobody is beyond a limit now.'}</p>
          ) : (
            <ul class="quota-list">
              {value.items.map((one) => (
                <Violation key={one.violation_id} one={one} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <More of={asked} name="Beyond the limit" />
    </section>
  );
}

function Violation({ one }: { one: QuotaViolation }) {
  const { resource_type: kind } = one;
  return (
    <li>
      <Word
        word={one.shadow ? 'info' : one.resolved ? 'warning' : 'failed'}
        text={one.shadow ? 'shadow' : one.action_taken}
      />{' '}
      <strong>{one.quota_id}</strong> {whoseOf(one)}
      <p>
        exceeded by {countOf(kind, one.exceeded_by)}{' '}
        <span class="faint">
          ({amountOf(kind, one.current_usage)} asked for in all, {amountOf(kind, one.limit)} allowed)
        </span>
      </p>
      <p class="faint">
        {plural(one.times, 'time')}, the last <Age at={one.last_time} /> ·{' '}
        {one.resolved ? (
          <>
            over since <Age at={one.resolved_at} />
          </>
        ) : (
          'it lasts'
        )}
      </p>
    </li>
  );
}
