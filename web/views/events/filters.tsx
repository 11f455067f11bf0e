import { duringMs, duringNames, type EventQuestion, kinds, severities } from '../../state/event-question.ts';
import { targets } from '../../state/page-state.ts';
import { showEvents } from '../../state/url.ts';

export function Filters({ question }: { question: EventQuestion }) {
  const graphs = (targets.value.value?.items ?? []).map(({ id }) => id);
  return (
    <form class="event-filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <label>
        Kind
        <select value={question.kind} onChange={(event) => showEvents({ kind: event.currentTarget.value })}>
          <option value="">any</option>
          {kinds.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <label>
        Severity
        <select value={question.least} onChange={(event) => showEvents({ least: event.currentTarget.value })}>
          <option value="">any</option>
          {severities.slice(1).map((one) => (
            <option key={one} value={one}>
              {one === 'critical' ? one : `${one} and worse`}
            </option>
          ))}
        </select>
      </label>
      <label>
        Graph
        <input
          value={question.graph}
          list="event-graphs"
          placeholder="any"
          title="target, or target:workspace"
          onChange={(event) => showEvents({ graph: event.currentTarget.value.trim() })}
        />
        <datalist id="event-graphs">
          {graphs.map((id) => (
            <option key={id} value={id} />
          ))}
        </datalist>
      </label>
      <label>
        Asked by
        <input
          value={question.user}
          placeholder="anybody"
          onChange={(event) => showEvents({ user: event.currentTarget.value.trim() })}
        />
      </label>
      <label>
        During
        <select
          value={question.during}
          onChange={(event) =>
            showEvents({ during: duringNames.find((one) => one === event.currentTarget.value) ?? '7d' })
          }
        >
          {duringNames.map((one) => (
            <option key={one} value={one}>
              the last {duringMs(one) === 86_400_000 ? '24 h' : `${duringMs(one) / 86_400_000} days`}
            </option>
          ))}
        </select>
      </label>
    </form>
  );
}
