import { useState } from 'preact/hooks';
import type { Exchange } from '../../api/traffic-wire.ts';
import type { Page } from '../../api/wire.ts';
import { formatBytes, formatCount, formatExact, formatInstant } from '../../format.ts';
import { formatMetric } from '../../format-metric.ts';
import { Word } from '../../parts/mark.tsx';
import { Action, Trouble, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { nowMs } from '../../state/page-state.ts';
import { api } from '../../state/session.ts';
import type { TrafficQuestion } from '../../state/traffic-question.ts';
import { showTraffic } from '../../state/url.ts';
import { timeOf, wordOfOutcome, workspaceName } from './figures.ts';

const few = 20;
const many = 200;

/** What passed last; bodies and queries are not kept, and not here. */
export function RecentPanel({ traffic }: { traffic: TrafficQuestion }) {
  const [limit, setLimit] = useState(few);
  const path = `api/v1/traffic/recent?limit=${limit}${traffic.failed ? '&failed=true' : ''}`;
  const { value, problem } = useFollowed<Page<Exchange>>(path, {
    load: (on) => api.get(path, on),
    everyMs: () => 3_000,
  });
  return (
    <section class="panel" aria-labelledby="recent-title">
      <div class="panel-head">
        <h2 id="recent-title">Latest exchanges</h2>
        <label class="filter">
          <input
            type="checkbox"
            checked={traffic.failed}
            onChange={(event) => showTraffic({ failed: event.currentTarget.checked })}
          />
          only what did not end well
        </label>
      </div>
      {value === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <Trouble text={problem} />
          {value.items.length === 0 ? (
            <p class="empty">{traffic.failed ? 'Nothing of what is kept went wrong.' : 'Nothing passed yet.'}</p>
          ) : (
            <ol class="exchanges" aria-label="Newest first">
              {value.items.map((one, place) => (
                <Row key={`${one.at} ${one.route} ${place}`} exchange={one} />
              ))}
            </ol>
          )}
          {limit === few && value.items.length === few && <Action label="Show more" onPress={() => setLimit(many)} />}
        </>
      )}
    </section>
  );
}

function Row({ exchange }: { exchange: Exchange }) {
  const atMs = Date.parse(exchange.at);
  const { llm } = exchange;
  const what =
    llm === null ? [exchange.operation, exchange.mode].filter(Boolean).join(' ') : (llm.model ?? llm.provider);
  return (
    <li class="exchange">
      <details>
        <summary>
          <time dateTime={exchange.at} title={formatExact(atMs)}>
            {formatInstant(atMs, nowMs.value)}
          </time>
          <Word {...wordOfOutcome(exchange.outcome)} />
          <span class="exchange-what">{what}</span>
          <span class="exchange-who faint">
            {workspaceName(exchange.workspace)}
            {exchange.user !== null && ` · ${exchange.user}`}
          </span>
          <span class="number">{timeOf(exchange.duration_ms)}</span>
        </summary>
        <dl class="event-facts">
          {factsOf(exchange).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </details>
    </li>
  );
}

/** Only what is known of it. */
export function factsOf(one: Exchange): [name: string, value: string][] {
  const { llm } = one;
  const facts: [string, string | null][] = [
    ['route', one.route],
    ['status', one.status === 0 ? null : String(one.status)],
    ['reason', one.reason],
    ['target', one.target_id],
    ['key', one.key_id],
    ['first byte', one.first_byte_ms === null ? null : timeOf(one.first_byte_ms)],
    ['first content', one.first_content_ms === null ? null : timeOf(one.first_content_ms)],
    ['sent', one.source === 'gateway' ? formatBytes(one.request_bytes) : null],
    ['received', one.source === 'gateway' ? formatBytes(one.response_bytes) : null],
    ['track id', one.track_id],
    ['added', one.added_parameters.length === 0 ? null : one.added_parameters.join(', ')],
    ['told by', one.source === 'recorded' ? 'a program' : null],
    ['call', llm && `${llm.call}, ${llm.provider}${llm.role === null ? '' : `, ${llm.role}`}`],
    ['tokens in', llm && countOr(llm.prompt_tokens)],
    ['tokens out', llm && countOr(llm.completion_tokens)],
    ['cost', llm && (llm.cost_usd === null ? 'unknown' : formatMetric(llm.cost_usd, 'usd'))],
    ['again', llm?.retry ? 'the same call failed before' : null],
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
}

const countOr = (count: number | null): string => (count === null ? 'unknown' : formatCount(count));
