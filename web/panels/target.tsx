import type { Target, TargetFact } from '../api/wire.ts';
import { formatBytes, formatDuration, plural } from '../format.ts';
import { levelOf, Word } from '../parts/mark.tsx';
import { Age, Fact, Trouble, Unknown } from '../parts/text.tsx';
import { targets } from '../state/page-state.ts';
import { Documents } from './documents.tsx';

export function Targets() {
  const page = targets.value.value;
  return (
    <section class="panel" aria-labelledby="targets-title">
      <h2 id="targets-title">Backend</h2>
      <Trouble text={targets.problem.value} />
      {page === undefined ? (
        <p>
          <Unknown />
        </p>
      ) : page.items.length === 0 ? (
        <p class="empty">
          No target is configured. Set <code>RAGWARDEN_TARGET_URL</code> and <code>WORKING_DIR</code>, or write{' '}
          <code>ragwarden.yaml</code>.
        </p>
      ) : (
        page.items.map((target) => <TargetCard key={target.id} target={target} />)
      )}
    </section>
  );
}

function TargetCard({ target }: { target: Target }) {
  return (
    <article class={`target is-${levelOf(target.status)}`} aria-label={`Target ${target.id}`}>
      <header class="target-head">
        <h3>
          {target.id}
          {target.sample && <span class="tag">sample</span>}
        </h3>
        <Word word={target.status} />
        <span class="seen">
          looked at <Age at={target.observed_at} none="never" />
          {target.latency_ms !== null && `, ${Math.round(target.latency_ms)} ms`}
        </span>
      </header>
      {target.reasons.length > 0 && (
        <ul class="reasons">
          {target.reasons.map((reason) => (
            <li key={`${reason.code} ${reason.message}`}>
              <code>{reason.code}</code> {reason.message}
            </li>
          ))}
        </ul>
      )}
      {isFollowed(target, 'documents') && <Documents counts={target.documents} />}
      <dl class="facts">
        <Fact name={target.configured_kind === 'graphrag' ? 'Index run' : 'Pipeline'}>
          <Pipeline target={target} />
        </Fact>
        <Fact name="Kind">
          {target.kind ?? target.configured_kind}
          {target.kind === 'unknown' && <span class="faint"> · {target.configured_kind} was expected</span>}
          {target.kind_from === 'detected' && <span class="faint"> · as its settings or its folder show</span>}
          {target.core_version !== null && ` ${target.core_version}`}
          {target.api_version !== null && <span class="faint"> · API {target.api_version}</span>}
        </Fact>
        {target.endpoints.map((endpoint) => (
          <Fact key={endpoint.url} name="Endpoint">
            <code>{endpoint.url}</code>
            <span class="faint">
              {isFollowed(target, 'workspaces') && (
                <> · workspace {endpoint.workspace === '' ? '(unnamed)' : <code>{endpoint.workspace}</code>}</>
              )}
            </span>
          </Fact>
        ))}
        {target.facts.map((fact) => (
          <Fact key={fact.name} name={nameOfFact(fact.name)}>
            <FactValue fact={fact} />
          </Fact>
        ))}
        {target.stores.map((store) => {
          const size = target.sizes.find((one) => one.store === store.name);
          return (
            <Fact key={store.name} name={nameOfStore(store)}>
              {size === undefined ? (
                <Unknown text="not counted yet" />
              ) : (
                <>
                  {formatBytes(size.bytes)}
                  <span class="faint">
                    {' '}
                    · {plural(size.files, 'file')} · counted <Age at={size.counted_at} />
                  </span>
                </>
              )}
              <code class="path">{store.path}</code>
            </Fact>
          );
        })}
      </dl>
    </article>
  );
}

const isFollowed = ({ not_applicable: none }: Target, what: string): boolean => !none.some((one) => one.what === what);

function nameOfStore({ name, kind }: Target['stores'][number]): string {
  if (kind === 'project-folder') return 'Project folder';
  if (kind === 'folder') return `Folder ${name}`;
  return name === 'inputs' ? 'Input folder' : 'Workspace folder';
}

/** `last_run_documents` → `Last run documents`. */
const nameOfFact = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1)}`.replaceAll('_', ' ');

function FactValue({ fact: { value, unit } }: { fact: TargetFact }) {
  if (value === null) return <Unknown />;
  if (unit === 'bytes' && typeof value === 'number') return formatBytes(value);
  if (unit === 'seconds' && typeof value === 'number') return formatDuration(value);
  if (unit === 'time' && typeof value === 'string') return <Age at={value} />;
  return String(value);
}

function Pipeline({ target }: { target: Target }) {
  const { pipeline } = target;
  if (pipeline === null) return <Unknown />;
  return (
    <>
      <strong>{pipeline.busy ? 'busy' : 'idle'}</strong>
      {pipeline.busy && pipeline.job_name !== '' && `: ${pipeline.job_name}`}
      {pipeline.unflushed === true && <span class="faint"> · not everything is on disk yet</span>}
      {pipeline.latest_message !== '' && (
        <span class="latest" title={pipeline.latest_message}>
          {pipeline.latest_message}
        </span>
      )}
    </>
  );
}
