import { useEffect, useRef, useState } from 'preact/hooks';
import type { MetricDefinition } from '../../api/metric-wire.ts';
import { plural } from '../../format.ts';
import { Link } from '../../parts/link.tsx';
import { Trouble, Unknown } from '../../parts/text.tsx';
import { noQuestion } from '../../state/metric-question.ts';
import { addressOf, openMetric, urlState } from '../../state/url.ts';

/** More than anybody reads; a word narrows them. */
const shownAtOnce = 200;

/** Every word somewhere in name, description, unit, type or category. */
export function matchingMetrics(all: readonly MetricDefinition[], typed: string): readonly MetricDefinition[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter(({ name, description, unit, type, category }) => {
    const text = `${name} ${description} ${unit} ${type} ${category}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

type Props = {
  readonly definitions: readonly MetricDefinition[] | undefined;
  readonly problem: string | undefined;
  readonly chosen: string | undefined;
};

export function ChooseMetric({ definitions, problem, chosen }: Props) {
  const [typed, setTyped] = useState('');
  const list = useRef<HTMLUListElement>(null);
  const isListed = definitions?.some(({ name }) => name === chosen);
  // What a link chose is in sight, without the page itself moving.
  useEffect(() => {
    const entry = list.current?.querySelector<HTMLElement>('[aria-current]');
    if (list.current && entry && isListed) list.current.scrollTop = entry.offsetTop - list.current.offsetTop - 40;
  }, [isListed]);
  const found = matchingMetrics(definitions ?? [], typed);
  return (
    <section class="panel metrics-list" aria-labelledby="metrics-list-title" onKeyDown={moveFocus}>
      <div class="panel-head">
        <h2 id="metrics-list-title">All metrics</h2>
        {definitions !== undefined && <span class="seen">{plural(found.length, 'metric')}</span>}
      </div>
      <input
        type="search"
        class="metrics-search"
        placeholder="Search name, unit, description"
        aria-label="Search metrics"
        autocomplete="off"
        spellcheck={false}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      {definitions === undefined ? (
        <p class={problem === undefined ? '' : 'empty'}>{problem ?? <Unknown />}</p>
      ) : (
        <>
          <Trouble text={problem} />
          {found.length === 0 && (
            <p class="empty">{typed === '' ? 'Nothing is recorded yet.' : 'No metric has all of these words.'}</p>
          )}
          <ul class="metrics-found" ref={list}>
            {found.slice(0, shownAtOnce).map((one) => (
              <Entry key={one.name} metric={one} isChosen={one.name === chosen} />
            ))}
          </ul>
          {found.length > shownAtOnce && (
            <p class="empty">{found.length - shownAtOnce} more; another word narrows them.</p>
          )}
        </>
      )}
    </section>
  );
}

function Entry({ metric, isChosen }: { metric: MetricDefinition; isChosen: boolean }) {
  // The range stays: one looks at two metrics over the same time.
  const { last, from, to, step } = urlState.value.question;
  const question = { ...noQuestion, metric: metric.name, last, from, to, step };
  return (
    <li>
      <Link
        href={addressOf({ view: 'metrics', question })}
        class="metric-entry"
        title={metric.description}
        current={isChosen}
        onFollow={() => openMetric(question)}
      >
        <span class="metric-name">{metric.name}</span>
        <span class="faint">
          {metric.type}
          {metric.unit !== 'unknown' && `, ${metric.unit}`}
        </span>
      </Link>
    </li>
  );
}

/** Up and down go through the list, from the search field on. */
function moveFocus(event: KeyboardEvent): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (step === 0 || !(event.currentTarget instanceof HTMLElement)) return;
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>('.metrics-search, .metric-entry')];
  const next = all[all.indexOf(document.activeElement as HTMLElement) + step]; // undefined beyond the ends
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}
