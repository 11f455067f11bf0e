import type { GatewayStatus } from '../../api/traffic-wire.ts';
import { formatCount, plural } from '../../format.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Table } from '../../parts/table.tsx';
import { Age, Fact, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';
import { workspaceName } from './figures.ts';
import { KeysPanel } from './keys.tsx';

/** Where it listens, what it reaches, what it had to leave out; and the keys for it, where there is one. */
export function GatewayPanel() {
  const asked = useFollowed<GatewayStatus>('gateway', {
    load: (on) => api.get('api/v1/gateway/status', on),
    everyMs: () => 3_000,
  });
  const { value } = asked;
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
        <Loaded asked={asked}>{(status) => <Facts status={status} />}</Loaded>
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
  const reached = [
    ...upstreams.map((one) => ({
      ...{ id: one.id, name: one.target_id, besides: workspaceName(one.workspace), state: one.state },
      asked: [one.path_prefix, ...one.hosts].filter((way) => way !== null).join(', ') || 'the default',
      hasKey: one.has_key,
    })),
    ...providers.map((one) => ({
      ...{ id: `llm/${one.id}`, name: one.id, besides: one.api, state: one.state },
      asked: `/llm/${one.id}/`,
      hasKey: one.has_key,
    })),
  ];
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
      <Table
        name="What it reaches"
        rows={reached}
        keyOf={(one) => one.id}
        empty="It reaches nothing."
        columns={[
          {
            title: 'Reaches',
            cell: (one) => (
              <>
                {one.name}
                <span class="faint"> · {one.besides}</span>
              </>
            ),
          },
          { title: 'How it is', cell: (one) => <Breaker state={one.state} /> },
          {
            title: 'Asked as',
            look: () => 'faint',
            cell: (one) => `${one.asked}${one.hasKey ? ' · with its key' : ''}`,
          },
        ]}
      />
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
