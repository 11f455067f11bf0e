import type { ComponentChildren } from 'preact';

/** A plain press stays on the page; one with a key held opens what the browser opens then. */
const isPlain = (event: MouseEvent): boolean =>
  event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;

/** An address within the page, which can be copied and opened beside. */
export function Link(props: {
  href: string;
  class?: string;
  current?: boolean;
  title?: string;
  onFollow(): void;
  children: ComponentChildren;
}) {
  return (
    <a
      href={props.href}
      class={props.class}
      title={props.title}
      aria-current={props.current ? 'page' : undefined}
      onClick={(event) => {
        if (!isPlain(event)) return;
        event.preventDefault();
        props.onFollow();
      }}
    >
      {props.children}
    </a>
  );
}
