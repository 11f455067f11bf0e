import type { Graph } from '../../api/health-wire.ts';
import { formatBytes, plural } from '../../format.ts';
import { Word } from '../../parts/mark.tsx';
import { Age, Fact, Sentence, Trouble, Unknown } from '../../parts/text.tsx';
import { useFollowed } from '../../state/asked.ts';
import { api } from '../../state/session.ts';

/** Each workspace: its state with the reasons, its documents by status, those that are stuck, and the audit of its stores. */
export function GraphsPanel() {
  const { value, problem } = useFollowed<{ readonly items: readonly Graph[] }>('graphs', {
    load: (on) => api.get('api/v1/health-dashboard/graphs', on),
    everyMs: () => 5_000,
  });
  return (
    <section class="panel" aria-labelledby="graphs-title">
      <h2 id="graphs-title">Graphs</h2>
      <Trouble text={problem} />
      {value === undefined ? (
        <p>
          <Unknown />
        </p>
      ) : value.items.length === 0 ? (
        <p class="empty">No target is configured.</p>
      ) : (
        value.items.map((graph) => <OneGraph key={graph.graph_id} graph={graph} />)
      )}
    </section>
  );
}

function OneGraph({ graph }: { graph: Graph }) {
  const { audit, stuck, documents, last_backup: backup } = graph;
  const dangling = Object.entries(audit?.dangling ?? {});
  return (
    <article aria-label={`Graph ${graph.graph_id}`}>
      <header class="target-head">
        <h3>{graph.graph_id}</h3>
        <Word word={graph.status} />
        <span class="seen">
          seen <Age at={graph.observed_at} none="never" />
        </span>
      </header>
      {graph.reasons.map(({ code, message }) => (
        <p key={code} class="trouble">
          <Sentence text={message} />
        </p>
      ))}
      <dl class="facts">
        <Fact name="Documents">{documents === null ? <Unknown /> : <Counts counts={documents} />}</Fact>
        <Fact name="Pipeline">
          {graph.pipeline === null ? <Unknown /> : graph.pipeline.busy ? `busy: ${graph.pipeline.job_name}` : 'idle'}
        </Fact>
        <Fact name="Audit">
          {audit === null ? (
            <Unknown text="not looked into" />
          ) : (
            <>
              <Word word={audit.verdict} />
              <span class="faint">
                {' '}
                {dangling.map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`).join(', ')}{' '}
                <Age at={audit.at} />
              </span>
            </>
          )}
        </Fact>
        {graph.size_bytes !== null && <Fact name="Files">{formatBytes(graph.size_bytes)}</Fact>}
        {backup !== null && (
          <Fact name="Last verified point">
            <Age at={backup.verified_at} none="none" />{' '}
            {!backup.objective_met && <Word word="degraded" text="objective missed" />}
          </Fact>
        )}
      </dl>
      {stuck !== null && (
        <details open>
          <summary>
            {plural(stuck.documents, 'document')} stuck since <Age at={stuck.since} />
          </summary>
          <ul>
            {stuck.listed.map((one) => (
              <li key={one.id}>
                <code>{one.id}</code> {one.status}, changed <Age at={one.updated_at} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </article>
  );
}

function Counts({ counts }: { counts: Readonly<Record<string, number>> }) {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return <>{some.length === 0 ? 'none' : some.map(([status, count]) => `${count} ${status}`).join(', ')}</>;
}
