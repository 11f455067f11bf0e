import type { GatewayStatus } from '../../api/traffic-wire.ts';
import { formatCount, plural } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { Age, Fact, Sentence, Trouble, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { workspaceName } from './figures.ts';
import { KeysPanel } from './keys.tsx';

/** Where it listens, what it reaches, what it had to leave out; and the keys for it, where there is one. */
export function GatewayPanel() {
  const { value, problem } = useFollowed<GatewayStatus>('gateway', {
    load: (on) => api.get('api/v1/gateway/status', on),
    everyMs: () => 3_000,
  });
  return (
    <>
      <section class="panel" aria-labelledby="gateway-title">
        <div class="panel-head">
          <h2 id="gateway-title">Gateway</h2>
          {value && <Word word={value.phase === 'running' ? 'healthy' : 'degraded'} text={value.phase} />}
          {value && (
            <span class="seen">
              told <Age at={value.looked_at} none="nothing yet" />
            </span>
          )}
        </div>
        {value === undefined ? (
          <p class={problem === undefined ? '' : 'empty'}>
            {problem === undefined ? <Unknown /> : <Sentence text={problem} />}
          </p>
        ) : (
          <>
            <Trouble text={problem} />
            <Facts status={value} />
          </>
        )}
      </section>
      {value && <KeysPanel upstreams={value.upstreams} />}
    </>
  );
}

const known = (count: number | null) => (count === null ? <Unknown /> : formatCount(count));

function Facts({ status }: { status: GatewayStatus }) {
  const { barrier, upstreams, providers } = status;
  const losses = [
    [status.observations_dropped, 'observation was dropped', 'observations were dropped'],
    [status.connections_refused, 'connection was refused', 'connections were refused'],
    [status.requests_unreadable, 'request could not be read', 'requests could not be read'],
    [status.quota_unanswered, 'request went on without a quota', 'requests went on without a quota'],
    [status.restarts, 'restart of its thread', 'restarts of its thread'],
  ] as const;
  const told = losses.flatMap(([count, one, many]) => (count ? [plural(count, one, many)] : []));
  return (
    <>
      <dl class="facts">
        <Fact name="Clients ask">
          {status.url === null ? <Unknown text="nowhere yet" /> : <code>{status.url}</code>}
        </Fact>
        <Fact name="Under way">
          {known(status.requests_under_way)}
          <span class="faint"> · connections {known(status.connections)}</span>
        </Fact>
        <Fact name="Writes">
          {barrier === null ? (
            <Unknown />
          ) : barrier.holding.length === 0 ? (
            'pass'
          ) : (
            <Word word="warning" text={`held for ${barrier.holding.join(', ')}, ${barrier.waiting} waiting`} />
          )}
        </Fact>
        <Fact name="Left out">{told.length === 0 ? 'nothing' : <Word word="warning" text={told.join('; ')} />}</Fact>
      </dl>
      <table class="figures">
        <caption class="visually-hidden">What it reaches</caption>
        <thead>
          <tr>
            <th scope="col">Reaches</th>
            <th scope="col">How it is</th>
            <th scope="col">Asked as</th>
          </tr>
        </thead>
        <tbody>
          {upstreams.map((one) => (
            <tr key={one.id}>
              <th scope="row">
                {one.target_id}
                <span class="faint"> · {workspaceName(one.workspace)}</span>
              </th>
              <td data-name="How it is">
                <Breaker state={one.state} />
              </td>
              <td class="faint" data-name="Asked as">
                {[one.path_prefix, ...one.hosts].filter((way) => way !== null).join(', ') || 'the default'}
                {one.has_key && ' · with its key'}
              </td>
            </tr>
          ))}
          {providers.map((one) => (
            <tr key={`llm/${one.id}`}>
              <th scope="row">
                {one.id}
                <span class="faint"> · {one.api}</span>
              </th>
              <td data-name="How it is">
                <Breaker state={one.state} />
              </td>
              <td class="faint" data-name="Asked as">
                /llm/{one.id}/{one.has_key && ' · with its key'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

const breakers = {
  closed: { word: 'healthy', text: 'reached' },
  open: { word: 'failed', text: 'not reached' },
  probing: { word: 'warning', text: 'tried again' },
  unknown: { word: 'unknown', text: 'not asked yet' },
} as const;

const Breaker = ({ state }: { state: keyof typeof breakers }) => <Word {...breakers[state]} />;
