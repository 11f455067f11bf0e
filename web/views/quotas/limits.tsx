import { useState } from 'preact/hooks';
import type { Quota, QuotaBucket, QuotaOverview, QuotaUsage } from '../../api/quota-wire.ts';
import { formatAhead, formatExact, formatPercent, plural } from '../../format.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { Gauge } from '../../parts/gauge.tsx';
import { Refusal } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Action, Fact, Sentence, Trouble, Unknown } from '../../parts/text.tsx';
import { useActing } from '../../state/acting.ts';
import type { Followed } from '../../state/asked.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import { amountOf, besidesOf, countOf, inOrder, levelOfUsage, limitOf, modeOf, scopeOf, whoseOf } from './figures.ts';

/** Whoever used most is seen at once; the others are asked for. */
const bucketsAtOnce = 3;

/** Every limit with what was used of it, the nearest to its end first. */
export function LimitsPanel({ overview }: { overview: Followed<QuotaOverview> }) {
  const { value, problem } = overview;
  return (
    <section class="panel" aria-labelledby="limits-title">
      <h2 id="limits-title">Limits</h2>
      <Trouble text={value === undefined ? undefined : problem} />
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>
          {problem === undefined ? <Unknown /> : <Sentence text={problem} />}
        </p>
      ) : Object.keys(value.quotas).length === 0 ? (
        <p class="empty">
          There is no quota. <code>ragwarden quota set</code> makes one.
        </p>
      ) : (
        inOrder(Object.values(value.quotas), value.usage).map((quota) => (
          <Limit key={quota.quota_id} quota={quota} usage={value.usage[quota.quota_id]} refresh={overview.refresh} />
        ))
      )}
    </section>
  );
}

const origins = { file: 'from the settings file', api: 'from the API', default: 'there from the start' } as const;
const modes = {
  enforced: { word: 'passed', text: 'enforced' },
  shadow: { word: 'info', text: 'shadow: denies nothing' },
  off: { word: 'off', text: 'off' },
} as const;

function Limit(props: { quota: Quota; usage: QuotaUsage | undefined; refresh(): Promise<void> }) {
  const { quota, usage } = props;
  const [all, setAll] = useState(false);
  const { act, refusal, busy } = useActing(props.refresh);
  const buckets = usage?.buckets ?? [];
  const listed = all ? buckets : buckets.slice(0, bucketsAtOnce);
  const unseen = (usage?.bucket_count ?? 0) - listed.length;
  const path = `api/v1/metrics/quotas/${encodeURIComponent(quota.quota_id)}/reset`;
  return (
    <article class="limit" aria-label={quota.name}>
      <header class="target-head">
        <h3 title={quota.description}>{quota.name}</h3>
        <Word {...modes[modeOf(quota)]} />
        <Confirm
          label="Reset"
          about={`Reset what was counted of ${quota.quota_id}`}
          question={`What was used of ${quota.quota_id} is forgotten, of ${buckets.length > 1 ? 'all who have it' : 'this period'}; what is held goes on to count.`}
          why={busy ? 'It is under way.' : buckets.length === 0 ? 'Nothing of it was used.' : undefined}
          onConfirm={() => void act(() => api.post(path))}
        />
      </header>
      <Refusal text={refusal} />
      <p class="faint">
        <code>{quota.quota_id}</code> · {origins[quota.origin]}
        {quota.ends_at !== null && ` · ends ${formatAhead(Date.parse(quota.ends_at), nowMs.value)}`}
      </p>
      <dl class="facts">
        <Fact name="Limit">
          {limitOf(quota)}
          {quota.defined_limit !== quota.limit && (
            <span class="faint"> · defined as {amountOf(quota.resource_type, quota.defined_limit)}</span>
          )}
        </Fact>
        <Fact name="For">{scopeOf(quota)}</Fact>
        <Fact name="Type, and beyond the limit">
          {quota.quota_type}, {quota.action}
          <span class="faint"> · {quota.when_lost.replace('_', ' ')} without its ledger</span>
        </Fact>
        <Fact name="Passed, 24 h">{plural(usage?.violations ?? 0, 'time')}</Fact>
      </dl>
      {buckets.length === 0 && <p class="empty">Nothing of it was used in this period.</p>}
      {listed.length > 0 && (
        <ul class="buckets">
          {listed.map((one) => (
            <Bucket
              key={one.bucket}
              quota={quota}
              bucket={one}
              why={busy ? 'It is under way.' : undefined}
              onReset={() => void act(() => api.post(path, { bucket: one.bucket }))}
            />
          ))}
        </ul>
      )}
      {buckets.length > bucketsAtOnce && (
        <Action
          label={all ? 'Only those that used most' : `Show ${buckets.length - bucketsAtOnce} more`}
          about={`${all ? 'Show fewer' : 'Show more'} of ${quota.quota_id}`}
          onPress={() => setAll(!all)}
        />
      )}
      {unseen > 0 && (all || buckets.length <= bucketsAtOnce) && (
        <p class="faint">{plural(unseen, 'other')} used less.</p>
      )}
    </article>
  );
}

function Bucket(props: { quota: Quota; bucket: QuotaBucket; why: string | undefined; onReset(): void }) {
  const { quota, bucket } = props;
  const { resource_type: kind } = quota;
  const percent = bucket.used_percent;
  const level = levelOfUsage(percent, modeOf(quota));
  const who = whoseOf(bucket);
  const besides = besidesOf(kind, bucket);
  return (
    <li>
      <div class="bucket-head">
        <strong>{who}</strong>
        <span class={level === 'none' ? '' : `bucket-level is-${level}`}>
          {amountOf(kind, bucket.current_usage)} of {amountOf(kind, bucket.limit)}
          {percent !== null && ` (${formatPercent(percent)})`}
        </span>
        {bucket.bucket !== '' && (
          <Confirm
            label="Reset"
            about={`Reset what was counted of ${quota.quota_id} for ${who}`}
            question={`What ${who} used of it is forgotten; what is held goes on to count.`}
            why={props.why}
            onConfirm={props.onReset}
          />
        )}
      </div>
      <Gauge percent={percent ?? (bucket.current_usage > 0 ? 100 : 0)} level={level} />
      <p class="faint">
        {amountOf(kind, bucket.remaining)} left
        {besides.length > 0 && ` · ${besides.join(', ')}`} · <Reset at={bucket.reset_at} />
        <Forecast quota={quota} bucket={bucket} />
      </p>
    </li>
  );
}

function Reset({ at }: { at: string | null }) {
  if (at === null) return <>does not begin anew</>;
  return (
    <time dateTime={at} title={formatExact(Date.parse(at))}>
      anew {formatAhead(Date.parse(at), nowMs.value)}
    </time>
  );
}

function Forecast({ quota, bucket }: { quota: Quota; bucket: QuotaBucket }) {
  const { forecast } = bucket;
  if (forecast === null) return <> · too early for a forecast</>;
  const atEnd = countOf(quota.resource_type, forecast.usage_at_end);
  if (forecast.exhausted_at === null || bucket.remaining === 0) return <> · at this pace {atEnd} by then</>;
  return (
    <span class="bucket-level is-warn">
      {' '}
      · at this pace used up {formatAhead(Date.parse(forecast.exhausted_at), nowMs.value)}, {atEnd} in all
    </span>
  );
}
