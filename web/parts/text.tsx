import { type ComponentChildren, Fragment } from 'preact';
import { useId } from 'preact/hooks';
import { formatAge, formatExact } from '../format.ts';
import { nowMs } from '../state/page-state.ts';

/** What is not known is said so; it never looks like a zero. */
export function Unknown({ text = 'not known yet' }: { text?: string }) {
  return <span class="unknown-value">{text}</span>;
}

/** A sentence of the server: what stands in backticks is a command or a name. */
export function Sentence({ text }: { text: string }) {
  return (
    <>{text.split('`').map((part, place) => (place % 2 === 1 ? <code key={`${place} ${part}`}>{part}</code> : part))}</>
  );
}

/** A name of a metric or a path breaks between its words, where it has to break. */
export function Breakable({ text }: { text: string }) {
  return (
    <>
      {text.split(/(?<=[_./:-])(?=\w)/).map((part, place) => (
        <Fragment key={`${place} ${part}`}>
          {place > 0 && <wbr />}
          {part}
        </Fragment>
      ))}
    </>
  );
}

/** How long ago, with the instant itself beside the pointer. */
export function Age({ at, none }: { at: string | null; none?: string }) {
  if (at === null) return <Unknown {...(none === undefined ? {} : { text: none })} />;
  const atMs = Date.parse(at);
  return (
    <time dateTime={at} title={formatExact(atMs)}>
      {formatAge(atMs, nowMs.value)}
    </time>
  );
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** What a screen reader says of a button: it holds the words that are seen, so that who speaks to the page can name it (WCAG 2.5.3). */
export const spokenName = (label: string, about: string | undefined): string | undefined =>
  about === undefined || about.toLowerCase().includes(label.toLowerCase()) ? about : `${label}: ${about}`;

/** A button that cannot be used says why, also to those who cannot point at it. */
export function Action(props: {
  label: string;
  kind?: 'plain' | 'main' | 'danger';
  why?: string | undefined;
  /** Shows the reason beside the button, not only on hover. */
  tellWhy?: boolean;
  about?: string;
  /** Left out, it sends the form that it stands in, which minds `why` itself: Enter in a field sends it too. */
  onPress?(): void;
}) {
  const { why, onPress } = props;
  const id = useId();
  return (
    <span class="action">
      {why !== undefined && (
        <span id={id} class={props.tellWhy ? 'why' : 'why-not'}>
          {why}
        </span>
      )}
      {/* Not `disabled`: the keyboard reaches it and hears why, and what was just pressed keeps the focus while it is done. */}
      <button
        type={onPress === undefined ? 'submit' : 'button'}
        class={`button is-${props.kind ?? 'plain'}`}
        aria-disabled={why !== undefined}
        aria-describedby={why === undefined ? undefined : id}
        title={why ?? props.about}
        aria-label={spokenName(props.label, props.about)}
        onClick={() => {
          if (why === undefined) onPress?.();
        }}
      >
        {props.label}
      </button>
    </span>
  );
}

/** The last answer failed: what is shown is older than it should be. */
export function Trouble({ text }: { text: string | undefined }) {
  return text === undefined ? null : (
    <p class="trouble" role="status">
      {text} What is shown is the last that was known.
    </p>
  );
}
