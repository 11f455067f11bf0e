import type { Instance } from '../../api/health-wire.ts';
import { Word } from '../../parts/mark.tsx';
import { Age, Trouble, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';

const words: Readonly<Record<string, string>> = { running: 'healthy', waiting: 'healthy', late: 'unhealthy' };

/** What runs in this instance, and in the others on the same state. */
export function ServicesPanel() {
  const { value, problem } = useFollowed<{ readonly items: readonly Instance[] }>('services', {
    load: (on) => api.get('api/v1/system/services', on),
    everyMs: () => 10_000,
  });
  return (
    <section class="panel" aria-labelledby="services-title">
      <h2 id="services-title">Services</h2>
      <Trouble text={problem} />
      {value === undefined ? (
        <p>
          <Unknown />
        </p>
      ) : (
        value.items.map((instance) => <OneInstance key={instance.instance} instance={instance} />)
      )}
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
      <table class="figures">
        <caption class="visually-hidden">What runs in {instance.instance}</caption>
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col">State</th>
            <th scope="col">Last run</th>
          </tr>
        </thead>
        <tbody>
          {instance.services.map((one) => (
            <tr key={one.name}>
              <th scope="row">{one.name}</th>
              <td>
                <Word word={words[one.state] ?? 'none'} text={one.state} />
              </td>
              <td>
                {one.runs === null ? '' : <Age at={one.last_run} none="never" />}
                {one.last_error !== null && <span class="faint"> {one.last_error}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </article>
  );
}
