import type { BackupStatus } from '../api/wire.ts';
import { formatDuration, formatExact, formatInstant, plural } from '../format.ts';
import { levelOf, shapeOf } from '../parts/mark.tsx';
import { Trouble } from '../parts/text.tsx';
import { drills, nowMs, objectives, timeline } from '../state/page-state.ts';
import { findGaps, type Gap, lanes, layTimeline, percentOf, type TimelineMark } from '../state/timeline.ts';
import { changeUrl, timelineDays, urlState } from '../state/url.ts';

const choices = [1, 7, 30, 90, 365] as const;

/** The course of the points: gaps and bad stretches at a glance, each mark a way to its point. */
export function TimelineStrip({ status }: { status: BackupStatus | undefined }) {
  const shown = timeline.value.value;
  // Of what never came, whoever stands above has said why.
  if (shown === undefined) return null;
  const span = { fromMs: Date.parse(shown.from), toMs: Date.parse(shown.to) };
  const held = objectives.value.value?.items.find((one) => one.target_id === shown.target_id);
  const objectiveSeconds = held?.rpo.objective_seconds ?? status?.rpo.objective_seconds;
  const marks = layTimeline(shown, drills.value.value?.items ?? []);
  const gaps = objectiveSeconds === undefined ? [] : findGaps(shown, objectiveSeconds * 1000);
  const used = lanes.filter((lane) => marks.some((mark) => mark.lane === lane));
  const inFocus = marks.find((mark) => mark.pointId === urlState.value.point) ?? marks.at(-1);
  return (
    <section class="timeline" aria-labelledby="timeline-title">
      <div class="timeline-head">
        <h3 id="timeline-title">Course</h3>
        <label class="filter">
          shown{' '}
          <select
            value={String(timelineDays(urlState.value))}
            onChange={(event) => changeUrl({ days: event.currentTarget.value })}
          >
            {choices.map((days) => (
              <option key={days} value={String(days)}>
                {days === 1 ? 'last day' : `last ${days} days`}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Trouble text={timeline.problem.value} />
      {marks.length === 0 ? (
        <p class="empty">Nothing was taken in this time.</p>
      ) : (
        // biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys go from mark to mark; each is a button of its own.
        <div class="strip" onKeyDown={walk}>
          {used.map((lane) => (
            <div key={lane} class="lane">
              <span class="lane-name">{lane}</span>
              {/* biome-ignore lint/a11y/useSemanticElements: a drawing cannot be a fieldset. */}
              <svg class="lane-track" role="group" aria-label={lane}>
                <title>{lane}</title>
                <Gaps gaps={gaps} span={span} />
                <line x1="0" x2="100%" y1="50%" y2="50%" class="lane-line" />
                {marks
                  .filter((mark) => mark.lane === lane)
                  .map((mark) => (
                    <MarkButton key={`${mark.word} ${mark.atMs}`} mark={mark} canFocus={mark === inFocus} />
                  ))}
              </svg>
            </div>
          ))}
          <div class="lane lane-axis" aria-hidden="true">
            <span />
            <span class="axis">
              <span>{formatInstant(span.fromMs, span.toMs)}</span>
              <span>{formatInstant((span.fromMs + span.toMs) / 2, span.toMs)}</span>
              <span>now</span>
            </span>
          </div>
        </div>
      )}
      {marks.length > 0 && <Told marks={marks} gaps={gaps} objectiveSeconds={objectiveSeconds} />}
      {shown.left_out && <p class="faint">Older ones of this time are left out.</p>}
    </section>
  );
}

function Gaps({ gaps, span }: { gaps: readonly Gap[]; span: { fromMs: number; toMs: number } }) {
  return (
    <>
      {gaps.map((gap) => {
        const from = percentOf(gap.fromMs, span);
        return (
          <rect
            key={gap.fromMs}
            class="gap"
            x={`${from}%`}
            width={`${Math.max(0.4, percentOf(gap.toMs, span) - from)}%`}
            height="100%"
          />
        );
      })}
    </>
  );
}

function MarkButton({ mark, canFocus }: { mark: TimelineMark; canFocus: boolean }) {
  const isOpen = urlState.value.point === mark.pointId && mark.lane !== 'drills';
  const level = levelOf(mark.word);
  const label = wordsOf(mark);
  const open = (): void => changeUrl({ point: mark.pointId });
  const classes = [
    'tick',
    `is-${level}`,
    ...(mark.verified ? [] : ['is-unproved']),
    ...(mark.gone ? ['is-gone'] : []),
    ...(isOpen ? ['is-open'] : []),
  ];
  return (
    <svg x={`${mark.percent}%`} y="0" width="1" height="100%" overflow="visible">
      <title>{label}</title>
      {/* biome-ignore lint/a11y/useSemanticElements: a button of HTML cannot stand in a drawing. */}
      <g
        class={classes.join(' ')}
        role="button"
        tabIndex={canFocus ? 0 : -1}
        aria-label={label}
        aria-pressed={isOpen}
        data-at={mark.atMs}
        onClick={open}
        onKeyDown={(event: KeyboardEvent) => {
          if (event.key !== 'Enter' && event.key !== ' ') return;
          event.preventDefault();
          open();
        }}
      >
        <rect class="tick-room" x="-6" y="0" width="12" height="20" />
        <g transform="translate(-5 4) scale(.84)">{shapeOf(level)}</g>
        {mark.pinned && <rect class="tick-pin" x="-5" y="17" width="10" height="2" />}
      </g>
    </svg>
  );
}

/** `3 consistent points, the newest of 29 Nov 16:14, read back, pinned`. */
export function wordsOf(mark: TimelineMark): string {
  const at = formatInstant(mark.atMs, nowMs.value);
  const noun = mark.lane === 'drills' ? 'drill' : mark.lane === 'failed' ? 'run' : 'point';
  const what = mark.count === 1 ? `${mark.word} ${noun}` : `${mark.count} ${mark.word} ${noun}s, the newest`;
  const marks = [
    ...(mark.lane === 'drills' || mark.lane === 'failed' ? [] : [mark.verified ? 'read back' : 'not read back']),
    ...(mark.pinned ? ['pinned'] : []),
    ...(mark.gone && mark.lane !== 'failed' ? ['forgotten since'] : []),
  ];
  return [`${what} of ${at}`, ...marks].join(', ');
}

/** Left and right go to the neighbour in time, whichever lane it is in. */
function walk(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
  const all = [...event.currentTarget.querySelectorAll<SVGGElement>('g[role="button"]')].sort(
    (a, b) => Number(a.dataset.at) - Number(b.dataset.at),
  );
  const here = all.findIndex((one) => one.matches(':focus'));
  const next = all[here + (event.key === 'ArrowLeft' ? -1 : 1)];
  if (here === -1 || next === undefined) return;
  event.preventDefault();
  next.focus();
}

/** The drawing in words: what its marks mean, when the objective was missed, and every mark as a line. */
function Told(props: { marks: readonly TimelineMark[]; gaps: readonly Gap[]; objectiveSeconds: number | undefined }) {
  const { marks, gaps } = props;
  const missedMs = gaps.reduce((sum, gap) => sum + gap.toMs - gap.fromMs, 0);
  return (
    <>
      <p class="timeline-legend">
        {marks.some((mark) => !mark.verified) && 'Hollow: not read back. '}
        {marks.some((mark) => mark.pinned) && 'Underlined: pinned. '}
        {marks.some((mark) => mark.gone && mark.lane !== 'failed') && 'Faint: forgotten since. '}
        {props.objectiveSeconds !== undefined &&
          (gaps.length === 0
            ? `Never longer than the RPO (${formatDuration(props.objectiveSeconds)}) without a good point.`
            : `Shaded: the RPO was missed ${plural(gaps.length, 'time')}, for ${formatDuration(missedMs / 1000)} in all.`)}
      </p>
      <details class="timeline-list">
        <summary>As a list</summary>
        <ul>
          {gaps.toReversed().map((gap) => (
            <li key={gap.fromMs}>
              The RPO was missed from {formatExact(gap.fromMs)} to {formatExact(gap.toMs)}.
            </li>
          ))}
          {marks.toReversed().map((mark) => (
            <li key={`${mark.lane} ${mark.word} ${mark.atMs}`}>
              <button type="button" class="link" onClick={() => changeUrl({ point: mark.pointId })}>
                {wordsOf(mark)}
              </button>
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}
