import type { ComponentChildren } from 'preact';
import type { MetricDefinition } from '../../api/metric-wire.ts';
import { formatDuration } from '../../format.ts';
import {
  aggregationOf,
  type MetricQuestion,
  rangeOf,
  spanMs,
  spans,
  stepOf,
  steps,
  topOf,
} from '../../state/metric-question.ts';
import { useLabels } from '../../state/metric-state.ts';
import { nowMs } from '../../state/page-state.ts';
import { ask } from '../../state/url.ts';

const aggregations: Readonly<Record<string, string>> = {
  average: 'average',
  min: 'least',
  max: 'greatest',
  last: 'last',
  sum: 'sum',
  count: 'count',
  rate: 'rate per second',
  increase: 'increase',
  p50: '50th percentile',
  p90: '90th percentile',
  p95: '95th percentile',
  p99: '99th percentile',
};

type Props = { readonly question: MetricQuestion; readonly metric: MetricDefinition };

/** Each choice asks anew, and is in the address. */
export function AskForm({ question, metric }: Props) {
  const labels = useLabels(question);
  const usual = new Set(metric.aggregations);
  const range = rangeOf(question, nowMs.peek());
  const isFixed = question.from !== undefined;
  const seconds = stepOf(question, range);
  return (
    <form class="ask" onSubmit={(event) => event.preventDefault()}>
      <Choice label="Aggregation" value={aggregationOf(question, metric)} onSay={(aggregation) => ask({ aggregation })}>
        <optgroup label={`Usual for a ${metric.type}`}>
          {[...usual].map((one) => (
            <option key={one} value={one}>
              {aggregations[one] ?? one}
            </option>
          ))}
        </optgroup>
        <optgroup label="Others">
          {Object.keys(aggregations)
            .filter((one) => !usual.has(one))
            .map((one) => (
              <option key={one} value={one}>
                {aggregations[one]}
              </option>
            ))}
        </optgroup>
      </Choice>
      <Choice
        label="Range"
        value={isFixed ? 'fixed' : (question.last ?? '1h')}
        onSay={(last) =>
          ask(
            last === 'fixed'
              ? { from: iso(range.fromMs), to: iso(range.toMs), last: undefined, step: undefined }
              : { last, from: undefined, to: undefined, step: undefined },
          )
        }
      >
        {spans.map((span) => (
          <option key={span} value={span}>
            last {formatDuration((spanMs(span) ?? 0) / 1_000)}
          </option>
        ))}
        {question.last !== undefined && spanMs(question.last) !== undefined && !isUsual(question.last) && (
          <option value={question.last}>last {question.last}</option>
        )}
        <option value="fixed">from … to …</option>
      </Choice>
      {isFixed && (
        <>
          <Moment label="From" atMs={range.fromMs} onSay={(from) => ask({ from, to: iso(range.toMs) })} />
          <Moment label="To" atMs={range.toMs} onSay={(to) => ask({ to })} />
        </>
      )}
      <Choice
        label="Step"
        value={question.step === undefined ? '' : String(seconds)}
        onSay={(step) => ask({ step: step === '' ? undefined : step })}
      >
        <option value="">fitting ({inWords(seconds)})</option>
        {steps.map((one) => (
          <option key={one} value={String(one)}>
            {inWords(one)}
          </option>
        ))}
        {question.step !== undefined && !steps.some((one) => one === seconds) && (
          <option value={String(seconds)}>{inWords(seconds)}</option>
        )}
      </Choice>
      <Choice label="Shown" value={String(topOf(question))} onSay={(top) => ask({ top })}>
        {[...new Set([5, 10, 20, 50, topOf(question)])]
          .sort((a, b) => a - b)
          .map((one) => (
            <option key={one} value={String(one)}>
              {one} greatest
            </option>
          ))}
      </Choice>
      <Grouping question={question} labels={[...labels.keys()]} />
      <Filters question={question} labels={labels} />
    </form>
  );
}

const isUsual = (span: string): boolean => spans.some((one) => one === span);
const iso = (atMs: number): string => new Date(atMs).toISOString();
const inWords = (seconds: number): string => formatDuration(seconds);

/** Which labels keep series apart. */
function Grouping({ question, labels }: { question: MetricQuestion; labels: readonly string[] }) {
  const by = question.by === undefined || question.by === '' ? [] : question.by.split(',');
  const all = [...new Set([...labels, ...by])];
  const mode = question.by === undefined ? 'each' : question.by === '' ? 'one' : 'by';
  if (all.length === 0) return null;
  return (
    <fieldset class="ask-group">
      <legend>Series</legend>
      <label class="tick-box">
        <input type="radio" name="by" checked={mode === 'each'} onChange={() => ask({ by: undefined })} />
        <span>each</span>
      </label>
      <label class="tick-box">
        <input type="radio" name="by" checked={mode === 'one'} onChange={() => ask({ by: '' })} />
        <span>all as one</span>
      </label>
      <span class="faint">or by</span>
      {all.map((label) => (
        <label key={label} class="tick-box">
          <input
            type="checkbox"
            checked={by.includes(label)}
            onChange={() => {
              const next = by.includes(label) ? by.filter((one) => one !== label) : [...by, label];
              ask({ by: next.length === 0 ? undefined : next.join(',') });
            }}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Only series with these labels. A value that is asked for stays to be chosen when no series has it now. */
function Filters(props: { question: MetricQuestion; labels: ReadonlyMap<string, readonly string[]> }) {
  const { question, labels } = props;
  const wanted = new Map(
    question.match.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
  );
  const names = [...new Set([...labels.keys(), ...wanted.keys()])];
  if (names.length === 0) return null;
  return (
    <fieldset class="ask-group">
      <legend>Only where</legend>
      {names.map((name) => {
        const value = wanted.get(name);
        const values = new Set(labels.get(name) ?? []);
        if (value !== undefined) values.add(value);
        return (
          <label key={name} class="ask-filter">
            {name}
            <select
              aria-label={`Only where ${name} is`}
              value={value === undefined ? '' : `=${value}`}
              onChange={(event) => {
                const others = question.match.filter((one) => !one.startsWith(`${name}=`));
                const said = event.currentTarget.value;
                ask({ match: said === '' ? others : [...others, `${name}${said}`] });
              }}
            >
              <option value="">is anything</option>
              {[...values].map((one) => (
                <option key={one} value={`=${one}`}>
                  {one === '' ? '(empty)' : one}
                </option>
              ))}
            </select>
          </label>
        );
      })}
    </fieldset>
  );
}

function Choice(props: { label: string; value: string; onSay(value: string): void; children: ComponentChildren }) {
  return (
    <label class="ask-choice">
      {props.label}
      <select aria-label={props.label} value={props.value} onChange={(event) => props.onSay(event.currentTarget.value)}>
        {props.children}
      </select>
    </label>
  );
}

/** Local time, as the field of the browser has it. */
const localText = (atMs: number): string => iso(atMs - new Date(atMs).getTimezoneOffset() * 60_000).slice(0, 16);

function Moment(props: { label: string; atMs: number; onSay(iso: string): void }) {
  return (
    <label class="ask-choice">
      {props.label}
      <input
        type="datetime-local"
        value={localText(props.atMs)}
        onChange={(event) => {
          const atMs = new Date(event.currentTarget.value).getTime();
          if (Number.isFinite(atMs)) props.onSay(iso(atMs));
        }}
      />
    </label>
  );
}
