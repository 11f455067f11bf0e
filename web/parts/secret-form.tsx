import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/**
 * A form for secrets. What is typed is nowhere but in its fields until it is sent, and then not there either: neither the page's
 * state nor an attribute holds it, whether the server takes it or not.
 */
export function SecretForm(props: {
  name: string;
  children: ComponentChildren;
  /** Why it cannot be sent now: what was typed stays where it is. */
  why: string | undefined;
  /** What was typed, by the names of the fields. */
  onSend(typed: FormData): void;
  onLeave(): void;
}) {
  const form = useRef<HTMLFormElement>(null);
  // Whoever opened it goes on with it.
  useLayoutEffect(() => form.current?.querySelector<HTMLElement>('input, select')?.focus(), []);
  return (
    <form
      ref={form}
      class="new-key"
      aria-label={props.name}
      autocomplete="off"
      onSubmit={(event) => {
        const typed = takeTyped(event, props.why);
        if (typed) props.onSend(typed);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') props.onLeave();
      }}
    >
      {props.children}
    </form>
  );
}

/** What was typed, which is not in the fields any more then; undefined while it cannot be sent, and stays in them. */
export function takeTyped(
  event: { preventDefault(): void; readonly currentTarget: HTMLFormElement },
  why: string | undefined,
): FormData | undefined {
  event.preventDefault();
  if (why !== undefined) return undefined;
  const typed = new FormData(event.currentTarget);
  event.currentTarget.reset();
  return typed;
}

/** A field of it. */
export function SecretField({ name, label, isSecret = true }: { name: string; label: string; isSecret?: boolean }) {
  return (
    <label>
      {label}
      <input
        name={name}
        type={isSecret ? 'password' : 'text'}
        autocomplete={isSecret ? 'new-password' : 'off'}
        autocapitalize="none"
        spellcheck={false}
      />
    </label>
  );
}
