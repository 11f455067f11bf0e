import type { Instance } from '../../api/health-wire.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Word } from '../../parts/mark.tsx';
import { Table } from '../../parts/table.tsx';
import { Age } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';

const words: Readonly<Record<string, string>> = { running: 'healthy', waiting: 'healthy', late: 'unhealthy' };

/** What is late or failed comes first, and the rest by a press: they are many, and hardly ever worth a look. */
const isWell = ({ state, last_error: error }: Instance['services'][number]): boolean =>
  error === null && words[state] === 'healthy';

/** What runs in this instance, and in the others on the same state. */
export function ServicesPanel() {
  const asked = useFollowed<{ readonly items: readonly Instance[] }>('services', {
    load: (on) => api.get('api/v1/system/services', on),
    everyMs: () => 10_000,
  });
  return (
    <section class="panel" aria-labelledby="services-title">
      <h2 id="services-title">Services</h2>
      <Loaded asked={asked}>
        {(value) => value.items.map((instance) => <OneInstance key={instance.instance} instance={instance} />)}
      </Loaded>
    </section>
  );
}

function OneInstance({ instance }: { instance: Instance }) {
  return (
    <article aria-label={`Instance ${instance.instance}`}>
      <header class="target-head">
        <h3>{instance.instance}</h3>
        <Word word={instance.alive ? 'healthy' : 'offline'} text={instance.alive ? 'alive' : 'gone'} />
        <span class="seen">
          {instance.version}, since <Age at={instance.started_at} />
          {!instance.here && (
            <>
              , told <Age at={instance.told_at} />
            </>
          )}
        </span>
      </header>
      <Table
        name={`What runs in ${instance.instance}`}
        rows={[...instance.services].sort((one, other) => Number(isWell(one)) - Number(isWell(other)))}
        atOnce={Math.max(12, instance.services.filter((one) => !isWell(one)).length)}
        keyOf={(one) => one.name}
        empty="Nothing runs in it."
        columns={[
          { title: 'Service', cell: (one) => one.name, order: (one) => one.name },
          { title: 'State', cell: (one) => <Word word={words[one.state] ?? 'none'} text={one.state} /> },
          {
            title: 'Last run',
            cell: (one) => (
              <>
                {one.runs === null ? '' : <Age at={one.last_run} none="never" />}
                {one.last_error !== null && <span class="faint"> {one.last_error}</span>}
              </>
            ),
          },
        ]}
      />
    </article>
  );
}
